"""Decisions as people read them."""

from datetime import UTC, datetime

from driftdesk.figures import decisions_alt, decisions_table
from driftdesk.wire.decisions import Block, Decision, Trigger

AT = datetime(2026, 3, 11, 19, 30, tzinfo=UTC)


def decision(outcome: str, *, summary: str = "", run_id: str | None = None, **parts: object) -> Decision:
    return Decision(
        id=outcome, account_id="a", portfolio_id="p", session="2026-03-11", at=AT, outcome=outcome, run_id=run_id,
        summary=summary, **parts,  # type: ignore[arg-type]
    )  # fmt: skip


BREACH = Trigger(kind="drift_band", text="SPY is 6 points over its target.")
COOLDOWN = Block(kind="cooldown", text="The cooldown ends on 2026-03-20.", until="2026-03-20")


def test_a_row_says_who_when_what_and_why() -> None:
    """The summary where there is one, else what triggered and what blocked; names by id, the run kept for links."""
    made = [
        decision("run", summary="SPY is out of its band.", run_id="r"),
        decision("blocked", triggers=(BREACH,), blocks=(COOLDOWN,)),
        decision("not_due"),
        decision("someday"),
    ]
    table = decisions_table(made, {"a": "Oak"}, {"p": "Balanced"})
    assert ["2026-03-11", "Oak", "Balanced", "Run created", "SPY is out of its band.", "r"] == list(table.iloc[0])
    assert "SPY is 6 points over its target. The cooldown ends on 2026-03-20." == table["Why"][1]
    assert ["Run created", "Wanted to, was blocked", "Nothing due", "Someday"] == list(table["Outcome"])


def test_an_unknown_account_shows_its_id() -> None:
    """Closed since, or of another book."""
    assert "a" == decisions_table([decision("run")], {}, {})["Account"][0]


def test_the_words_count_the_outcomes() -> None:
    """The most frequent one first."""
    assert "No decisions." == decisions_alt([])
    told = decisions_alt([decision("run"), decision("not_due"), decision("not_due")])
    assert "3 decisions: 2 × nothing due, 1 × run created." == told
