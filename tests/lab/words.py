"""The words that tests of the lab are written in: a history as lines of closes, a policy as one line of text."""

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from domain import bands, model, weekdays

from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Symbol
from driftdesk.engine.targets import CalendarKind, CalendarRule, Condition
from driftdesk.lab.paths import PriceHistory, price_history
from driftdesk.lab.policy import Policy
from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import parse_decimal

PANEL = Path(__file__).parents[2] / "../shared/data/panel_adj_close_2004_2024.csv"
needs_real_prices = pytest.mark.skipif(not PANEL.exists(), reason="no real prices beside the checkout (../shared/data)")
# A Monday; the first of a month that begins on a Sunday.
MONDAY = date(2026, 3, 2)


def closes(text: str, *, start: date = MONDAY) -> PriceHistory:
    """``SPY 60 65 60 | TLT 40 35 40``: closes on the weekdays from `start` on, which are all sessions."""
    series = {Symbol(name): list(map(float, rest)) for name, *rest in (part.split() for part in text.split("|"))}
    return on_weekdays(series, start=start)


def on_weekdays(series: dict[Symbol, Sequence[float]], *, start: date = MONDAY) -> PriceHistory:
    """Closes per symbol on the weekdays from `start` on."""
    count = len(next(iter(series.values())))
    calendar = sessions_from(start, count + 1)
    return price_history([session.date for session in calendar.days[:count]], series, calendar)


def sessions_from(start: date, count: int) -> Sessions:
    """The weekdays from `start` on, at least `count` of them."""
    return weekdays(start.isoformat(), (start + timedelta(days=count * 7 // 5 + 3)).isoformat())


def real_prices(*symbols: str, first: str = "2004-11-18", last: str = "2024-04-19") -> PriceHistory:
    """Adjusted closes of SPY, TLT, AGG, EFA, GLD, AAPL or GOOG, both dates inclusive."""
    with PANEL.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if first <= line["Date"] <= last]
    series = {Symbol(name): [float(line[name]) for line in lines] for name in symbols}
    return price_history([date.fromisoformat(line["Date"]) for line in lines], series, new_york_sessions())


def policy(weights: str, *rules: str, cooldown: int = 0, bps: str = "0") -> Policy:
    """``policy("SPY 60 | TLT 40", "abs 5, rel 20", "monthly 31", cooldown=30, bps="10")``."""
    conditions: list[Condition] = []
    for rule in rules:
        kind, _, day = rule.partition(" ")
        if kind in ("abs", "rel"):
            conditions += bands(rule)
        else:
            conditions.append(CalendarRule(CalendarKind(kind), day))
    return Policy(model(weights), tuple(conditions), cooldown, parse_decimal(bps))
