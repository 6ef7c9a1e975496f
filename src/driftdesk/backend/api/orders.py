"""Orders over HTTP, one implementation behind three doors (rules.md 8.1; seed 003, wire/alpaca.md 11.4).

/v1/orders                           the seed's: the account of the API key, whole shares, day, gtc and opg, its keys
/v2/orders, /v2/positions            the current trading API's, as the SDK's TradingClient calls it
/v1/trading/accounts/{id}/orders     the broker's, for any account

What cannot be read as an order is refused with 422 at each of them, as the seed says, where other bodies get a 400.
"""

import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator

from driftdesk.backend.api.answers import (
    REFUSALS,
    IdempotencyKey,
    answer,
    answer_list,
    answer_once,
    at_work,
    no_content,
    service_of,
    within,
)
from driftdesk.backend.api.auth import account_of_key
from driftdesk.backend.api.errors import told
from driftdesk.backend.api.exact import ExactRoute, InvalidBody
from driftdesk.backend.api.findings import sentence
from driftdesk.backend.api.times import QueryTime
from driftdesk.backend.service.order_requests import ALL_TERMS, Terms
from driftdesk.backend.service.orders import Closing, OrderFilter
from driftdesk.errors import DriftdeskError, Incomplete
from driftdesk.wire.base import WireDecimal
from driftdesk.wire.errors import ErrorBody
from driftdesk.wire.orders import (
    CanceledOrder,
    ClosedPosition,
    CreateOrder,
    Order,
    OrderHistory,
    ReplaceOrder,
    SeedOrder,
    TimeInForce,
)

BROKER: Final = "/v1/trading/accounts/{account_id}"

OrderLimit = Annotated[int, BeforeValidator(within(1, 500)), Query(description="How many at most, 1 to 500.")]
ORDER_REFUSALS: Final[dict[int | str, dict[str, object]]] = REFUSALS | {
    403: {"model": ErrorBody, "description": "Buying power or shares are not sufficient, or the key is wrong."},
    422: {"model": ErrorBody, "description": "The parameters are not recognized, or the order's status forbids it."},
    502: {"model": ErrorBody, "description": "No answer from the exchange: look for the order before sending another."},
}


class OrderRoute(ExactRoute):
    """A route that refuses a body that is no order with 422 (seed 003)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def exactly(request: Request) -> Response:
            try:
                return await handle(request)
            except InvalidBody as error:
                in_body, message = sentence(error.errors(), error.model)
                if not in_body:
                    raise
                raise Incomplete(message) from None

        return exactly


def of_key(request: Request) -> str:
    """The account of the API key (see auth.py)."""
    named = account_of_key(request.scope["headers"], request.app.state.credentials)
    return service_of(request).account_of_key(named)


def of_path(account_id: str) -> str:
    """The account that the path names."""
    return account_id


def seed_filter(
    *,
    status: Annotated[Literal["open", "closed", "all"], Query(description="Which orders.")] = "open",
    limit: OrderLimit = 50,
    after: Annotated[QueryTime | None, Query(description="Only those submitted after this time.")] = None,
    until: Annotated[QueryTime | None, Query(description="Only those submitted before this time.")] = None,
    direction: Annotated[Literal["asc", "desc"], Query(description="By time of submission.")] = "desc",
) -> OrderFilter:
    """What the seed lets a list of orders be asked with."""
    return OrderFilter(status, limit, after, until, direction)


def newer_filter(
    wanted: Annotated[OrderFilter, Depends(seed_filter)],
    *,
    symbols: Annotated[str, Query(description="Only these symbols, separated by commas.")] = "",
    side: Annotated[Literal["buy", "sell"] | None, Query(description="Only this side.")] = None,
) -> OrderFilter:
    """The same, with what came after the seed."""
    return replace(wanted, symbols=tuple(part.strip() for part in symbols.split(",") if part.strip()), side=side)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a door speaks: what it takes, what a list may be asked with, and how an order is told."""

    terms: Terms
    filters: Callable[..., OrderFilter]
    entity: type[Order] | type[SeedOrder]

    def tell(self, order: Order) -> Order | SeedOrder:
        """`order` in the keys of this door."""
        return order if self.entity is Order else SeedOrder.of(order)


_SEED_TERMS: Final = Terms((TimeInForce.DAY, TimeInForce.GTC, TimeInForce.OPG), 48, whole_shares=True)
SEED: Final = Manner(_SEED_TERMS, seed_filter, SeedOrder)
NEWER: Final = Manner(ALL_TERMS, newer_filter, Order)


def door(prefix: str, account_of: Callable[..., str], manner: Manner, tag: str) -> APIRouter:
    """The routes that every door has: list, place, look up by both ids, cancel one."""
    router = APIRouter(route_class=OrderRoute, responses=ORDER_REFUSALS, tags=[tag])
    account_dependency, filter_dependency = Depends(account_of), Depends(manner.filters)
    entity, tell = manner.entity, manner.tell

    @router.get(prefix + "/orders", summary="List orders", response_model=list[entity])  # type: ignore[valid-type]
    async def list_orders(
        request: Request, wanted: OrderFilter = filter_dependency, account: str = account_dependency
    ) -> Response:
        return answer_list(tell(order) for order in service_of(request).list_orders(account, wanted))

    @router.post(prefix + "/orders", summary="Place an order", response_model=entity)
    async def place_order(
        request: Request, body: CreateOrder, account: str = account_dependency, key: IdempotencyKey = None
    ) -> Response:
        return await answer_once(
            request, key, lambda: tell(service_of(request).place_order(account, body, manner.terms))
        )

    @router.get(
        prefix + "/orders:by_client_order_id", summary="Get an order by its client order id", response_model=entity
    )
    async def get_by_client_id(request: Request, client_order_id: str, account: str = account_dependency) -> Response:
        return answer(tell(service_of(request).get_order_by_client_id(account, client_order_id)))

    @router.get(prefix + "/orders/{order_id}", summary="Get an order", response_model=entity)
    async def get_order(request: Request, order_id: str, account: str = account_dependency) -> Response:
        return answer(tell(service_of(request).get_order(account, order_id)))

    @router.delete(prefix + "/orders/{order_id}", summary="Cancel an order", status_code=HTTPStatus.NO_CONTENT)
    async def cancel_order(request: Request, order_id: str, account: str = account_dependency) -> Response:
        service = service_of(request)
        await at_work(request, lambda: service.cancel_order(account, order_id))
        return no_content()

    return router


def newer_door(prefix: str, account_of: Callable[..., str], tag: str) -> APIRouter:
    """A door with what came after the seed: replace, cancel all, close positions, the history of an order (ours)."""
    router = door(prefix, account_of, NEWER, tag)
    account_dependency = Depends(account_of)

    @router.patch(prefix + "/orders/{order_id}", summary="Replace an order", response_model=Order)
    async def replace_order(
        request: Request, order_id: str, body: ReplaceOrder, account: str = account_dependency
    ) -> Response:
        return answer(service_of(request).replace_order(account, order_id, body, NEWER.terms))

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
        service = service_of(request)
        return _multi(answer_list(await at_work(request, lambda: service.cancel_orders(account))))

    @router.delete(
        prefix + "/positions",
        summary="Sell every position",
        status_code=HTTPStatus.MULTI_STATUS,
        response_model=list[ClosedPosition],
    )
    async def close_positions(
        request: Request, account: str = account_dependency, *, cancel_orders: bool = False
    ) -> Response:
        service = service_of(request)
        closings = await at_work(request, lambda: service.close_positions(account, cancel_orders=cancel_orders))
        return _multi(answer_list(map(_closed, closings)))

    @router.delete(prefix + "/positions/{symbol_or_id}", summary="Sell a position, or some of it", response_model=Order)
    async def close_position(
        request: Request,
        symbol_or_id: str,
        account: str = account_dependency,
        *,
        qty: WireDecimal | None = None,
        percentage: WireDecimal | None = None,
    ) -> Response:
        service = service_of(request)
        sell = functools.partial(service.close_position, account, symbol_or_id, qty=qty, percentage=percentage)
        return answer(await at_work(request, sell))

    return router


def _multi(response: Response) -> Response:
    response.status_code = HTTPStatus.MULTI_STATUS
    return response


def _closed(closing: Closing) -> ClosedPosition:
    if isinstance(closing.body, DriftdeskError):
        status, body = told(closing.body)
        return ClosedPosition(symbol=closing.symbol, status=status, body=body)
    return ClosedPosition(symbol=closing.symbol, status=HTTPStatus.OK, order_id=closing.body.id, body=closing.body)


SEED_DOOR: Final = door("/v1", of_key, SEED, "orders (seed)")
TRADING_DOOR: Final = newer_door("/v2", of_key, "orders (trading)")
BROKER_DOOR: Final = newer_door(BROKER, of_path, "orders (broker)")


@BROKER_DOOR.post(
    BROKER + "/orders/estimation", summary="What an order would fill at; nothing is placed", response_model=Order
)
async def estimate_order(request: Request, account_id: str, body: CreateOrder) -> Response:
    return answer(service_of(request).estimate_order(account_id, body))
