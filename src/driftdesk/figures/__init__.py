"""Values in, plotly figures, tidy tables and sentences out: the same for pages and notebooks. Nothing is fetched here.

Each subject has up to three functions: `*_figure` (a chart), `*_table` (a pandas frame with exact decimals) and `*_alt`
(the takeaway in words, for those who do not see the chart).
"""

from driftdesk.figures.book import (
    Attention,
    account_name,
    attention,
    book_alt,
    book_figure,
    book_table,
    equity_of,
    standing,
    worst_first,
)
from driftdesk.figures.decisions import OUTCOMES, decisions_alt, decisions_table
from driftdesk.figures.drift import Scale, drift_alt, drift_figure, drift_table, near_edge
from driftdesk.figures.fills import (
    fills_alt,
    fills_figure,
    fills_table,
    previewed_alt,
    previewed_table,
    refused_table,
)
from driftdesk.figures.plan import (
    before_after_alt,
    before_after_figure,
    orders_alt,
    orders_figure,
    orders_table,
    skipped_table,
)
from driftdesk.figures.portfolios import (
    changes_alt,
    changes_table,
    conditions_words,
    portfolios_alt,
    portfolios_table,
)
from driftdesk.figures.proposal import proposal_alt, proposal_table
from driftdesk.figures.runs import (
    run_reason,
    runs_alt,
    runs_figure,
    runs_table,
    timeline_alt,
    timeline_figure,
    timeline_table,
)
from driftdesk.figures.subscriptions import subscriptions_alt, subscriptions_table
from driftdesk.figures.text import (
    count_of,
    csv_text,
    file_name,
    money,
    new_york,
    percent,
    same_time_later,
    signed_points,
    symbol_text,
    utc,
    words,
)
from driftdesk.figures.theme import CHART_CONFIG, DARK, LIGHT, Theme, theme_of

__all__ = [
    "CHART_CONFIG",
    "DARK",
    "LIGHT",
    "OUTCOMES",
    "Attention",
    "Scale",
    "Theme",
    "account_name",
    "attention",
    "before_after_alt",
    "before_after_figure",
    "book_alt",
    "book_figure",
    "book_table",
    "changes_alt",
    "changes_table",
    "conditions_words",
    "count_of",
    "csv_text",
    "decisions_alt",
    "decisions_table",
    "drift_alt",
    "drift_figure",
    "drift_table",
    "equity_of",
    "file_name",
    "fills_alt",
    "fills_figure",
    "fills_table",
    "money",
    "near_edge",
    "new_york",
    "orders_alt",
    "orders_figure",
    "orders_table",
    "percent",
    "portfolios_alt",
    "portfolios_table",
    "previewed_alt",
    "previewed_table",
    "proposal_alt",
    "proposal_table",
    "refused_table",
    "run_reason",
    "runs_alt",
    "runs_figure",
    "runs_table",
    "same_time_later",
    "signed_points",
    "skipped_table",
    "standing",
    "subscriptions_alt",
    "subscriptions_table",
    "symbol_text",
    "theme_of",
    "timeline_alt",
    "timeline_figure",
    "timeline_table",
    "utc",
    "words",
    "worst_first",
]
