"""The choices of a preview, and the dialog that turns a preview into a run."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import confirmation
import run_writes
import state
import streamlit as st
import widgets

from driftdesk import (
    MIN_NOTIONAL,
    AccountView,
    InputError,
    Mode,
    Options,
    Preview,
    RunType,
    Toward,
    read_number,
)
from driftdesk.figures import count_of, money, new_york, orders_alt, orders_table, percent

AMOUNT_HELP = "Write 1234.50 or 1,234.50: a point before the decimals, a comma only between thousands."
RUN_TYPES = {"Full rebalance": RunType.FULL_REBALANCE, "Invest cash": RunType.INVEST_CASH}
SCOPES = {"All to target": False, "Breached only": True}
DESTINATIONS = {Mode.LIVE: "the **LIVE** account", Mode.CONNECTED: "**its brokerage**, by SnapTrade"}
CONFIRMED = ["Side", "Symbol", "Quantity", "Price", "Notional"]
ONE_CONFIRMATION = (
    "Market orders for the day, sells first. Quantities and prices are estimates made here, and what the brokerage "
    "charges is not known. This confirmation covers buys up to these amounts; a larger change asks again."
)
TOWARD = {"Target": Toward.TARGET, "Half way": Toward.HALFWAY, "Band edge": Toward.EDGE}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the controls ask for. `model` is None for the followed portfolio; `what_if` marks weights that a
    subscribed account can preview and not run; `excluded` are the holdings left out. Money in USD."""

    model: Any
    run_type: RunType
    amount: Decimal | None
    options: Options
    min_notional: Decimal
    cost_bps: Decimal
    what_if: bool
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Typed:
    """An amount in USD (or bp) as decimal text; a number input would pass it through a float."""

    what: str
    key: str
    text: str

    def amount(self) -> Decimal | None:
        """The amount, None when blank. Raises InputError for what is none, or below zero."""
        if not self.text:
            return None
        amount = read_number(self.text, self.what, field=self.key)
        if amount < 0:
            raise InputError(
                f"{self.what} is {self.text}; it must be zero or more.",
                field=self.key,
                received=self.text,
                allowed="zero or more",
            )
        return amount


def controls(view: AccountView) -> Choice:
    """The controls above a preview, kept for the session. All are drawn before any is read: a sentence about one must
    not take the others away."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        run_type = RUN_TYPES[_one_of("Run", RUN_TYPES, "run_type", "Investing cash only buys: nothing is sold.")]
        full = run_type is RunType.FULL_REBALANCE
        scope = SCOPES[_one_of("Trade", SCOPES, "trade_scope")] if full else False
        minimum = amount_input("Minimum order, $", f"{MIN_NOTIONAL}", "min_order")
        amount = None if full else amount_input("At most, $ (blank: all)", "", "invest_amount")
        model, what_if = _portfolio(view)
    # What cannot be valued is left out there: the way is open before the sentence that asks for it.
    opened = view.problem is not None
    with st.expander("More options", icon=":material/tune:", key="more_options", expanded=opened):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            toward = TOWARD[_one_of("Move to", TOWARD, "toward")] if full else Toward.TARGET
            buffer = amount_input("Cash to keep, $", "", "cash_buffer")
            cost = amount_input("Assumed cost, bp", "1", "cost_bps")
            whole = st.toggle("Whole shares", key="whole_shares", persist_state="session")
        never_buy, never_sell, excluded = _symbol_lists(view, model or view.model)
    if excluded:
        st.caption(state.plain(f"Left out of equity and orders: {', '.join(excluded)}."))
    least = minimum.amount()
    options = Options(
        breached_only=scope,
        toward=toward,
        cash_buffer=buffer.amount() or Decimal(0),
        never_buy=frozenset(never_buy),
        never_sell=frozenset(never_sell),
        whole_shares=whole,
    )
    return Choice(
        model=model,
        run_type=run_type,
        amount=amount.amount() if amount else None,
        options=options,
        min_notional=MIN_NOTIONAL if least is None else least,
        cost_bps=cost.amount() or Decimal(0),
        what_if=what_if,
        excluded=excluded,
    )


def _one_of(label: str, options: dict[str, Any], key: str, help_text: str | None = None) -> str:
    first = next(iter(options))
    return str(
        st.segmented_control(
            label, list(options), default=first, required=True, key=key, persist_state="session", help=help_text
        )
    )


def amount_input(label: str, default: str, key: str) -> Typed:
    """A field for an amount; `label` is its name, a comma, and what else is to be known."""
    text = st.text_input(label, default, key=key, persist_state="session", width=150, help=AMOUNT_HELP)
    return Typed(label.partition(",")[0], key, text.strip())


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


def _symbol_lists(view: AccountView, model: Any) -> tuple[list[str], list[str], tuple[str, ...]]:
    """What is never bought, never sold, and left out; the last belongs to its account, and can be no target."""
    held = {holding.symbol for holding in view.snapshot.holdings}
    targets = set() if model is None else set(model.targets.symbols)
    symbols = sorted(held | targets)
    with st.container(horizontal=True, gap="medium"):
        never_buy = st.multiselect("Never buy", symbols, key="never_buy", persist_state="session", width=300)
        never_sell = st.multiselect("Never sell", symbols, key="never_sell", persist_state="session", width=300)
        excluded = st.multiselect(
            "Leave out",
            sorted(held - targets),
            key=f"excluded_{view.account.id}",
            persist_state="session",
            width=300,
            placeholder="Choose options" if held - targets else "Every holding is a target",
            disabled=not held - targets,
            help="Holdings outside the portfolio that shall count neither as equity nor in the orders, such as one "
            "without a price.",
        )
    return never_buy, never_sell, tuple(excluded)


def obstacle(view: AccountView, choice: Choice) -> str | None:
    """Why this preview cannot become a run, in one sentence; None when it can."""
    if view.account.refusal:
        return f"{view.account.refusal} This preview can be downloaded."
    if choice.what_if:
        return (
            f"These are not the weights of {view.portfolio.name}, which the account follows: a run always uses the "
            "followed portfolio, so this preview can be downloaded and not run."
        )
    if choice.min_notional != MIN_NOTIONAL:
        least = money(MIN_NOTIONAL)
        return f"A run uses the minimum order of {least}; with another minimum the preview can be downloaded."
    if state.desk().estimates and (choice.excluded or choice.options != Options()):
        return "This backend knows none of the chosen options, so the preview can be downloaded and not run."
    return None


def queued_until(clock: Any) -> str | None:
    """The sentence that the run stays queued, outside the hours in which one may start (rules.md 5.3)."""
    session = state.desk().sessions.current_or_next(clock.timestamp)
    if clock.is_open and session.in_run_window(clock.timestamp):
        return None
    reason = "It is too late to start a run in this session" if clock.is_open else "The market is closed"
    return f"{reason}: the run stays queued until the next open, {new_york(clock.next_open)} New York."


@st.dialog("Create run", width="medium", icon=":material/fact_check:", on_dismiss=run_writes.close_review)
def confirm(preview: Preview, view: AccountView) -> None:
    """Totals, warnings, a check, and the button that creates the run once, however often it is pressed."""
    kept, mode, far = run_writes.review(), state.desk().mode, state.desk().estimates
    if not kept.open:
        st.rerun()
    orders = preview.plan.orders
    st.markdown(
        f"**{count_of(len(orders), 'order')}** for **{state.plain(state.label_of(view))}** "
        f"go to {DESTINATIONS.get(mode, f'the **{mode.value}** account')}."
    )
    if state.desk().by_hand:
        widgets.table(orders_table(preview)[CONFIRMED], orders_alt(preview))
        st.caption(ONE_CONFIRMATION)
    st.table(
        {
            "Sell": money(preview.sells_total).replace("$", "\\$"),
            "Buy": money(preview.buys_total).replace("$", "\\$"),
            "Cash after": money(preview.cash_after).replace("$", "\\$"),
            "Turnover, one way": percent(preview.turnover),
            **({"Left out": ", ".join(sorted(preview.snapshot.excluded))} if preview.snapshot.excluded else {}),
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
    widgets.estimate_note()
    st.caption(
        f"The run key makes a second click harmless: {'it finds' if far else 'the server answers with'} the first run."
    )
    checked = st.checkbox("I have checked sides and sizes", key=f"checked_{kept.key}", disabled=kept.creating)
    number = view.account.account_number
    typed = confirmation.typed("the account number", number, f"typed_{kept.key}", disabled=kept.creating)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Back", key="review_back", on_click=run_writes.close_review, disabled=kept.creating)
        st.button(
            "Create run",
            key="review_create",
            type="primary",
            icon=":material/send:",
            disabled=kept.creating or not checked or typed is None,
            on_click=run_writes.press_create,
            args=(typed,),
        )
    if kept.creating:
        run_writes.create_run(preview)
        st.rerun()


@st.fragment(run_every=0.7)
def follow() -> None:
    """Open the run that was created, a moment later: clicks that are still on their way belong to this page, and
    would blank any other."""
    kept = run_writes.review()
    if kept.waited:
        run_writes.follow_run()
        st.switch_page("views/runs.py", query_params=state.run_link(kept.run_id or ""))
    kept.waited = True
    st.success(f"Run {(kept.run_id or '')[:8]} created. Opening it.", icon=":material/check_circle:")
