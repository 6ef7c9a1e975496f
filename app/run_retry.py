"""What a run left undone: reasons, the plan of a new run, and the drift that is left."""

from typing import Any

import review
import state
import streamlit as st
import widgets

from driftdesk import MIN_NOTIONAL, residual_drift, retry_of
from driftdesk.figures import (
    count_of,
    drift_alt,
    drift_figure,
    drift_table,
    new_york,
    refused_table,
    retry_alt,
    retry_table,
    unfinished,
)


def not_traded(run: Any) -> None:
    """Orders that failed, ended early or were skipped, each with its reason; under them what a new run would send."""
    refused = refused_table(run)
    if not len(refused):
        st.caption("Every planned order was sent." if run.is_open else "Every order was filled, and none was skipped.")
    else:
        widgets.table(refused, f"{count_of(len(refused), 'order')} not traded or not in full, each with its reason.")
        widgets.download(refused, "not-traded", run.id[:8], key="download_refused")
    if unfinished(run):
        with st.container(border=True):
            st.markdown("**Retry plan**")
            with state.sentences():
                _retry(run)


def _retry(run: Any) -> None:
    retry = retry_of(state.desk(), run)
    preview = retry.preview
    running = any(other.is_open for other in state.runs(run.account_id))
    st.markdown(state.plain(retry_alt(run, preview)))
    st.caption(
        f"A run is not resumed. This is what a new one would send at the prices of {new_york(preview.snapshot.as_of)} "
        "New York, with the same type and options."
    )
    widgets.estimate_note()
    if retry.note:
        st.info(state.plain(retry.note), icon=":material/info:")
    frame = retry_table(run, preview)
    widgets.table(frame, retry_alt(run, preview))
    if running:
        st.info("This account has an open run, and may have one at a time.", icon=":material/info:")
    with st.container(horizontal=True):
        if st.button(
            f"Preview {count_of(len(preview.plan.orders), 'order')}",
            icon=":material/fact_check:",
            key="preview_retry",
            disabled=not preview.plan.orders or retry.portfolio is None or running,
            help="Opens Preview & create run with this account and these choices; nothing is sent yet.",
            on_click=_choose,
            args=(retry,),
        ):
            st.switch_page("views/preview.py", query_params={state.ACCOUNT: _label_of(run.account_id)})
        widgets.download(frame, "retry", run.id[:8], key="download_retry")


def _choose(retry: Any) -> None:
    """Set the controls of the preview page to what the retry plan was made with."""
    request, snapshot = retry.preview.request, retry.preview.snapshot
    options = request.options
    # Those are all that the page offers: what was sold since is not among them.
    held = {holding.symbol for holding in snapshot.holdings}
    known = held | set(request.targets.symbols)
    state.choose(
        {
            "run_type": _label(review.RUN_TYPES, request.run_type),
            "trade_scope": _label(review.SCOPES, options.breached_only),
            "toward": _label(review.TOWARD, options.toward),
            "min_order": f"{MIN_NOTIONAL}",
            "invest_amount": "" if request.amount is None else f"{request.amount}",
            "cash_buffer": f"{options.cash_buffer}" if options.cash_buffer else "",
            "whole_shares": options.whole_shares,
            "never_buy": sorted(options.never_buy & known),
            "never_sell": sorted(options.never_sell & known),
            f"excluded_{snapshot.account_id}": sorted(snapshot.excluded & held),
            "preview_portfolio" if retry.followed else "one_off_portfolio": state.FOLLOWED
            if retry.followed
            else retry.portfolio.name,
        }
    )


def _label_of(account_id: str) -> str:
    found = (label for label, view in state.labels().items() if view.account.id == account_id)
    return next(found, account_id)


def _label(labels: dict[str, Any], value: Any) -> str:
    return next(label for label, stands_for in labels.items() if stands_for == value)


def drift_left(run: Any) -> None:
    """The account now against the weights of the run: prices, and later runs, have moved it since."""
    preview = residual_drift(state.desk(), run)
    report = preview.before
    later = [
        other
        for other in state.runs(run.account_id)
        if other.created_at > run.created_at and (other.orders or other.is_open)
    ]
    since = (
        f"{count_of(len(later), 'later run')} and prices have moved it since"
        if later
        else "prices may have moved it since"
    )
    st.caption(
        f"Now, {new_york(report.as_of)} New York, against the weights of this run; {since}. "
        "How the account stood right after the run is not recorded."
    )
    widgets.drift_metrics(preview, state.desk().client.accounts.get(run.account_id).last_equity)
    widgets.estimate_note()
    st.markdown(widgets.DRIFT_LEGEND)
    widgets.chart(drift_figure(report, theme=state.theme()), drift_alt(report), "residual_chart")
    widgets.download(drift_table(report), "drift-after-run", run.id[:8], key="download_residual")
