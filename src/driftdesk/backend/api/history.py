"""What accounts were worth, over HTTP (wire/alpaca.md 11.7)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from driftdesk.backend.api.answers import REFUSALS, answer, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.times import QueryDate, QueryTime
from driftdesk.engine.schedule import new_york_date
from driftdesk.errors import InputError
from driftdesk.wire.accounts import EquityHistory
from driftdesk.wire.history import PortfolioHistory

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["history"])

Tolerated = Annotated[str | None, Query(description="Accepted without effect: it concerns times within a day.")]


@router.get(
    "/v1/accounts/{account_id}/equity_history",
    summary="Equity, cash and flows at each close",
    response_model=EquityHistory,
)
async def equity_history(request: Request, account_id: str) -> Response:
    return answer(service_of(request).equity_history(account_id))


@router.get(
    "/v1/trading/accounts/{account_id}/account/portfolio/history",
    summary="Equity and profit at each close of a time",
    response_model=PortfolioHistory,
)
async def portfolio_history(  # noqa: PLR0913 - the documented parameters
    request: Request,
    account_id: str,
    *,
    period: Annotated[
        str | None, Query(description="A number and D (sessions), W, M or A (years), as in 3M; 1M without `start`.")
    ] = None,
    timeframe: Annotated[Literal["1D"], Query(description="Only whole sessions are kept here.")] = "1D",
    start: Annotated[QueryTime | None, Query(description="Time or date of the first session.")] = None,
    end: Annotated[QueryTime | None, Query(description="Time or date of the last session; today by default.")] = None,
    date_end: Annotated[QueryDate | None, Query(description="The same as a date; not together with `end`.")] = None,
    cashflow_types: Annotated[
        str, Query(description="ALL, NONE, or activity types separated by commas, as in CSD,CSW.")
    ] = "NONE",
    intraday_reporting: Tolerated = None,
    pnl_reset: Tolerated = None,
    extended_hours: Tolerated = None,
) -> Response:
    if end is not None and date_end is not None:
        raise InputError(
            "end and date_end cannot be used together; leave one out.",
            field="date_end",
            received=date_end,
            allowed="either end or date_end",
        )
    return answer(
        service_of(request).portfolio_history(
            account_id,
            period=period,
            start=None if start is None else new_york_date(start),
            end=date_end if end is None else new_york_date(end),
            cashflow_types=cashflow_types,
        )
    )
