"""Accounts, their money, positions and orders over HTTP (wire/alpaca.md 11.1-11.4)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator

from driftdesk.backend.api.answers import REFUSALS, answer, answer_list, service_of, within
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.wire.accounts import Account, BulkPositions, EquityHistory, Position, TradingAccount
from driftdesk.wire.base import WireTime
from driftdesk.wire.orders import Order

TRADING = "/v1/trading/accounts/{account_id}"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["accounts"])

OrderLimit = Annotated[int, BeforeValidator(within(1, 500)), Query(description="How many at most, 1 to 500.")]


@router.get("/v1/accounts", summary="List accounts", response_model=list[Account])
async def list_accounts(request: Request) -> Response:
    return answer_list(service_of(request).list_accounts())


@router.get("/v1/accounts/positions", summary="Positions and cash of every account", response_model=BulkPositions)
async def all_positions(request: Request) -> Response:
    return answer(service_of(request).all_positions())


@router.get("/v1/accounts/{account_id}", summary="Get an account", response_model=Account)
async def get_account(request: Request, account_id: str) -> Response:
    return answer(service_of(request).get_account(account_id))


@router.get(
    "/v1/accounts/{account_id}/equity_history",
    summary="Equity, cash and flows at each close",
    response_model=EquityHistory,
)
async def equity_history(request: Request, account_id: str) -> Response:
    return answer(service_of(request).equity_history(account_id))


@router.get(TRADING + "/account", summary="Cash, equity and buying power", response_model=TradingAccount)
async def trading_account(request: Request, account_id: str) -> Response:
    return answer(service_of(request).trading_account(account_id))


@router.get(TRADING + "/positions", summary="Positions of an account", response_model=list[Position])
async def positions(request: Request, account_id: str) -> Response:
    return answer_list(service_of(request).positions(account_id))


@router.get(TRADING + "/positions/{symbol}", summary="One position of an account", response_model=Position)
async def position(request: Request, account_id: str, symbol: str) -> Response:
    return answer(service_of(request).position(account_id, symbol))


@router.get(TRADING + "/orders", summary="Orders of an account", response_model=list[Order])
async def list_orders(  # noqa: PLR0913 - the documented filters
    request: Request,
    account_id: str,
    *,
    status: Literal["open", "closed", "all"] = "open",
    limit: OrderLimit = 50,
    after: WireTime | None = None,
    until: WireTime | None = None,
    direction: Literal["asc", "desc"] = "desc",
) -> Response:
    return answer_list(
        service_of(request).list_orders(
            account_id, status=status, limit=limit, after=after, until=until, direction=direction
        )
    )
