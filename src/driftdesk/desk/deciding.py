"""What the next evaluation of an account decides if nothing moves before it (rules.md 5)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from driftdesk.desk.view import AccountView
from driftdesk.engine.schedule import Session, Sessions
from driftdesk.engine.snapshot import Quote, RunId, Snapshot
from driftdesk.engine.triggers import Decision, Standing, evaluate
from driftdesk.errors import InputError
from driftdesk.wire.runs import Run
from driftdesk.wire.subscriptions import Subscription, Waiting


def expected_decision(view: AccountView, runs: Iterable[Run], sessions: Sessions) -> Decision:
    """The decision on a subscribed account; `runs` are its newest.

    Raises InputError for an account without a subscription, or with a portfolio that cannot be used here.
    """
    if view.subscription is None or view.model is None or view.portfolio is None:
        raise InputError(
            view.problem or "The account follows no portfolio, so nothing is decided for it.", field="account"
        )
    session, at = next_evaluation(view.snapshot.as_of, view.subscription, sessions)
    running = next((RunId(run.id) for run in runs if run.is_open), None)
    standing = standing_of(view.subscription, str(view.portfolio.status), running, session, sessions)
    return evaluate(snapshot_then(view.snapshot, at), view.model, standing, session, sessions)


def next_evaluation(
    now: datetime, subscription: Subscription, sessions: Sessions, *, flagged: bool = False
) -> tuple[Session, datetime]:
    """Session and instant of the account's next evaluation: the session's own instant, or at once within the run window
    where a change asks for it (`flagged`; rules.md 2.4, 5.1)."""
    session = sessions.current_or_next(now)
    waiting = subscription.waiting or Waiting()
    done = waiting.last_evaluated == session.date.isoformat() and not flagged
    if done or now > session.last_start:
        session = sessions.after(session.date)
    return session, max(now, session.open if flagged else session.evaluation)


def snapshot_then(snapshot: Snapshot, at: datetime, added: Iterable[Quote] = ()) -> Snapshot:
    """The account at the instant `at` in a session, at the prices of now, with the quotes `added`."""
    quotes = tuple(replace(quote, at=at if quote.at else None) for quote in (*snapshot.quotes, *added))
    return replace(snapshot, as_of=at, quotes=quotes, market_open=True)


def standing_of(
    subscription: Subscription, portfolio_status: str, open_run: RunId | None, session: Session, sessions: Sessions
) -> Standing:
    """How the account stands before its evaluation in `session`, as far as the backend tells what waits for it."""
    waiting = subscription.waiting or Waiting()
    before = sessions.before(session.date).date
    return Standing(
        portfolio_status=portfolio_status,
        last_rebalanced_at=subscription.last_rebalanced_at,
        # Sessions that were missed are made up for (rules.md 5.1); a new subscription has missed none.
        last_evaluated=date.fromisoformat(waiting.last_evaluated) if waiting.last_evaluated else before,
        portfolio_changed=waiting.portfolio_changed,
        subscription_created=waiting.subscription_created,
        uninvested_inflow=waiting.uninvested_inflow,
        open_run=open_run,
        ran_this_session=waiting.last_run_session == session.date.isoformat(),
        held=waiting.held,
    )
