"""The entrypoint of the pages: navigation, sidebar, and the one place where errors become sentences."""

from pathlib import Path

import sidebar
import state
import streamlit as st

st.set_page_config(
    page_title="driftdesk", page_icon=str(Path(__file__).parent / "assets" / "favicon.png"), layout="wide"
)
page = st.navigation(
    {
        "Book": [
            st.Page(
                "views/overview.py",
                title="Overview",
                icon=":material/space_dashboard:",
                default=True,
                help="Every account, worst first: what is outside its bands and what needs a person.",
            ),
            st.Page(
                "views/drift.py",
                title="Drift",
                icon=":material/align_horizontal_center:",
                help="One account against its targets and bands, and what the next evaluation would decide.",
            ),
            st.Page(
                "views/portfolios.py",
                title="Portfolios & subscriptions",
                icon=":material/donut_small:",
                help="The weights and conditions that accounts follow, who follows them, and what a change would do.",
            ),
        ],
        "Trade": [
            st.Page(
                "views/preview.py",
                title="Preview & create run",
                icon=":material/fact_check:",
                help="The orders that a rebalance would send, each with its reason; review them and create the run.",
            ),
            st.Page(
                "views/runs.py",
                title="Runs & fills",
                icon=":material/receipt_long:",
                help="The history of runs; the steps, fills and failures of one.",
            ),
            st.Page(
                "views/orders.py",
                title="Orders",
                icon=":material/list_alt:",
                help="Orders at the broker: what is open, what became of the others; place, replace and cancel.",
            ),
            st.Page(
                "views/decisions.py",
                title="Decisions",
                icon=":material/rule:",
                help="Why an account was rebalanced on a day, and why it was not.",
            ),
        ],
        "Research": [
            st.Page(
                "views/what_if.py",
                title="What-if",
                icon=":material/science:",
                help="Any holdings against any weights and bands. Nothing is saved.",
            ),
        ],
    }
)
with state.sentences():
    sidebar.show(page.title)
st.title(page.title, icon=page.icon)
with state.sentences():
    state.show_said()
    page.run()
