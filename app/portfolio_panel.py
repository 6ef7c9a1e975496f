"""The open portfolio: its fields, why it cannot be saved yet, what a change would do, and what else can be done."""

from collections.abc import Sequence
from typing import Any

import portfolio_dialogs
import portfolio_editor
import portfolio_state
import state
import streamlit as st
import widgets

from driftdesk import unfit_assets, update_of
from driftdesk.figures import (
    changes_alt,
    changes_table,
    count_of,
    money,
    percent,
    proposal_alt,
    proposal_table,
    words,
)


def show(portfolio: Any, portfolios: Sequence[Any]) -> None:
    """Draw the panel of `portfolio`, None for a new one; `portfolios` are those that a new one may copy."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(state.plain(portfolio.name) if portfolio else "New portfolio")
        if portfolio is not None:
            st.badge(words(str(portfolio.status)), color="gray" if portfolio.status == "active" else "orange")
        st.button("Close", icon=":material/close:", type="tertiary", on_click=portfolio_state.close, key="close_panel")
    if portfolio is not None and portfolio.status == "needs_adjustment":
        _needs_adjustment(portfolio)
    it = portfolio_editor.edit(portfolio, portfolios)
    draft, problem = portfolio_state.read(it.typed)
    changed = draft is not None and (portfolio is None or bool(update_of(portfolio, draft).model_fields_set))
    _buttons(portfolio, it, draft if changed else None)
    if problem and it.typed != it.start:
        st.warning(f"Not to be saved yet: {state.plain(problem)}", icon=":material/edit:")
    elif not changed:
        st.caption("Nothing is changed yet." if portfolio else "Fill in a name and weights that sum to 100.00%.")
    elif portfolio is not None:
        _what_if(portfolio, draft)


def _needs_adjustment(portfolio: Any) -> None:
    symbols = [weight.symbol for weight in portfolio.weights if weight.symbol]
    causes = unfit_assets(symbols, state.assets(symbols), fractional=not state.desk().by_hand)
    # An asset may have become eligible again; the portfolio waits for a person all the same (rules.md 2.7).
    cause = "; ".join(causes) if causes else "one of its assets could not be traded, and can be again"
    st.warning(
        state.plain(
            f"This portfolio needs adjustment: {cause}. No automatic run is created until weights of assets that can "
            "be held are saved."
        ),
        icon=":material/warning:",
    )


def _buttons(portfolio: Any, it: portfolio_state.Editing, draft: Any) -> None:
    """`draft` is None where there is nothing to save."""
    ask = portfolio_state.ask
    with st.container(horizontal=True):
        st.button(
            "Review the change" if portfolio else "Review and create",
            type="primary",
            icon=":material/checklist:",
            disabled=draft is None,
            on_click=ask,
            args=(portfolio_state.SAVE, portfolio, draft),
            key="review_change",
        )
        st.button(
            "Discard changes",
            icon=":material/undo:",
            disabled=it.typed == it.start,
            on_click=portfolio_state.discard,
            args=(it,),
            key="discard_change",
        )
        if portfolio is not None:
            _other_buttons(portfolio)


def _other_buttons(portfolio: Any) -> None:
    ask, following = portfolio_state.ask, portfolio_dialogs.followers(portfolio)
    free = [view for view in state.book() if view.subscription is None]
    active = portfolio.status == "active"
    st.button(
        "Subscribe an account",
        icon=":material/link:",
        disabled=not free or not active,
        on_click=ask,
        args=(portfolio_state.SUBSCRIBE, portfolio),
        key="subscribe",
        help=None if free and active else "Every account follows a portfolio." if active else "It needs adjustment.",
    )
    st.button(
        "Unsubscribe an account",
        icon=":material/link_off:",
        disabled=not following,
        on_click=ask,
        args=(portfolio_state.UNSUBSCRIBE, portfolio),
        key="unsubscribe",
        help=None if following else "No account follows it.",
    )
    several = f"{count_of(len(following), 'account')} {'follows' if len(following) == 1 else 'follow'} it"
    st.button(
        "Inactivate",
        icon=":material/archive:",
        disabled=bool(following),
        on_click=ask,
        args=(portfolio_state.INACTIVATE, portfolio),
        key="inactivate",
        help=f"{several}; unsubscribe first." if following else None,
    )


def _what_if(portfolio: Any, draft: Any) -> None:
    """What differs, and what every account that follows the portfolio would do."""
    changes = changes_table(portfolio, draft)
    if len(changes):
        st.markdown("**What changes**")
        widgets.table(changes, changes_alt(changes))
    proposal = portfolio_dialogs.effect(portfolio, draft)
    st.markdown("**What if it were saved now**")
    st.caption(state.plain(portfolio_dialogs.consequence(proposal)))
    if not proposal.accounts:
        return
    widgets.estimate_note()
    before, runs, waits = proposal.runs_now, proposal.runs, proposal.waits
    widgets.metrics(
        [
            (
                "Accounts that would trade",
                f"{runs.accounts} of {len(proposal.accounts)}",
                f"{before.accounts} as it is",
                "orange" if runs.accounts > before.accounts else "gray",
            ),
            ("Orders", f"{runs.orders}", f"{before.orders} as it is", "gray"),
            ("Notional", money(runs.notional, cents=False), f"{money(before.notional, cents=False)} as it is", "gray"),
            ("Turnover", percent(runs.turnover), "of all that follow, one way", "gray"),
            (
                "Would wait",
                f"{waits.accounts}",
                f"{count_of(waits.orders, 'order')}, {money(waits.notional, cents=False)}",
                "gray",
            ),
        ],
        across=5,
    )
    frame = proposal_table(proposal.accounts)
    widgets.table(frame, proposal_alt(proposal.accounts))
    widgets.download(frame, "what-if", draft.name, key="download_proposal")
