"""What happened in accounts, over HTTP (wire/alpaca.md 11.7)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from driftdesk.backend.api.answers import REFUSALS, answer_list, service_of, within
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.times import QueryDate, QueryTime
from driftdesk.wire.activities import Activity

ACTIVITIES = "/v1/accounts/activities"
# More than a day of any book has; without a date the service allows 100.
_LARGEST_PAGE = 1_000_000

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["history"])


class Filters(BaseModel):
    """What both routes are asked with."""

    account_id: str | None = Field(None, description="Only this account's.")
    date: QueryDate | None = Field(None, description="Only of this New York date; all of it without a `page_size`.")
    after: QueryTime | None = Field(None, description="Only after this time or date; not together with `date`.")
    until: QueryTime | None = Field(None, description="Only before this time or date; not together with `date`.")
    direction: Literal["asc", "desc"] = Field("desc", description="By time; desc is newest first.")
    page_size: Annotated[int, BeforeValidator(within(1, _LARGEST_PAGE))] | None = Field(
        None, description="How many at most: 1 to 100, which is the default; with `date` any number."
    )
    page_token: str | None = Field(None, description="The `id` of the last entry received; a list that ends is empty.")


@router.get(ACTIVITIES, summary="Fills, deposits and withdrawals of accounts", response_model=list[Activity])
async def list_activities(
    request: Request,
    filters: Annotated[Filters, Query()],
    activity_types: Annotated[
        list[str], Query(description="Types separated by commas or repeated, as in FILL,CSD.")
    ] = [],  # noqa: B006 - read by FastAPI, never changed
) -> Response:
    return _answer(request, filters, activity_types)


@router.get(ACTIVITIES + "/{activity_type}", summary="Activities of one type", response_model=list[Activity])
async def list_activities_of_type(
    request: Request, activity_type: str, filters: Annotated[Filters, Query()]
) -> Response:
    return _answer(request, filters, [activity_type])


def _answer(request: Request, filters: Filters, types: list[str]) -> Response:
    return answer_list(
        service_of(request).list_activities(
            account_id=filters.account_id,
            types=types,
            day=filters.date,
            after=filters.after,
            until=filters.until,
            ascending=filters.direction == "asc",
            limit=filters.page_size,
            page_token=filters.page_token or None,
        )
    )
