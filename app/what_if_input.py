"""What a person types or drops on the what-if page: holdings and cash, weights and bands, as decimal text."""

import hashlib
from dataclasses import dataclass

import pandas as pd
import state
import streamlit as st

from driftdesk import AccountView, read_holdings, read_portfolio

EXAMPLE, ACCOUNT, FILES = "Example", "This account", "CSV files"
CASH = "Cash"


@dataclass(frozen=True, slots=True)
class Start:
    """What the tables begin with. `name` tells one start from another, so that edits belong to their start."""

    name: str
    holdings: tuple[tuple[str, str, str], ...]
    cash: str
    weights: tuple[tuple[str, str], ...]
    points: str
    relative: str


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
    prices = {quote.symbol: quote.price for quote in view.snapshot.quotes}
    rows = [(h.symbol, f"{h.quantity:f}", _text(prices.get(h.symbol))) for h in view.snapshot.holdings]
    held = {holding.symbol for holding in view.snapshot.holdings}
    if view.model is None:
        weights, points, relative = EXAMPLE_START.weights, EXAMPLE_START.points, EXAMPLE_START.relative
    else:
        weights = _weights(view.model)
        points, relative = _bands(view.model)
        rows += [(s, "0", _text(prices.get(s))) for s in view.model.targets.symbols if s not in held]
    return Start(f"account {view.account.id}", tuple(rows), f"{view.snapshot.cash:f}", weights, points, relative)


def _text(number: object) -> str:
    return "" if number is None else f"{number:f}"


def _weights(model: object) -> tuple[tuple[str, str], ...]:
    return tuple(
        (CASH if target.symbol.startswith("$") else target.symbol, f"{(target.weight * 100).normalize():f}")
        for target in model.targets.weights
    )


def _bands(model: object) -> tuple[str, str]:
    found = {band.kind.value: f"{band.percent.normalize():f}" for band in model.bands}
    return found.get("absolute", ""), found.get("relative", "")


def _from_files() -> Start:
    left, right = st.columns(2, gap="medium")
    held = left.file_uploader("Holdings (CSV: symbol, quantity, price)", type="csv", key="what_if_holdings")
    targets = right.file_uploader(
        "Portfolio (CSV: symbol, percent; or JSON)", type=["csv", "json"], key="what_if_portfolio"
    )
    begin = EXAMPLE_START
    rows, cash, name = begin.holdings, begin.cash, "files"
    weights, points, relative = begin.weights, begin.points, begin.relative
    if held is not None:
        book = read_holdings(_decoded(held), name=held.name)
        rows = tuple((row.symbol, f"{row.quantity:f}", f"{row.price:f}") for row in book.rows)
        cash = f"{book.cash:f}"
        name += _digest(held)
    if targets is not None:
        model = read_portfolio(_decoded(targets), name=targets.name)
        weights, (points, relative) = _weights(model), _bands(model)
        name += _digest(targets)
    return Start(name, rows, cash, weights, points, relative)


def _decoded(upload: object) -> str:
    return upload.getvalue().decode("utf-8-sig", errors="replace")


def _digest(upload: object) -> str:
    return hashlib.sha256(upload.getvalue()).hexdigest()[:12]


def holdings(begin: Start) -> tuple[list[tuple[str, str, str]], str]:
    """Holdings as (symbol, quantity, price) and cash, all as text, because a number cell is a float."""
    st.subheader("Holdings")
    frame = _edited(
        pd.DataFrame(begin.holdings, columns=["Symbol", "Quantity", "Price"]), f"what_if_holdings_{begin.name}"
    )
    cash = st.text_input("Cash, $", begin.cash, key=f"what_if_cash_{begin.name}", persist_state="session")
    return [(row[0].upper(), row[1], row[2]) for row in frame], _number(cash)


def targets(begin: Start) -> tuple[dict[str, str], list[str]]:
    """Weights in percent by symbol, and the bands as text."""
    st.subheader("Weights and bands")
    frame = _edited(pd.DataFrame(begin.weights, columns=["Symbol", "Percent"]), f"what_if_weights_{begin.name}")
    with st.container(horizontal=True, gap="medium"):
        points = st.text_input("Band, points", begin.points, key=f"what_if_points_{begin.name}", width=150)
        relative = st.text_input("Band, % of target", begin.relative, key=f"what_if_relative_{begin.name}", width=150)
    bands = [f"{kind} {text.strip()}" for kind, text in (("absolute", points), ("relative", relative)) if text.strip()]
    return {symbol.upper() if symbol != CASH else "cash": percent for symbol, percent in frame}, bands


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
    rows = [["" if pd.isna(cell) else _number(str(cell)) for cell in row] for row in edited.to_numpy().tolist()]
    return [row for row in rows if any(row)]


def _number(text: str) -> str:
    return text.strip().removeprefix("$").replace(",", "")
