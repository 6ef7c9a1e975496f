"""Market data over HTTP (wire/alpaca.md 12).

All from one series of daily closes: bid and ask are the price, a bar's open, high and low its close, sizes 0.
"""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator

from driftdesk.backend.api.answers import REFUSALS, answer, service_of, within
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.times import QueryTime
from driftdesk.wire.market import BarPage, LatestBars, LatestQuotes, LatestTrades, StockSnapshot

STOCKS = "/v2/stocks"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["market data"])


Symbols = Annotated[str, Query(description="Symbols separated by commas; one without a price is left out.")]
Feed = Annotated[str | None, Query(description="Accepted; there is one feed here, which the clock names.")]
Currency = Annotated[Literal["USD"], Query(description="Prices here are in USD.")]
BarLimit = Annotated[
    int, BeforeValidator(within(1, 10_000)), Query(description="How many bars at most over all symbols, 1 to 10000.")
]


@router.get(STOCKS + "/trades/latest", summary="Latest trades", response_model=LatestTrades)
async def latest_trades(request: Request, symbols: Symbols, feed: Feed = None, currency: Currency = "USD") -> Response:
    return answer(service_of(request).latest_trades(_names(symbols)))


@router.get(STOCKS + "/quotes/latest", summary="Latest quotes", response_model=LatestQuotes)
async def latest_quotes(request: Request, symbols: Symbols, feed: Feed = None, currency: Currency = "USD") -> Response:
    return answer(service_of(request).latest_quotes(_names(symbols)))


@router.get(STOCKS + "/bars/latest", summary="The latest minute of trading", response_model=LatestBars)
async def latest_bars(request: Request, symbols: Symbols, feed: Feed = None, currency: Currency = "USD") -> Response:
    return answer(service_of(request).latest_bars(_names(symbols)))


@router.get(
    STOCKS + "/snapshots",
    summary="Latest trade, quote, minute and days of each symbol",
    response_model=dict[str, StockSnapshot],
)
async def snapshots(request: Request, symbols: Symbols, feed: Feed = None, currency: Currency = "USD") -> Response:
    found = service_of(request).snapshots(_names(symbols))
    members = (f"{json.dumps(symbol)}:{snapshot.model_dump_json(by_alias=True)}" for symbol, snapshot in found.items())
    return Response("{" + ",".join(members) + "}", media_type="application/json")


@router.get(STOCKS + "/bars", summary="Daily bars, by symbol and time", response_model=BarPage)
async def daily_bars(  # noqa: PLR0913 - the documented parameters
    request: Request,
    symbols: Symbols,
    *,
    timeframe: Annotated[Literal["1Day", "1D"], Query(description="Only daily bars are kept here.")],
    start: Annotated[QueryTime | None, Query(description="Time or date, included; today by default.")] = None,
    end: Annotated[QueryTime | None, Query(description="Time or date, included; now by default.")] = None,
    limit: BarLimit = 1000,
    sort: Annotated[Literal["asc", "desc"], Query(description="By time within each symbol.")] = "asc",
    page_token: Annotated[str | None, Query(description="`next_page_token` of the page before.")] = None,
    adjustment: Annotated[str | None, Query(description="Accepted; prices are adjusted as their source is.")] = None,
    asof: Annotated[str | None, Query(description="Accepted; symbols here do not change.")] = None,
    feed: Feed = None,
    currency: Currency = "USD",
) -> Response:
    return answer(
        service_of(request).daily_bars(
            _names(symbols),
            start=start,
            end=end,
            limit=limit,
            descending=sort == "desc",
            page_token=page_token or None,
        )
    )


def _names(symbols: str) -> list[str]:
    return [name for name in (part.strip() for part in symbols.split(",")) if name]
