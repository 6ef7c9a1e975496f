"""The transition table of runs: every cell (rules.md 7.1)."""

import pytest

from driftdesk.backend.runs.states import TRANSITIONS, check_transition
from driftdesk.errors import StateError
from driftdesk.wire.runs import RunStatus

ALLOWED = {
    ("QUEUED", "IN_PROGRESS"),
    ("QUEUED", "CANCELED"),
    ("IN_PROGRESS", "COMPLETED_ADJUSTED"),
    ("IN_PROGRESS", "CANCELED_MID_RUN"),
    ("IN_PROGRESS", "ERROR"),
    ("IN_PROGRESS", "TIMEOUT"),
    ("COMPLETED_ADJUSTED", "COMPLETED_SUCCESS"),
}


@pytest.mark.parametrize("before", list(RunStatus))
@pytest.mark.parametrize("after", list(RunStatus))
def test_each_cell_of_the_transition_table(before: RunStatus, after: RunStatus) -> None:
    """A run moves only as rules.md 7.1 draws it; all 64 pairs are tried."""
    if (before.value, after.value) in ALLOWED:
        check_transition(before, after)
        assert after in TRANSITIONS[before]
    else:
        with pytest.raises(StateError, match=f"{before} cannot become {after}"):
            check_transition(before, after)
