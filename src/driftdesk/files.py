"""What a person hands over as a file: holdings and portfolios, from the command line or dropped on a page.

Everything is checked here, once; a problem is one InputError that names the file and the line or field.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Final

from driftdesk.engine.conditions import parse_conditions
from driftdesk.engine.snapshot import CASH, AccountId, Holding, PortfolioId, Quote, Snapshot, Symbol
from driftdesk.engine.targets import Portfolio, parse_targets
from driftdesk.errors import InputError
from driftdesk.money import ONE, ZERO, floor_quantity, parse_percent, round_cents, round_price
from driftdesk.tables import SYMBOL, Row, each_once, read_table

HOLDINGS_COLUMNS: Final = {
    "symbol": "symbol",
    "ticker": "symbol",
    "quantity": "quantity",
    "qty": "quantity",
    "shares": "quantity",
    "price": "price",
    "value": "value",
    "name": "name",
    "description": "name",
}
PORTFOLIO_COLUMNS: Final = {
    "symbol": "symbol",
    "ticker": "symbol",
    "percent": "percent",
    "weight": "percent",
    "name": "name",
    "description": "name",
}
# Everything that the API itself sends or takes, so that a portfolio saved from an answer can be read back.
PORTFOLIO_FIELDS: Final = (
    "name",
    "description",
    "weights",
    "cooldown_days",
    "rebalance_conditions",
    "rebalancing_conditions",
    "id",
    "status",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """One line of a holdings file: shares and price in USD. A quantity of zero gives a price to a symbol not held."""

    symbol: Symbol
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class HoldingsFile:
    """The holdings of one account as a file gives them: `cash` in USD (0 when the file has no cash row) and rows."""

    name: str
    cash: Decimal
    rows: tuple[HoldingRow, ...]


def name_of(path: Path) -> str:
    """What messages call the file at `path`: its name, or the whole path where that is no file, as /dev/stdin."""
    # Unlike the method of a path, this also answers for a name that no file can have.
    return path.name if os.path.isfile(path) else str(path)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8. Raises InputError when it is not there, cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", field="path", received=str(path)) from None
    except UnicodeDecodeError:
        raise InputError(f"{name_of(path)} is not text in UTF-8; save it as UTF-8.", field="path") from None
    except OSError as error:
        raise InputError(f"{name_of(path)} cannot be read: {error.strerror}.", field="path") from None


def read_holdings(text: str, *, name: str) -> HoldingsFile:
    """The holdings in a CSV with the columns symbol, quantity, price, and a row CASH (or USD) for dollars.

    Dollars stand under quantity or under a column value. `name` is the file's, for messages. Prices are rounded to
    4 decimals and cash to cents (rules.md 1.1). Raises InputError naming file and line.
    """
    rows = read_table(text, name, HOLDINGS_COLUMNS, ("symbol", "quantity", "price"))
    cash = ZERO
    holdings: list[HoldingRow] = []
    for row, symbol in each_once(rows):
        if symbol == CASH:
            cash = _read_cash(row)
        else:
            holdings.append(_read_holding(row, symbol))
    return HoldingsFile(name, cash, tuple(holdings))


def holdings_snapshot(
    holdings: HoldingsFile,
    as_of: datetime,
    *,
    account_id: AccountId | None = None,
    prices: Mapping[Symbol, Decimal] | None = None,
) -> Snapshot:
    """A snapshot of an account that exists in a file only, at `as_of` (timezone-aware), with the market closed.

    `prices` (USD) adds quotes for symbols that the file does not list; the file's own prices come first. The account
    is named after the file unless `account_id` says otherwise.
    """
    quoted = dict(prices or {}) | {row.symbol: row.price for row in holdings.rows}
    return Snapshot(
        account_id=account_id or AccountId(holdings.name),
        as_of=as_of,
        cash=holdings.cash,
        holdings=tuple(Holding(row.symbol, row.quantity, row.quantity) for row in holdings.rows if row.quantity),
        quotes=tuple(Quote(symbol, round_price(price), as_of) for symbol, price in quoted.items()),
    )


def read_portfolio(text: str, *, name: str) -> Portfolio:
    """A portfolio from JSON, exactly the body of POST /v1/rebalancing/portfolios, or from a CSV of symbol and percent.

    A CSV has weights only: no conditions, no cooldown. A portfolio without a name is called after its file. Raises
    InputError naming file and line or field (rules.md 1.2, 2.1, 2.3).
    """
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return _read_portfolio_json(text.lstrip("\ufeff"), name)
    rows = read_table(text, name, PORTFOLIO_COLUMNS, ("symbol", "percent"))
    percents: list[tuple[Symbol, object]] = []
    for row, symbol in each_once(rows):
        percent = parse_percent(row.cells["percent"].removesuffix("%"), field=f"{row.where}: percent")
        percents.append((symbol, percent))
    try:
        targets = parse_targets(percents)
    except InputError as error:
        raise _in_file(name, error) from None
    return Portfolio(PortfolioId(""), PurePath(name).stem, targets)


def _read_portfolio_json(text: str, name: str) -> Portfolio:
    try:
        body = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{name}{where}: this is not valid JSON.", field="", allowed="a JSON object") from None
    try:
        return _portfolio_of(body, PurePath(name).stem)
    except InputError as error:
        raise _in_file(name, error) from None


def _portfolio_of(body: object, default_name: str) -> Portfolio:
    if not isinstance(body, dict):
        raise InputError("the file must hold one portfolio object, with weights.", allowed="a JSON object")
    unknown = [field for field in body if field not in PORTFOLIO_FIELDS]
    if unknown:
        listed = ", ".join(PORTFOLIO_FIELDS[:5])
        raise InputError(f"{unknown[0]} is not a field of a portfolio; use {listed}.", field=unknown[0], allowed=listed)
    cooldown = body.get("cooldown_days", 0)
    if not isinstance(cooldown, int) or isinstance(cooldown, bool) or cooldown < 0:
        raise InputError(
            f"cooldown_days must be a whole number of days, 0 or larger; received {cooldown!r}.",
            field="cooldown_days",
            received=cooldown,
            allowed="0, 1, 2, ...",
        )
    spelling = next(
        (key for key in ("rebalance_conditions", "rebalancing_conditions") if body.get(key) is not None), ""
    )
    return Portfolio(
        id=PortfolioId(_text_of(body, "id")),
        name=_text_of(body, "name") or default_name,
        targets=parse_targets(_weight_of(item, index) for index, item in enumerate(_list_of(body, "weights"))),
        conditions=parse_conditions(_list_of(body, spelling), field=spelling) if spelling else (),
        cooldown_days=cooldown,
    )


def _text_of(body: Mapping[str, object], field: str) -> str:
    found = body.get(field) or ""
    if not isinstance(found, str):
        raise InputError(f"{field} must be text; received {found!r}.", field=field, received=found, allowed="text")
    return found


def _list_of(body: Mapping[str, object], field: str) -> list[Mapping[str, object]]:
    found = body.get(field)
    if not isinstance(found, list):
        problem = "is missing; it must be a list" if found is None else f"must be a list; received {found!r}"
        raise InputError(f"{field} {problem}.", field=field, received=found, allowed="a list")
    return found


def _weight_of(item: object, index: int) -> tuple[Symbol, object]:
    """(symbol, percent) of one weight object; CASH for cash."""
    path = f"weights[{index}]"
    weight = item if isinstance(item, dict) else {}
    kind, symbol = weight.get("type"), weight.get("symbol")
    if kind not in ("cash", "asset"):
        raise InputError(
            f"{path}.type must be cash or asset; received {kind!r}.", field=f"{path}.type", allowed="cash or asset"
        )
    if kind == "cash" and symbol is not None:
        raise InputError(f"{path}.symbol is not allowed on cash; leave it out.", field=f"{path}.symbol")
    if kind == "asset" and not (isinstance(symbol, str) and SYMBOL.fullmatch(symbol)):
        raise InputError(
            f"{path}.symbol must be a ticker symbol in capitals; received {symbol!r}.", field=f"{path}.symbol"
        )
    if weight.get("percent") is None:
        raise InputError(f"{path}.percent is missing.", field=f"{path}.percent", allowed="a positive percent")
    return (CASH if kind == "cash" else Symbol(str(symbol))), weight["percent"]


def _in_file(name: str, error: InputError) -> InputError:
    return InputError(f"{name}: {error}", field=error.field, received=error.received, allowed=error.allowed)


def _read_cash(row: Row) -> Decimal:
    if row.cells.get("price") and row.number("price", "the price of cash") != ONE:
        raise row.refuse(
            f"{row.cells['symbol']} stands for cash here, whose price is blank or 1; received {row.cells['price']}.",
            "price",
            "blank or 1",
        )
    given = [row.number(column, "the amount of cash") for column in ("value", "quantity") if row.cells.get(column)]
    if not given or any(amount != given[0] for amount in given):
        problem = "differs between value and quantity" if given else "is missing"
        raise row.refuse(f"the amount of cash {problem}; write the dollars under quantity.", "quantity")
    return round_cents(given[0])


def _read_holding(row: Row, symbol: Symbol) -> HoldingRow:
    quantity = row.number("quantity", f"the quantity of {symbol}")
    price = row.number("price", f"the price of {symbol}")
    if quantity < 0:
        raise row.refuse(f"the quantity of {symbol} is negative; short positions cannot be rebalanced.", "quantity")
    if quantity != floor_quantity(quantity):
        raise row.refuse(f"the quantity of {symbol} has more than 9 decimals; shorten it.", "quantity")
    if round_price(price) <= 0:
        raise row.refuse(f"the price of {symbol} must be larger than zero.", "price", "a price of at least 0.0001")
    return HoldingRow(symbol, quantity, round_price(price))
