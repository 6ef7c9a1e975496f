"""Talk to a backend: one client over httpx, the same for the network and for a backend in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Self

import httpx

from driftdesk.client.events import Events
from driftdesk.client.guard import ORDERS, Guard
from driftdesk.client.resources.accounts import Accounts
from driftdesk.client.resources.market import Market
from driftdesk.client.resources.orders import Orders
from driftdesk.client.resources.rebalancing import Decisions, Portfolios, Runs, Subscriptions
from driftdesk.client.resources.simulation import Simulation
from driftdesk.client.trade_events import TradeEvents
from driftdesk.client.transport import ClientKeys, Transport

__all__ = ["ORDERS", "Client", "ClientKeys"]


class Client:
    """Every endpoint of one backend, grouped; safe to share between threads.

    `timeout` in seconds per request. `transport` replaces the network (see backend.inprocess), and is closed with the
    client. Every method raises a subclass of BackendError with the backend's own sentence. `data_url` is the host of
    market data, where that is another one. With `real_money` a write needs what it changes to be typed (`confirming`),
    and raises StateError without; `ORDERS`: only where orders move, because the portfolios are kept here.
    """

    def __init__(
        self,
        base_url: str,
        credentials: ClientKeys,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        *,
        data_url: str | None = None,
        real_money: bool | Literal["orders"] = False,
    ) -> None:
        self._transport = Transport(base_url, credentials, transport=transport, timeout=timeout, data_url=data_url)
        self.real_money = real_money
        self._guard = Guard(self._transport, orders_only=real_money == ORDERS) if real_money else None
        if self._guard is not None:
            self._transport.before_write = self._guard.check
        self.portfolios = Portfolios(self._transport)
        self.subscriptions = Subscriptions(self._transport)
        self.runs = Runs(self._transport)
        self.decisions = Decisions(self._transport)
        self.accounts = Accounts(self._transport)
        self.orders = Orders(self._transport)
        self.market = Market(self._transport)
        self.simulation = Simulation(self._transport)
        self.events = Events(self._transport)
        self.trade_events = TradeEvents(self._transport, self.orders)

    @contextmanager
    def confirming(self, typed: str) -> Iterator[None]:
        """Writes inside the block are confirmed by `typed`: an account's number, or a portfolio's name.

        Only asked for where a write moves real money; elsewhere the block changes nothing.
        """
        if self._guard is None:
            yield
            return
        with self._guard.confirming(typed):
            yield

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
