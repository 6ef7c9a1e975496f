"""Accounts, their money and configuration over HTTP (wire/alpaca.md 11.1, 11.2, 11.7)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from driftdesk.backend.api.answers import REFUSALS, answer, answer_list, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.times import QueryTime
from driftdesk.wire.accounts import Account, AccountConfiguration, TradingAccount

TRADING = "/v1/trading/accounts/{account_id}"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["accounts"])

# fmt: off
AccountStatus = Literal[
    "ACCOUNT_CLOSED", "ACCOUNT_UPDATED", "ACTION_REQUIRED", "ACTIVE", "AML_REVIEW", "APPROVAL_PENDING", "APPROVED",
    "DISABLED", "DISABLE_PENDING", "EDITED", "INACTIVE", "KYC_SUBMITTED", "LIMITED", "ONBOARDING", "PAPER_ONLY",
    "REAPPROVAL_PENDING", "REJECTED", "RESUBMITTED", "SIGNED_UP", "SUBMISSION_FAILED", "SUBMITTED",
]
# fmt: on


@router.get("/v1/accounts", summary="List accounts", response_model=list[Account])
async def list_accounts(  # noqa: PLR0913 - the documented filters
    request: Request,
    *,
    query: Annotated[str, Query(description="Words that must all stand in the number or the name.")] = "",
    created_before: Annotated[QueryTime | None, Query(description="Opened before this time or date.")] = None,
    created_after: Annotated[QueryTime | None, Query(description="Opened after this time or date.")] = None,
    status: Annotated[list[AccountStatus], Query(description="One of these; may be repeated.")] = [],  # noqa: B006
    sort: Annotated[Literal["asc", "desc"], Query(description="By the time of opening.")] = "desc",
    entities: Annotated[str, Query(description="Accepted; accounts here have no contact, identity and so on.")] = "",
) -> Response:
    return answer_list(
        service_of(request).list_accounts(
            query=query,
            created_before=created_before,
            created_after=created_after,
            statuses=status,
            descending=sort == "desc",
        )
    )


@router.get("/v1/accounts/{account_id}", summary="Get an account", response_model=Account)
async def get_account(request: Request, account_id: str) -> Response:
    return answer(service_of(request).get_account(account_id))


@router.get(TRADING + "/account", summary="Cash, equity and buying power", response_model=TradingAccount)
async def trading_account(request: Request, account_id: str) -> Response:
    return answer(service_of(request).trading_account(account_id))


@router.get(
    TRADING + "/account/configurations",
    summary="What an account may do; the same for all and not to be changed",
    response_model=AccountConfiguration,
)
async def account_configuration(request: Request, account_id: str) -> Response:
    return answer(service_of(request).account_configuration(account_id))
