"""Assets, clock and calendar over HTTP (wire/alpaca.md 11.5, 11.6)."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from driftdesk.backend.api.answers import REFUSALS, answer, answer_list, at_work, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.wire.accounts import Asset
from driftdesk.wire.market import CalendarDay, Clock, MarketClocks

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["market"])

AssetClass = Literal["us_equity", "us_option", "crypto", "crypto_perp"]
# fmt: off
Exchange = Literal[
    "AMEX", "ARCA", "ASCX", "BATS", "NYSE", "NASDAQ", "NYSEARCA", "FTXU", "CBSE", "GNSS", "ERSX", "OTC", "CRYPTO",
]
# fmt: on


@router.get("/v1/assets", summary="List assets", response_model=list[Asset])
async def list_assets(
    request: Request,
    *,
    status: Annotated[
        Literal["active", "inactive", "all"], Query(description="Assets are active until they are delisted.")
    ] = "all",
    asset_class: Annotated[AssetClass, Query(description="There are shares and funds here.")] = "us_equity",
    exchange: Annotated[Exchange | None, Query(description="Only those listed there.")] = None,
    attributes: Annotated[
        str, Query(description="Only those with one of these, separated by commas; assets here have none.")
    ] = "",
) -> Response:
    wanted = [name for name in attributes.split(",") if name.strip()]
    return answer_list(
        service_of(request).list_assets(status=status, asset_class=asset_class, exchange=exchange, attributes=wanted)
    )


@router.get("/v1/assets/{symbol_or_id}", summary="Get an asset", response_model=Asset)
async def get_asset(request: Request, symbol_or_id: str) -> Response:
    service = service_of(request)
    return answer(await at_work(request, lambda: service.get_asset(symbol_or_id)))


@router.get("/v1/clock", summary="What time it is at the exchange", response_model=Clock)
async def clock(request: Request) -> Response:
    return answer(service_of(request).clock())


@router.get("/v2/clock", summary="The same, and the clock of each market", response_model=MarketClocks)
async def market_clocks(request: Request) -> Response:
    return answer(service_of(request).market_clocks())


@router.get("/v1/calendar", summary="Trading days", response_model=list[CalendarDay])
async def calendar(
    request: Request,
    *,
    start: Annotated[date | None, Query(description="The first day, included; today by default.")] = None,
    end: Annotated[date | None, Query(description="The last day, included; a year after the first by default.")] = None,
    date_type: Annotated[
        Literal["TRADING", "SETTLEMENT"],
        Query(description="Which days `start` and `end` are: of trade or of settlement."),
    ] = "TRADING",
) -> Response:
    return answer_list(service_of(request).calendar(start, end, by_settlement=date_type == "SETTLEMENT"))
