"""The lines of stored plans: those at a broker, and changes of many lines in one statement (durability.md)."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from driftdesk.backend.runs.states import LineState
from driftdesk.backend.store.tables import run_lines
from driftdesk.backend.store.types import Row

_UNDER_WAY: Final = select(run_lines).where(
    run_lines.c.run_id.in_(bindparam("runs", expanding=True)),
    run_lines.c.state.in_([LineState.SUBMITTING, LineState.SUBMITTED]),
)
_SET: Final = update(run_lines).where(run_lines.c.run_id == bindparam("run"), run_lines.c.line == bindparam("number"))
_SENT: Final = _SET.where(run_lines.c.state == LineState.SUBMITTING)


def lines_under_way(connection: Connection, run_ids: Collection[str]) -> list[Row]:
    """The lines of these runs that a broker may have and that have not ended."""
    return list(connection.execute(_UNDER_WAY, {"runs": list(run_ids)}).mappings())


def set_lines(connection: Connection, lines: Sequence[Row], changes: Sequence[dict[str, Any]]) -> list[Row]:
    """Change lines of one run, by one of `changes` each, all with the same columns; the lines as they are now."""
    if lines:
        connection.execute(
            _SET,
            [
                {"run": line["run_id"], "number": line["line"], **change}
                for line, change in zip(lines, changes, strict=True)
            ],
        )
    return [{**line, **change} for line, change in zip(lines, changes, strict=True)]


def set_states(connection: Connection, lines: Sequence[Row], state: LineState, **more: Any) -> list[Row]:
    """Set where lines of one run stand, with `more` columns; the lines as they are now."""
    return set_lines(connection, lines, [{"state": state, **more}] * len(lines))


def set_sent(connection: Connection, sent: Collection[tuple[str, int]]) -> None:
    """What was marked and is now at the broker, as (run, line); a line that went on meanwhile stays as it is."""
    if sent:
        connection.execute(
            _SENT, [{"run": run_id, "number": line, "state": LineState.SUBMITTED} for run_id, line in sent]
        )
