"""What surrounds orders at the trading API's door, as the SDK's TradingClient asks for it: all under /v2.

Account, positions and history are those of the API key's account (see auth.py); assets and calendar are the very routes
of /v1, and the clock is in market.py.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from driftdesk.backend.api import market
from driftdesk.backend.api.answers import REFUSALS, answer, answer_list, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.history import HistoryFilters, answer_history
from driftdesk.backend.api.orders import of_key
from driftdesk.errors import InputError
from driftdesk.wire.accounts import AccountConfiguration, Asset, ChangeConfiguration, Position, TradingAccount
from driftdesk.wire.history import PortfolioHistory
from driftdesk.wire.market import CalendarDay

router = APIRouter(prefix="/v2", route_class=ExactRoute, responses=REFUSALS, tags=["trading"])

OfKey = Annotated[str, Depends(of_key)]


@router.get("/account", summary="Cash, equity and buying power", response_model=TradingAccount)
async def account(request: Request, account: OfKey) -> Response:
    return answer(service_of(request).trading_account(account))


@router.get("/account/configurations", summary="What the account may do", response_model=AccountConfiguration)
async def configuration(request: Request, account: OfKey) -> Response:
    return answer(service_of(request).account_configuration(account))


@router.patch(
    "/account/configurations",
    summary="The same again; what it may do is not to be changed",
    response_model=AccountConfiguration,
)
async def set_configuration(request: Request, account: OfKey, body: ChangeConfiguration) -> Response:
    kept = service_of(request).account_configuration(account)
    for field, wanted in body.model_dump(exclude_none=True).items():
        if wanted != (now := getattr(kept, field)):
            raise InputError(
                f"{field} is {now} for every account here and cannot be changed; received {wanted}.",
                field=field,
                received=wanted,
                allowed=str(now),
            )
    return answer(kept)


@router.get("/account/portfolio/history", summary="Equity and profit at each close", response_model=PortfolioHistory)
async def history(request: Request, account: OfKey, filters: Annotated[HistoryFilters, Query()]) -> Response:
    return answer_history(request, account, filters)


@router.get("/positions", summary="Positions of the account", response_model=list[Position])
async def positions(request: Request, account: OfKey) -> Response:
    return answer_list(service_of(request).positions(account))


@router.get("/positions/{symbol_or_id}", summary="One position of the account", response_model=Position)
async def position(request: Request, account: OfKey, symbol_or_id: str) -> Response:
    return answer(service_of(request).position(account, symbol_or_id))


router.add_api_route("/assets", market.list_assets, summary="List assets", response_model=list[Asset])
router.add_api_route("/assets/{symbol_or_id}", market.get_asset, summary="Get an asset", response_model=Asset)
router.add_api_route("/calendar", market.calendar, summary="Trading days", response_model=list[CalendarDay])
