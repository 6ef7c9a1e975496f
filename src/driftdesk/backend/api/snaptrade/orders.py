"""Orders over HTTP: see, cancel in both generations, replace (seed 002, wire/snaptrade.md 2, 4)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator

from driftdesk.backend.api.answers import service_of, within
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.snaptrade.accounts import A
from driftdesk.backend.api.snaptrade.answers import TAG, answer, answer_list
from driftdesk.backend.api.snaptrade.refusals import REFUSALS
from driftdesk.wire.snaptrade.base import Dialect
from driftdesk.wire.snaptrade.orders import CancelAnswer, OrderPage, OrderRecord, OrderReference
from driftdesk.wire.snaptrade.trading import ReplaceOrder

Days = Annotated[
    int, BeforeValidator(within(1, 2**31)), Query(description="Placed in so many days; more than 90 mean 90.")
]

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=[TAG])


@router.get(A + "/orders", summary="List orders", response_model=list[OrderRecord])
async def orders(
    request: Request,
    account_id: str,
    *,
    state: Annotated[Literal["all", "open", "executed"], Query(description="Which orders.")] = "all",
    days: Days = 30,
) -> Response:
    return answer_list(service_of(request).snaptrade.list_orders(account_id, state=state, days=days))


@router.get(A + "/recentOrders", summary="List the orders of the last 24 hours", response_model=OrderPage)
async def recent_orders(request: Request, account_id: str, *, only_executed: bool = True) -> Response:
    page = service_of(request).snaptrade.recent_orders(account_id, only_executed=only_executed)
    return answer(page)


@router.post(A + "/orders/details", summary="Get an order", response_model=OrderRecord)
async def order(request: Request, account_id: str, body: OrderReference) -> Response:
    return answer(service_of(request).snaptrade.order(account_id, body.brokerage_order_id))


@router.post(A + "/orders/cancel", summary="Cancel an order (seed): its record, in numbers", response_model=OrderRecord)
async def cancel_for_record(request: Request, account_id: str, body: OrderReference) -> Response:
    record = service_of(request).snaptrade.cancel_for_record(account_id, body.brokerage_order_id)
    return answer(record, Dialect.SEED)


@router.post(A + "/trading/cancel", summary="Cancel an order: its id", response_model=CancelAnswer)
async def cancel(request: Request, account_id: str, body: OrderReference) -> Response:
    return answer(service_of(request).snaptrade.cancel(account_id, body.brokerage_order_id))


@router.post(A + "/trading/replace", summary="Replace an order by one with a new id", response_model=OrderRecord)
async def replace(request: Request, account_id: str, body: ReplaceOrder) -> Response:
    return answer(service_of(request).snaptrade.replace(account_id, body))
