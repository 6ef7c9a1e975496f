"""What accounts were worth, over HTTP (wire/alpaca.md 11.7)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from driftdesk.backend.api.answers import REFUSALS, answer, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.times import QueryDate, QueryTime
from driftdesk.engine.schedule import new_york_date
from driftdesk.errors import InputError
from driftdesk.wire.accounts import EquityHistory
from driftdesk.wire.history import PortfolioHistory

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["history"])


class HistoryFilters(BaseModel):
    """What a portfolio history is asked with; the last three concern times within a day and have no effect."""

    period: str | None = Field(
        None, description="A number and D (sessions), W, M or A (years), as in 3M; 1M without `start`."
    )
    timeframe: Literal["1D"] = Field("1D", description="Only whole sessions are kept here.")
    start: QueryTime | None = Field(None, description="Time or date of the first session.")
    end: QueryTime | None = Field(None, description="Time or date of the last session; today by default.")
    date_end: QueryDate | None = Field(None, description="The same as a date; not together with `end`.")
    cashflow_types: str = Field("NONE", description="ALL, NONE, or activity types separated by commas, as in CSD,CSW.")
    intraday_reporting: str | None = Field(None, description="Accepted without effect.")
    pnl_reset: str | None = Field(None, description="Accepted without effect.")
    extended_hours: str | None = Field(None, description="Accepted without effect.")


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
async def portfolio_history(request: Request, account_id: str, filters: Annotated[HistoryFilters, Query()]) -> Response:
    return answer_history(request, account_id, filters)


def answer_history(request: Request, account_id: str, filters: HistoryFilters) -> Response:
    """The portfolio history of an account; InputError for two ends."""
    start, end, date_end = filters.start, filters.end, filters.date_end
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
            period=filters.period,
            start=None if start is None else new_york_date(start),
            end=date_end if end is None else new_york_date(end),
            cashflow_types=filters.cashflow_types,
        )
    )
