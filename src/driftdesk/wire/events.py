"""Events of the rebalancer as they stand on GET /v2/events/rebalancer (wire/alpaca.md 9).

The documentation names the events and what their snapshots hold, not the keys around them. Written is
``{"event_id", "event_type", "at", "portfolio" | "run"}``; read is a snapshot under its own key, under ``data``, or
spread over the event itself.
"""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, model_validator

from driftdesk.wire.base import Answer, WireTime
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.runs import Run


class EventType(StrEnum):
    PORTFOLIO_STATUS_CHANGED = "portfolio.status_changed"
    RUN_CREATED = "run.created"
    RUN_STATUS_CHANGED = "run.status_changed"


_HEAD: Final = frozenset({"event_id", "event_type", "at"})
_SNAPSHOTS: Final[dict[str, type[Answer]]] = {"portfolio": Portfolio, "run": Run}


class RebalancerEvent(Answer):
    """One event; `event_id` is a ULID, `at` the instant (UTC) of what happened.

    `portfolio` or `run` is the snapshot right after it. An event of another type, or one whose snapshot is not as
    documented, keeps what it came with in `data`: a stream must not end at what it does not know.
    """

    event_id: str
    event_type: Annotated[EventType | str, Field(union_mode="left_to_right")]
    at: WireTime | None = None
    portfolio: Portfolio | None = None
    run: Run | None = None
    data: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _find_snapshot(cls, event: Any) -> Any:
        if not isinstance(event, dict):
            return event
        head = {name: value for name, value in event.items() if name in _HEAD}
        rest = {name: value for name, value in event.items() if name not in _HEAD}
        # `portfolio.status_changed` and the like name what they carry.
        kind = str(event.get("event_type", "")).partition(".")[0]
        if kind not in _SNAPSHOTS:
            return {**head, "data": rest["data"] if isinstance(rest.get("data"), dict) and len(rest) == 1 else rest}
        found = next((rest[key] for key in (kind, "data") if isinstance(rest.get(key), dict | Answer)), rest)
        try:
            return {**head, kind: _SNAPSHOTS[kind].model_validate(found)}
        except ValidationError:
            return {**head, "data": found}
