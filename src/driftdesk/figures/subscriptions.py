"""Who follows which portfolio: the state of each subscription, its next calendar session, and how near its bands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from driftdesk.engine.decision import describe_band_use
from driftdesk.engine.schedule import NEW_YORK, eligible_from, in_cooldown, new_york_date
from driftdesk.engine.wording import usd
from driftdesk.figures.book import BookAccount, account_name
from driftdesk.figures.portfolios import calendar_of, day_text, next_session
from driftdesk.figures.text import count_of, words
from driftdesk.money import ZERO
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.runs import Run
from driftdesk.wire.subscriptions import Subscription, Waiting

READY: Final = "Ready"
# What needs a person first, then what is under way, then what rests.
SUBSCRIPTION_STATES: Final = (
    "Held", "Needs adjustment", "Problem", "Open run", "Waits", "Cooldown", "Outside band", READY,
)  # fmt: skip


def subscriptions_table(
    views: Iterable[BookAccount], open_runs: Iterable[Run], now: datetime, names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row a subscribed account, what needs a person first. `Next session` is the date of the next calendar session
    that the account's cooldown does not lose; `names` says what an account id is called."""
    running = {run.account_id: run for run in open_runs}
    rows = [
        _row(_Followed(view, view.subscription, view.portfolio, running.get(view.account.id)), now)
        | {"Account": (names or {}).get(view.account.id) or account_name(view.account)}
        for view in views
        if view.subscription is not None and view.portfolio is not None
    ]
    rows.sort(key=lambda row: (SUBSCRIPTION_STATES.index(str(row["State"])), str(row["Account"]).casefold()))
    return pd.DataFrame(rows, columns=_SUBSCRIPTION_COLUMNS)


_SUBSCRIPTION_COLUMNS: Final = [
    "Account", "Portfolio", "State", "Details", "Last rebalanced", "Next session", "Nearest miss", "Account id",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Followed:
    """A subscribed account, with what it follows and its open run."""

    view: BookAccount
    subscription: Subscription
    portfolio: Portfolio
    run: Run | None


def _row(it: _Followed, now: datetime) -> dict[str, object]:
    found = _states(it, now)
    last = it.subscription.last_rebalanced_at
    # A calendar day in the cooldown is lost, and the day of a rebalance has had what it asks for (rules.md 5.2).
    free = eligible_from(last, max(1, it.portfolio.cooldown_days))
    return {
        "Portfolio": it.portfolio.name,
        "State": found[0][0],
        "Details": " ".join(text for _, text in found),
        "Last rebalanced": None if last is None else pd.Timestamp(last).tz_convert(NEW_YORK),
        "Next session": next_session(calendar_of(it.portfolio), now, free),
        "Nearest miss": _nearest_miss(it.view),
        "Account id": it.view.account.id,
    }


def _states(it: _Followed, now: datetime) -> list[tuple[str, str]]:
    """Every state that a subscription is in, in the order of SUBSCRIPTION_STATES, each with its sentence."""
    waiting = it.subscription.waiting or Waiting()
    last, days = it.subscription.last_rebalanced_at, it.portfolio.cooldown_days
    resting = in_cooldown(last, days, new_york_date(now))
    asked = {
        "changed weights": waiting.portfolio_changed,
        "the first rebalance": waiting.subscription_created,
        f"{usd(waiting.uninvested_inflow)} to invest": waiting.uninvested_inflow > ZERO,
    }
    waits = ", ".join(what for what, there in asked.items() if there)
    breached = it.view.drift.breached if it.view.drift else ()
    active = it.portfolio.status == "active"
    found = {
        "Held": f"Automatic runs are held: {waiting.held.rstrip('.')}." if waiting.held else "",
        "Needs adjustment": "" if active else "No automatic run until the weights are mended.",
        "Problem": it.view.problem or "",
        "Open run": f"Run {it.run.id[:8]} is {words(str(it.run.status)).lower()}." if it.run else "",
        "Waits": f"Waits for an evaluation: {waits}." if waits else "",
        "Cooldown": f"Cooldown until {day_text(eligible_from(last, days))}." if resting else "",
        "Outside band": f"{count_of(len(breached), 'weight')} outside the bands." if breached else "",
    }
    return [(state, text) for state, text in found.items() if text] or [(READY, "")]


def _nearest_miss(view: BookAccount) -> str:
    if view.drift is None or not view.drift.rows:
        return ""
    row = view.drift.rows[0] if view.drift.breached else view.drift.nearest
    return "" if row is None else describe_band_use(row)


def subscriptions_alt(table: pd.DataFrame) -> str:
    """How many subscriptions are in which state, out of the table that `subscriptions_table` gave."""
    counts = table["State"].value_counts()
    listed = ", ".join(f"{counts[state]} {state.lower()}" for state in SUBSCRIPTION_STATES if state in counts)
    return f"{count_of(len(table), 'subscription')}: {listed}." if listed else "No subscriptions."
