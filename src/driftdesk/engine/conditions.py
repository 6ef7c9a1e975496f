"""Rebalancing conditions as they are typed, checked once for API, pages, notebooks and files (rules.md 2.1, 2.3).

A drift band has a `percent` and no `day`; a calendar condition has a `day` and no `percent`. There may be any number
of drift bands and at most one calendar (seed 000).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from driftdesk.engine.schedule import WEEKDAYS
from driftdesk.engine.targets import BandKind, CalendarKind, CalendarRule, Condition, DriftBand
from driftdesk.errors import InputError
from driftdesk.money import parse_percent

DRIFT_BAND: Final = "drift_band"
CALENDAR: Final = "calendar"
LONGEST_MONTH: Final = 31
# 02-29 is a day that can be asked for; 02-30 and 04-31 are not. A leap year decides.
LEAP_YEAR: Final = 2024

_DAY_OF_MONTH: Final = re.compile(r"[0-9]{1,2}")
_DAY_OF_YEAR: Final = re.compile(r"([0-9]{2})-([0-9]{2})")
_DAY_ALLOWED: Final = {
    CalendarKind.WEEKLY: "Monday, Tuesday, Wednesday, Thursday or Friday",
    CalendarKind.MONTHLY: "a whole number from 1 to 31",
    CalendarKind.QUARTERLY: "a whole number from 1 to 31",
    CalendarKind.ANNUALLY: "a day of the year as MM-DD, 02-29 included",
}


def parse_conditions(
    items: Iterable[Mapping[str, object]], *, field: str = "rebalance_conditions"
) -> tuple[Condition, ...]:
    """Conditions from objects with `type`, `sub_type`, `percent` and `day`; null counts as absent.

    `percent` is text, Decimal or whole number, in percent; `day` text or whole number. Raises InputError with the path
    of the field, as in ``rebalance_conditions[0].day`` (rules.md 2.3).
    """
    conditions: list[Condition] = []
    for index, item in enumerate(items):
        path = f"{field}[{index}]"
        if not isinstance(item, Mapping):
            raise _refused(path, "must be an object with type and sub_type", item, "an object")
        condition = _parse_condition(item, path)
        if isinstance(condition, CalendarRule) and any(isinstance(other, CalendarRule) for other in conditions):
            raise _refused(f"{path}.type", "is a second calendar; a portfolio may have one", CALENDAR, "one calendar")
        conditions.append(condition)
    return tuple(conditions)


def _parse_condition(item: Mapping[str, object], path: str) -> Condition:
    kind = item.get("type")
    if kind == DRIFT_BAND:
        band = BandKind(_sub_type(item, path, DRIFT_BAND, [kind.value for kind in BandKind]))
        _absent(item, path, "day", DRIFT_BAND)
        return DriftBand(band, parse_percent(_required(item, path, "percent", DRIFT_BAND), field=f"{path}.percent"))
    if kind == CALENDAR:
        calendar = CalendarKind(_sub_type(item, path, CALENDAR, [kind.value for kind in CalendarKind]))
        _absent(item, path, "percent", CALENDAR)
        return CalendarRule(calendar, _day(calendar, _required(item, path, "day", CALENDAR), f"{path}.day"))
    raise _refused(f"{path}.type", "must be drift_band or calendar", kind, "drift_band or calendar")


def _sub_type(item: Mapping[str, object], path: str, kind: str, allowed: list[str]) -> str:
    found = item.get("sub_type")
    if not isinstance(found, str) or found not in allowed:
        listed = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise _refused(f"{path}.sub_type", f"must be {listed} for a {kind}", found, listed)
    return found


def _required(item: Mapping[str, object], path: str, name: str, kind: str) -> object:
    found = item.get(name)
    if found is None or found == "":
        raise InputError(f"{path}.{name} is missing; a {kind} needs it.", field=f"{path}.{name}", allowed=f"a {name}")
    return found


def _absent(item: Mapping[str, object], path: str, name: str, kind: str) -> None:
    if item.get(name) is not None:
        raise _refused(f"{path}.{name}", f"is not allowed on a {kind}; leave it out", item[name], "nothing")


def _day(kind: CalendarKind, value: object, path: str) -> str:
    """The day in its one spelling: Monday, 5, 02-29."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if kind is CalendarKind.WEEKLY:
        found = text if text in WEEKDAYS else None
    elif kind is CalendarKind.ANNUALLY:
        found = text if _is_day_of_year(text) else None
    else:
        number = int(text) if _DAY_OF_MONTH.fullmatch(text) else 0
        found = str(number) if 1 <= number <= LONGEST_MONTH else None
    if found is None:
        allowed = _DAY_ALLOWED[kind]
        article = "an" if kind is CalendarKind.ANNUALLY else "a"
        raise _refused(path, f"must be {allowed} for {article} {kind.value} calendar", value, allowed)
    return found


def _is_day_of_year(text: str) -> bool:
    match = _DAY_OF_YEAR.fullmatch(text)
    if match is None:
        return False
    try:
        date(LEAP_YEAR, int(match[1]), int(match[2]))
    except ValueError:
        return False
    return True


def _refused(path: str, problem: str, received: object, allowed: str) -> InputError:
    return InputError(f"{path} {problem}; received {received!r}.", field=path, received=received, allowed=allowed)
