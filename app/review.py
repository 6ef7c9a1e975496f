"""The choices of a preview, and the dialog that turns a preview into a run."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import state
import streamlit as st

from driftdesk import AccountView, InputError, Mode, Options, Preview, RunType, Toward
from driftdesk.figures import count_of, money, new_york, percent

RUN_TYPES = {"Full rebalance": RunType.FULL_REBALANCE, "Invest cash": RunType.INVEST_CASH}
SCOPES = {"All to target": False, "Breached only": True}
TOWARD = {"Target": Toward.TARGET, "Half way": Toward.HALFWAY, "Band edge": Toward.EDGE}
MINIMUM = Decimal(1)
LAST_START_BEFORE_CLOSE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the controls ask for. `model` is None for the followed portfolio; `what_if` marks weights that a
    subscribed account can preview and not run. Money in USD."""

    model: Any
    run_type: RunType
    amount: Decimal | None
    options: Options
    min_notional: Decimal
    cost_bps: Decimal
    what_if: bool


def controls(view: AccountView) -> Choice:
    """The controls above a preview, kept for the session."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        run_type = RUN_TYPES[_one_of("Run", RUN_TYPES, "run_type")]
        full = run_type is RunType.FULL_REBALANCE
        scope = SCOPES[_one_of("Trade", SCOPES, "trade_scope")] if full else False
        minimum = money_input("Minimum order, $", "1.00", "min_order")
        amount = None if full else money_input("At most, $ (blank: all)", "", "invest_amount")
        model, what_if = _portfolio(view)
    with st.expander("More options", icon=":material/tune:", key="more_options"):
        options = _options(view, scope, full)
        cost = money_input("Assumed cost, bp", "1", "cost_bps")
    least = MINIMUM if minimum is None else minimum
    return Choice(model, run_type, amount, options, least, cost or Decimal(0), what_if)


def _one_of(label: str, options: dict[str, Any], key: str) -> str:
    return str(
        st.segmented_control(
            label, list(options), default=next(iter(options)), required=True, key=key, persist_state="session"
        )
    )


def money_input(label: str, default: str, key: str) -> Decimal | None:
    """An amount in USD from decimal text, None when blank; a number input would pass it through a float."""
    text = st.text_input(label, default, key=key, persist_state="session", width=150).strip()
    cleaned = text.removeprefix("$").replace(",", "")
    if not cleaned:
        return None
    if not cleaned.replace(".", "", 1).isdigit() or not cleaned.isascii():
        raise InputError(f"{label.rstrip(', $')} must be an amount such as 250 or 250.50; received {text}.", field=key)
    return Decimal(cleaned)


def _portfolio(view: AccountView) -> tuple[Any, bool]:
    """The weights to preview against: the followed portfolio (None), or another one."""
    names = list(dict.fromkeys(portfolio.name for portfolio in state.desk().portfolios()))
    own = view.subscription is not None
    chosen = st.selectbox(
        "Portfolio",
        [state.FOLLOWED, *names] if own else names,
        key="preview_portfolio" if own else "one_off_portfolio",
        persist_state="session",
        width=200,
    )
    if own and chosen in (state.FOLLOWED, None):
        return None, False
    portfolio = state.portfolio_named(chosen)
    if portfolio is None:
        raise InputError("There is no portfolio to preview against; create one first.", field="portfolio")
    if own and view.portfolio is not None and portfolio.id == view.portfolio.id:
        return None, False
    return state.desk_model(portfolio), own


def _options(view: AccountView, breached_only: bool, full: bool) -> Options:
    symbols = sorted({holding.symbol for holding in view.snapshot.holdings} | set(_targets(view)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        toward = TOWARD[_one_of("Move to", TOWARD, "toward")] if full else Toward.TARGET
        buffer = money_input("Cash to keep, $", "", "cash_buffer")
        whole = st.toggle("Whole shares", key="whole_shares", persist_state="session")
    with st.container(horizontal=True, gap="medium"):
        never_buy = st.multiselect("Never buy", symbols, key="never_buy", persist_state="session", width=300)
        never_sell = st.multiselect("Never sell", symbols, key="never_sell", persist_state="session", width=300)
    return Options(
        breached_only=breached_only,
        toward=toward,
        cash_buffer=buffer or Decimal(0),
        never_buy=frozenset(never_buy),
        never_sell=frozenset(never_sell),
        whole_shares=whole,
    )


def _targets(view: AccountView) -> tuple[str, ...]:
    return () if view.model is None else view.model.targets.symbols


def obstacle(view: AccountView, choice: Choice) -> str | None:
    """Why this preview cannot become a run, in one sentence; None when it can."""
    if choice.what_if:
        return (
            f"These are not the weights of {view.portfolio.name}, which the account follows: a run always uses the "
            "followed portfolio, so this preview can be downloaded and not run."
        )
    if choice.min_notional != MINIMUM:
        return f"A run uses the minimum order of {money(MINIMUM)}; with another minimum the preview can be downloaded."
    if state.desk().mode in (Mode.LIVE, Mode.SANDBOX) and choice.options != Options():
        return "This backend knows none of the chosen options, so the preview can be downloaded and not run."
    return None


def queued_until(clock: Any) -> str | None:
    """The sentence that the run stays queued, outside the hours in which one may start (rules.md 5.3)."""
    if clock.is_open and clock.next_close - clock.timestamp >= LAST_START_BEFORE_CLOSE:
        return None
    reason = "It is too late to start a run in this session" if clock.is_open else "The market is closed"
    return f"{reason}: the run stays queued until the next open, {new_york(clock.next_open)} New York."


@st.dialog("Create run", width="medium", icon=":material/fact_check:", on_dismiss=state.close_review)
def confirm(preview: Preview, view: AccountView) -> None:
    """Totals, warnings, a check, and the button that creates the run once, however often it is pressed."""
    kept, mode = state.review(), state.desk().mode
    if not kept.open:
        st.rerun()
    orders = preview.plan.orders
    st.markdown(
        f"**{count_of(len(orders), 'order')}** for **{state.plain(state.label_of(view))}** "
        f"go to the **{'LIVE' if mode is Mode.LIVE else mode.value}** account."
    )
    st.table(
        {
            "Sell": money(preview.sells_total).replace("$", "\\$"),
            "Buy": money(preview.buys_total).replace("$", "\\$"),
            "Cash after": money(preview.cash_after).replace("$", "\\$"),
            "Turnover, one way": percent(preview.turnover),
            "Run key": f"`{kept.key}`",
        },
        border="horizontal",
    )
    if waits := queued_until(state.desk().clock()):
        st.warning(waits, icon=":material/schedule:")
    for warning in preview.warnings:
        st.warning(state.plain(warning), icon=":material/warning:")
    if kept.problem:
        st.error(state.plain(kept.problem), icon=":material/error:")
    st.caption("The run key makes a second click harmless: the server answers with the first run.")
    checked = st.checkbox("I have checked sides and sizes", key=f"checked_{kept.key}", disabled=kept.creating)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Back", key="review_back", on_click=state.close_review, disabled=kept.creating)
        st.button(
            "Create run",
            key="review_create",
            type="primary",
            icon=":material/send:",
            disabled=kept.creating or not checked,
            on_click=state.press_create,
        )
    if kept.creating:
        state.create_run(preview)
        st.rerun()


@st.fragment(run_every=0.7)
def follow() -> None:
    """Open the run that was created, a moment later: clicks that are still on their way belong to this page, and
    would blank any other."""
    kept = state.review()
    if kept.waited:
        state.follow_run()
        st.switch_page("views/runs.py", query_params=state.run_link(kept.run_id or ""))
    kept.waited = True
    st.success(f"Run {(kept.run_id or '')[:8]} created. Opening it.", icon=":material/check_circle:")
