"""Connections, accounts, and what they hold (wire/snaptrade.md 4)."""

from collections.abc import Iterable
from typing import Final

from driftdesk.client.resources.paging import segment
from driftdesk.client.transport import Transport
from driftdesk.wire.snaptrade.accounts import Account, AccountPage, Balance, Connection, Positions, Quote
from driftdesk.wire.snaptrade.served import BrokerageInstrument, BrokerageInstruments

# SnapTrade answers for so many symbols at once.
_QUOTES_AT_ONCE: Final = 10


class SnapTradeAccounts:
    """Reads only. Amounts are in the currency that stands beside them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def connections(self) -> tuple[Connection, ...]:
        """The user's connections to brokerages, disabled ones among them."""
        return self._transport.get(tuple[Connection, ...], "/authorizations")

    def list(self) -> tuple[Account, ...]:
        """The user's accounts of every kind and connection."""
        return self._transport.get(AccountPage, "/accounts/all").results

    def get(self, account_id: str) -> Account:
        """One account."""
        return self._transport.get(Account, f"/accounts/{segment(account_id)}/details")

    def balances(self, account_id: str) -> tuple[Balance, ...]:
        """Cash and buying power, one row per currency."""
        return self._transport.get(tuple[Balance, ...], f"/accounts/{segment(account_id)}/balances")

    def positions(self, account_id: str) -> Positions:
        """Everything held, of every kind, and when the brokerage was asked."""
        return self._transport.get(Positions, f"/accounts/{segment(account_id)}/positions/all")

    def instruments(self, slug: str) -> tuple[BrokerageInstrument, ...]:
        """What the brokerage trades, and in fractions or not; null is not known, which is not no."""
        return self._transport.get(BrokerageInstruments, f"/brokerages/{segment(slug)}/instruments").instruments

    def quotes(self, account_id: str, symbols: Iterable[str], *, by_id: bool = False) -> tuple[Quote, ...]:
        """Prices of `symbols` (tickers, or universal symbol ids with `by_id`), asked for ten at a time.

        For the moment before a trade: SnapTrade disables keys that poll for prices.
        """
        path, wanted = f"/accounts/{segment(account_id)}/quotes", tuple(symbols)
        found: tuple[Quote, ...] = ()
        for start in range(0, len(wanted), _QUOTES_AT_ONCE):
            some = ",".join(wanted[start : start + _QUOTES_AT_ONCE])
            query = {"symbols": some, "use_ticker": "false" if by_id else "true"}
            found += self._transport.get(tuple[Quote, ...], path, query)
        return found
