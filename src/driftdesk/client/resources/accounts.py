"""Accounts: money, positions, orders, history (wire/alpaca.md 11.1-11.4)."""

from typing import Final

from driftdesk.client.resources.paging import segment
from driftdesk.client.transport import QueryValue, Transport
from driftdesk.wire.accounts import Account, BulkPositions, EquityHistory, Position, TradingAccount
from driftdesk.wire.orders import Order

_MOST_ORDERS: Final = 500


class Accounts:
    """`client.accounts`. Every method raises BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[Account, ...]:
        """Every account of the correspondent."""
        return self._transport.get(tuple[Account, ...], "/v1/accounts")

    def get(self, account_id: str) -> Account:
        """One account; BackendNotFound where there is none."""
        return self._transport.get(Account, f"/v1/accounts/{segment(account_id)}")

    def trading(self, account_id: str) -> TradingAccount:
        """Cash, equity and buying power in USD."""
        return self._transport.get(TradingAccount, f"{_trading(account_id)}/account")

    def positions(self, account_id: str) -> tuple[Position, ...]:
        """What the account holds."""
        return self._transport.get(tuple[Position, ...], f"{_trading(account_id)}/positions")

    def position(self, account_id: str, symbol: str) -> Position:
        """The account's position in `symbol`; BackendNotFound where it has none."""
        return self._transport.get(Position, f"{_trading(account_id)}/positions/{segment(symbol)}")

    def all_positions(self) -> BulkPositions:
        """Positions and cash of every account in one answer."""
        return self._transport.get(BulkPositions, "/v1/accounts/positions")

    def orders(
        self, account_id: str, *, status: str = "open", limit: int = _MOST_ORDERS, direction: str = "desc"
    ) -> tuple[Order, ...]:
        """Orders that are `open`, `closed` or `all`, at most 500, newest first unless `direction` is ``asc``."""
        query: dict[str, QueryValue] = {"status": status, "limit": limit, "direction": direction}
        return self._transport.get(tuple[Order, ...], f"{_trading(account_id)}/orders", query)

    def equity_history(self, account_id: str) -> EquityHistory:
        """Equity, cash and flows (USD) at the close of each session (ours)."""
        return self._transport.get(EquityHistory, f"/v1/accounts/{segment(account_id)}/equity_history")


def _trading(account_id: str) -> str:
    return f"/v1/trading/accounts/{segment(account_id)}"
