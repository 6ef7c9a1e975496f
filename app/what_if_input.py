"""What a person types or drops on the what-if page: holdings and cash, weights and bands, as decimal text."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd
import state
import streamlit as st

from driftdesk import AccountView, InputError, read_holdings, read_number, read_portfolio
from driftdesk.figures import count_of

EXAMPLE, ACCOUNT, FILES = "Example", "This account", "CSV files"
CASH = "Cash"


@dataclass(frozen=True, slots=True)
class Start:
    """What the tables begin with. `name` tells one start from another, so that edits belong to their start; `note` says
    what the start has and this page does not."""

    name: str
    holdings: tuple[tuple[str, str, str], ...]
    cash: str
    weights: tuple[tuple[str, str], ...]
    points: str
    relative: str
    note: str = ""


EXAMPLE_START = Start(
    "example",
    (("VTI", "300", "312.44"), ("VXUS", "420", "71.82"), ("BND", "520", "74.10"), ("GLD", "40", "381.90")),
    "2500.00",
    (("VTI", "50"), ("VXUS", "20"), ("BND", "20"), ("GLD", "8"), (CASH, "2")),
    "4",
    "20",
)


def start() -> Start:
    """Where the tables begin: an example, the chosen account, or files."""
    source = st.segmented_control(
        "Start from",
        [EXAMPLE, ACCOUNT, FILES],
        default=EXAMPLE,
        required=True,
        key="what_if_start",
        persist_state="session",
    )
    if source == ACCOUNT:
        return _from_account(state.account())
    return _from_files() if source == FILES else EXAMPLE_START


def _from_account(view: AccountView) -> Start:
    model, snapshot, note = view.model, view.snapshot, ""
    if model is None:
        portfolio = next(iter(state.desk().portfolios()), None)
        if portfolio is None:
            raise InputError("There is no portfolio to start from; start from the example.", field="portfolio")
        model = state.desk_model(portfolio)
        snapshot = state.desk().snapshot(view.account.id, model.targets.symbols)
        note = f"{state.label_of(view)} follows no portfolio: these are the weights and bands of {portfolio.name}. "
    prices = {quote.symbol: quote.price for quote in snapshot.quotes}
    held = {holding.symbol: holding.quantity for holding in snapshot.holdings}
    quantities = held | {symbol: 0 for symbol in model.targets.symbols if symbol not in held}
    rows = tuple((symbol, f"{quantity:f}", _text(prices.get(symbol))) for symbol, quantity in quantities.items())
    points, relative = _bands(model)
    note += _left_out([*_rules(model), *_circumstances(view)])
    if view.model is not None and note:
        note += " The decision on the Drift page counts them."
    # After a trade or a deposit it is another start; new prices alone must not take edits away.
    digest = _digest(repr((sorted(held.items()), snapshot.cash, model.targets, model.bands)).encode())
    name = f"account {view.account.id} {digest}"
    return Start(name, rows, f"{snapshot.cash:f}", _weights(model), points, relative, note)


def _rules(model: object) -> list[str]:
    """The rules of a portfolio that this page does not ask for."""
    calendar = model.calendar
    found = [f"the {calendar.kind.value} calendar day ({calendar.day})"] if calendar else []
    return found + ([f"the cooldown of {count_of(model.cooldown_days, 'day')}"] if model.cooldown_days else [])


def _circumstances(view: AccountView) -> list[str]:
    """What else decides about an account, and is not in its holdings."""
    waiting = view.subscription.waiting if view.subscription else None
    found = {
        "its open orders": view.snapshot.open_orders,
        "what cannot be traded now": [quote for quote in view.snapshot.quotes if not quote.tradable],
        "what waits for its next evaluation": waiting
        and (waiting.portfolio_changed or waiting.subscription_created or waiting.uninvested_inflow or waiting.held),
    }
    return [what for what, there in found.items() if there]


def _left_out(parts: Sequence[str]) -> str:
    if not parts:
        return ""
    return f"Left out here: {', '.join(parts)}."


def _text(number: object) -> str:
    return "" if number is None else f"{number:f}"


def _weights(model: object) -> tuple[tuple[str, str], ...]:
    return tuple(
        (CASH if target.symbol.startswith("$") else target.symbol, f"{(target.weight * 100).normalize():f}")
        for target in model.targets.weights
    )


def _bands(model: object) -> tuple[str, str]:
    """The tightest band of each kind: it governs alone (rules.md 3.6)."""
    kinds = {band.kind.value: [] for band in model.bands}
    for band in model.bands:
        kinds[band.kind.value].append(band.percent)
    found = {kind: f"{min(percents).normalize():f}" for kind, percents in kinds.items()}
    return found.get("absolute", ""), found.get("relative", "")


def _from_files() -> Start:
    left, right = st.columns(2, gap="medium")
    held = left.file_uploader("Holdings (CSV: symbol, quantity, price)", type="csv", key="what_if_holdings")
    targets = right.file_uploader(
        "Portfolio (CSV: symbol, percent; or JSON)", type=["csv", "json"], key="what_if_portfolio"
    )
    begin = EXAMPLE_START
    rows, cash, name = begin.holdings, begin.cash, "files"
    weights, points, relative, note = begin.weights, begin.points, begin.relative, ""
    if held is not None:
        book = read_holdings(_decoded(held), name=held.name)
        rows = tuple((row.symbol, f"{row.quantity:f}", f"{row.price:f}") for row in book.rows)
        cash = f"{book.cash:f}"
        name += _digest(held.getvalue())
    if targets is not None:
        model = read_portfolio(_decoded(targets), name=targets.name)
        weights, (points, relative) = _weights(model), _bands(model)
        name += _digest(targets.getvalue())
        note = _left_out(_rules(model))
    return Start(name, rows, cash, weights, points, relative, note)


def _decoded(upload: object) -> str:
    return upload.getvalue().decode("utf-8-sig", errors="replace")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def holdings(begin: Start) -> tuple[list[list[str]], str]:
    """The rows of symbol, quantity and price, and the cash, as typed: a number cell would be a float."""
    st.subheader("Holdings")
    rows = _edited(
        pd.DataFrame(begin.holdings, columns=["Symbol", "Quantity", "Price"]), f"what_if_holdings_{begin.name}"
    )
    return rows, st.text_input("Cash, $", begin.cash, key=f"what_if_cash_{begin.name}", persist_state="session")


def targets(begin: Start) -> tuple[list[list[str]], str, str]:
    """The rows of symbol and percent, and the two bands, as typed."""
    st.subheader("Weights and bands")
    rows = _edited(pd.DataFrame(begin.weights, columns=["Symbol", "Percent"]), f"what_if_weights_{begin.name}")
    with st.container(horizontal=True, gap="medium"):
        points = st.text_input("Band, points", begin.points, key=f"what_if_points_{begin.name}", width=150)
        relative = st.text_input("Band, % of target", begin.relative, key=f"what_if_relative_{begin.name}", width=150)
    return rows, points, relative


def read_typed_holdings(rows: list[list[str]], cash: str) -> tuple[list[tuple[str, Decimal, Decimal]], Decimal]:
    """(symbol, quantity, price) and cash of what `holdings` gave. Raises InputError naming the cell."""
    read = [
        (symbol, read_number(quantity, f"The quantity of {name}"), read_number(price, f"The price of {name}"))
        for (symbol, quantity, price), name in zip(rows, _names(rows), strict=True)
    ]
    return read, read_number(cash, "Cash") if cash.strip() else Decimal(0)


def read_typed_targets(rows: list[list[str]], points: str, relative: str) -> tuple[dict[str, Decimal], list[str]]:
    """Percents by symbol and the bands of what `targets` gave. Raises InputError naming the cell."""
    weights: dict[str, Decimal] = {}
    for (typed, percent), name in zip(rows, _names(rows), strict=True):
        symbol = typed.upper()
        if symbol in weights:
            raise InputError(f"{name} has two weights; list each symbol once.", field="weights", received=typed)
        weights[symbol] = read_number(percent.removesuffix("%"), f"The percent of {name}")
    kinds = (("absolute", points, "The band in points"), ("relative", relative, "The band in % of target"))
    bands = [
        f"{kind} {read_number(text.strip().removesuffix('%'), what):f}" for kind, text, what in kinds if text.strip()
    ]
    return weights, bands


def _names(rows: list[list[str]]) -> list[str]:
    return [row[0] or f"row {number}" for number, row in enumerate(rows, start=1)]


def _edited(frame: pd.DataFrame, key: str) -> list[list[str]]:
    """The edited rows as text, without the empty ones."""
    edited = st.data_editor(
        frame,
        num_rows="dynamic",
        hide_index=True,
        key=key,
        width="stretch",
        height="content",
        column_config={
            name: st.column_config.TextColumn(alignment="left" if name == "Symbol" else "right") for name in frame
        },
    )
    rows = [["" if pd.isna(cell) else str(cell).strip() for cell in row] for row in edited.to_numpy().tolist()]
    return [row for row in rows if any(row)]
