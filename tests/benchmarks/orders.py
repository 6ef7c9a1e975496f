"""How many orders the exchange takes and settles in one session, and what they need of memory and disk (issue 4).

    python tests/benchmarks/orders.py                       1,000, 10,000 and 100,000 orders
    python tests/benchmarks/orders.py --orders 100000 --accounts 1000

A hundred accounts send market, limit and stop orders of one day, by quantity and by notional, in transactions of 500
that are flushed to the disk, from half past nine to a quarter to four; every quarter of an hour the prices move, which
wakes the orders that rest for them, and every minute what is due is settled. At the close the rest expires. Then the
end is checked: every order is final, fills, orders, events and ledger tell the same, and nothing is still held back.

Times are those of the clock on the wall, because commits wait for the disk, and wander on shared machines: what should
stay the same from line to line is the number of orders a second. Memory is the largest that the process has had; each
line has processes of its own. `traced` is what Python objects took of it at most while orders came and settled,
measured in a second run, so that tracing does not slow the first; both must end the same to the last cent.
"""

import argparse
import hashlib
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import func, select

from driftdesk.backend.ledger import USD, check_balances
from driftdesk.backend.opening import make_feed, open_service
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service import Service
from driftdesk.backend.store.tables import fills, ledger, order_events, orders, positions
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.wire.orders import FINAL_ORDER_STATUSES, OrderType
from driftdesk.wire.simulation import CreateAccount, NewPosition, SetPrices

OPEN = datetime(2026, 3, 11, 9, 30, tzinfo=NEW_YORK)
LAST_SENT = datetime(2026, 3, 11, 15, 45, tzinfo=NEW_YORK)
CLOSE = datetime(2026, 3, 11, 16, 0, tzinfo=NEW_YORK)
MINUTE = timedelta(minutes=1)
BATCH = 500
SYMBOLS = ("SPY", "VTI", "QQQ", "IWM", "EFA", "VWO", "AGG", "TLT", "GLD", "VNQ")
PRICE = Decimal(100)


@dataclass(frozen=True)
class Result:
    """One run: seconds of accepting and of settling, orders and fills, bytes of memory and of the database, the end."""

    orders: int
    filled: int
    accepting: float
    settling: float
    memory: int
    traced: int
    database: int
    digest: str


def sent(count: int, accounts: Sequence[str], seed: int = 1) -> Iterator[OrderRequest]:
    """`count` orders: half of them market orders, a third limits, the rest stops; some of either never trade."""
    rng = random.Random(seed)
    for number in range(count):
        kind = rng.choices((OrderType.MARKET, OrderType.LIMIT, OrderType.STOP), (50, 35, 15))[0]
        price = PRICE + Decimal(rng.randrange(-600, 601)) / 100
        by_notional = kind is OrderType.MARKET and rng.random() < 0.5
        yield OrderRequest(
            AccountId(accounts[number % len(accounts)]),
            f"order-{number}",
            Symbol(rng.choice(SYMBOLS)),
            rng.choice((Side.BUY, Side.SELL)),
            notional=Decimal(rng.randrange(100, 100_000)) / 100 if by_notional else None,
            quantity=None if by_notional else Decimal(rng.randrange(1, 10)),
            type=kind,
            limit_price=price if kind is OrderType.LIMIT else None,
            stop_price=price if kind is OrderType.STOP else None,
        )


def session(service: Service, requests: Sequence[OrderRequest]) -> tuple[float, float]:
    """Send them all, spread over the session, and settle what is due meanwhile: seconds of the one and of the other."""
    rng, exchange = random.Random(2), service.exchange
    batches = [requests[start : start + BATCH] for start in range(0, len(requests), BATCH)]
    minutes = int((LAST_SENT - OPEN) / MINUTE)
    accepting = settling = 0.0
    for minute in range(int((CLOSE - OPEN) / MINUTE) + 1):
        now = OPEN + minute * MINUTE
        first, last = (min(len(batches), len(batches) * at // minutes) for at in (minute, minute + 1))
        start = time.perf_counter()
        for batch in batches[first:last]:
            with exchange.sending():
                for request in batch:
                    exchange.submit(request, now)
        sent_at = time.perf_counter()
        accepting += sent_at - start
        if minute % 15 == 14 and now < CLOSE:
            moved = {symbol: PRICE + Decimal(rng.randrange(-500, 501)) / 100 for symbol in SYMBOLS}
            service.set_prices(SetPrices(prices=moved))
        for due in (now, now + timedelta(seconds=1)):
            exchange.settle(due)
        settling += time.perf_counter() - sent_at
    return accepting, settling


def check(service: Service, count: int) -> tuple[int, str]:
    """Whether the end is right: how many orders traded, and a digest of how each of them ended."""
    with service.world.database.read() as connection:
        found = check_balances(connection)
        rows = connection.execute(select(orders).order_by(orders.c.client_order_id)).all()
        statuses = Counter(row.status for row in rows)
        if found or len(rows) != count or not statuses.keys() <= FINAL_ORDER_STATUSES or any(r.reserved for r in rows):
            raise AssertionError(f"{len(rows)} orders, {dict(statuses)}, {found[:3]}")
        filled = {row.id: (row.filled_quantity, row.filled_cash) for row in rows if row.filled_quantity}
        sums = (func.sum(fills.c.quantity), func.sum(fills.c.cash))
        of_fills = connection.execute(select(fills.c.order_id, *sums).group_by(fills.c.order_id))
        by_order = {order: (quantity, cash) for order, quantity, cash in of_fills}
        posted = connection.scalar(select(func.count()).where(ledger.c.kind == "fill", ledger.c.asset != USD))
        ends = select(func.count()).where(order_events.c.status.in_(sorted(FINAL_ORDER_STATUSES)))
        if filled != by_order or posted != connection.scalar(select(func.count()).select_from(fills)):
            raise AssertionError("orders, fills and ledger differ")
        if connection.scalar(ends) != count:
            raise AssertionError("not every order has one event of its end")
        held = connection.execute(select(positions).order_by(positions.c.account_id, positions.c.symbol)).all()
    told = [(row.client_order_id, row.status, row.filled_quantity, row.filled_cash) for row in rows]
    digest = hashlib.sha256(repr((told, [tuple(row) for row in held])).encode()).hexdigest()
    return len(filled), digest


def run(count: int, accounts: int, *, trace: bool = False) -> Result:
    """A world of its own with that many orders in one session."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "world.db"
        service = open_service(path, make_feed(), start=OPEN, seed=1)
        service.set_prices(SetPrices(prices=dict.fromkeys(SYMBOLS, PRICE)))
        # Enough of everything: nothing is refused for want of cash or shares, so that the work is that of orders.
        enough = max(1, count // accounts) * 1000
        held = tuple(NewPosition(symbol=symbol, qty=Decimal(enough)) for symbol in SYMBOLS)
        body = CreateAccount(cash=Decimal(enough * 10), positions=held)
        requests = list(sent(count, [service.simulate_account(body).id for _ in range(accounts)]))
        if trace:
            tracemalloc.start()
        accepting, settling = session(service, requests)
        traced = tracemalloc.get_traced_memory()[1] if trace else 0
        # In KiB, on macOS in bytes.
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        filled, digest = check(service, count)
        service.world.database.checkpoint()
        size = path.stat().st_size
        service.close()
    return Result(count, filled, accepting, settling, memory, traced, size, digest)


def line(result: Result, traced: Result) -> str:
    """One line of the table."""
    if result.digest != traced.digest:
        raise AssertionError(f"Two sessions of the same {result.orders} orders ended differently.")
    cells = (
        f"{result.orders:,}",
        f"{result.filled:,}",
        f"{result.accepting:.2f}",
        f"{result.orders / result.accepting:,.0f}",
        f"{result.settling:.2f}",
        f"{result.orders / result.settling:,.0f}",
        f"{result.memory / 1e6:,.0f}",
        f"{traced.traced / 1e6:,.0f}",
        f"{result.database / 1e6:,.1f}",
    )
    return "".join(f"{cell:>11}" for cell in cells)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; ends with an error when something does not add up."""
    parser = argparse.ArgumentParser(description="How many orders the exchange takes and settles in one session.")
    parser.add_argument("--orders", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--accounts", type=int, default=100)
    options = parser.parse_args(arguments)
    heads = ("orders", "traded", "accept s", "orders/s", "settle s", "orders/s", "peak MB", "traced MB", "disk MB")
    print("".join(f"{head:>11}" for head in heads))
    # A process of its own for each run: the largest memory that one has had never falls again.
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=alone, max_tasks_per_child=1) as pool:
        for count in options.orders:
            result = pool.submit(run, count, options.accounts).result()
            print(line(result, pool.submit(run, count, options.accounts, trace=True).result()), flush=True)


if __name__ == "__main__":
    main()
