"""Assets as SnapTrade knows securities: universal symbols with currency, exchange and type (wire/snaptrade.md 3)."""

import re
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from driftdesk.backend.store.types import Row
from driftdesk.wire.snaptrade.accounts import Instrument
from driftdesk.wire.snaptrade.instruments import Currency, Exchange, SecurityType, UniversalSymbol


def _lasting_id(kind: str, code: str) -> str:
    """The same UUID in every world."""
    return str(uuid5(NAMESPACE_OID, f"driftdesk|{kind}|{code}"))


USD: Final = Currency(id=_lasting_id("currency", "USD"), code="USD", name="US Dollar")

# Code, MIC and name by the exchange's name here.
_EXCHANGES: Final = {
    "NASDAQ": ("NASDAQ", "XNAS", "NASDAQ"),
    "NYSE": ("NYSE", "XNYS", "New York Stock Exchange"),
    "ARCA": ("ARCX", "ARCX", "NYSE ARCA"),
    "BATS": ("BATS", "BATS", "Cboe BZX"),
}
_STOCK: Final = SecurityType(id=_lasting_id("type", "cs"), code="cs", description="Common Stock", is_supported=True)
_FUND: Final = SecurityType(id=_lasting_id("type", "et"), code="et", description="ETF", is_supported=True)
# What is listed there is a fund; elsewhere the name tells it.
_FUND_EXCHANGES: Final = ("ARCA", "BATS")
_FUND_WORDS: Final = re.compile(r"\b(ETF|Trust)\b")
_SHARES: Final = "us_equity"


def universal_symbol(asset: Row) -> UniversalSymbol:
    """The security of a row with `asset_id`, `symbol`, `name` and `exchange`."""
    return UniversalSymbol(
        id=asset["asset_id"],
        symbol=asset["symbol"],
        raw_symbol=asset["symbol"],
        description=asset["name"],
        currency=USD,
        exchange=_exchange(asset["exchange"]),
        type=_FUND if _is_fund(asset) else _STOCK,
        currencies=(USD,),
        figi_code=None,
        figi_instrument=None,
    )


def instrument(asset: Row) -> Instrument:
    """The same as an instrument of the unified positions; what is no share keeps the word it has here."""
    kind = asset["asset_class"]
    if kind == _SHARES:
        kind = "etf" if _is_fund(asset) else "stock"
    return Instrument(
        kind=kind,
        id=asset["asset_id"],
        symbol=asset["symbol"],
        raw_symbol=asset["symbol"],
        description=asset["name"],
        currency=USD.code,
        exchange=mic(asset["exchange"]),
    )


def mic(exchange: str) -> str:
    """The market identifier code of an exchange; its own name where there is none."""
    return _EXCHANGES[exchange][1] if exchange in _EXCHANGES else exchange


def _exchange(name: str) -> Exchange:
    code, identifier, full = _EXCHANGES.get(name, (name, name, name))
    return Exchange(
        id=_lasting_id("exchange", name),
        code=code,
        mic_code=identifier,
        name=full,
        timezone="America/New_York",
        start_time="09:30:00",
        close_time="16:00:00",
        suffix=None,
    )


def _is_fund(asset: Row) -> bool:
    return asset["exchange"] in _FUND_EXCHANGES or bool(_FUND_WORDS.search(asset["name"]))
