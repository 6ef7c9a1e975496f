"""Orders over HTTP, one implementation behind three doors (rules.md 8.1; seed 003, wire/alpaca.md 11.4).

/v1/orders                           the seed's: the account of the API key, whole shares, day, gtc and opg
/v2/orders, /v2/positions            the current trading API's, as the SDK's TradingClient calls it
/v1/trading/accounts/{id}/orders     the broker's, for any account
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator

from driftdesk.backend.api.answers import (
    REFUSALS,
    IdempotencyKey,
    answer,
    answer_list,
    answer_once,
    no_content,
    service_of,
    within,
)
from driftdesk.backend.api.auth import account_of_key
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.service.orders import OrderFilter, Terms
from driftdesk.wire.base import WireDecimal, WireTime
from driftdesk.wire.orders import (
    CanceledOrder,
    ClosedPosition,
    CreateOrder,
    Order,
    OrderHistory,
    ReplaceOrder,
    TimeInForce,
)

BROKER: Final = "/v1/trading/accounts/{account_id}"

OrderLimit = Annotated[int, BeforeValidator(within(1, 500)), Query(description="How many at most, 1 to 500.")]
SEED_TERMS: Final = Terms((TimeInForce.DAY, TimeInForce.GTC, TimeInForce.OPG), 48, whole_shares=True)
NEWER_TERMS: Final = Terms()


def of_key(request: Request) -> str:
    """The account of the API key (see auth.py)."""
    return service_of(request).account_of_key(account_of_key(request.scope["headers"]))


def of_path(account_id: str) -> str:
    """The account that the path names."""
    return account_id


def order_filter(  # noqa: PLR0913 - the documented filters
    *,
    status: Literal["open", "closed", "all"] = "open",
    limit: OrderLimit = 50,
    after: WireTime | None = None,
    until: WireTime | None = None,
    direction: Literal["asc", "desc"] = "desc",
    symbols: Annotated[str | None, Query(description="Symbols separated by commas.")] = None,
    side: Literal["buy", "sell"] | None = None,
) -> OrderFilter:
    """The filters of a list of orders, as the query gives them."""
    named = tuple(part.strip() for part in (symbols or "").split(",") if part.strip())
    return OrderFilter(status, limit, after, until, direction, named, side)


Wanted = Annotated[OrderFilter, Depends(order_filter)]


def door(prefix: str, account_of: Callable[..., str], terms: Terms, tag: str) -> APIRouter:
    """The routes that every door has: list, place, look up by both ids, cancel one."""
    router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=[tag])
    account_dependency = Depends(account_of)

    @router.get(prefix + "/orders", summary="List orders", response_model=list[Order])
    async def list_orders(request: Request, wanted: Wanted, account: str = account_dependency) -> Response:
        return answer_list(service_of(request).list_orders(account, wanted))

    @router.post(prefix + "/orders", summary="Place an order", response_model=Order)
    async def place_order(
        request: Request, body: CreateOrder, account: str = account_dependency, key: IdempotencyKey = None
    ) -> Response:
        return await answer_once(request, key, lambda: service_of(request).place_order(account, body, terms))

    @router.get(
        prefix + "/orders:by_client_order_id", summary="Get an order by its client order id", response_model=Order
    )
    async def get_by_client_id(request: Request, client_order_id: str, account: str = account_dependency) -> Response:
        return answer(service_of(request).get_order_by_client_id(account, client_order_id))

    @router.get(prefix + "/orders/{order_id}", summary="Get an order", response_model=Order)
    async def get_order(request: Request, order_id: str, account: str = account_dependency) -> Response:
        return answer(service_of(request).get_order(account, order_id))

    @router.delete(prefix + "/orders/{order_id}", summary="Cancel an order", status_code=HTTPStatus.NO_CONTENT)
    async def cancel_order(request: Request, order_id: str, account: str = account_dependency) -> Response:
        service_of(request).cancel_order(account, order_id)
        return no_content()

    return router


def newer_door(prefix: str, account_of: Callable[..., str], tag: str) -> APIRouter:
    """A door with what came after the seed: replace, cancel all, close positions, the history of an order (ours)."""
    router = door(prefix, account_of, NEWER_TERMS, tag)
    account_dependency = Depends(account_of)

    @router.patch(prefix + "/orders/{order_id}", summary="Replace an order", response_model=Order)
    async def replace_order(
        request: Request, order_id: str, body: ReplaceOrder, account: str = account_dependency
    ) -> Response:
        return answer(service_of(request).replace_order(account, order_id, body, NEWER_TERMS))

    @router.get(
        prefix + "/orders/{order_id}/history", summary="What happened to an order (ours)", response_model=OrderHistory
    )
    async def order_history(request: Request, order_id: str, account: str = account_dependency) -> Response:
        return answer(service_of(request).order_history(account, order_id))

    @router.delete(
        prefix + "/orders",
        summary="Cancel every open order",
        status_code=HTTPStatus.MULTI_STATUS,
        response_model=list[CanceledOrder],
    )
    async def cancel_orders(request: Request, account: str = account_dependency) -> Response:
        return _multi(answer_list(service_of(request).cancel_orders(account)))

    @router.delete(
        prefix + "/positions",
        summary="Sell every position",
        status_code=HTTPStatus.MULTI_STATUS,
        response_model=list[ClosedPosition],
    )
    async def close_positions(
        request: Request, account: str = account_dependency, *, cancel_orders: bool = False
    ) -> Response:
        return _multi(answer_list(service_of(request).close_positions(account, cancel_orders=cancel_orders)))

    @router.delete(prefix + "/positions/{symbol_or_id}", summary="Sell a position, or some of it", response_model=Order)
    async def close_position(
        request: Request,
        symbol_or_id: str,
        account: str = account_dependency,
        *,
        qty: WireDecimal | None = None,
        percentage: WireDecimal | None = None,
    ) -> Response:
        return answer(service_of(request).close_position(account, symbol_or_id, qty=qty, percentage=percentage))

    return router


def _multi(response: Response) -> Response:
    response.status_code = HTTPStatus.MULTI_STATUS
    return response


SEED_DOOR: Final = door("/v1", of_key, SEED_TERMS, "orders (seed)")
TRADING_DOOR: Final = newer_door("/v2", of_key, "orders (trading)")
BROKER_DOOR: Final = newer_door(BROKER, of_path, "orders (broker)")


@BROKER_DOOR.post(
    BROKER + "/orders/estimation", summary="What an order would fill at; nothing is placed", response_model=Order
)
async def estimate_order(request: Request, account_id: str, body: CreateOrder) -> Response:
    return answer(service_of(request).estimate_order(account_id, body))
