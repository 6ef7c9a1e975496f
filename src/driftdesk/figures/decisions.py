"""Recorded decisions as a table and in words: why an account was rebalanced on a day, and why not (rules.md 5.8)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from driftdesk.figures.text import count_of, words
from driftdesk.wire.decisions import Decision

# What the outcomes mean to a person, in the order in which they are asked for.
OUTCOMES: Final = {
    "run": "Run created",
    "blocked": "Wanted to, was blocked",
    "not_due": "Nothing due",
}


def outcome_words(outcome: str) -> str:
    """The outcome as people say it; an unknown one in its own words."""
    return OUTCOMES.get(outcome) or words(outcome)


def decisions_table(decisions: Sequence[Decision], names: Mapping[str, str], models: Mapping[str, str]) -> pd.DataFrame:
    """A row per decision in the order given; `names` and `models` give accounts and portfolios a name by id."""
    return pd.DataFrame(
        {
            "Session": [decision.session for decision in decisions],
            "Account": [names.get(decision.account_id, decision.account_id) for decision in decisions],
            "Portfolio": [models.get(decision.portfolio_id, decision.portfolio_id) for decision in decisions],
            "Outcome": [outcome_words(decision.outcome) for decision in decisions],
            "Why": [decision.summary or why(decision) for decision in decisions],
            "Run": [decision.run_id for decision in decisions],
        }
    )


def why(decision: Decision) -> str:
    """What triggered and what blocked, one sentence after the other; "" for nothing due."""
    return " ".join([part.text for part in decision.triggers] + [part.text for part in decision.blocks])


def decisions_alt(decisions: Sequence[Decision]) -> str:
    """How many decisions there are of each outcome, in words."""
    if not decisions:
        return "No decisions."
    counted = Counter(outcome_words(decision.outcome) for decision in decisions)
    told = ", ".join(f"{count} × {outcome.lower()}" for outcome, count in counted.most_common())
    return f"{count_of(len(decisions), 'decision')}: {told}."
