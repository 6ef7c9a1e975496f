"""The tables. A change here wants a migration beside it (store/migrations); a test compares the two."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint, text

from driftdesk.backend.store.types import CENTS, DAY, EXACT, INSTANT, NOTIONAL, PRICE, QUANTITY

metadata: Final = MetaData()
_ID: Final = String(36)

# What the world is: its clock, its price feed, its seed. One row a key.
meta = Table("meta", metadata, Column("key", String(40), primary_key=True), Column("value", Text, nullable=False))

assets = Table(
    "assets",
    metadata,
    Column("symbol", String(20), primary_key=True),
    Column("id", _ID, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("exchange", String(20), nullable=False),
    Column("tradable", Boolean, nullable=False, default=True),
    Column("fractionable", Boolean, nullable=False, default=True),
    Column("halted", Boolean, nullable=False, default=False),
    # Shares of today for shares of the feed's beginning, as splits made it: feed prices are divided by it.
    Column("split_to", Integer, nullable=False, server_default="1"),
    Column("split_from", Integer, nullable=False, server_default="1"),
    Column("delisted_at", INSTANT),
    # us_equity, or the brokerage's own word for what is not planned for: an option, crypto, a fund.
    Column("asset_class", String(20), nullable=False, server_default="us_equity"),
)

# Prices set by hand in a simulation; they hold until set again.
price_marks = Table(
    "price_marks",
    metadata,
    Column("symbol", String(20), primary_key=True),
    Column("price", PRICE, nullable=False),
    Column("at", INSTANT, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("number", String(20), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("cash", CENTS, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    # Of a connected account (driftdesk.connected), each in a sentence: why it takes no orders, why its holdings cannot
    # be used, and, as a JSON list, what a person should know of it.
    Column("refusal", Text),
    Column("problem", Text),
    Column("notes", Text, nullable=False, server_default="[]"),
)

# Users of the SnapTrade routes; each of them sees every account of the world.
snaptrade_users = Table(
    "snaptrade_users",
    metadata,
    Column("user_id", String(100), primary_key=True),
    Column("secret", String(64), nullable=False),
    Column("created_at", INSTANT, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("account_id", _ID, primary_key=True),
    Column("symbol", String(20), primary_key=True),
    Column("quantity", QUANTITY, nullable=False),
    Column("cost_basis", CENTS, nullable=False),
)

# Cash that came in or left, other than by trades.
flows = Table(
    "flows",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", _ID, nullable=False, index=True),
    Column("at", INSTANT, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("amount", CENTS, nullable=False),
)

portfolios = Table(
    "portfolios",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("cooldown_days", Integer, nullable=False),
    Column("weights", Text, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", _ID, nullable=False, unique=True),
    Column("account_id", _ID, nullable=False),
    Column("portfolio_id", _ID, nullable=False, index=True),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    Column("deleted_at", INSTANT),
    Column("last_rebalanced_at", INSTANT),
    # What waits for the next evaluation (rules.md 2.4, 2.6, 5.1, 5.6, 5.7).
    Column("last_evaluated", DAY),
    Column("evaluate_flag", Boolean, nullable=False, default=False),
    Column("portfolio_changed", Boolean, nullable=False, default=False),
    Column("subscription_created", Boolean, nullable=False, default=False),
    Column("uninvested_inflow", CENTS, nullable=False),
    Column("last_run_session", DAY),
    Column("failures", Integer, nullable=False, default=0),
    Column("held", Text),
    Index(
        "one_subscription_per_account",
        "account_id",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", _ID, nullable=False, unique=True),
    Column("account_id", _ID, nullable=False, index=True),
    Column("portfolio_id", _ID, nullable=False),
    Column("subscription_id", _ID),
    Column("type", String(20), nullable=False),
    Column("amount", CENTS),
    Column("initiated_from", String(10), nullable=False),
    Column("status", String(20), nullable=False),
    Column("phase", String(20)),
    Column("reason", Text),
    Column("trigger", Text),
    Column("weights", Text, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("options", Text),
    Column("preview_hash", String(64)),
    Column("preview_orders", Text),
    Column("max_change_percent", Text),
    Column("planned_cash", CENTS),
    # What had come in and waited to be invested when the run was planned.
    Column("inflow", CENTS),
    Column("skipped", Text, nullable=False, default="[]"),
    # The orders as they ended, written once when the run becomes COMPLETED_SUCCESS (rules.md 7.3).
    Column("order_list", Text),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    Column("completed_at", INSTANT),
    Column("canceled_at", INSTANT),
    Column("session", DAY),
    # When the worker looks at the run next; NULL: never again.
    Column("due_at", INSTANT, index=True),
    # Literals: a bound status list would hide a partial index from the planner (durability.md).
    Index(
        "one_open_run_per_account",
        "account_id",
        unique=True,
        sqlite_where=text("status IN ('QUEUED', 'IN_PROGRESS')"),
        postgresql_where=text("status IN ('QUEUED', 'IN_PROGRESS')"),
    ),
)

run_lines = Table(
    "run_lines",
    metadata,
    Column("run_id", _ID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("symbol", String(20), nullable=False),
    Column("side", String(4), nullable=False),
    Column("notional", NOTIONAL, nullable=False),
    Column("quantity", QUANTITY),
    Column("price", PRICE, nullable=False),
    Column("estimated_quantity", QUANTITY, nullable=False),
    Column("reason", Text, nullable=False),
    Column("client_order_id", String(48), nullable=False),
    Column("state", String(12), nullable=False),
    Column("marked_by", _ID),
    Column("marked_at", INSTANT),
    Column("sent_notional", NOTIONAL),
)

run_events = Table(
    "run_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", _ID, nullable=False, index=True),
    Column("at", INSTANT, nullable=False),
    Column("status", String(20), nullable=False),
    Column("phase", String(20)),
    Column("text", Text, nullable=False),
)

# The outbox of GET /v2/events/rebalancer; `payload` is what leaves, to the byte.
events = Table(
    "events",
    metadata,
    Column("event_id", String(26), primary_key=True),
    Column("event_type", String(30), nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("payload", Text, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("account_id", _ID, nullable=False),
    Column("client_order_id", String(128), nullable=False),
    Column("symbol", String(20), nullable=False),
    Column("side", String(4), nullable=False),
    Column("notional", NOTIONAL),
    Column("quantity", QUANTITY),
    Column("status", String(20), nullable=False),
    Column("type", String(10), nullable=False, server_default="market"),
    Column("time_in_force", String(3), nullable=False, server_default="day"),
    Column("limit_price", PRICE),
    Column("stop_price", PRICE),
    # When the market traded at the stop: from then on it is a market or a limit order.
    Column("stopped_at", INSTANT),
    Column("reject_reason", Text),
    Column("filled_quantity", QUANTITY, nullable=False),
    Column("filled_value", EXACT, nullable=False),
    Column("filled_cash", CENTS, nullable=False),
    # What an open order holds back: cents for a buy, shares for a sell (scaled alike so that both fit).
    Column("reserved", NOTIONAL, nullable=False),
    Column("submitted_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    Column("filled_at", INSTANT),
    Column("canceled_at", INSTANT),
    Column("expired_at", INSTANT),
    Column("failed_at", INSTANT),
    Column("replaced_at", INSTANT),
    Column("replaced_by", _ID),
    Column("replaces", _ID),
    # When what is still open expires; NULL: it stays until canceled.
    Column("expires_at", INSTANT),
    # When the exchange looks at the order next; NULL: the order is final.
    Column("due_at", INSTANT, index=True),
    # The brokerage's own id of an order at a connected account; NULL while it is not known, and for our exchange.
    Column("broker_order_id", String(64)),
    UniqueConstraint("account_id", "client_order_id", name="client_order_id_once"),
    # What is open in an account: reservations, free shares and cash are read from it with every order.
    Index(
        "open_orders_by_account",
        "account_id",
        "side",
        "symbol",
        "reserved",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

fills = Table(
    "fills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", _ID, nullable=False, index=True),
    Column("account_id", _ID, nullable=False, index=True),
    Column("symbol", String(20), nullable=False),
    Column("side", String(4), nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("price", PRICE, nullable=False),
    Column("cash", CENTS, nullable=False),
    # Cash moved less quantity x price: the rounding account is the sum of these (rules.md 1.4).
    Column("rounding", EXACT, nullable=False),
)

# What happened to an order, as streams tell it: the order's own numbers as they stood then.
order_events = Table(
    "order_events",
    metadata,
    Column("id", Integer, primary_key=True),
    # A ULID: grows with every event, whatever order or account it is of.
    Column("event_id", String(26), nullable=False, unique=True, index=True),
    Column("order_id", _ID, nullable=False, index=True),
    Column("account_id", _ID, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("event", String(24), nullable=False),
    Column("status", String(20), nullable=False),
    Column("filled_quantity", QUANTITY, nullable=False),
    Column("filled_value", EXACT, nullable=False),
    # Of this fill alone, and the position after it; NULL for other events.
    Column("price", PRICE),
    Column("quantity", QUANTITY),
    Column("position", QUANTITY),
    Column("reason", Text),
)

# Double entry: `amount` of `asset` (USD, or shares of a symbol) from one account to another (backend/ledger.py).
ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", INSTANT, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("reference", String(40), nullable=False),
    Column("asset", String(20), nullable=False),
    Column("source", _ID, nullable=False),
    Column("target", _ID, nullable=False),
    Column("amount", EXACT, nullable=False),
)

# What the exchange shall do wrong on purpose, in the order of their making; `times` NULL: until taken back.
faults = Table(
    "faults",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("symbol", String(20)),
    Column("value", EXACT),
    Column("times", Integer),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", _ID, nullable=False, unique=True),
    Column("account_id", _ID, nullable=False),
    Column("portfolio_id", _ID, nullable=False),
    Column("session", DAY, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("run_id", _ID),
    Column("body", Text, nullable=False),
    Index("decisions_by_account", "account_id", "session"),
)

# One row an account and session close: what charts of equity read.
equity_days = Table(
    "equity_days",
    metadata,
    Column("account_id", _ID, primary_key=True),
    Column("session", DAY, primary_key=True),
    Column("equity", CENTS, nullable=False),
    Column("cash", CENTS, nullable=False),
    Column("flow", CENTS, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("kept_until", INSTANT, nullable=False),
)
