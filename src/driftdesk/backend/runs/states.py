"""The transition table of a run, as data (rules.md 7.1), and where its orders stand.

QUEUED -> IN_PROGRESS -> COMPLETED_ADJUSTED -> COMPLETED_SUCCESS
QUEUED -> CANCELED        IN_PROGRESS -> CANCELED_MID_RUN | ERROR | TIMEOUT
"""

from enum import StrEnum
from typing import Final

from driftdesk.errors import StateError
from driftdesk.wire.runs import RunStatus

TRANSITIONS: Final[dict[RunStatus, frozenset[RunStatus]]] = {
    RunStatus.QUEUED: frozenset({RunStatus.IN_PROGRESS, RunStatus.CANCELED}),
    RunStatus.IN_PROGRESS: frozenset(
        {RunStatus.COMPLETED_ADJUSTED, RunStatus.CANCELED_MID_RUN, RunStatus.ERROR, RunStatus.TIMEOUT}
    ),
    RunStatus.COMPLETED_ADJUSTED: frozenset({RunStatus.COMPLETED_SUCCESS}),
    RunStatus.COMPLETED_SUCCESS: frozenset(),
    RunStatus.CANCELED: frozenset(),
    RunStatus.CANCELED_MID_RUN: frozenset(),
    RunStatus.ERROR: frozenset(),
    RunStatus.TIMEOUT: frozenset(),
}


class Phase(StrEnum):
    """Where an IN_PROGRESS run is; never a status on the wire (rules.md 7.1)."""

    SELLS = "SELLS_IN_PROGRESS"
    BUYS = "BUYS_IN_PROGRESS"


class LineState(StrEnum):
    """Where one line of a stored plan is. SUBMITTING is committed before the send: see `tick`."""

    PLANNED = "PLANNED"
    SUBMITTING = "SUBMITTING"
    SUBMITTED = "SUBMITTED"
    FILLED = "FILLED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    DROPPED = "DROPPED"
    # Sent, and neither we nor the broker can tell what became of it: a person has to look.
    UNKNOWN = "UNKNOWN"


# Lines at which nothing can happen any more.
ENDED_LINES: Final = frozenset(
    {LineState.FILLED, LineState.FAILED, LineState.SKIPPED, LineState.DROPPED, LineState.UNKNOWN}
)


def check_transition(before: str, after: RunStatus) -> None:
    """Raise StateError unless a run may go from `before` to `after`."""
    if after not in TRANSITIONS[RunStatus(before)]:
        raise StateError(f"A run that is {before} cannot become {after}.")
