"""Ad-hoc what-if: any holdings against any weights and bands, with no backend and nothing saved."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from driftdesk.engine.conditions import parse_conditions
from driftdesk.engine.drift import DriftReport, measure_drift
from driftdesk.engine.planner import Options, PlanRequest, RunType
from driftdesk.engine.preview import Preview, preview
from driftdesk.engine.snapshot import CASH, AccountId, Holding, PortfolioId, Quote, Snapshot, Symbol
from driftdesk.engine.targets import Condition, Portfolio, Targets, parse_targets
from driftdesk.engine.triggers import Decision, Standing, evaluate
from driftdesk.errors import InputError
from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import floor_quantity, parse_decimal, round_cents, round_price
from driftdesk.tables import SYMBOL

Number = str | int | Decimal
Holdings = Iterable[tuple[str, Number, Number]]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Drift of an ad-hoc account, what an evaluation would decide, and the orders that a run would send."""

    snapshot: Snapshot
    portfolio: Portfolio
    drift: DriftReport
    decision: Decision
    preview: Preview


def what_if(  # noqa: PLR0913 - each is one thing that an analyst asks about, by name
    holdings: Holdings,
    *,
    cash: Number = 0,
    weights: Mapping[str, Number],
    bands: Iterable[str] = (),
    options: Options | None = None,
    run_type: RunType = RunType.FULL_REBALANCE,
    as_of: datetime | None = None,
) -> WhatIf:
    """Drift, decision and orders of an account that exists nowhere.

    `holdings`: (symbol, quantity in shares, price in USD). `weights`: percent by symbol, ``"cash"`` for cash, summing
    to 100; a symbol that is not held needs its price as a holding with quantity 0. `bands`: such as ``"absolute 5"`` or
    ``"relative 20"``. `as_of` only dates the result (now by default). Raises InputError or DataError in one sentence.
    """
    portfolio = Portfolio(
        id=PortfolioId("what-if"), name="What-if", targets=_targets(weights), conditions=_bands(bands)
    )
    if as_of is not None and as_of.tzinfo is None:
        raise InputError(
            f"as_of needs a time zone; received {as_of.isoformat()}.",
            field="as_of",
            received=as_of,
            allowed="a time with its zone",
        )
    snapshot = _snapshot(holdings, cash, as_of or datetime.now(UTC))
    return what_if_of(snapshot, portfolio, options=options, run_type=run_type)


def what_if_of(
    snapshot: Snapshot,
    portfolio: Portfolio,
    *,
    options: Options | None = None,
    run_type: RunType = RunType.FULL_REBALANCE,
) -> WhatIf:
    """The same for a snapshot and a portfolio that were read already, from files for instance."""
    sessions = new_york_sessions()
    session = sessions.current_or_next(snapshot.as_of)
    # Evaluated as a new subscription would be, at the session's own instant and at the prices given.
    at = session.evaluation
    quotes = tuple(replace(quote, at=at) for quote in snapshot.quotes)
    decision = evaluate(
        replace(snapshot, as_of=at, quotes=quotes, market_open=True), portfolio, Standing(), session, sessions
    )
    request = PlanRequest(
        targets=portfolio.targets,
        conditions=portfolio.conditions,
        run_type=run_type,
        options=options or Options(),
    )
    return WhatIf(
        snapshot=snapshot,
        portfolio=portfolio,
        drift=measure_drift(snapshot, portfolio.targets, portfolio.conditions),
        decision=decision,
        preview=preview(snapshot, request),
    )


def _targets(weights: Mapping[str, Number]) -> Targets:
    return parse_targets((_symbol(name), percent) for name, percent in weights.items())


def _symbol(name: str) -> Symbol:
    symbol = name.strip().upper()
    if symbol in ("CASH", CASH):
        return CASH
    if not SYMBOL.fullmatch(symbol):
        shown = f"{name!r} is not a ticker symbol" if symbol else "A symbol is missing"
        raise InputError(
            f"{shown}; write one as SPY or BRK.B, or cash.",
            field="symbol",
            received=name,
            allowed="a ticker symbol or cash",
        )
    return Symbol(symbol)


def _bands(bands: Iterable[str]) -> tuple[Condition, ...]:
    items = []
    for index, text in enumerate(bands):
        kind, _, percent = text.strip().partition(" ")
        if not percent:
            raise InputError(
                f"bands[{index}] must be a kind and a percent, such as 'absolute 5'; received {text!r}.",
                field=f"bands[{index}]",
                received=text,
                allowed="'absolute 5' or 'relative 20'",
            )
        items.append({"type": "drift_band", "sub_type": kind, "percent": percent.strip()})
    return parse_conditions(items, field="bands")


def _snapshot(holdings: Holdings, cash: Number, as_of: datetime) -> Snapshot:
    held: list[Holding] = []
    quotes: list[Quote] = []
    for index, (name, quantity, price) in enumerate(holdings):
        field = f"holdings[{index}]"
        symbol = _symbol(name)
        if symbol == CASH:
            raise InputError(f"{field} is cash; give it as `cash`, not as a holding.", field=field, received=name)
        if any(quote.symbol == symbol for quote in quotes):
            raise InputError(f"{field} repeats {symbol}; list each symbol once.", field=field, received=symbol)
        shares = parse_decimal(quantity, field=f"{field}.quantity")
        paid = parse_decimal(price, field=f"{field}.price")
        if shares != floor_quantity(shares):
            raise InputError(
                f"{field}.quantity of {symbol} has more than 9 decimals; shorten it. Received {quantity}.",
                field=f"{field}.quantity",
                received=quantity,
                allowed="at most 9 decimals",
            )
        if round_price(paid) <= 0:
            raise InputError(
                f"{field}.price of {symbol} must be positive; received {price}.",
                field=f"{field}.price",
                received=price,
                allowed="a positive price in USD",
            )
        quotes.append(Quote(symbol, round_price(paid), as_of))
        if shares:
            held.append(Holding(symbol, shares, shares))
    return Snapshot(
        account_id=AccountId("what-if"),
        as_of=as_of,
        cash=round_cents(parse_decimal(cash, field="cash")),
        holdings=tuple(held),
        quotes=tuple(quotes),
    )
