"""Prices of securities, shared by all accounts, so that none is asked for again within moments: SnapTrade disables keys
that poll for them (wire/snaptrade.md 4)."""

import threading
from collections.abc import Iterable

from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.connected.patience import Patience, Seconds
from driftdesk.wire.snaptrade.accounts import Quote


class Prices:
    """Quotes by ticker, none older than `patience.prices`; safe to share between threads."""

    def __init__(self, client: SnapTradeClient, patience: Patience, wall: Seconds) -> None:
        self._client = client
        self._fresh_for = patience.prices.total_seconds()
        self._wall = wall
        self._lock = threading.Lock()
        # When each symbol was asked for last, and the answer: None where there was no price.
        self._known: dict[str, tuple[float, Quote | None]] = {}

    def of(self, account_id: str, symbols: Iterable[str]) -> tuple[Quote, ...]:
        """Quotes of `symbols`, as far as there are any; those that are not fresh are asked for through the account.

        Raises BackendError where the brokerage of the account does not give them.
        """
        wanted = sorted(set(symbols))
        now = self._wall()
        with self._lock:
            kept = {each: self._known[each] for each in wanted if each in self._known}
        found = {each: quote for each, (at, quote) in kept.items() if now - at < self._fresh_for}
        missing = [each for each in wanted if each not in found]
        if missing:
            told = {quote.symbol.symbol: quote for quote in self._client.accounts.quotes(account_id, missing)}
            found |= {each: told.get(each) for each in missing}
            with self._lock:
                self._known |= {each: (now, found[each]) for each in missing}
        return tuple(quote for each in wanted if (quote := found[each]) is not None)
