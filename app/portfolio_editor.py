"""A portfolio as a person types it: weights with a live total, bands, a calendar day and a cooldown, in plain words."""

import calendar
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pandas as pd
import portfolio_state
import state
import streamlit as st

from driftdesk import InputError, TypedPortfolio, read_conditions, typed_of, weights_off
from driftdesk.figures import conditions_words

KINDS = {"absolute": "points", "relative": "% of target"}
NO_CALENDAR = "None"
CALENDARS = {
    NO_CALENDAR: None,
    "Weekly": "weekly",
    "Monthly": "monthly",
    "Quarterly": "quarterly",
    "Annually": "annually",
}
WEEKDAYS = list(calendar.day_name)[:5]
MONTHS = list(calendar.month_name)[1:]
# 29 February included: in other years it is the last session up to the 28th (rules.md 4.2).
DAYS_IN = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
EMPTY = TypedPortfolio(weights=(("Cash", ""),))
NOTHING = "An empty one"
CAUSES = "changed weights, a new subscription or a run by hand rebalance"


def edit(portfolio: Any, others: Sequence[Any]) -> portfolio_state.Editing:
    """Draw the fields of `portfolio`, or of a new one that may begin as a copy of one of `others`."""
    start, subject = _start(portfolio, others)
    it = portfolio_state.editing(subject, start)
    key = f"{subject}_{it.again}"
    left, right = st.columns(2, gap="medium")
    with left:
        name = st.text_input("Name", it.begin.name, key=f"name_{key}")
        weights = _weights(it.begin, key)
    with right:
        description = st.text_input("Description", it.begin.description, key=f"description_{key}")
        bands = _bands(it.begin, key)
        with st.container(horizontal=True, gap="small"):
            day = _calendar(it.begin, key)
            cooldown = st.number_input(
                "Cooldown, days",
                min_value=0,
                value=it.begin.cooldown_days,
                step=1,
                key=f"cooldown_{key}",
                width=130,
                help="Days after a full rebalance in which no other starts; a calendar day among them is lost.",
            )
        it.typed = TypedPortfolio(name, description, weights, bands, day, int(cooldown or 0))
        _words(it.typed)
    return it


def _start(portfolio: Any, others: Sequence[Any]) -> tuple[TypedPortfolio, str]:
    """What the fields begin with, and a name for it: after a change by somebody else it is another start."""
    if portfolio is not None:
        start = typed_of(portfolio)
        return start, f"{portfolio.id}_{hashlib.sha256(repr(start).encode()).hexdigest()[:12]}"
    names = {NOTHING: EMPTY} | {other.name: typed_of(other) for other in others}
    copied = str(st.selectbox("Begin with", list(names), key="begin_with", width=300)) if others else NOTHING
    start = names[copied]
    # A copy needs a name of its own.
    return TypedPortfolio("", "", start.weights, start.bands, start.calendar, start.cooldown_days), f"new_{copied}"


def _weights(begin: TypedPortfolio, key: str) -> tuple[tuple[str, str], ...]:
    st.markdown("**Weights**")
    rows = _edited(pd.DataFrame(list(begin.weights), columns=["Symbol", "Percent"]), f"weights_{key}", "Target weights")
    typed = tuple((symbol, percent) for symbol, percent in rows)
    total = TypedPortfolio(weights=typed).total
    off = weights_off(total)
    label = f"Total {total:.2f}%{f', {off}' if off else ''}"
    st.badge(label, icon=":material/error:" if off else ":material/check:", color="orange" if off else "gray")
    return typed


def _bands(begin: TypedPortfolio, key: str) -> tuple[tuple[str, str], ...]:
    st.markdown("**Drift bands**")
    frame = pd.DataFrame([(size, KINDS[kind]) for kind, size in begin.bands], columns=["Size", "Kind"])
    rows = _edited(frame.astype("str"), f"bands_{key}", "Drift bands", options={"Kind": list(KINDS.values())})
    codes = {words: kind for kind, words in KINDS.items()}
    return tuple((codes.get(kind, ""), size) for size, kind in rows)


def _calendar(begin: TypedPortfolio, key: str) -> tuple[str, str] | None:
    kind, day = begin.calendar or (None, "")
    begun = next(label for label, code in CALENDARS.items() if code == kind)
    label = st.selectbox("Calendar", list(CALENDARS), list(CALENDARS).index(begun), key=f"calendar_{key}", width=140)
    code = CALENDARS[str(label)]
    if code is None:
        return None
    key = f"{code}_{key}"
    day = day if code == kind else ""
    if code == "annually":
        month, date = day.split("-") if day else ("1", "1")
        month = 1 + MONTHS.index(str(_choose("Month", MONTHS, MONTHS[int(month) - 1], f"month_{key}")))
        return (
            code,
            f"{month:02}-{int(_choose('Day', range(1, DAYS_IN[month - 1] + 1), int(date), f'day_{month}_{key}')):02}",
        )
    if code == "weekly":
        return code, str(_choose("Day", WEEKDAYS, day or WEEKDAYS[0], f"day_{key}"))
    return code, str(_choose("Day", range(1, 32), int(day or 1), f"day_{key}"))


def _choose(label: str, options: Sequence[Any], begun: Any, key: str) -> Any:
    listed = list(options)
    return st.selectbox(label, listed, listed.index(begun) if begun in listed else 0, key=key, width=130)


def _words(typed: TypedPortfolio) -> None:
    """The conditions as sentences; one that cannot be read is named beside the button."""
    with suppress(InputError):
        found = conditions_words(read_conditions(typed), typed.cooldown_days, state.desk().clock().timestamp)
        if not found:
            causes = "a run by hand rebalances" if state.desk().by_hand else CAUSES
            found = [f"No condition: only {causes} an account."]
        st.caption("  \n".join(state.plain(text) for text in found))


def _edited(frame: pd.DataFrame, key: str, alt: str, options: dict[str, list[str]] | None = None) -> list[list[str]]:
    """The edited rows as text, without the empty ones: a number cell would be a float."""
    edited = st.data_editor(
        frame,
        num_rows="dynamic",
        hide_index=True,
        key=key,
        width="stretch",
        height="content",
        alt=alt,
        column_config={
            name: st.column_config.SelectboxColumn(options=(options or {})[name])
            if name in (options or {})
            else st.column_config.TextColumn(alignment="left" if name == "Symbol" else "right")
            for name in frame
        },
    )
    rows = [["" if pd.isna(cell) else str(cell).strip() for cell in row] for row in edited.to_numpy().tolist()]
    return [row for row in rows if any(row)]
