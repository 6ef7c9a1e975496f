"""From a confirmed preview to a run: what a backend of ours is told, and what the real API can be told.

Ours takes the preview's hash and orders and sends exactly those. The real API plans for itself and knows no key that
makes a second request harmless; so the preview is checked against the account just before, and after a request without
an answer the account's runs are read before anything is sent again (rules.md 2.10, 6.6, 6.7).
"""

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from driftdesk.client import Client
from driftdesk.engine.plan import MIN_NOTIONAL, Options
from driftdesk.engine.preview import DEFAULT_MAX_CHANGE, Preview, compare_plans, preview
from driftdesk.engine.snapshot import Snapshot
from driftdesk.engine.wording import usd
from driftdesk.errors import BackendError, InputError, PreviewMoved, Unavailable
from driftdesk.translate import from_conditions, from_options, from_planned, from_weights, to_targets
from driftdesk.wire import runs as wire_runs

# One account rarely has more runs than these between a click and the look after it.
LOOKED_AT: Final = 20
BY_API: Final = ("api", None)


def own_run(previewed: Preview, *, subscribed: bool) -> wire_runs.CreateRun:
    """The body for a backend of ours: exactly the previewed orders, or a refusal (rules.md 6.6)."""
    request = previewed.request
    options = from_options(request.options)
    if previewed.snapshot.excluded:
        left_out = tuple(sorted(previewed.snapshot.excluded))
        options = (options or wire_runs.RunOptions()).model_copy(update={"excluded": left_out})
    return wire_runs.CreateRun(
        account_id=previewed.snapshot.account_id,
        type=request.run_type,
        # A subscribed account runs its own portfolio: the API refuses weights there (rules.md 5.5).
        weights=None if subscribed else from_weights(request.targets),
        # The bands that were previewed with: they are part of the hash, and size orders to a band's edge.
        rebalance_conditions=None if subscribed else from_conditions(request.conditions),
        amount=request.amount,
        preview_hash=previewed.hash,
        preview_orders=tuple(from_planned(order) for order in previewed.plan.orders),
        options=options,
    )


def not_carried(previewed: Preview) -> str | None:
    """Why a run of the real API could not do what was previewed, None where it can (rules.md 6.7)."""
    what = None
    if previewed.request.options != Options():
        what = "none of the chosen options"
    elif previewed.snapshot.excluded:
        what = "no holdings that are left out"
    elif previewed.request.min_notional != MIN_NOTIONAL:
        what = f"no minimum order but its own, {usd(MIN_NOTIONAL)}"
    return what and f"This backend knows {what}, so the preview can be downloaded and not run."


class RealRuns:
    """Runs of the real API, created once for each key. `snapshot(previewed)` reads the account anew."""

    def __init__(self, client: Client, snapshot: Callable[[Preview], Snapshot]) -> None:
        self._client = client
        self._snapshot = snapshot
        self._lock = threading.Lock()
        # The runs that the account had before the first request under a key.
        self._before: dict[str, frozenset[str]] = {}

    def create(self, previewed: Preview, key: str) -> wire_runs.Run:
        """Create the run, or find the one that was created under `key` before.

        Raises InputError where the API cannot be told what was previewed, PreviewMoved where the account's orders have
        changed since, Unavailable where it is not known whether the run was created.
        """
        if refusal := not_carried(previewed):
            raise InputError(refusal, field="options")
        # Quick clicks arrive together; the later ones shall find the run of the first.
        with self._lock:
            if key in self._before and (run := self._made(previewed, key)) is not None:
                return run
            body = self._body(previewed)
            self._check(previewed)
            account_id = previewed.snapshot.account_id
            self._before.setdefault(key, frozenset(run.id for run in self._newest(account_id)))
            try:
                return self._client.runs.create(body, idempotency_key=key)
            except BackendError as error:
                if not _doubtful(error):
                    raise
                return self._look(previewed, key, error)

    def _body(self, previewed: Preview) -> wire_runs.CreateRun:
        request, account_id = previewed.request, previewed.snapshot.account_id
        subscription = next(iter(self._client.subscriptions.list(account_id=account_id)), None)
        if subscription is not None:
            portfolio = self._client.portfolios.get(subscription.portfolio_id)
            if frozenset(to_targets(portfolio.weights).weights) != frozenset(request.targets.weights):
                raise InputError(
                    f"These are not the weights of {portfolio.name}, which the account follows, and a run would use "
                    "those; preview the followed portfolio.",
                    field="weights",
                )
        weights = None if subscription is not None else from_weights(request.targets)
        return wire_runs.CreateRun(account_id=account_id, type=request.run_type, weights=weights, amount=request.amount)

    def _check(self, previewed: Preview) -> None:
        """Raise PreviewMoved unless the account's orders still stand as previewed, within 5 % (rules.md 6.6)."""
        now = preview(self._snapshot(previewed), previewed.request)
        changes = compare_plans(previewed.plan.orders, now.plan.orders, DEFAULT_MAX_CHANGE)
        moved = [f"{change.side} {change.symbol}" for change in changes if not change.allowed]
        if moved:
            raise PreviewMoved(
                f"The orders changed since the preview ({', '.join(moved)}); nothing was sent. Review the new ones.",
                preview_hash=now.hash,
            )

    def _look(self, previewed: Preview, key: str, error: BackendError) -> wire_runs.Run:
        try:
            run = self._made(previewed, key)
        except BackendError:
            raise Unavailable(
                f"{error} The account's runs could not be read either; look at them before creating another."
            ) from error
        if run is None:
            raise Unavailable(
                f"{error} The account's runs were read again and none is new yet; look at them before creating another."
            ) from error
        return run

    def _made(self, previewed: Preview, key: str) -> wire_runs.Run | None:
        """The run that has appeared since the first request under `key`."""
        for run in self._newest(previewed.snapshot.account_id):
            expected = run.type == previewed.request.run_type and run.initiated_from in BY_API
            if run.id not in self._before[key] and expected:
                return run
        return None

    def _newest(self, account_id: str) -> tuple[wire_runs.Run, ...]:
        return self._client.runs.list(account_id=account_id, max_items=LOOKED_AT)


def _doubtful(error: BackendError) -> bool:
    """Whether the request may have taken effect: no answer, a server's failure, or an answer that cannot be read."""
    taken = error.status is not None and error.status < HTTPStatus.BAD_REQUEST
    return isinstance(error, Unavailable) or taken
