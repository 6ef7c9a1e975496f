"""What a page shows of one account: its snapshot, what it follows, and its drift or the reason why there is none."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from driftdesk.engine.drift import DriftReport, measure_drift
from driftdesk.engine.snapshot import Snapshot
from driftdesk.engine.targets import Portfolio
from driftdesk.errors import DriftdeskError, InputError
from driftdesk.translate import Held, Market, to_portfolio, to_snapshot
from driftdesk.wire import accounts as wire_accounts
from driftdesk.wire import portfolios as wire_portfolios
from driftdesk.wire.subscriptions import Subscription


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as a page shows it. `drift` is None without a portfolio, or where `problem` says why in a sentence."""

    account: wire_accounts.Account
    subscription: Subscription | None
    portfolio: wire_portfolios.Portfolio | None
    model: Portfolio | None
    snapshot: Snapshot
    drift: DriftReport | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Followed:
    """An account with its subscription and portfolio, where it has them."""

    account: wire_accounts.Account
    subscription: Subscription | None = None
    portfolio: wire_portfolios.Portfolio | None = None


def symbols_of(portfolios: Iterable[wire_portfolios.Portfolio]) -> set[str]:
    """The assets among the weights of `portfolios`."""
    return {weight.symbol for portfolio in portfolios for weight in portfolio.weights if weight.symbol}


def view_of(followed: Followed, held: Held, market: Market, problem: str | None = None) -> AccountView:
    """The view of one account; `problem` is the backend's own sentence where it gave no holdings.

    What cannot be read or measured becomes the view's problem: one account must not take the others from a page.
    """
    model, snapshot, drift = None, None, None
    problem = problem or followed.account.problem
    try:
        if followed.portfolio is not None:
            model = to_portfolio(followed.portfolio)
    except InputError as error:
        problem = problem or f"The portfolio {followed.portfolio.name if followed.portfolio else ''}: {error}"
    targets = model.targets.symbols if model else ()
    try:
        snapshot = to_snapshot(followed.account.id, held, market, targets)
    except InputError as error:
        # An open order of a kind that is not planned around here, such as a short sale.
        problem = problem or str(error)
        snapshot = to_snapshot(followed.account.id, replace(held, orders=()), market, targets)
    if model is not None and problem is None:
        try:
            drift = measure_drift(snapshot, model.targets, model.conditions)
        except DriftdeskError as error:
            problem = str(error)
    return AccountView(followed.account, followed.subscription, followed.portfolio, model, snapshot, drift, problem)
