"""Prices and securities as the SnapTrade routes tell them (wire/snaptrade.md 4)."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, or_, select

from driftdesk.backend.service.snaptrade.orders import Orders
from driftdesk.backend.service.snaptrade.symbols import universal_symbol
from driftdesk.backend.store.tables import assets
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.errors import InputError
from driftdesk.wire.snaptrade.accounts import Quote
from driftdesk.wire.snaptrade.instruments import UniversalSymbol

MOST_QUOTES: Final = 10
_MOST_FOUND: Final = 20
_ASSETS: Final = select(assets, assets.c.id.label("asset_id")).order_by(assets.c.symbol)


class Quotes(Orders):
    """What there is to trade, and at what price. NotFound for an unknown account."""

    def quotes(self, account_id: str, symbols: Sequence[str], *, use_ticker: bool = False) -> list[Quote]:
        """Quotes of up to ten `symbols`: tickers, or universal symbol ids; what is not known here is left out.

        Bid and ask are what an order of either side trades at. How much is offered there is not known, so
        the sizes are left out.
        """
        if not 0 < len(symbols) <= MOST_QUOTES:
            raise InputError(
                f"symbols must name 1 to {MOST_QUOTES} securities; received {len(symbols)}.",
                field="symbols",
                received=symbols,
                allowed=f"1 to {MOST_QUOTES}, separated by commas",
            )
        which = assets.c.symbol.in_([name.upper() for name in symbols]) if use_ticker else assets.c.id.in_(symbols)
        now, model = self._world.now(), self._service.exchange.model
        found = []
        with self._world.database.read() as connection:
            self._world.account_row(connection, account_id)
            for row in connection.execute(_ASSETS.where(which)).mappings().all():
                last = self._world.quote(connection, Symbol(row["symbol"]), now)[0].price
                bid, ask = (None if last is None else model.price(side, last) for side in (Side.SELL, Side.BUY))
                symbol = universal_symbol(row)
                found.append(Quote(symbol=symbol, last_trade_price=last, bid_price=bid, ask_price=ask))
        return found

    def search_symbols(self, account_id: str, substring: str) -> list[UniversalSymbol]:
        """The first 20 securities, by symbol, with `substring` in ticker or name, in either case of letters."""
        part = substring.strip().lower()
        inside = or_(
            func.lower(assets.c.symbol).contains(part, autoescape=True),
            func.lower(assets.c.name).contains(part, autoescape=True),
        )
        with self._world.database.read() as connection:
            self._world.account_row(connection, account_id)
            rows = connection.execute(_ASSETS.where(inside).limit(_MOST_FOUND)).mappings().all()
        return [universal_symbol(row) for row in rows]
