"""Portfolios, subscriptions, runs and decisions over HTTP (seed 000, rules.md 2, 5, 7)."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from driftdesk.backend.api.answers import (
    REFUSALS,
    IdempotencyKey,
    Limit,
    PageToken,
    answer,
    answer_list,
    answer_once,
    at_work,
    no_content,
    service_of,
)
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.engine.decision import Outcome
from driftdesk.engine.plan import RunType
from driftdesk.errors import InputError, NotFound, StateError
from driftdesk.wire.decisions import DecisionPage
from driftdesk.wire.portfolios import CreatePortfolio, Portfolio, PortfolioStatus, UpdatePortfolio
from driftdesk.wire.runs import CreateRun, Run, RunPage, RunStatus
from driftdesk.wire.subscriptions import CreateSubscription, Subscription, SubscriptionPage

PORTFOLIOS = "/v1/rebalancing/portfolios"
SUBSCRIPTIONS = "/v1/rebalancing/subscriptions"
RUNS = "/v1/rebalancing/runs"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS)


@router.post(PORTFOLIOS, summary="Create a portfolio", tags=["portfolios"], response_model=Portfolio)
async def create_portfolio(request: Request, body: CreatePortfolio, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).create_portfolio(body))


@router.get(PORTFOLIOS, summary="List portfolios", tags=["portfolios"], response_model=list[Portfolio])
async def list_portfolios(
    request: Request,
    name: str | None = None,
    description: str | None = None,
    symbol: str | None = None,
    portfolio_id: str | None = None,
    status: PortfolioStatus | None = None,
) -> Response:
    return answer_list(
        service_of(request).list_portfolios(
            name=name, description=description, symbol=symbol, portfolio_id=portfolio_id, status=status
        )
    )


@router.get(PORTFOLIOS + "/{portfolio_id}", summary="Get a portfolio", tags=["portfolios"], response_model=Portfolio)
async def get_portfolio(request: Request, portfolio_id: str) -> Response:
    return answer(service_of(request).get_portfolio(portfolio_id))


@router.patch(
    PORTFOLIOS + "/{portfolio_id}", summary="Change a portfolio", tags=["portfolios"], response_model=Portfolio
)
async def update_portfolio(request: Request, portfolio_id: str, body: UpdatePortfolio) -> Response:
    service = service_of(request)
    return answer(await at_work(request, lambda: service.update_portfolio(portfolio_id, body)))


@router.delete(
    PORTFOLIOS + "/{portfolio_id}", summary="Make a portfolio inactive", tags=["portfolios"], status_code=204
)
async def inactivate_portfolio(request: Request, portfolio_id: str) -> Response:
    _require_uuid(portfolio_id)
    service_of(request).inactivate_portfolio(portfolio_id)
    return no_content()


@router.post(SUBSCRIPTIONS, summary="Subscribe an account", tags=["subscriptions"], response_model=Subscription)
async def create_subscription(request: Request, body: CreateSubscription, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).create_subscription(body))


@router.get(SUBSCRIPTIONS, summary="List subscriptions", tags=["subscriptions"], response_model=SubscriptionPage)
async def list_subscriptions(
    request: Request,
    account_id: str | None = None,
    portfolio_id: str | None = None,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Response:
    return answer(
        service_of(request).list_subscriptions(
            account_id=account_id, portfolio_id=portfolio_id, limit=limit, page_token=page_token or None
        )
    )


@router.get(
    SUBSCRIPTIONS + "/{subscription_id}",
    summary="Get a subscription",
    tags=["subscriptions"],
    response_model=Subscription,
)
async def get_subscription(request: Request, subscription_id: str) -> Response:
    return answer(service_of(request).get_subscription(subscription_id))


@router.delete(
    SUBSCRIPTIONS + "/{subscription_id}", summary="Unsubscribe an account", tags=["subscriptions"], status_code=204
)
async def delete_subscription(request: Request, subscription_id: str) -> Response:
    try:
        service_of(request).delete_subscription(subscription_id)
    except NotFound as error:
        # The seed lists 422 for a subscription that does not exist, on DELETE only (rules.md 2.9).
        raise StateError(str(error)) from error
    return no_content()


@router.post(
    SUBSCRIPTIONS + "/{subscription_id}/resume",
    summary="Let automatic runs that are held go on (ours)",
    tags=["subscriptions"],
    response_model=Subscription,
)
async def resume_subscription(request: Request, subscription_id: str, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).resume_subscription(subscription_id))


@router.post(RUNS, summary="Create a run", tags=["runs"], response_model=Run)
async def create_run(request: Request, body: CreateRun, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).create_run(body))


@router.get(RUNS, summary="List runs, newest first", tags=["runs"], response_model=RunPage)
async def list_runs(
    request: Request,
    account_id: str | None = None,
    run_type: Annotated[RunType | None, Query(alias="type")] = None,
    status: RunStatus | None = None,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Response:
    return answer(
        service_of(request).list_runs(
            account_id=account_id, run_type=run_type, status=status, limit=limit, page_token=page_token or None
        )
    )


@router.get(RUNS + "/{run_id}", summary="Get a run with its plan and events", tags=["runs"], response_model=Run)
async def get_run(request: Request, run_id: str) -> Response:
    return answer(service_of(request).get_run(run_id))


@router.delete(RUNS + "/{run_id}", summary="Cancel a run", tags=["runs"], status_code=204)
async def cancel_run(request: Request, run_id: str) -> Response:
    service = service_of(request)
    await at_work(request, lambda: service.cancel_run(run_id))
    return no_content()


@router.get(
    "/v1/decisions", summary="Why accounts were or were not rebalanced", tags=["runs"], response_model=DecisionPage
)
async def list_decisions(  # noqa: PLR0913 - four filters and a page
    request: Request,
    *,
    account_id: str | None = None,
    portfolio_id: str | None = None,
    session: date | None = None,
    outcome: Outcome | None = None,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Response:
    return answer(
        service_of(request).list_decisions(
            account_id=account_id,
            portfolio_id=portfolio_id,
            session=session,
            outcome=outcome,
            limit=limit,
            page_token=page_token or None,
        )
    )


def _require_uuid(portfolio_id: str) -> None:
    try:
        UUID(portfolio_id)
    except ValueError:
        raise InputError(
            f"invalid portfolio_id: it must be a UUID; received {portfolio_id!r}.",
            field="portfolio_id",
            received=portfolio_id,
            allowed="a UUID",
        ) from None
