"""Sessions, calendar conditions, cooldowns and the run window (rules.md 4, 5.1-5.3); expected values worked by hand."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdesk.engine.schedule import (
    NEW_YORK,
    QUARTERLY_MONTHS,
    WEEKDAYS,
    Session,
    Sessions,
    due,
    eligible_from,
    in_cooldown,
    new_york_date,
    next_due,
    nominal_days,
    swallowed,
    trigger_session,
)
from driftdesk.engine.targets import CalendarKind, CalendarRule
from driftdesk.errors import DataError
from driftdesk.market_calendar import new_york_sessions

D = date.fromisoformat


def rule(text: str) -> CalendarRule:
    """A calendar rule from "monthly 31"."""
    kind, day = text.split()
    return CalendarRule(CalendarKind(kind), day)


def new_york(text: str) -> datetime:
    """An instant from New York wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def utc(text: str) -> datetime:
    """An instant from UTC wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def session_of(text: str) -> Session:
    """The session of a date that has one."""
    found = new_york_sessions().on(D(text))
    assert found is not None
    return found


def dates(days: tuple[date, ...]) -> str:
    """Dates in one line of text."""
    return " ".join(day.isoformat() for day in days)


# --- the run window and the instant of evaluation ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "opens", "last_start", "closes", "evaluation"),
    [
        # Friday before and Monday after the clocks go forward (2026-03-08), then back (2026-11-01).
        ("2026-03-06", "14:30", "20:45", "21:00", "20:30"),
        ("2026-03-09", "13:30", "19:45", "20:00", "19:30"),
        ("2026-10-30", "13:30", "19:45", "20:00", "19:30"),
        ("2026-11-02", "14:30", "20:45", "21:00", "20:30"),
        # Early closes at 13:00 New York, in winter time and in summer time.
        ("2026-11-27", "14:30", "17:45", "18:00", "17:30"),
        ("2025-12-24", "14:30", "17:45", "18:00", "17:30"),
        ("2025-07-03", "13:30", "16:45", "17:00", "16:30"),
    ],
)
def test_session_times_in_utc(day: str, opens: str, last_start: str, closes: str, evaluation: str) -> None:
    """Opens, the last permitted start, closes and evaluations follow New York's clock through the year."""
    session = session_of(day)
    assert utc(f"{day} {opens}") == session.open
    assert utc(f"{day} {last_start}") == session.last_start
    assert utc(f"{day} {closes}") == session.close
    assert utc(f"{day} {evaluation}") == session.evaluation


@pytest.mark.parametrize(
    ("early", "day"), [(True, "2026-11-27"), (True, "2025-12-24"), (True, "2025-07-03"), (False, "2026-11-30")]
)
def test_early_closes_are_known(early: bool, day: str) -> None:
    """The day after Thanksgiving, Christmas Eve and July 3 close early; an ordinary Monday does not."""
    assert early is session_of(day).early_close


@pytest.mark.parametrize(
    ("allowed", "instant"),
    [
        (False, "2026-06-10 09:29:59"),
        (True, "2026-06-10 09:30:00"),
        (True, "2026-06-10 15:45:00"),
        (False, "2026-06-10 15:45:01"),
        (False, "2026-06-10 16:00:00"),
        (True, "2026-11-27 12:45:00"),
        (False, "2026-11-27 12:45:01"),
    ],
)
def test_run_window_edges(allowed: bool, instant: str) -> None:
    """A run may start from the open to exactly 15 minutes before the close (rules.md 5.3)."""
    assert allowed is session_of(instant[:10]).in_run_window(new_york(instant))


@given(st.sampled_from(new_york_sessions().days))
def test_evaluation_lies_in_the_run_window(session: Session) -> None:
    """On every session since 1990 the evaluation falls where a run may start at once."""
    assert session.in_run_window(session.evaluation)


# --- lookups ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_or_before", "before", "after", "day"),
    [
        ("2026-06-10", "2026-06-09", "2026-06-11", "2026-06-10"),  # a Wednesday
        ("2026-06-12", "2026-06-12", "2026-06-15", "2026-06-13"),  # a Saturday
        ("2026-04-02", "2026-04-02", "2026-04-06", "2026-04-03"),  # Good Friday
        ("2025-12-31", "2025-12-31", "2026-01-02", "2026-01-01"),  # New Year's Day
        ("2001-09-10", "2001-09-10", "2001-09-17", "2001-09-11"),  # the long closure of 2001
    ],
)
def test_neighbours_of_a_day(on_or_before: str, before: str, after: str, day: str) -> None:
    """The sessions around a day, trading day or not."""
    sessions = new_york_sessions()
    assert D(on_or_before) == sessions.on_or_before(D(day)).date
    assert D(before) == sessions.before(D(day)).date
    assert D(after) == sessions.after(D(day)).date


@pytest.mark.parametrize("day", ["2026-06-13", "2026-04-03", "2025-12-25", "2025-01-09", "2026-06-19"])
def test_no_session_on_closed_days(day: str) -> None:
    """Weekends, Good Friday, Christmas, a national day of mourning and Juneteenth have no session."""
    assert new_york_sessions().on(D(day)) is None


@pytest.mark.parametrize(
    ("open_session", "current_or_next", "next_open", "next_close", "latest_opened", "instant"),
    [
        (None, "06-10", "06-10", "06-10", "06-09", "2026-06-10 09:29:59"),
        ("06-10", "06-10", "06-11", "06-10", "06-10", "2026-06-10 09:30:00"),
        ("06-10", "06-10", "06-11", "06-10", "06-10", "2026-06-10 15:59:59"),
        (None, "06-11", "06-11", "06-11", "06-10", "2026-06-10 16:00:00"),
        (None, "06-15", "06-15", "06-15", "06-12", "2026-06-13 12:00:00"),
    ],
)
def test_where_an_instant_lies(
    open_session: str | None, current_or_next: str, next_open: str, next_close: str, latest_opened: str, instant: str
) -> None:
    """Open is inclusive, close is exclusive, and the next open or close is strictly later."""
    sessions, at = new_york_sessions(), new_york(instant)
    now = sessions.at(at)
    assert open_session == (now.date.isoformat()[5:] if now else None)
    assert session_of(f"2026-{current_or_next}") == sessions.current_or_next(at)
    assert session_of(f"2026-{next_open}").open == sessions.next_open(at)
    assert session_of(f"2026-{next_close}").close == sessions.next_close(at)
    assert session_of(f"2026-{latest_opened}") == sessions.latest_opened(at)


def test_between_includes_both_ends() -> None:
    """Thanksgiving week of 2026 has four sessions; an empty range has none."""
    sessions = new_york_sessions()
    week = sessions.between(D("2026-11-23"), D("2026-11-27"))
    assert dates(tuple(session.date for session in week)) == "2026-11-23 2026-11-24 2026-11-25 2026-11-27"
    assert sessions.between(D("2026-11-27"), D("2026-11-23")) == ()


def one_week() -> Sessions:
    """Monday 2026-06-08 to Friday 2026-06-12 and nothing else."""
    return Sessions(new_york_sessions().between(D("2026-06-08"), D("2026-06-12")))


@pytest.mark.parametrize(
    ("lookup", "asked"),
    [
        ("on", "2026-06-13"),
        ("on", "2026-06-07"),
        ("on_or_before", "2026-06-07"),
        ("on_or_before", "2026-06-13"),
        ("before", "2026-06-08"),
        ("before", "2026-07-01"),
        ("after", "2026-06-12"),
        ("after", "2026-01-01"),
        ("at", "2026-06-07 12:00"),
        ("at", "2026-06-13 12:00"),
        ("current_or_next", "2026-06-12 16:00"),
        ("next_open", "2026-06-12 09:30"),
        ("next_close", "2026-06-12 16:00"),
        ("latest_opened", "2026-06-08 09:00"),
        ("latest_opened", "2026-06-15 10:00"),
    ],
)
def test_nothing_is_guessed_outside_the_calendar(lookup: str, asked: str) -> None:
    """A lookup that needs days the calendar does not know is refused, never answered with an edge."""
    with pytest.raises(DataError, match="which knows 2026-06-08 to 2026-06-12"):
        getattr(one_week(), lookup)(new_york(asked) if ":" in asked else D(asked))


@pytest.mark.parametrize(("start", "end"), [("2026-06-01", "2026-06-12"), ("2026-06-08", "2026-06-15")])
def test_a_range_outside_the_calendar_is_refused(start: str, end: str) -> None:
    """A range is never cut silently to what is known."""
    with pytest.raises(DataError, match="which knows 2026-06-08 to 2026-06-12"):
        one_week().between(D(start), D(end))


def test_the_last_known_session_cannot_look_ahead() -> None:
    """Whether Friday stands in for Saturday depends on the next session, which is not known."""
    week = one_week()
    with pytest.raises(DataError):
        due(rule("weekly Friday"), week.days[-1], week)
    with pytest.raises(DataError):
        trigger_session(D("2026-06-14"), week)


def test_before_and_after_the_hours_of_the_edge_sessions_are_known() -> None:
    """The night before the first open and after the last close of a known day is simply closed."""
    assert one_week().at(new_york("2026-06-08 08:00")) is None
    assert one_week().at(new_york("2026-06-12 20:00")) is None


@pytest.mark.parametrize(
    ("says", "days"),
    [
        ("at least one session", ()),
        ("in order, each date once", ("2026-06-09", "2026-06-08")),
        ("in order", ("2026-06-09",) * 2),
    ],
)
def test_a_calendar_is_ordered_and_not_empty(says: str, days: tuple[str, ...]) -> None:
    """Sessions refuses to be built from nothing, from unsorted and from repeated days."""
    with pytest.raises(DataError, match=says):
        Sessions(tuple(session_of(day) for day in days))


instants = st.integers(int(utc("1990-01-03 12:00").timestamp()), int(utc("2040-12-30 12:00").timestamp())).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


@given(instants)
def test_lookups_by_instant_agree(instant: datetime) -> None:
    """`at`, `current_or_next`, `latest_opened`, `next_open` and `next_close` tell one story of any instant."""
    sessions = new_york_sessions()
    now, latest, following = sessions.at(instant), sessions.latest_opened(instant), sessions.current_or_next(instant)
    assert latest.open <= instant < sessions.next_open(instant)
    assert sessions.next_close(instant) == following.close > instant
    if now is None:
        assert latest.close <= instant < following.open == sessions.next_open(instant)
    else:
        assert now == latest == following


@pytest.mark.parametrize(
    ("day", "instant"),
    [("2026-06-09", "2026-06-10 03:59"), ("2026-06-10", "2026-06-10 04:00"), ("2026-01-09", "2026-01-10 04:59")],
)
def test_new_york_date_follows_its_clock(day: str, instant: str) -> None:
    """New York's day begins at 04:00 UTC in summer and at 05:00 UTC in winter."""
    assert D(day) == new_york_date(utc(instant))


# --- calendar conditions ----------------------------------------------------------------------------------------------


def test_quarterly_months_are_the_seeds() -> None:
    """January, March, June and December (rules.md 4.3; seed 000)."""
    assert QUARTERLY_MONTHS == (1, 3, 6, 12)


@pytest.mark.parametrize(
    ("expected", "text", "start", "end"),
    [
        ("2026-06-01 2026-06-08", "weekly Monday", "2026-06-01", "2026-06-08"),
        ("2026-06-05", "weekly Friday", "2026-05-30", "2026-06-11"),
        ("", "weekly Friday", "2026-06-06", "2026-06-11"),
        ("2026-01-31 2026-02-28 2026-03-31 2026-04-30", "monthly 31", "2026-01-31", "2026-04-30"),
        ("2024-01-30 2024-02-29 2024-03-30", "monthly 30", "2024-01-01", "2024-03-31"),
        ("2026-01-15 2026-03-15 2026-06-15 2026-12-15", "quarterly 15", "2026-01-01", "2026-12-31"),
        ("2026-06-30 2026-12-31 2027-01-31", "quarterly 31", "2026-04-01", "2027-03-30"),
        ("2024-02-29 2025-02-28 2026-02-28 2027-02-28 2028-02-29", "annually 02-29", "2024-01-01", "2028-12-31"),
        ("2026-12-31", "annually 12-31", "2026-01-01", "2027-12-30"),
    ],
)
def test_nominal_days(expected: str, text: str, start: str, end: str) -> None:
    """The days a rule names, both ends included, short months and leap years as the seed says."""
    assert expected == dates(nominal_days(rule(text), D(start), D(end)))


@pytest.mark.parametrize(
    ("session", "nominal", "text"),
    [
        ("2026-06-10", "2026-06-10", "weekly Wednesday"),
        ("2026-05-22", "2026-05-25", "weekly Monday"),  # Memorial Day fires the Friday of the week before
        ("2026-08-31", "2026-08-31", "monthly 31"),
        ("2026-04-30", "2026-04-30", "monthly 31"),
        ("2026-05-29", "2026-05-31", "monthly 31"),  # a Sunday
        ("2026-02-27", "2026-02-28", "monthly 30"),  # a Saturday
        ("2025-12-31", "2026-01-01", "monthly 1"),  # the previous month, and year
        ("2026-10-30", "2026-11-01", "monthly 1"),  # a Sunday: the previous month
        ("2025-12-31", "2026-01-01", "quarterly 1"),
        ("2025-12-31", "2026-01-01", "annually 01-01"),
        ("2026-02-27", "2026-02-28", "annually 02-29"),  # a common year, and a Saturday
        ("2028-02-29", "2028-02-29", "annually 02-29"),  # a leap year
        ("2027-02-26", "2027-02-28", "annually 02-29"),  # a common year, and a Sunday
        ("2026-11-27", "2026-11-27", "weekly Friday"),  # an early close is a trading day
        ("2026-11-25", "2026-11-26", "weekly Thursday"),  # Thanksgiving
        ("2001-09-10", "2001-09-14", "weekly Friday"),  # the market stayed shut from the 11th to the 14th
    ],
)
def test_a_nominal_day_fires_on_the_last_session_on_or_before(session: str, nominal: str, text: str) -> None:
    """Trigger session and look-ahead agree, also across week, month and year (rules.md 4.1, 4.2)."""
    sessions = new_york_sessions()
    assert D(session) == trigger_session(D(nominal), sessions).date
    assert D(nominal) == due(rule(text), session_of(session), sessions)


@pytest.mark.parametrize(
    ("day", "text"),
    [
        ("2026-05-26", "weekly Monday"),  # the Tuesday after Memorial Day: it fired on Friday
        ("2026-01-02", "monthly 1"),
        ("2026-06-01", "monthly 31"),
        ("2026-04-15", "quarterly 15"),  # April is not among the seed's four months
        ("2026-03-02", "annually 02-29"),
    ],
)
def test_nothing_fires_after_the_nominal_day(day: str, text: str) -> None:
    """A nominal day without a session is never made up for later."""
    assert due(rule(text), session_of(day), new_york_sessions()) is None


@pytest.mark.parametrize(
    ("nominal", "session", "text", "after"),
    [
        ("2026-05-25", "2026-05-22", "weekly Monday", "2026-05-21"),
        ("2026-06-01", "2026-06-01", "weekly Monday", "2026-05-22"),
        ("2026-06-01", "2026-06-01", "weekly Monday", "2026-05-24"),
        ("2026-02-01", "2026-01-30", "monthly 1", "2026-01-29"),
        ("2026-03-01", "2026-02-27", "monthly 1", "2026-01-30"),
        ("2026-06-15", "2026-06-15", "quarterly 15", "2026-03-15"),
        ("2027-01-01", "2026-12-31", "annually 01-01", "2025-12-31"),
        ("2027-02-28", "2027-02-26", "annually 02-29", "2026-02-27"),
    ],
)
def test_next_due_is_strictly_later(nominal: str, session: str, text: str, after: str) -> None:
    """The next due session lies after the date; a nominal day that has fired already is passed over."""
    assert (D(nominal), session_of(session)) == next_due(rule(text), D(after), new_york_sessions())


rules = st.one_of(
    st.builds(CalendarRule, st.just(CalendarKind.WEEKLY), st.sampled_from(WEEKDAYS)),
    st.builds(
        CalendarRule, st.sampled_from((CalendarKind.MONTHLY, CalendarKind.QUARTERLY)), st.integers(1, 31).map(str)
    ),
    st.builds(
        CalendarRule, st.just(CalendarKind.ANNUALLY), st.dates(D("2024-01-01"), D("2024-12-31")).map("{:%m-%d}".format)
    ),
)
starts = st.dates(D("1990-01-03"), D("2038-06-30"))


@given(rules, starts)
def test_every_nominal_day_fires_on_exactly_one_session(calendar_rule: CalendarRule, start: date) -> None:
    """Asking every session of two years finds each nominal day once, and only nominal days."""
    sessions = new_york_sessions()
    asked = sessions.between(start, start + timedelta(days=730))
    fired = [day for session in asked if (day := due(calendar_rule, session, sessions))]
    beyond = sessions.after(asked[-1].date).date - timedelta(days=1)
    assert list(nominal_days(calendar_rule, asked[0].date, beyond)) == fired


def is_nominal(calendar_rule: CalendarRule, day: date) -> bool:
    """Whether a rule names a day, told from the day alone."""
    if calendar_rule.kind is CalendarKind.WEEKLY:
        return f"{day:%A}" == calendar_rule.day
    month, _, wanted = calendar_rule.day.rpartition("-")
    months = {"monthly": range(1, 13), "quarterly": (1, 3, 6, 12), "annually": (int(month or 0),)}[calendar_rule.kind]
    last_of_month = (day + timedelta(days=1)).month != day.month
    return day.month in months and (day.day == int(wanted) or (last_of_month and day.day < int(wanted)))


@given(rules, starts, st.integers(0, 800))
def test_nominal_days_are_those_that_a_plain_look_at_each_day_finds(
    calendar_rule: CalendarRule, start: date, length: int
) -> None:
    """Day by day, with the rule told in another way, the same days come out."""
    days = [start + timedelta(days=n) for n in range(length + 1)]
    assert [day for day in days if is_nominal(calendar_rule, day)] == list(nominal_days(calendar_rule, start, days[-1]))


@given(rules, starts)
def test_nominal_days_come_once_a_period(calendar_rule: CalendarRule, start: date) -> None:
    """Two years name 104 or 105 weeks, 24 months, 8 quarters or 2 anniversaries, in strict order."""
    named = nominal_days(calendar_rule, start, start + timedelta(days=730))
    low, high = {"weekly": (104, 105), "monthly": (23, 25), "quarterly": (7, 9), "annually": (1, 3)}[calendar_rule.kind]
    assert low <= len(named) <= high
    assert all(earlier < later for earlier, later in pairwise(named))


@given(rules, starts)
def test_next_due_is_the_first_session_that_is_due(calendar_rule: CalendarRule, after: date) -> None:
    """No session between `after` and the answer is due, and the answer is."""
    sessions = new_york_sessions()
    nominal, session = next_due(calendar_rule, after, sessions)
    between = sessions.between(after + timedelta(days=1), session.date - timedelta(days=1))
    assert [s for s in between if due(calendar_rule, s, sessions)] == []
    assert due(calendar_rule, session, sessions) == nominal


# --- cooldown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blocked", "last", "days", "today"),
    [
        (False, None, 30, "2026-06-10"),
        (False, "2026-06-10 15:30", 0, "2026-06-10"),
        (True, "2026-06-10 15:30", 1, "2026-06-10"),
        (False, "2026-06-10 15:30", 1, "2026-06-11"),
        (True, "2026-06-03 15:30", 7, "2026-06-09"),
        (False, "2026-06-03 15:30", 7, "2026-06-10"),
        (False, "2026-06-03 23:30", 7, "2026-06-10"),  # dates, not hours: 03:30 UTC on the 4th is still the 3rd
        (True, "2026-03-06 15:30", 7, "2026-03-12"),  # across the change of clocks
        (False, "2026-03-06 15:30", 7, "2026-03-13"),
    ],
)
def test_cooldown_counts_new_york_dates(blocked: bool, last: str | None, days: int, today: str) -> None:
    """Eligible again when the difference of New York dates reaches the cooldown (rules.md 5.2)."""
    rebalanced = new_york(last).astimezone(UTC) if last else None
    assert blocked is in_cooldown(rebalanced, days, D(today))


@given(instants, st.integers(0, 5000), starts)
def test_eligible_from_is_the_first_day_out_of_cooldown(last: datetime, days: int, today: date) -> None:
    """The two forms of the cooldown rule never disagree."""
    eligible = eligible_from(last, days)
    assert eligible is not None
    assert in_cooldown(last, days, today) == (today < eligible)


def test_no_rebalance_no_cooldown_and_an_endless_cooldown_has_a_date() -> None:
    """An account that never rebalanced has no date; a cooldown beyond year 9999 ends at the last date there is."""
    assert eligible_from(None, 30) is None
    assert eligible_from(utc("2026-06-10 19:30"), 10**9) == date.max


@pytest.mark.parametrize(
    ("expected", "text", "cooldown", "months"),
    [
        ("", "weekly Friday", 0, 3),
        # Good Friday fires on Thursday April 2, six days after March 27; April 10 is fourteen days after it.
        ("2026-04-02", "weekly Friday", 7, 4),
        # Every second Friday is lost to a cooldown of 8 days: Jan 2 stays, 9 goes, 16 stays, ...
        ("2026-01-09 2026-01-23", "weekly Friday", 8, 1),
        # Jan 30, Mar 31, May 29 and so on stay; 28 and 30 days are less than 31.
        ("2026-02-27", "monthly 31", 31, 3),
        ("2026-03-31", "quarterly 31", 90, 7),
        ("2027-02-26", "annually 02-29", 365, 24),
    ],
)
def test_swallowed_sessions(expected: str, text: str, cooldown: int, months: int) -> None:
    """The trigger sessions that the portfolio's own cooldown loses, from the start of 2026."""
    assert expected == dates(swallowed(rule(text), cooldown, D("2026-01-01"), months, new_york_sessions()))


def test_swallowed_starts_and_ends_where_it_says() -> None:
    """From Saturday May 23 a month on: Memorial Day has fired the day before and is nobody's rebalance; 22 is in."""
    lost = swallowed(rule("weekly Monday"), 11, D("2026-05-23"), 1, new_york_sessions())
    assert dates(lost) == "2026-06-08 2026-06-22"
    # The day a month later is outside; a month from January 31 is cut to February 28, also outside.
    assert swallowed(rule("monthly 28"), 60, D("2025-01-28"), 1, new_york_sessions()) == ()
    assert (
        dates(swallowed(rule("weekly Friday"), 8, D("2025-01-31"), 1, new_york_sessions())) == "2025-02-07 2025-02-21"
    )


@given(rules, st.integers(0, 400), st.dates(D("1990-01-03"), D("2036-12-31")))
def test_swallowed_and_kept_are_the_rules_sessions(calendar_rule: CalendarRule, cooldown: int, start: date) -> None:
    """What is kept is at least a cooldown apart, and everything lost lies inside the cooldown of a kept session."""
    sessions = new_york_sessions()
    lost = swallowed(calendar_rule, cooldown, start, 24, sessions)
    end = start + timedelta(days=729)
    fires = [s.date for s in sessions.between(start, end) if due(calendar_rule, s, sessions)]
    kept = [day for day in fires if day not in lost]
    assert all((later - earlier).days >= cooldown for earlier, later in pairwise(kept))
    assert all(any(0 < (day - other).days < cooldown for other in kept) for day in lost if day <= end)
