"""What brokerages trade: which assets there are, and whether in fractions or by amount, as far as they say it."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.connected.patience import Patience, Seconds
from driftdesk.connected.prices import Prices
from driftdesk.errors import BackendError
from driftdesk.wire.snaptrade import accounts as wire
from driftdesk.wire.snaptrade.served import BrokerageInstrument

# The only currency that plans are made in.
USD: Final = "USD"
# How a brokerage that lacks something says so, in whichever words.
NOT_OFFERED: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.FORBIDDEN})
# Brokerages known to take an order as an amount; of the others it is not known, and shares are taken by all (issue 5).
_BY_AMOUNT: Final = ("ALPACA", "DRIFTDESK")
# Listings in USD: a symbol may have a namesake at a foreign exchange (wire/snaptrade.md 7).
_AMERICAN: Final = ("ARCX", "XNAS", "XNYS", "BATS", "XASE", "IEXG")


class Instruments:
    """The brokerages' lists, each read once a day; a list that cannot be read hides no account."""

    def __init__(self, client: SnapTradeClient, prices: Prices, patience: Patience, wall: Seconds) -> None:
        self._client = client
        self._prices = prices
        self._patience = patience
        self._wall = wall
        self.known: dict[str, BrokerageInstrument] = {}
        # Until when the list of each brokerage is left alone, by the wall clock.
        self._left_alone: dict[str, float] = {}

    def read(self, links: Iterable[wire.Connection]) -> dict[str, BrokerageInstrument]:
        """Read the lists of the connected brokerages that are not fresh; what they say, by symbol."""
        said: dict[str, BrokerageInstrument] = {}
        for slug in {link.brokerage.slug for link in links if link.brokerage and link.brokerage.slug}:
            if self._left_alone.get(slug, float("-inf")) <= self._wall():
                listed, alone = self._ask(slug)
                self._left_alone[slug] = self._wall() + alone.total_seconds()
                said |= {each.symbol: each for each in listed if each.exchange_mic in (None, *_AMERICAN)}
        self.known |= said
        return said

    def traded(self, symbols: Collection[str], account_id: str | None) -> list[str]:
        """Those of `symbols` that one of the brokerages knows: from its list, or because it quotes them.

        Not every brokerage has a list, and a symbol that is missing from one is not known to be none. Quotes are asked
        for through the account, where there is one.
        """
        found = [symbol for symbol in symbols if symbol in self.known]
        others = [symbol for symbol in symbols if symbol not in self.known]
        if others and account_id is not None:
            with suppress(BackendError):
                quotes = self._prices.of(account_id, others)
                found += [quote.symbol.symbol for quote in quotes if quote.symbol.symbol and _in_usd(quote)]
        return found

    def _ask(self, slug: str) -> tuple[tuple[BrokerageInstrument, ...], timedelta]:
        """One brokerage's list, and for how long it is left alone then."""
        try:
            return self._client.accounts.instruments(slug), self._patience.instruments
        except BackendError as error:
            return (), self._patience.instruments if error.status in NOT_OFFERED else self._patience.book


def takes_notional(link: wire.Connection | None) -> bool:
    """Whether orders through the connection can be given as an amount; every brokerage takes a number of shares."""
    slug = link.brokerage.slug if link and link.brokerage else None
    return (slug or "").upper().startswith(_BY_AMOUNT)


def _in_usd(quote: wire.Quote) -> bool:
    return quote.symbol.currency is None or quote.symbol.currency.code == USD
