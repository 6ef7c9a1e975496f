"""The simulated exchange: takes orders, fills them at the feed's price, moves cash and shares exactly."""

from driftdesk.backend.exchange.exchange import Changes, Exchange

__all__ = ["Changes", "Exchange"]
