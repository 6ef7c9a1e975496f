"""Status, connections, brokerages, accounts and what they hold over HTTP (wire/snaptrade.md 4)."""

from fastapi import APIRouter, Request, Response

from driftdesk.backend.api.answers import service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.snaptrade.answers import TAG, answer, answer_list
from driftdesk.backend.api.snaptrade.refusals import REFUSALS
from driftdesk.wire.snaptrade.accounts import Balance, Brokerage, Connection, Positions
from driftdesk.wire.snaptrade.served import (
    ApiStatus,
    BalancesV2,
    BrokerageInstruments,
    Confirmation,
    InvestmentAccount,
    InvestmentAccounts,
    OlderAccount,
    OlderPosition,
)

A = "/accounts/{account_id}"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=[TAG])


@router.get("/", summary="Whether the service is there, and its market's instant; unsigned", response_model=ApiStatus)
async def status(request: Request) -> Response:
    return answer(service_of(request).snaptrade.status())


@router.get("/authorizations", summary="List connections", response_model=list[Connection])
async def connections(request: Request) -> Response:
    return answer_list(service_of(request).snaptrade.connections())


@router.get("/authorizations/{authorization_id}", summary="Get a connection", response_model=Connection)
async def connection(request: Request, authorization_id: str) -> Response:
    return answer(service_of(request).snaptrade.get_connection(authorization_id))


@router.post(
    "/authorizations/{authorization_id}/refresh", summary="Read a connection again", response_model=Confirmation
)
async def refresh(request: Request, authorization_id: str) -> Response:
    return answer(service_of(request).snaptrade.refresh_connection(authorization_id))


@router.get("/brokerages", summary="List brokerages", response_model=list[Brokerage])
async def brokerages(request: Request) -> Response:
    return answer_list([service_of(request).snaptrade.brokerage()])


@router.get(
    "/brokerages/{slug}/instruments", summary="List what a brokerage trades", response_model=BrokerageInstruments
)
async def instruments(request: Request, slug: str) -> Response:
    return answer(service_of(request).snaptrade.instruments(slug))


# Before the one account: its path would be read as an id.
@router.get("/accounts/all", summary="List accounts", response_model=InvestmentAccounts)
async def accounts(request: Request) -> Response:
    return answer(service_of(request).snaptrade.list_accounts())


@router.get("/accounts", summary="List accounts (older shape)", response_model=list[OlderAccount])
async def older_accounts(request: Request) -> Response:
    return answer_list(service_of(request).snaptrade.list_older_accounts())


@router.get(A + "/details", summary="Get an account", response_model=InvestmentAccount)
async def account(request: Request, account_id: str) -> Response:
    return answer(service_of(request).snaptrade.account(account_id))


@router.get(A, summary="Get an account (older shape)", response_model=OlderAccount)
async def older_account(request: Request, account_id: str) -> Response:
    return answer(service_of(request).snaptrade.older_account(account_id))


@router.get(A + "/balances", summary="Cash and buying power", response_model=list[Balance])
async def balances(request: Request, account_id: str) -> Response:
    return answer_list(service_of(request).snaptrade.balances(account_id))


@router.get(A + "/balances/v2", summary="Value, cash and buying power", response_model=BalancesV2)
async def balances_v2(request: Request, account_id: str) -> Response:
    return answer(service_of(request).snaptrade.balances_v2(account_id))


@router.get(A + "/positions/all", summary="List everything held", response_model=Positions)
async def positions(request: Request, account_id: str) -> Response:
    return answer(service_of(request).snaptrade.positions(account_id))


@router.get(A + "/positions", summary="List everything held (older shape)", response_model=list[OlderPosition])
async def older_positions(request: Request, account_id: str) -> Response:
    return answer_list(service_of(request).snaptrade.older_positions(account_id))
