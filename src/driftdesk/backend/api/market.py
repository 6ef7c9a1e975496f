"""Assets, clock, calendar and latest trades over HTTP (wire/alpaca.md 11.5, 11.6, 12)."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from driftdesk.backend.api.answers import REFUSALS, answer, answer_list, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.wire.accounts import Asset
from driftdesk.wire.market import CalendarDay, Clock, LatestTrades

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["market"])


@router.get("/v1/assets", summary="List assets", response_model=list[Asset])
async def list_assets(request: Request) -> Response:
    return answer_list(service_of(request).list_assets())


@router.get("/v1/assets/{symbol_or_id}", summary="Get an asset", response_model=Asset)
async def get_asset(request: Request, symbol_or_id: str) -> Response:
    return answer(service_of(request).get_asset(symbol_or_id))


@router.get("/v1/clock", summary="What time it is at the exchange", response_model=Clock)
async def clock(request: Request) -> Response:
    return answer(service_of(request).clock())


@router.get("/v1/calendar", summary="Trading days", response_model=list[CalendarDay])
async def calendar(request: Request, start: date | None = None, end: date | None = None) -> Response:
    return answer_list(service_of(request).calendar(start, end))


@router.get("/v2/stocks/trades/latest", summary="Latest trades", response_model=LatestTrades)
async def latest_trades(
    request: Request, symbols: Annotated[str, Query(description="Symbols separated by commas.")]
) -> Response:
    names = [name for name in (part.strip() for part in symbols.split(",")) if name]
    return answer(service_of(request).latest_trades(names))
