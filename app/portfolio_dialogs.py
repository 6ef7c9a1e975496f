"""The dialogs of the portfolios page: each says what a write does before it is done, and does it once."""

from typing import Any

import confirmation
import portfolio_state
import state
import streamlit as st
import widgets

from driftdesk import AccountView, Proposal
from driftdesk.figures import changes_alt, changes_table, count_of, money, percent

# Whose decision the trades of a subscription are; discretionary needs the adviser to be registered as such.
MARKERS = ["unsolicited", "discretionary"]


def show() -> None:
    """The dialog that is open, if one is."""
    it = portfolio_state.under_review()
    if it.open:
        _DIALOGS[it.kind]()


def effect(portfolio: Any, draft: Any) -> Proposal:
    """What saving the draft would do, worked out once for the same draft, prices and instant."""
    asked = f"{portfolio!r} {draft!r} {state.desk().clock().timestamp.isoformat()}"
    return state.proposal(asked, portfolio, draft)


def consequence(proposal: Proposal) -> str:
    """What follows from saving, in a sentence or two."""
    count = len(proposal.accounts)
    if not count:
        return "No account follows this portfolio, so saving it trades nothing."
    if state.desk().by_hand:
        return f"Nothing is traded by saving it: {count_of(count, 'account')} would be measured against it from now on."
    those = "the account that follows it" if count == 1 else f"all {count} accounts that follow it"
    if proposal.weights_changed:
        begin = f"Changed weights make {those} due at the next opportunity"
    elif proposal.conditions_changed:
        begin = f"Changed conditions have {those} evaluated at the next opportunity"
    else:
        begin = "Neither weights nor conditions change, so nothing is evaluated before its time"
    runs, waits = proposal.runs, proposal.waits
    trading = f"{count_of(runs.accounts, 'account')} would trade, {_trade(runs)}"
    now = trading if runs.accounts else "none would trade now"
    later = (
        f"; {count_of(waits.accounts, 'account')} would have to wait, with {_trade(waits)}" if waits.accounts else ""
    )
    return f"{begin}: {now}{later}."


def _trade(totals: Any) -> str:
    return f"{count_of(totals.orders, 'order')} for {money(totals.notional, cents=False)}"


def _dialog(title: str, icon: str) -> Any:
    return st.dialog(title, width="medium", icon=icon, on_dismiss=portfolio_state.close_write)


@_dialog("Save portfolio", ":material/save:")
def _save() -> None:
    it = portfolio_state.under_review()
    changes = changes_table(it.portfolio, it.draft)
    st.markdown(f"**{state.plain(it.draft.name)}**{': a new portfolio' if it.portfolio is None else ''}")
    widgets.table(changes, changes_alt(changes))
    trades = False
    if it.portfolio is None:
        st.caption("Nothing is traded: an account has to be subscribed to it first.")
    else:
        proposal = effect(it.portfolio, it.draft)
        trades = bool(proposal.runs.orders or proposal.waits.orders)
        (st.warning if trades else st.info)(state.plain(consequence(proposal)), icon=":material/sync_alt:")
    _footer("Save", ":material/save:", "I have checked what changes and who would trade" if trades else None)


@_dialog("Subscribe an account", ":material/link:")
def _subscribe() -> None:
    it = portfolio_state.under_review()
    free = {label: view for label, view in state.labels().items() if view.subscription is None}
    chosen = state.chosen_account()
    at = list(free).index(chosen) if chosen in free else 0
    label = st.selectbox("Account", list(free), at, key=f"subscribe_{it.key}", disabled=it.writing)
    view = free[str(label)]
    by_hand = state.desk().by_hand
    with state.sentences():
        preview = state.desk().preview(view.account.id, model=state.desk_model(it.portfolio))
        begin = "Nothing is sent before you confirm it" if by_hand else "Subscribing queues a run at once"
        said = (
            f"{begin}. As of now a rebalance would send {count_of(len(preview.plan.orders), 'order')}: "
            f"{money(preview.sells_total)} of sells and {money(preview.buys_total)} of buys, a turnover of "
            f"{percent(preview.turnover)}."
        )
        st.warning(state.plain(said), icon=":material/sync_alt:")
        widgets.estimate_note()
    marker = None
    if state.desk().estimates:
        # Only the real API asks whose decision the trades are; ours takes none.
        marker = st.selectbox("Trades are", MARKERS, key=f"marker_{it.key}", disabled=it.writing)
    check = f"{state.plain(str(label))} shall {'follow' if by_hand else 'be rebalanced to'} this portfolio"
    _footer("Subscribe", ":material/link:", check, view, marker)


@_dialog("Unsubscribe an account", ":material/link_off:")
def _unsubscribe() -> None:
    it = portfolio_state.under_review()
    following = followers(it.portfolio)
    label = st.selectbox("Account", list(following), key=f"unsubscribe_{it.key}", disabled=it.writing)
    view = following[str(label)]
    st.markdown(
        f"**{state.plain(str(label))}** is no longer evaluated against **{state.plain(it.portfolio.name)}**. "
        "A run that is queued is canceled; one in progress finishes. What the account holds stays."
    )
    _footer("Unsubscribe", ":material/link_off:", None, view)


@_dialog("Inactivate portfolio", ":material/archive:")
def _inactivate() -> None:
    it = portfolio_state.under_review()
    st.markdown(
        f"**{state.plain(it.portfolio.name)}** can be followed and changed no longer. This cannot be taken back; a new "
        "portfolio may begin as a copy of another."
    )
    _footer("Inactivate", ":material/archive:", None)


def followers(portfolio: Any) -> dict[str, AccountView]:
    """The accounts that follow the portfolio, by label."""
    return {
        label: view
        for label, view in state.labels().items()
        if view.subscription is not None and view.subscription.portfolio_id == portfolio.id
    }


def _footer(
    label: str, icon: str, check: str | None, view: AccountView | None = None, marker: str | None = None
) -> None:
    """The problem of the last try, the check if there is one, and the buttons. The write is done from here."""
    it = portfolio_state.under_review()
    if not it.open:
        st.rerun()
    if it.problem:
        st.error(state.plain(it.problem), icon=":material/error:")
    about = view.account.id if view else ""
    if view is not None:
        what, expected = "the account number", view.account.account_number
    else:
        what, expected = "the name of the portfolio", (it.portfolio or it.draft).name
    checked = check is None or st.checkbox(check, key=f"checked_{it.key}_{about}", disabled=it.writing)
    typed = confirmation.typed(what, expected, f"typed_{it.key}_{about}", stakes="plan", disabled=it.writing)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Back", key="write_back", on_click=portfolio_state.close_write, disabled=it.writing)
        st.button(
            label,
            key="write_confirm",
            type="primary",
            icon=icon,
            disabled=it.writing or not checked or typed is None,
            on_click=portfolio_state.press,
            args=(typed, marker),
        )
    if it.writing:
        portfolio_state.write(view)
        st.rerun()


_DIALOGS = {
    portfolio_state.SAVE: _save,
    portfolio_state.SUBSCRIBE: _subscribe,
    portfolio_state.UNSUBSCRIBE: _unsubscribe,
    portfolio_state.INACTIVATE: _inactivate,
}
