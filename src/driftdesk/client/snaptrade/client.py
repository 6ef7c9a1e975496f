"""The client of SnapTrade: a typed method per endpoint, over the same transport as the client of a backend."""

from types import TracebackType
from typing import Final, Self

import httpx

from driftdesk.client.snaptrade.accounts import SnapTradeAccounts
from driftdesk.client.snaptrade.door import SnapTradeDoor
from driftdesk.client.snaptrade.orders import SnapTradeOrders
from driftdesk.client.snaptrade.pace import Pace
from driftdesk.client.snaptrade.signature import SnapTradeKeys
from driftdesk.client.snaptrade.trading import SnapTradeTrading
from driftdesk.client.transport import ClientKeys, Transport, Waiting
from driftdesk.wire.snaptrade.served import ApiStatus

SNAPTRADE_URL: Final = "https://api.snaptrade.com"


class SnapTradeClient:
    """Accounts, orders and trades of one SnapTrade user; safe to share between threads.

    `base_url` may end in ``/api/v1``, the older base. `transport` replaces the network and is closed with the client;
    `timeout` in seconds per request. Reads are tried again where that can help, nothing that is posted ever is. Every
    method raises a subclass of BackendError with status and request id, or InputError before anything is sent. The
    limits of SnapTrade are kept per client object, so use one for a client id.
    """

    def __init__(
        self,
        keys: SnapTradeKeys,
        *,
        base_url: str = SNAPTRADE_URL,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        waiting: Waiting | None = None,
    ) -> None:
        waiting = waiting or Waiting()
        pace = Pace()
        door = SnapTradeDoor(keys, transport or httpx.HTTPTransport(), pace, waiting)
        # The consumer key signs and is never sent.
        self._transport = Transport(
            base_url, ClientKeys(keys.client_id, ""), transport=door, timeout=timeout, waiting=waiting
        )
        self.accounts = SnapTradeAccounts(self._transport)
        self.orders = SnapTradeOrders(self._transport, waiting)
        self.trading = SnapTradeTrading(self._transport, pace, waiting)

    def status(self) -> ApiStatus:
        """Whether the service is up, and its time."""
        return self._transport.get(ApiStatus, "/")

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
