"""How fast a whole book is scanned and planned, beside pandas, the engine and plain reading of the same bytes.

    python tests/benchmarks/book.py                         1,000, 10,000 and 100,000 accounts
    python tests/benchmarks/book.py --accounts 1000000 --no-pandas

Times wander on shared machines, so they are processor times, and the figures to keep are the ratios: every round runs
all contenders one after the other, each ratio is taken within its round, and the median over the rounds is shown. Equal
outputs are checked first.
The made-up book: 300 models of 20 to 60 assets and 2 % cash, bands of 5 points and 25 % of the target; 3 % of the
accounts also hold something outside their model. The accounts are not on any edge, so that pandas can agree.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd

from driftdesk.book.build import columns_from
from driftdesk.book.columns import Block, Columns, Outside
from driftdesk.book.lines import Line, lines_of
from driftdesk.book.model import Model, model_of
from driftdesk.book.plan import plan
from driftdesk.book.scan import scan
from driftdesk.engine.plan import PlanRequest, RunType
from driftdesk.engine.planner import plan_orders
from driftdesk.engine.snapshot import CASH, PortfolioId, Snapshot, Symbol
from driftdesk.engine.targets import BandKind, DriftBand, Portfolio, parse_targets

AS_OF = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
CONDITIONS = (DriftBand(BandKind.ABSOLUTE, Decimal(5)), DriftBand(BandKind.RELATIVE, Decimal(25)))
SYMBOLS = [Symbol(f"S{number:03}") for number in range(500)]
CASH_POINTS = 200


def made_up_book(accounts: int, models: int = 300, seed: int = 1) -> Columns:
    """`accounts` accounts of 10,000 to some million USD, about one in ten with a breach."""
    rng = np.random.default_rng(seed)
    prices = dict(zip(SYMBOLS, rng.integers(50_000, 5_000_000, len(SYMBOLS)).tolist(), strict=True))
    sizes = rng.multinomial(accounts, np.full(models, 1 / models)).tolist()
    return columns_from(_block(_model(number, rng), size, prices, rng) for number, size in enumerate(sizes) if size)


def _model(number: int, rng: np.random.Generator) -> Model:
    height = int(rng.integers(20, 61))
    names = rng.choice(SYMBOLS, height, replace=False).tolist()
    points = 20 + rng.multinomial(10_000 - CASH_POINTS - 20 * height, rng.dirichlet(np.full(height, 3.0)))
    percents = [(Symbol(name), Decimal(int(point)).scaleb(-2)) for name, point in zip(names, points, strict=True)]
    targets = parse_targets([(CASH, Decimal(CASH_POINTS).scaleb(-2)), *percents])
    return model_of(Portfolio(PortfolioId(f"m{number}"), f"Model {number}", targets, CONDITIONS))


def _block(model: Model, size: int, prices: dict[Symbol, int], rng: np.random.Generator) -> Block:
    worth = np.exp(rng.normal(12.0, 1.0, size)).clip(1e4)
    price = np.array([prices[symbol] for symbol in model.symbols])[:, np.newaxis]
    target = model.target[:-1, np.newaxis] / 10_000
    drifted = np.exp(rng.normal(0.0, 0.075, (model.height, size)))
    quantity = (target * worth * drifted * 1e13 / price).astype(np.int64)
    cash = (worth * CASH_POINTS / 100).astype(np.int64)
    some = np.flatnonzero(rng.random(size) < 0.03)
    outside = Outside(
        some,
        np.full(len(some), "OUTSIDE"),
        rng.integers(1, 10 * 10**9, len(some)),
        np.full(len(some), 123_456),
    )
    names = np.array([f"{model.portfolio.id}-{position:06}" for position in range(size)])
    return Block(model, names, cash, quantity, price, outside)


@dataclass(frozen=True)
class Frames:
    """The same book as pandas would have it: one row per holding.

    `joined` has price and target in every row, done beforehand; `holdings` has model and symbol instead, and `prices`
    (by symbol) and `targets` (by model and symbol) are tables of their own, as they arrive.
    """

    joined: pd.DataFrame
    holdings: pd.DataFrame
    prices: pd.Series
    targets: pd.DataFrame
    outside: np.ndarray


def frames_of(columns: Columns) -> Frames:
    """Rows by account, with floats in shares, USD and fractions; cash is a row of its own."""
    codes = {symbol: code for code, symbol in enumerate([*SYMBOLS, CASH])}
    parts, targets, prices = [], [], {codes[CASH]: 1.0}
    for number, (block, start) in enumerate(zip(columns.blocks, columns.starts, strict=True)):
        height, size = block.model.height, block.size
        symbols = [codes[name] for name in block.model.names]
        prices |= dict(zip(symbols, block.price[:, 0] / 1e4, strict=False))
        targets.append(pd.DataFrame({"model": number, "symbol": symbols, "target": block.model.target / 1e4}))
        parts.append(
            pd.DataFrame(
                {
                    "account": np.repeat(np.arange(start, start + size), height + 1),
                    "model": number,
                    "symbol": np.tile(symbols, size),
                    "quantity": np.vstack([block.quantity / 1e9, block.cash / 100]).T.ravel(),
                    "price": np.tile(np.append(block.price[:, 0] / 1e4, 1.0), size),
                    "target": np.tile(block.model.target / 1e4, size),
                }
            )
        )
    outside = np.zeros(columns.size)
    beside = columns.outside
    np.add.at(outside, beside.account, beside.quantity / 1e9 * (beside.price / 1e4))
    rows = pd.concat(parts, ignore_index=True)
    return Frames(
        joined=rows[["account", "quantity", "price", "target"]].copy(),
        holdings=rows[["account", "model", "symbol", "quantity"]].copy(),
        prices=pd.Series(prices),
        targets=pd.concat(targets, ignore_index=True),
        outside=outside,
    )


def pandas_join(frames: Frames) -> pd.DataFrame:
    """The holdings with their prices and targets."""
    rows = frames.holdings.assign(price=frames.holdings["symbol"].map(frames.prices))
    return rows.merge(frames.targets, on=["model", "symbol"], how="left")


def pandas_scan(frames: Frames, joined: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Triggered by account, and the rows with weight, drift and breach: the way it is usually written."""
    rows = joined.assign(value=joined["quantity"] * joined["price"])
    equity = rows.groupby("account", sort=False)["value"].sum() + frames.outside
    rows["weight"] = rows["value"] / rows["account"].map(equity)
    rows["drift"] = rows["weight"] - rows["target"]
    rows["used"] = rows["drift"].abs() / np.minimum(0.05, 0.25 * rows["target"])
    rows["breached"] = rows["used"] > 1.0
    return rows.groupby("account", sort=False)["breached"].any(), rows


def scan_with_rows(columns: Columns) -> None:
    """The scan, and the weights and drifts of every row as arrays."""
    result = scan(columns)
    for number in range(len(columns.blocks)):
        result.weights(number)
        result.drifts(number)


def plain_read(columns: Columns) -> int:
    """Read every quantity once and do next to nothing with it."""
    return sum(int(block.quantity.sum()) for block in columns.blocks)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of `work`, all threads together: other programs on the machine do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def rounds_of(contenders: dict[str, Callable[[], object]], rounds: int) -> list[dict[str, float]]:
    """Seconds of every contender in every round; the contenders take turns."""
    return [{name: seconds(work) for name, work in contenders.items()} for _ in range(rounds)]


def median_ratio(times: list[dict[str, float]], above: str, below: str) -> float:
    """Median over the rounds of one contender's time over another's."""
    return statistics.median(found[above] / found[below] for found in times)


def fastest(times: list[dict[str, float]], name: str) -> float:
    """The least time of a contender, in milliseconds."""
    return min(found[name] for found in times) * 1e3


def scan_line(columns: Columns, rounds: int, with_pandas: bool) -> str:
    """One line of the table of scans."""
    work: dict[str, Callable[[], object]] = {
        "scan": lambda: scan(columns),
        "rows": lambda: scan_with_rows(columns),
        "read": lambda: plain_read(columns),
    }
    if with_pandas:
        frames = frames_of(columns)
        result = scan(columns)
        for joined in (frames.joined, pandas_join(frames)):
            triggered, rows = pandas_scan(frames, joined)
            if result.triggered.tolist() != triggered.tolist() or len(result.breach_row) != rows["breached"].sum():
                raise AssertionError("pandas and the scan differ")
        work["pandas"] = lambda: pandas_scan(frames, frames.joined)
        work["joining"] = lambda: pandas_scan(frames, pandas_join(frames))
    times = rounds_of(work, rounds)
    holdings = sum(block.quantity.size for block in columns.blocks)
    beside = ["-"] * 5
    if with_pandas:
        beside = [f"{fastest(times, name):.1f}" for name in ("pandas", "joining")]
        pairs = (("pandas", "scan"), ("joining", "scan"), ("pandas", "rows"))
        beside += [f"{median_ratio(times, *pair):.1f}x" for pair in pairs]
    cells = [
        f"{columns.size:,}",
        f"{holdings:,}",
        f"{scan(columns).triggered.sum():,}",
        f"{fastest(times, 'scan'):.1f}",
        f"{fastest(times, 'rows'):.1f}",
        *beside,
        f"{100 * median_ratio(times, 'read', 'scan'):.0f} %",
    ]
    return "".join(f"{cell:>12}" for cell in cells)


def plan_line(columns: Columns, run_type: RunType, rounds: int, sample: int) -> str:
    """One line of the table of plans: all triggered accounts in columns, a sample of them by the engine."""
    triggered = scan(columns).triggered
    chosen = np.flatnonzero(triggered)[:: max(1, int(triggered.sum()) // sample)][:sample].tolist()
    cases = [(columns.snapshot(account, AS_OF), columns.locate(account)[0].model.portfolio) for account in chosen]
    made = plan(columns, triggered, run_type)
    for account, (snapshot, portfolio) in zip(chosen, cases, strict=True):
        if lines_of(made, account) != _engine_lines(snapshot, portfolio, run_type):
            raise AssertionError(f"the plans of {snapshot.account_id} differ")

    def by_engine() -> None:
        for snapshot, portfolio in cases:
            plan_orders(snapshot, PlanRequest(portfolio.targets, portfolio.conditions, run_type))

    times = rounds_of({"plan": lambda: plan(columns, triggered, run_type), "engine": by_engine}, rounds)
    each = median_ratio(times, "engine", "plan") * len(made.accounts) / len(chosen)
    cells = [
        f"{columns.size:,}",
        run_type.value,
        f"{len(made.accounts):,}",
        f"{made.orders.sum():,}",
        f"{fastest(times, 'plan'):.1f}",
        f"{fastest(times, 'plan') * 1e3 / len(made.accounts):.2f}",
        f"{fastest(times, 'engine') * 1e3 / len(chosen):.0f}",
        f"{each:,.0f}x",
    ]
    return "".join(f"{cell:>16}" for cell in cells)


def _engine_lines(snapshot: Snapshot, portfolio: Portfolio, run_type: RunType) -> tuple[Line, ...]:
    made = plan_orders(snapshot, PlanRequest(portfolio.targets, portfolio.conditions, run_type))
    orders = (Line(order.symbol, order.side, order.notional, order.quantity, False) for order in made.orders)
    skips = (Line(skip.symbol, skip.side, skip.notional, None, True) for skip in made.skipped)
    return (*orders, *skips)


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Scan and plan made-up books and print how long it takes.")
    parser.add_argument("--accounts", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sample", type=int, default=20, help="accounts that the engine plans")
    parser.add_argument("--no-pandas", action="store_true", help="leave pandas out, which needs about 10 kB an account")
    given = parser.parse_args(arguments)
    books = [made_up_book(size, given.models) for size in given.accounts]
    print(
        "Scan. Times in ms. with rows: with weights and drifts of every row; pandas: prices and targets joined before;"
    )
    print(
        "joining: pandas that joins them; then pandas / scan, joining / scan, pandas / with rows, plain reading / scan"
    )
    heads = ["accounts", "holdings", "triggered", "scan", "with rows", "pandas", "joining"]
    heads += ["p / scan", "j / scan", "p / rows", "read / scan"]
    print("".join(f"{head:>12}" for head in heads))
    for columns in books:
        print(scan_line(columns, given.rounds, not given.no_pandas), flush=True)
    print("\nPlan of the triggered accounts. x: engine / plan, per account")
    heads = ["accounts", "run", "planned", "orders", "plan, ms", "each, µs", "engine each, µs", "engine / plan"]
    print("".join(f"{head:>16}" for head in heads))
    for columns in books:
        for run_type in RunType:
            print(plan_line(columns, run_type, given.rounds, given.sample), flush=True)


if __name__ == "__main__":
    main()
