"""Sessions, calendar conditions, cooldowns and the run window (rules.md 4, 5.1-5.3). Dates are New York dates.

A calendar condition names a nominal day in each period: a weekday, a day of the month, of four months, or of the year.
A day that its month does not have is the month's last day. Each nominal day fires on exactly one session, the last one
on or before it, which may lie in the previous week, month or year (rules.md 4.1, 4.2; seed 000). So a session answers
for every day from its own date up to, not including, the next session's: a test of "does today fire?" looks ahead.

A cooldown counts calendar days between New York dates, not hours and not sessions (rules.md 5.2).
"""

import calendar
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from driftdesk.engine.targets import CalendarKind, CalendarRule
from driftdesk.errors import DataError

NEW_YORK: Final = ZoneInfo("America/New_York")
REGULAR_CLOSE: Final = time(16, 0)
# The run window ends this long before the close (rules.md 5.3; seed 000).
LAST_START_BEFORE_CLOSE: Final = timedelta(minutes=15)
EVALUATION_TIME: Final = time(15, 30)
EVALUATION_TIME_ON_EARLY_CLOSE: Final = time(12, 30)

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
# The seed's own list: January, March, June and December are not three months apart (rules.md 4.3).
QUARTERLY_MONTHS: Final = (1, 3, 6, 12)
EVERY_MONTH: Final = tuple(range(1, 13))


@dataclass(frozen=True, slots=True)
class Session:
    """One exchange trading day: its New York date, open and close (timezone-aware, UTC)."""

    date: date
    open: datetime
    close: datetime

    @property
    def early_close(self) -> bool:
        """Whether trading ends before 16:00 New York."""
        return self.close.astimezone(NEW_YORK).time() < REGULAR_CLOSE

    @property
    def last_start(self) -> datetime:
        """The last instant at which a run may start: the close less 15 minutes (rules.md 5.3)."""
        return self.close - LAST_START_BEFORE_CLOSE

    @property
    def evaluation(self) -> datetime:
        """When the session is evaluated (UTC): 15:30 New York, three hours earlier on an early close (rules.md 5.1)."""
        at = EVALUATION_TIME_ON_EARLY_CLOSE if self.early_close else EVALUATION_TIME
        return datetime.combine(self.date, at, NEW_YORK).astimezone(UTC)

    def in_run_window(self, instant: datetime) -> bool:
        """Whether a run may start at `instant`: open <= instant <= close - 15 minutes (rules.md 5.3)."""
        return self.open <= instant <= self.last_start


@dataclass(frozen=True, slots=True)
class Sessions:
    """Consecutive sessions, sorted by date; built once (see market_calendar.py).

    Knows nothing before its first and after its last date: every lookup that would need to raises DataError.
    """

    days: tuple[Session, ...]
    _dates: tuple[date, ...] = field(init=False, repr=False, compare=False)
    _opens: tuple[datetime, ...] = field(init=False, repr=False, compare=False)
    _closes: tuple[datetime, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.days:
            raise DataError("A trading calendar needs at least one session.")
        dates = tuple(session.date for session in self.days)
        if any(later <= earlier for earlier, later in pairwise(dates)):
            raise DataError("The sessions of a trading calendar must be in order, each date once.")
        object.__setattr__(self, "_dates", dates)
        object.__setattr__(self, "_opens", tuple(session.open for session in self.days))
        object.__setattr__(self, "_closes", tuple(session.close for session in self.days))

    @property
    def first(self) -> date:
        """Date of the first session."""
        return self._dates[0]

    @property
    def last(self) -> date:
        """Date of the last session."""
        return self._dates[-1]

    def on(self, day: date) -> Session | None:
        """The session of `day`, None on a non-trading day."""
        self._check(day)
        index = bisect_left(self._dates, day)
        return self.days[index] if self._dates[index] == day else None

    def on_or_before(self, day: date) -> Session:
        """The session of `day`, or the last one before it."""
        self._check(day)
        return self.days[bisect_right(self._dates, day) - 1]

    def before(self, day: date) -> Session:
        """The last session strictly before `day`."""
        index = bisect_left(self._dates, day) - 1
        return self._get(index, day)

    def after(self, day: date) -> Session:
        """The first session strictly after `day`."""
        return self._get(bisect_right(self._dates, day), day)

    def at(self, instant: datetime) -> Session | None:
        """The session with open <= instant < close, None when the market is closed."""
        index = bisect_right(self._opens, instant) - 1
        if index >= 0 and instant < self._closes[index]:
            return self.days[index]
        if index in (-1, len(self.days) - 1):
            self._check(new_york_date(instant))
        return None

    def current_or_next(self, instant: datetime) -> Session:
        """The session that is open at `instant`, or the next one to open."""
        return self._get(bisect_right(self._closes, instant), instant)

    def next_open(self, instant: datetime) -> datetime:
        """The first open strictly after `instant`."""
        return self._get(bisect_right(self._opens, instant), instant).open

    def next_close(self, instant: datetime) -> datetime:
        """The first close strictly after `instant`."""
        return self._get(bisect_right(self._closes, instant), instant).close

    def latest_opened(self, instant: datetime) -> Session:
        """The last session whose open <= instant: the one whose close is the price then (rules.md 5.1)."""
        index = bisect_right(self._opens, instant) - 1
        if index == len(self.days) - 1:
            self._check(new_york_date(instant))
        return self._get(index, instant)

    def between(self, start: date, end: date) -> tuple[Session, ...]:
        """The sessions from `start` to `end`, both inclusive; empty when `end` is before `start`."""
        if end < start:
            return ()
        self._check(start)
        self._check(end)
        return self.days[bisect_left(self._dates, start) : bisect_right(self._dates, end)]

    def _get(self, index: int, asked: date | datetime) -> Session:
        # The sessions beyond either edge exist; they are only not known here.
        if not 0 <= index < len(self.days) or (
            not isinstance(asked, datetime) and not self.first <= asked <= self.last
        ):
            raise self._outside(asked)
        return self.days[index]

    def _check(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise self._outside(day)

    def _outside(self, asked: date | datetime) -> DataError:
        return DataError(
            f"{asked.isoformat()} leads outside the trading calendar, which knows {self.first} to {self.last}; "
            "choose a date inside it."
        )


def new_york_date(instant: datetime) -> date:
    """The New York calendar date of a timezone-aware `instant`."""
    return instant.astimezone(NEW_YORK).date()


def nominal_days(rule: CalendarRule, start: date, end: date) -> tuple[date, ...]:
    """The days that `rule` names from `start` to `end`, both inclusive, in order; trading days or not.

    A day that its month does not have is the month's last day: 31 is June 30, 02-29 is 02-28 in a common year
    (rules.md 4.2). Expects a rule that `parse_conditions` accepts.
    """
    return tuple(takewhile(lambda day: day <= end, _nominal_from(rule, start)))


def trigger_session(nominal: date, sessions: Sessions) -> Session:
    """The session on which a nominal day fires: the last one on or before it (rules.md 4.1).

    Raises DataError outside the calendar.
    """
    return sessions.on_or_before(nominal)


def due(rule: CalendarRule, session: Session, sessions: Sessions) -> date | None:
    """The nominal day that fires on `session`, None when there is none (rules.md 4.1).

    Looks ahead to the next session: a nominal day n fires here when session.date <= n < the next session's date.
    Raises DataError when the next session is outside the calendar.
    """
    nominal = next(_nominal_from(rule, session.date))
    return nominal if nominal < sessions.after(session.date).date else None


def next_due(rule: CalendarRule, after: date, sessions: Sessions) -> tuple[date, Session]:
    """The first (nominal day, its session) whose session lies strictly after the date `after`.

    Raises DataError when that is outside the calendar.
    """
    # A nominal day before the next session has fired by `after`; one on or after it has not.
    nominal = next(_nominal_from(rule, sessions.after(after).date))
    return nominal, trigger_session(nominal, sessions)


def eligible_from(last_rebalanced_at: datetime | None, cooldown_days: int) -> date | None:
    """The first New York date on which a cooldown no longer blocks; None when nothing was rebalanced (rules.md 5.2)."""
    if last_rebalanced_at is None:
        return None
    rebalanced = new_york_date(last_rebalanced_at)
    return rebalanced + timedelta(days=min(cooldown_days, (date.max - rebalanced).days))


def in_cooldown(last_rebalanced_at: datetime | None, cooldown_days: int, today: date) -> bool:
    """Whether fewer than `cooldown_days` calendar days have passed since the last full rebalance (rules.md 5.2).

    `today` is a New York date. Day `cooldown_days` after the rebalance is eligible again.
    """
    return last_rebalanced_at is not None and (today - new_york_date(last_rebalanced_at)).days < cooldown_days


def swallowed(rule: CalendarRule, cooldown_days: int, start: date, months: int, sessions: Sessions) -> tuple[date, ...]:
    """Dates of the trigger sessions that a portfolio's own cooldown would lose (rules.md 5.2, last sentence).

    Walks the rule's sessions from `start` (inclusive) for `months` months, as if every session that is not lost
    rebalanced the account and nothing else did. Raises DataError outside the calendar.
    """
    end = _add_months(start, months)
    lost: list[date] = []
    rebalanced: date | None = None
    for nominal in _nominal_from(rule, start):
        day = trigger_session(nominal, sessions).date
        if day >= end:
            break
        if day < start:
            continue
        if rebalanced is not None and (day - rebalanced).days < cooldown_days:
            lost.append(day)
        else:
            rebalanced = day
    return tuple(lost)


def _nominal_from(rule: CalendarRule, start: date) -> Iterator[date]:
    """The rule's nominal days on or after `start`, in order, up to the last date that Python knows."""
    if rule.kind is CalendarKind.WEEKLY:
        first = start + timedelta(days=(WEEKDAYS.index(rule.day) - start.weekday()) % 7)
        for weeks in range((date.max - first).days // 7 + 1):
            yield first + timedelta(weeks=weeks)
        return
    months, day = _months_and_day(rule)
    for year in range(start.year, date.max.year + 1):
        for month in months:
            if (year, month) >= (start.year, start.month):
                nominal = date(year, month, min(day, calendar.monthrange(year, month)[1]))
                if nominal >= start:
                    yield nominal


def _months_and_day(rule: CalendarRule) -> tuple[tuple[int, ...], int]:
    """The months in which a monthly, quarterly or annual rule names a day, and that day of the month."""
    if rule.kind is CalendarKind.ANNUALLY:
        month, day = rule.day.split("-")
        return (int(month),), int(day)
    return (QUARTERLY_MONTHS if rule.kind is CalendarKind.QUARTERLY else EVERY_MONTH), int(rule.day)


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
