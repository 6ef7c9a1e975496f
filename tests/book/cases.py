"""Accounts and books to try the columns on: small random ones, and ones that stand exactly on the edge of a band."""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from domain import EVALUATION, bands
from hypothesis import strategies as st

from driftdesk.book.build import columns_from
from driftdesk.book.columns import Block, Columns
from driftdesk.book.exact import Ints
from driftdesk.book.model import model_of
from driftdesk.engine.drift import equity_of
from driftdesk.engine.snapshot import CASH, AccountId, Holding, PortfolioId, Quote, Snapshot, Symbol
from driftdesk.engine.targets import Condition, Portfolio, parse_targets

SYMBOLS = [Symbol(name) for name in ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")]
BANDS = ["", "abs 5", "rel 20", "abs 5, rel 20", "abs 0.01", "rel 0.01, abs 3", "abs 250", "rel 33.33, rel 12.5"]


def portfolio_of(weights: dict[str, str], conditions: tuple[Condition, ...], name: str = "p") -> Portfolio:
    """A portfolio of percents by symbol; ``cash`` is the cash weight."""
    pairs = [(CASH if symbol == "cash" else Symbol(symbol), percent) for symbol, percent in weights.items()]
    return Portfolio(PortfolioId(name), name, parse_targets(pairs), conditions)


@st.composite
def portfolios(draw: st.DrawFn, number: int) -> Portfolio:
    """One to five assets, with or without cash, and one of several sets of bands."""
    names = draw(st.lists(st.sampled_from([*SYMBOLS, CASH]), min_size=1, max_size=5, unique=True))
    cuts = draw(st.lists(st.integers(1, 9999), min_size=len(names) - 1, max_size=len(names) - 1, unique=True))
    edges = [0, *sorted(cuts), 10000]
    percents = [(name, Decimal(edges[i + 1] - edges[i]).scaleb(-2)) for i, name in enumerate(names)]
    text = draw(st.sampled_from(BANDS))
    return Portfolio(PortfolioId(f"p{number}"), "p", parse_targets(percents), bands(text) if text else ())


def scaled(low: int, high: int, decimals: int) -> st.SearchStrategy[Decimal]:
    """Decimals with a fixed number of places, between `low` and `high` units of the last one."""
    return st.integers(low, high).map(lambda count: Decimal(count).scaleb(-decimals))


# Round numbers put holdings exactly on targets and edges; the others are as awkward as a column can hold.
QUANTITIES = st.integers(0, 120).map(Decimal) | scaled(0, 10**13, 9) | scaled(0, 10**16, 9)
PRICES = (
    st.sampled_from([Decimal(text) for text in ("1", "2", "5", "10", "100")])
    | scaled(1, 10**7, 4)
    | scaled(1, 10**10, 4)
)


@st.composite
def snapshots(draw: st.DrawFn, *, least_cash: int = -(10**9)) -> Snapshot:
    """Up to six holdings, prices of all symbols, any cash; equity may be zero or below."""
    held = draw(st.lists(st.sampled_from(SYMBOLS), unique=True))
    quantities = [(symbol, draw(QUANTITIES)) for symbol in held]
    quotes = tuple(Quote(symbol, draw(PRICES), EVALUATION) for symbol in SYMBOLS)
    cash = draw(st.integers(-200, 10_000).map(Decimal) | scaled(least_cash, 10**9, 2) | scaled(least_cash, 10**12, 2))
    holdings = tuple(Holding(symbol, quantity, quantity) for symbol, quantity in quantities)
    return Snapshot(AccountId("?"), EVALUATION, cash, holdings, quotes, market_open=True)


@st.composite
def books(draw: st.DrawFn) -> list[tuple[Snapshot, Portfolio]]:
    """One to six accounts on one to three portfolios, some of them moved to the very edge of a band."""
    choices = [draw(portfolios(number)) for number in range(draw(st.integers(1, 3)))]
    accounts = []
    for number in range(draw(st.integers(1, 6))):
        portfolio = draw(st.sampled_from(choices))
        snapshot = draw(snapshots() | st.just(None)) or draw(at_an_edge(portfolio))
        accounts.append((replace(snapshot, account_id=AccountId(f"a{number}")), portfolio))
    return accounts


@st.composite
def at_an_edge(draw: st.DrawFn, portfolio: Portfolio) -> Snapshot:
    """Two assets at 1 USD, one on its target or a band's edge or one billionth of a share beside, and cash."""
    targets = [target for target in portfolio.targets.weights if target.symbol != CASH]
    if not targets:
        return draw(snapshots())
    target = draw(st.sampled_from(targets))
    model = model_of(portfolio)
    eff = int(model.eff[model.names.index(target.symbol)])
    weight = int(target.weight * 10**8) + draw(st.sampled_from([-eff, 0, eff]))
    equity = draw(st.integers(1, 10**6)) * 10**2
    ulps = draw(st.sampled_from([-1, 0, 1]))
    quantity = Decimal(max(0, weight)) / 10**8 * equity + Decimal(ulps).scaleb(-9)
    quantity = max(Decimal(0), quantity)
    # The other asset takes what cash, in whole cents, cannot.
    remainder = equity - quantity
    cash = remainder.quantize(Decimal("0.01"), rounding="ROUND_FLOOR")
    other = next(symbol for symbol in SYMBOLS if symbol != target.symbol)
    lots = ((target.symbol, quantity), (other, remainder - cash))
    return Snapshot(
        AccountId("?"),
        EVALUATION,
        cash,
        tuple(Holding(symbol, held, held) for symbol, held in lots if held),
        tuple(Quote(symbol, Decimal(1), EVALUATION) for symbol in SYMBOLS),
    )


@dataclass(frozen=True)
class Edges:
    """Columns of accounts that stand on an edge of their first asset's band, or one step beside it.

    `beyond` says by account number: 0 on the edge, 1 a step outside, -1 a step inside.
    """

    columns: Columns
    beyond: Ints


def edge_book(accounts: int, seed: int) -> Edges:
    """`accounts` accounts on each of five models: the first asset exactly on the upper or lower edge of its band, or
    one 1e-9 share or one 1e-4 USD to either side of it.

    With b the weight at the edge, b = n / d in lowest terms, k x n billionths of shares at price p and a rest worth
    k x (d - n) x p give a weight of exactly b. The rest is split over two assets whose prices divide p.
    """
    rng = np.random.default_rng(seed)
    models = [
        ({"AAA": "60", "BBB": "30", "CCC": "10"}, "abs 5"),
        ({"AAA": "33.33", "BBB": "33.33", "CCC": "33.34"}, "rel 20"),
        ({"AAA": "12.5", "BBB": "47.5", "CCC": "40"}, "abs 4, rel 25"),
        ({"AAA": "5.01", "BBB": "90", "cash": "4.99"}, "rel 17.5"),
        ({"AAA": "40", "BBB": "59.99", "CCC": "0.01"}, "abs 39.99"),
    ]
    blocks, beyond = [], []
    for number, (weights, text) in enumerate(models):
        block, steps = _edge_block(portfolio_of(weights, bands(text), f"p{number}"), accounts, rng)
        blocks.append(block)
        beyond.append(steps)
    columns = columns_from(blocks)
    assert columns.size == accounts * len(models)
    return Edges(columns, np.concatenate(beyond))


def _edge_block(portfolio: Portfolio, size: int, rng: np.random.Generator) -> tuple[Block, Ints]:
    model = model_of(portfolio)
    upper = rng.random(size) < 0.5
    edge = model.target[0] * 10**4 + np.where(upper, 1, -1) * model.eff[0]
    common = np.gcd(edge, 10**8)
    inside, outside = edge // common, (10**8 - edge) // common
    # A price with the divisors f and g, and quantities up to some thousand shares.
    f, g = rng.integers(1, 2000, size), rng.integers(1, 2000, size)
    price = np.array([f * g, f, g])[: model.height]
    times = rng.integers(1, 10**12, size) // (inside + outside) + 1
    first = times * outside if model.height == 2 else rng.integers(0, times * outside + 1)
    quantity = np.array([times * inside, first * g, (times * outside - first) * f])[: model.height]
    kind = rng.integers(0, 5, size)
    # More of the asset, or a dearer one, moves its weight up; that is outwards at the upper edge.
    quantity[0] += np.where(kind == 1, 1, 0) - np.where(kind == 2, 1, 0)
    price[0] += np.where(kind == 3, 1, 0) - np.where((kind == 4) & (price[0] > 1), 1, 0)
    moved = np.select([kind == 1, kind == 2, kind == 3, (kind == 4) & (f * g > 1)], [1, -1, 1, -1], 0)
    names = np.array([f"{portfolio.id}-{position}" for position in range(size)])
    block = Block(model, names, np.zeros(size, np.int64), quantity, price)
    return block, np.where(upper, moved, -moved)


def funded(snapshot: Snapshot) -> bool:
    """Whether its equity is above zero."""
    return equity_of(snapshot) > 0
