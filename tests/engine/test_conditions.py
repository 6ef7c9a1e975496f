"""Conditions as they are typed: what is accepted, in which spelling it is kept, and what each refusal says."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdesk.engine.conditions import parse_conditions
from driftdesk.engine.targets import BandKind, CalendarKind, CalendarRule, DriftBand
from driftdesk.errors import InputError


def band(**fields: object) -> dict[str, object]:
    """An absolute drift band of 5 points, with changes."""
    return {"type": "drift_band", "sub_type": "absolute", "percent": "5"} | fields


def calendar(sub_type: str, day: object, **fields: object) -> dict[str, object]:
    """A calendar condition, with changes."""
    return {"type": "calendar", "sub_type": sub_type, "day": day} | fields


def test_the_seeds_own_conditions() -> None:
    """The two bands of the seed's sample portfolio, nulls included, and its empty list."""
    wire = [band(day=None), band(sub_type="relative", percent="20", day=None)]
    expected = (DriftBand(BandKind.ABSOLUTE, Decimal(5)), DriftBand(BandKind.RELATIVE, Decimal(20)))
    assert expected == parse_conditions(wire)
    assert parse_conditions([]) == ()


@pytest.mark.parametrize(
    ("kept", "sub_type", "day"),
    [
        ("Monday", "weekly", "Monday"),
        ("Friday", "weekly", " Friday "),
        ("1", "monthly", 1),
        ("31", "monthly", "31"),
        ("5", "monthly", "05"),
        ("15", "quarterly", 15),
        ("12-31", "annually", "12-31"),
        ("02-29", "annually", "02-29"),
    ],
)
def test_days_are_kept_in_one_spelling(kept: str, sub_type: str, day: object) -> None:
    """A day may arrive as a whole number and is kept as text (rules.md 2.2)."""
    assert (CalendarRule(CalendarKind(sub_type), kept),) == parse_conditions([calendar(sub_type, day, percent=None)])


@pytest.mark.parametrize(
    ("allowed", "sub_type", "day"),
    [
        ("Monday, Tuesday, Wednesday, Thursday or Friday", "weekly", "Saturday"),
        ("Monday, Tuesday, Wednesday, Thursday or Friday", "weekly", "monday"),
        ("Monday, Tuesday, Wednesday, Thursday or Friday", "weekly", 1),
        ("a whole number from 1 to 31", "monthly", 0),
        ("a whole number from 1 to 31", "monthly", "32"),
        ("a whole number from 1 to 31", "monthly", "1.5"),
        ("a whole number from 1 to 31", "monthly", True),
        ("a whole number from 1 to 31", "monthly", -1),
        ("a whole number from 1 to 31", "quarterly", "Monday"),
        ("a whole number from 1 to 31", "quarterly", "٣"),
        ("MM-DD", "annually", "02-30"),
        ("MM-DD", "annually", "04-31"),
        ("MM-DD", "annually", "13-01"),
        ("MM-DD", "annually", "00-10"),
        ("MM-DD", "annually", "2-9"),
        ("MM-DD", "annually", "2026-02-09"),
    ],
)
def test_days_that_do_not_fit_are_refused(allowed: str, sub_type: str, day: object) -> None:
    """Each kind of calendar says which days it takes (rules.md 2.3)."""
    with pytest.raises(InputError, match=allowed) as refused:
        parse_conditions([calendar(sub_type, day)])
    assert refused.value.field == "rebalance_conditions[0].day"
    assert refused.value.received == day


@pytest.mark.parametrize(
    ("field", "says", "condition"),
    [
        ("type", "must be drift_band or calendar", band(type="band")),
        ("type", "received None", {}),
        ("sub_type", "must be absolute or relative for a drift_band", band(sub_type="weekly")),
        ("sub_type", "must be absolute or relative", band(sub_type=None)),
        ("sub_type", "must be weekly, monthly, quarterly or annually for a calendar", calendar("absolute", "1")),
        ("percent", "is missing; a drift_band needs it", band(percent=None)),
        ("percent", "is missing; a drift_band needs it", band(percent="")),
        ("percent", "positive with at most two decimals", band(percent="0")),
        ("percent", "positive with at most two decimals", band(percent="5.005")),
        ("percent", "must be a decimal", band(percent="five")),
        ("percent", "must be a decimal", band(percent=5.0)),
        ("percent", "is not allowed on a calendar", calendar("weekly", "Monday", percent="5")),
        ("day", "is missing; a calendar needs it", calendar("weekly", None)),
        ("day", "is not allowed on a drift_band", band(day="Monday")),
    ],
)
def test_a_refusal_names_the_field(field: str, says: str, condition: dict[str, object]) -> None:
    """The sentence and the path point at the second condition of the list that was asked about."""
    with pytest.raises(InputError, match=says) as refused:
        parse_conditions([band(), condition], field="conditions")
    assert refused.value.field == f"conditions[1].{field}"
    assert str(refused.value).startswith(f"conditions[1].{field} ")


def test_something_that_is_not_an_object_is_refused() -> None:
    """A list of words instead of objects is one sentence, not a crash."""
    with pytest.raises(InputError, match=r"conditions\[0\] must be an object"):
        parse_conditions(["weekly"], field="conditions")  # type: ignore[list-item]


def test_many_bands_and_one_calendar() -> None:
    """Any number of bands may stand beside one calendar; a second calendar is refused (rules.md 2.1)."""
    listed = [band(), calendar("weekly", "Monday"), band(percent="3")]
    assert len(parse_conditions(listed)) == len(listed)
    with pytest.raises(InputError, match="a portfolio may have one") as refused:
        parse_conditions([*listed, calendar("monthly", 1)])
    assert refused.value.field == "rebalance_conditions[3].type"


@given(st.sampled_from(list(CalendarKind)), st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.none()))
def test_every_day_is_kept_or_refused(kind: CalendarKind, day: object) -> None:
    """Nothing that can be typed as a day leads anywhere but to a rule, whose spelling is stable, or to a sentence."""
    kept = kept_or_refused(kind, day)
    if isinstance(kept, InputError):
        assert kept.field == "rebalance_conditions[0].day"
    else:
        assert parse_conditions([calendar(kind.value, kept.day)]) == (kept,)


def kept_or_refused(kind: CalendarKind, day: object) -> CalendarRule | InputError:
    """The rule that a day makes, or the refusal."""
    try:
        (kept,) = parse_conditions([calendar(kind.value, day)])
    except InputError as refused:
        return refused
    assert isinstance(kept, CalendarRule)
    return kept
