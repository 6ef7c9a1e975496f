"""Preview and place orders on a connected account (wire/snaptrade.md 3, 4); none is ever sent twice (rules.md 9)."""

from driftdesk.client.resources.paging import segment
from driftdesk.client.snaptrade.pace import Pace
from driftdesk.client.transport import Transport, Waiting
from driftdesk.wire.snaptrade.orders import OrderRecord
from driftdesk.wire.snaptrade.rules import check_order
from driftdesk.wire.snaptrade.trading import Impact, NewOrder, PlaceChecked, Trade


class SnapTradeTrading:
    """Raises InputError, before anything is sent, for an order that SnapTrade would refuse or misread."""

    def __init__(self, transport: Transport, pace: Pace, waiting: Waiting) -> None:
        self._transport = transport
        self._pace = pace
        self._waiting = waiting

    def impact(self, order: NewOrder) -> Impact:
        """The brokerage's estimate of cost and cash left. Its trade can be placed for five minutes; nothing is sent."""
        check_order(order, previewed=True)
        return self._transport.post(Impact, "/trade/impact", order)

    def place(self, order: NewOrder) -> OrderRecord:
        """Send an order, not before a second has passed since the account's last one.

        Where the answer was lost, read the orders before anything else: it may have been placed.
        """
        check_order(order)
        self._wait_for(order.account_id)
        return self._transport.post(OrderRecord, "/trade/place", order)

    def place_checked(self, trade: Trade, *, wait_to_confirm: bool = True) -> OrderRecord:
        """Send the order of an `impact`; as `place` otherwise."""
        self._wait_for(trade.account)
        path = f"/trade/{segment(trade.id)}"
        return self._transport.post(OrderRecord, path, PlaceChecked(wait_to_confirm=wait_to_confirm))

    def _wait_for(self, account_id: str) -> None:
        wait = self._pace.order(account_id, self._waiting.now().timestamp())
        if wait > 0:
            self._waiting.sleep(wait)
