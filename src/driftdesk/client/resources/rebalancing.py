"""Portfolios, subscriptions, runs and decisions (seed 000)."""

from collections.abc import Iterable
from typing import Final

from driftdesk.client.resources.paging import PAGE_SIZE, PageToken, all_pages, segment
from driftdesk.client.transport import Transport
from driftdesk.errors import BackendError
from driftdesk.money import format_decimal
from driftdesk.wire.base import Message
from driftdesk.wire.decisions import Decision, DecisionPage
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Portfolio, UpdatePortfolio
from driftdesk.wire.runs import CreateRun, Run, RunPage
from driftdesk.wire.subscriptions import CreateSubscription, Subscription, SubscriptionPage

_PORTFOLIOS: Final = "/v1/rebalancing/portfolios"
_SUBSCRIPTIONS: Final = "/v1/rebalancing/subscriptions"
_RUNS: Final = "/v1/rebalancing/runs"


class _OtherName(Message):
    """The body of a PATCH as the OpenAPI document has it: conditions by another name, and the cooldown required."""

    rebalancing_conditions: tuple[Condition, ...]
    cooldown_days: int


class Portfolios:
    """`client.portfolios`. Every method raises BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, body: CreatePortfolio, *, idempotency_key: str | None = None) -> Portfolio:
        """Create a portfolio; the same `idempotency_key` and body create only one."""
        return self._transport.post(Portfolio, _PORTFOLIOS, body, idempotency_key=idempotency_key)

    def list(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        symbol: str | None = None,
        portfolio_id: str | None = None,
        status: str | None = None,
    ) -> tuple[Portfolio, ...]:
        """Portfolios that fit every filter given; inactive ones only with `status="inactive"` (rules.md 2.5)."""
        query = {
            "name": name,
            "description": description,
            "symbol": symbol,
            "portfolio_id": portfolio_id,
            "status": status,
        }
        return self._transport.get(tuple[Portfolio, ...], _PORTFOLIOS, query)

    def get(self, portfolio_id: str) -> Portfolio:
        """One portfolio; BackendNotFound where there is none."""
        return self._transport.get(Portfolio, f"{_PORTFOLIOS}/{segment(portfolio_id)}")

    def update(self, portfolio_id: str, body: UpdatePortfolio) -> Portfolio:
        """Change the fields that `body` was built with (rules.md 2.4).

        Which name of the conditions the real API takes on a PATCH is not known (wire/alpaca.md 5.3): where they come
        back unchanged, they are sent again under the other one. Raises BackendError where that does not help either.
        """
        path = f"{_PORTFOLIOS}/{segment(portfolio_id)}"
        saved = self._transport.patch(Portfolio, path, body)
        wanted = body.rebalance_conditions
        if wanted is None or _same(saved.rebalance_conditions, wanted):
            return saved
        other = _OtherName(rebalancing_conditions=wanted, cooldown_days=saved.cooldown_days)
        saved = self._transport.patch(Portfolio, path, other)
        if not _same(saved.rebalance_conditions, wanted):
            raise BackendError(
                "The portfolio was saved, but the backend kept other conditions than those sent; look at the portfolio "
                "before going on."
            )
        return saved

    def inactivate(self, portfolio_id: str) -> None:
        """Make a portfolio inactive; Rejected while accounts follow it (rules.md 2.5)."""
        self._transport.delete(f"{_PORTFOLIOS}/{segment(portfolio_id)}")


class Subscriptions:
    """`client.subscriptions`. Every method raises BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        account_id: str,
        portfolio_id: str,
        *,
        trade_marker: str | None = None,
        idempotency_key: str | None = None,
    ) -> Subscription:
        """Let an account follow a portfolio (rules.md 2.6).

        The real API takes a missing `trade_marker` for discretionary, and refuses that (Rejected, 422) unless the
        adviser is registered as discretionary; "unsolicited" is always allowed.
        """
        body = CreateSubscription(account_id=account_id, portfolio_id=portfolio_id, trade_marker=trade_marker)
        return self._transport.post(Subscription, _SUBSCRIPTIONS, body, idempotency_key=idempotency_key)

    def list(
        self, *, account_id: str | None = None, portfolio_id: str | None = None, max_items: int | None = None
    ) -> tuple[Subscription, ...]:
        """Subscriptions that fit every filter given, of all pages."""

        def fetch(limit: int, token: PageToken) -> tuple[tuple[Subscription, ...], PageToken]:
            query = {"account_id": account_id, "portfolio_id": portfolio_id, "limit": limit, "page_token": token}
            page = self._transport.get(SubscriptionPage, _SUBSCRIPTIONS, query)
            return page.subscriptions, page.next_page_token

        return all_pages(fetch, max_items)

    def get(self, subscription_id: str) -> Subscription:
        """One subscription; BackendNotFound where there is none."""
        return self._transport.get(Subscription, f"{_SUBSCRIPTIONS}/{segment(subscription_id)}")

    def delete(self, subscription_id: str) -> None:
        """Unsubscribe the account; Rejected where there is no such subscription."""
        self._transport.delete(f"{_SUBSCRIPTIONS}/{segment(subscription_id)}")

    def resume(self, subscription_id: str) -> Subscription:
        """Let automatic runs that are held go on (ours, rules.md 5.7); BackendNotFound at a backend without it."""
        return self._transport.post(Subscription, f"{_SUBSCRIPTIONS}/{segment(subscription_id)}/resume", Message())


class Runs:
    """`client.runs`. Every method raises BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, body: CreateRun, idempotency_key: str | None = None) -> Run:
        """Create a run; the same `idempotency_key` and body create only one (rules.md 2.10, 5.5).

        Rejected with status 409 when the preview no longer stands, Unavailable when it is not known whether the run
        was created: list the account's runs before trying again.
        """
        return self._transport.post(Run, _RUNS, body, idempotency_key=idempotency_key)

    def list(
        self,
        *,
        account_id: str | None = None,
        run_type: str | None = None,
        status: str | None = None,
        max_items: int | None = None,
    ) -> tuple[Run, ...]:
        """Runs that fit every filter given, newest first, of as many pages as `max_items` needs."""

        def fetch(limit: int, token: PageToken) -> tuple[tuple[Run, ...], PageToken]:
            query = {"account_id": account_id, "type": run_type, "status": status, "limit": limit, "page_token": token}
            page = self._transport.get(RunPage, _RUNS, query)
            return page.runs, page.next_page_token

        return all_pages(fetch, max_items)

    def page(self, limit: int = PAGE_SIZE, page_token: PageToken = None) -> RunPage:
        """One page of runs, newest first; `next_page_token` of the answer leads on."""
        return self._transport.get(RunPage, _RUNS, {"limit": limit, "page_token": page_token})

    def get(self, run_id: str) -> Run:
        """One run with its plan and events; BackendNotFound where there is none."""
        return self._transport.get(Run, f"{_RUNS}/{segment(run_id)}")

    def cancel(self, run_id: str) -> None:
        """Cancel a run; Rejected once it is over (rules.md 7.4)."""
        self._transport.delete(f"{_RUNS}/{segment(run_id)}")


class Decisions:
    """`client.decisions` (ours). Raises BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        account_id: str | None = None,
        portfolio_id: str | None = None,
        session: str | None = None,
        outcome: str | None = None,
        max_items: int | None = None,
    ) -> tuple[Decision, ...]:
        """Decisions that fit every filter given, newest first; `session` is a New York date as YYYY-MM-DD."""

        def fetch(limit: int, token: PageToken) -> tuple[tuple[Decision, ...], PageToken]:
            query = {
                "account_id": account_id,
                "portfolio_id": portfolio_id,
                "session": session,
                "outcome": outcome,
                "limit": limit,
                "page_token": token,
            }
            page = self._transport.get(DecisionPage, "/v1/decisions", query)
            return page.decisions, page.next_page_token

        return all_pages(fetch, max_items)


def _same(kept: Iterable[Condition], wanted: Iterable[Condition]) -> bool:
    """Whether two lists say the same: neither the order nor "5.00" for "5", nor "05" for "5" matters (rules.md 2.4)."""

    def canonical(conditions: Iterable[Condition]) -> list[tuple[str, ...]]:
        return sorted(
            (
                condition.type,
                condition.sub_type or "",
                "" if condition.percent is None else format_decimal(condition.percent),
                (condition.day or "").removeprefix("0"),
            )
            for condition in conditions
        )

    return canonical(kept) == canonical(wanted)
