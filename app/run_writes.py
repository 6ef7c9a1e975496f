"""What is written about runs: the preview under review that becomes one, and the cancel of one that is open.

Session and cache are reached through state.py. Each write takes place in one function here, and only there.
"""

import uuid
from dataclasses import dataclass, field

import state

from driftdesk import DriftdeskError, Preview, StateError


@dataclass
class Review:
    """A preview under review: its hash, its run key, and how far it came. Kept in the session, one at a time."""

    hash: str = ""
    preview: Preview | None = None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    typed: str = ""
    open: bool = False
    creating: bool = False
    problem: str | None = None
    run_id: str | None = None
    following: bool = False
    waited: bool = False


def review() -> Review:
    """The review of this tab; a closed one before the first."""
    return state.kept("_review", Review)


def open_review(preview: Preview) -> None:
    """Open the dialog. The key stays until it has made a run; other orders, or the next run, get a new one."""
    kept = review()
    if kept.hash != preview.hash or kept.run_id is not None:
        kept = Review(preview.hash)
        state.keep("_review", kept)
    kept.preview, kept.open, kept.creating, kept.problem = preview, True, False, None


def under_review(drawn: Preview) -> Preview | None:
    """The preview whose dialog is open on the page that has just drawn `drawn`.

    It closes when other orders come of the page. Where prices move between two drawings, other choices close it: the
    orders are checked against the account once more when the run is created.
    """
    kept = review()
    if not kept.open or kept.preview is None:
        return None
    if state.desk().estimates or state.desk().by_hand:
        asked = [(it.snapshot.account_id, it.snapshot.excluded, it.request) for it in (kept.preview, drawn)]
        return kept.preview if asked[0] == asked[1] else None
    return kept.preview if kept.hash == drawn.hash else None


def close_review() -> None:
    """Close the dialog and keep its key, so that trying again cannot make a second run."""
    review().open = False


def press_create(typed: str | None) -> None:
    """Lock the dialog, with what was typed: its button is disabled from here on, until the backend has answered."""
    kept = review()
    kept.creating, kept.typed = True, typed or ""


def create_run(preview: Preview) -> None:
    """Create the run under review. Its id, or the reason of a refusal, is kept for the dialog or the page."""
    kept = review()
    try:
        with state.desk().confirming(kept.typed):
            kept.run_id = state.desk().create_run(preview, idempotency_key=kept.key).id
    except DriftdeskError as error:
        if isinstance(error, StateError) or getattr(error, "status", None) in state.REFUSED:
            # Other orders than the reviewed ones would be sent: back to the page, which has planned afresh.
            kept.open = False
            state.say(str(error), "problem")
        else:
            safe = "it looks for the first run" if state.desk().estimates else "the run key is the same"
            kept.problem = f"{error} Creating again is safe: {safe}."
    else:
        kept.open, kept.following = False, True
    finally:
        kept.creating = False
        state.refresh()


def follow_run() -> None:
    """The page of the new run is about to open; once is enough."""
    review().following = False


@dataclass
class _Canceling:
    """The run whose dialog is open."""

    run_id: str | None = None


def ask_to_cancel(run_id: str) -> None:
    """Open the dialog that cancels a run; it stays until it is answered."""
    state.kept("_canceling", _Canceling).run_id = run_id


def canceling() -> str | None:
    """The run whose dialog is open."""
    return state.kept("_canceling", _Canceling).run_id


def keep_run() -> None:
    """Close the dialog."""
    state.kept("_canceling", _Canceling).run_id = None


def cancel_run(run_id: str, typed: str | None) -> None:
    """Cancel a run, confirmed by what was typed; a refusal becomes a sentence on the page."""
    keep_run()
    try:
        with state.desk().confirming(typed or ""):
            state.desk().cancel_run(run_id)
        state.say(f"Run {run_id[:8]} canceled.")
    except DriftdeskError as error:
        state.say(str(error), "problem")
    finally:
        state.refresh()
