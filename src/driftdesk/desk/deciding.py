"""What the next evaluation of an account decides if nothing moves before it (rules.md 5)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from driftdesk.desk.view import AccountView
from driftdesk.engine.schedule import Session, Sessions
from driftdesk.engine.snapshot import RunId
from driftdesk.engine.triggers import Decision, Standing, evaluate
from driftdesk.errors import InputError
from driftdesk.wire import portfolios as wire_portfolios
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
    session = _next_evaluation(view.snapshot.as_of, view.subscription, sessions)
    at = max(view.snapshot.as_of, session.evaluation)
    quotes = tuple(replace(quote, at=at if quote.at else None) for quote in view.snapshot.quotes)
    later = replace(view.snapshot, as_of=at, quotes=quotes, market_open=True)
    standing = _standing(view.subscription, view.portfolio, session, sessions.before(session.date), runs)
    return evaluate(later, view.model, standing, session, sessions)


def _next_evaluation(now: datetime, subscription: Subscription, sessions: Sessions) -> Session:
    session = sessions.current_or_next(now)
    done = subscription.waiting is not None and subscription.waiting.last_evaluated == session.date.isoformat()
    return sessions.after(session.date) if done or now > session.last_start else session


def _standing(
    subscription: Subscription,
    portfolio: wire_portfolios.Portfolio,
    session: Session,
    before: Session,
    runs: Iterable[Run],
) -> Standing:
    waiting = subscription.waiting or Waiting()
    return Standing(
        portfolio_status=str(portfolio.status),
        last_rebalanced_at=subscription.last_rebalanced_at,
        # Sessions that were missed are made up for (rules.md 5.1); a new subscription has missed none.
        last_evaluated=date.fromisoformat(waiting.last_evaluated) if waiting.last_evaluated else before.date,
        portfolio_changed=waiting.portfolio_changed,
        subscription_created=waiting.subscription_created,
        uninvested_inflow=waiting.uninvested_inflow,
        open_run=next((RunId(run.id) for run in runs if run.is_open), None),
        ran_this_session=waiting.last_run_session == session.date.isoformat(),
        held=waiting.held,
    )
