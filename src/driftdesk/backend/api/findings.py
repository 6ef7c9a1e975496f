"""One sentence for a person out of the validator's findings: which field, what was received, what is allowed."""

import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

_LONGEST_SHOWN: Final = 60

_SCALARS: Final[Mapping[object, str]] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    Decimal: "a decimal such as 12.50",
    datetime: "a time such as 2026-01-02T15:00:00Z",
    date: "a date such as 2026-01-02",
}


def sentence(findings: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> tuple[bool, str]:
    """(whether the fault is in the body, one sentence) for the first of a validator's `findings`.

    `model` is the body's message; it tells what a field may hold.
    """
    first = findings[0]
    place, *steps = first["loc"]
    if place != "body":
        return False, _about_query(str(steps[0]) if steps else str(place), first)
    hint, path = (None, "") if model is None else _walk(model, steps)
    name = path or "The body"
    allowed = _allowed(hint) if hint is not None else "a JSON object"
    if not path:
        return True, f"The body must be {allowed}."
    if first["type"] == "missing":
        return True, f"{name} is missing; it must be {allowed}."
    if first["msg"] == "value is empty":
        return True, f"{name}: value is empty; it must be {allowed}."
    # Our own validators (driftdesk.wire.base) say themselves what is allowed.
    rule = first["msg"] if first["type"] in ("decimal", "time", "range") else f"must be {allowed}"
    return True, f"{name} {rule}; received {_shown(first['input'])}."


def _about_query(name: str, finding: Mapping[str, Any]) -> str:
    limits = finding.get("ctx") or {}
    received = _shown(finding.get("input"))
    match finding["type"]:
        case "missing":
            return f"{name} is missing; add it to the query."
        case "range":
            return f"{name} {finding['msg']}; received {received}."
        case "string_too_short" | "string_too_long":
            return f"{name} must have {limits.get('min_length', 1)} to {limits.get('max_length', 255)} characters."
        case kind if kind.startswith("date"):
            allowed = "time such as 2026-01-02T15:00:00Z" if kind.startswith("datetime") else "date such as 2026-01-02"
            return f"{name} must be a {allowed}; received {received}."
        case "literal_error" | "enum":
            return f"{name} must be {limits.get('expected')}; received {received}."
        case _:
            return f"{name} cannot be {received}: {finding['msg']}."


def _walk(model: type[BaseModel], steps: Sequence[str | int]) -> tuple[object, str]:
    """The type and the path (``weights[1].percent``) of the field that `steps` lead to; steps of no field are the
    validator's own names for the members of a union, and are left out."""
    hint: object = model
    path = ""
    for step in steps:
        bare = _bare(hint)
        if isinstance(step, int):
            path += f"[{step}]"
            hint = (get_args(bare) or (None,))[0]
        elif isinstance(bare, type) and issubclass(bare, BaseModel):
            field = _field(bare, step)
            if field is None:
                break
            path += f".{step}" if path else step
            hint = field.annotation
        elif get_origin(bare) is dict:
            path += f".{step}"
            hint = get_args(bare)[1]
    return hint, path


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    for own, field in model.model_fields.items():
        alias = field.validation_alias
        if name == own or (isinstance(alias, AliasChoices) and name in alias.choices):
            return field
    return None


def _bare(hint: object) -> object:
    """`hint` without Annotated and without None."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not types.NoneType]
        return _bare(members[0])
    return hint


def _allowed(hint: object) -> str:
    bare = _bare(hint)
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return " or ".join(member.value for member in bare)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return "a JSON object"
    if get_origin(bare) is tuple:
        return "a list"
    if get_origin(bare) is dict:
        return "a JSON object"
    return _SCALARS.get(bare, "a value of another type")


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else "null" if value is None else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
