"""The whole book: what stands outside its bands, what needs a person, and what ran last."""

from datetime import timedelta
from decimal import Decimal

import state
import streamlit as st
import widgets

from driftdesk.figures import (
    attention,
    book_alt,
    book_figure,
    book_table,
    count_of,
    equity_of,
    money,
    new_york,
    runs_alt,
    runs_table,
    standing,
    worst_first,
)

RECENT = timedelta(days=30)
LISTED = 6
NOT_HERE = ("Type", "Orders", "Initiated from", "Skipped", "Failed", "Reason", "Run")

them = state.books()
views = tuple(view for each in them.of.values() for view in each)
ran = state.runs_of(them)
runs = [run for _, run in ran]
if them.troubles and not views:
    st.info("No desk can be read now, so nothing is known of its accounts; the sidebar says why.")
    st.stop()
# The same account may stand on two desks, so what is said of one is kept by desk.
names = {name: {view.account.id: label for label, (at, view) in them.labels.items() if at == name} for name in them.of}
outside = [view for view in views if standing(view) == "Outside band"]
near = sum(standing(view) == "Near the edge" for view in views)
equity = sum(map(equity_of, views), Decimal(0))
cash = sum((view.snapshot.cash for view in views), Decimal(0))
open_runs = [run for run in runs if run.is_open]
last = runs[0] if runs else None

widgets.metrics(
    [
        ("Equity", money(equity, cents=False), count_of(len(views), "account"), "gray"),
        (
            "Accounts outside band",
            f"{len(outside)} of {len(views)}",
            f"{near} near the edge",
            "orange" if near else "gray",
        ),
        ("Open runs", str(len(open_runs)), f"last {new_york(last.created_at)[:10]}" if last else "none yet", "gray"),
        ("Cash", money(cash, cents=False), f"{cash / equity:.2%} of equity" if equity else "", "gray"),
    ]
)

st.subheader("Accounts, worst first")
book = book_table(views)
if len(them.of) > 1:
    at = {id(view): state.title_of(name) for name, each in them.of.items() for view in each}
    book.insert(1, "Desk", [at[id(view)] for view in worst_first(views)])
widgets.table(book, book_alt(views))
widgets.download(book, "accounts", key="download_accounts")

halves = st.grid(2, gap="medium", min_column_width=430)
with halves.cell(), st.container(border=True, height="stretch"):
    st.subheader("Worst band used")
    if any(view.drift is not None and view.drift.largest_band_used for view in views):
        widgets.chart(book_figure(views, state.theme()), book_alt(views), "book_chart")
    else:
        st.caption("No account follows a portfolio with bands yet.")
with halves.cell():
    with st.container(border=True):
        st.subheader("Needs attention")
        # Each desk by its own clock: that of the demo world stands still.
        found = [
            (item, names[name][item.account_id])
            for name, each in them.of.items()
            for item in attention(each, state.runs_on(name), state.now_on(name) - RECENT)
        ]
        if not found:
            st.caption("Nothing outside its bands, no problem, no failed run in the last 30 days.")
        for item, label in found[:LISTED]:
            widgets.attention_link(item, label)
        if len(found) > LISTED:
            st.caption(f"and {len(found) - LISTED} more in the tables.")
    with st.container(border=True):
        st.subheader("Recent runs")
        recent = runs[:LISTED]
        if recent:
            frame = runs_table(recent, {})
            frame["Account"] = [label for label, _ in ran[:LISTED]]
            widgets.table(frame, runs_alt(recent), hide=NOT_HERE)
            st.page_link("views/runs.py", label="All runs and their fills", icon=":material/receipt_long:")
        else:
            st.caption("No runs yet. Preview an account to create the first one.")
