"""Portfolios, who follows them, and a change with what it would do before it is saved."""

import portfolio_dialogs
import portfolio_panel
import portfolio_state
import state
import streamlit as st
import widgets

from driftdesk.figures import (
    portfolios_alt,
    portfolios_table,
    subscriptions_alt,
    subscriptions_table,
)

visited = portfolio_state.visited()
if visited is not None:
    st.switch_page("views/drift.py", query_params={state.ACCOUNT: visited})

views, now = state.book(), state.desk().clock().timestamp
portfolios = state.desk().portfolios()
is_open, portfolio = portfolio_state.opened(portfolios)

if portfolios:
    table = portfolios_table(portfolios, views, now)
    ids = list(table["Portfolio id"])
    key = widgets.selection_key("portfolios", ids)
    st.caption("Select a row to see and change the portfolio.")
    widgets.table(
        table,
        portfolios_alt(portfolios, views),
        key=key,
        on_select=lambda: portfolio_state.open_row(key, ids),
        selection_mode="single-row",
    )
else:
    st.info("There is no portfolio yet. Create one, then subscribe accounts to it.")
with st.container(horizontal=True):
    st.button("New portfolio", icon=":material/add:", on_click=portfolio_state.open_new, key="new_portfolio")
    if portfolios:
        widgets.download(table, "portfolios", key="download_portfolios")

if is_open:
    with st.container(border=True):
        portfolio_panel.show(portfolio, portfolios)

st.subheader("Subscriptions")
names = {view.account.id: label for label, view in state.labels().items()}
shown = [view for view in views if portfolio is None or (view.portfolio and view.portfolio.id == portfolio.id)]
subscriptions = subscriptions_table(shown, state.open_runs(), now, names)
if subscriptions.empty:
    st.caption("No account follows this portfolio." if portfolio else "No account follows a portfolio yet.")
else:
    labels = list(subscriptions["Account"])
    row_key = widgets.selection_key("subscriptions", labels)
    st.caption("Select a row to open the account's drift.")
    widgets.table(
        subscriptions,
        subscriptions_alt(subscriptions),
        key=row_key,
        on_select=lambda: portfolio_state.select_account(row_key, labels),
        selection_mode="single-row",
    )
    widgets.download(subscriptions, "subscriptions", key="download_subscriptions")
portfolio_dialogs.show()
