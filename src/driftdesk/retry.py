"""What a run left undone: where its account stands against the run's weights now, and what a new run would send now.

A run is never resumed: its plan is not changed after it was stored (rules.md 7.2). What it left is planned afresh.
"""

from dataclasses import dataclass
from decimal import Decimal

from driftdesk.desk import Desk
from driftdesk.engine.plan import RunType
from driftdesk.engine.preview import Preview
from driftdesk.engine.snapshot import PortfolioId
from driftdesk.engine.targets import Condition, Portfolio
from driftdesk.errors import BackendNotFound, InputError
from driftdesk.money import CENT, ZERO, cash_of
from driftdesk.translate import to_options, to_portfolio, to_targets
from driftdesk.wire import portfolios as wire_portfolios
from driftdesk.wire.base import NIL_UUID
from driftdesk.wire.runs import Run


@dataclass(frozen=True, slots=True)
class Retry:
    """What a new run for the account of a run would send now.

    `portfolio` is the one that it goes by: the followed one, or else one with the weights of the run; None where there
    is none, so that the plan can be read and not run. `note` says where it goes by other weights than the run did.
    """

    preview: Preview
    portfolio: wire_portfolios.Portfolio | None
    followed: bool
    note: str | None


def retry_of(desk: Desk, run: Run) -> Retry:
    """The plan of a new run of the same type, with the same options, at the prices of now.

    A subscribed account runs what it follows and nothing else (rules.md 5.5); any other one the weights of the run.
    Of a capped cash investment the new run gets what the old one left of its cap. Raises InputError for a run whose
    options a new run cannot take over, DataError where the account cannot be valued.
    """
    if run.type not in set(RunType):
        raise InputError(f"A run of type {run.type} is not planned here.", field="type", received=run.type)
    options = to_options(run.options)
    if options.raise_cash:
        raise InputError(
            "The run raised cash, and a new one would raise it once more; preview the account instead.",
            field="options.raise_cash",
            received=options.raise_cash,
            allowed="a run that raises no cash",
        )
    subscription = next(iter(desk.client.subscriptions.list(account_id=run.account_id)), None)
    if subscription is not None:
        portfolio: wire_portfolios.Portfolio | None = desk.client.portfolios.get(subscription.portfolio_id)
    else:
        portfolio = next((found for found in desk.portfolios() if _has_weights(found, run)), None)
    model = _model_of_run(desk, run) if portfolio is None else to_portfolio(portfolio)
    preview = desk.preview(
        run.account_id,
        model=model,
        run_type=RunType(run.type),
        amount=_left_of_cap(run),
        options=options,
        excluded=run.options.excluded if run.options else (),
    )
    return Retry(preview, portfolio, subscription is not None, _note(portfolio, run))


def residual_drift(desk: Desk, run: Run) -> Preview:
    """The account now against the weights of the run, with the bands of its portfolio where there is one still.

    The `before` of the answer is that drift; its orders are those of a full rebalance. Raises as Desk.preview does.
    """
    return desk.preview(
        run.account_id, model=_model_of_run(desk, run), excluded=run.options.excluded if run.options else ()
    )


def _model_of_run(desk: Desk, run: Run) -> Portfolio:
    return Portfolio(PortfolioId(run.portfolio_id), "The run's own", to_targets(run.weights), _bands(desk, run))


def _bands(desk: Desk, run: Run) -> tuple[Condition, ...]:
    # A run tells its weights, not its conditions; those of a one-off run are told nowhere.
    if run.portfolio_id == NIL_UUID:
        return ()
    try:
        portfolio = desk.client.portfolios.get(run.portfolio_id)
    except BackendNotFound:
        return ()
    return to_portfolio(portfolio).conditions


def _has_weights(portfolio: wire_portfolios.Portfolio, run: Run) -> bool:
    asked, kept = (
        {(weight.type, weight.symbol, weight.percent) for weight in weights}
        for weights in (run.weights, portfolio.weights)
    )
    return asked == kept


def _left_of_cap(run: Run) -> Decimal | None:
    if run.amount is None:
        return None
    spent = sum((cash_of(order.filled_qty or ZERO, order.filled_avg_price or ZERO) for order in run.orders), ZERO)
    return max(run.amount - spent, CENT)


def _note(portfolio: wire_portfolios.Portfolio | None, run: Run) -> str | None:
    if portfolio is None:
        return "No portfolio has the weights of this run, so the plan can be read here and not run."
    if not _has_weights(portfolio, run):
        return f"The account follows {portfolio.name}, whose weights are not those of this run: a new run goes by them."
    return None
