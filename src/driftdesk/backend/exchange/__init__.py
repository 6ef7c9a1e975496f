"""The simulated exchange: takes orders, fills them at the feed's price, moves cash and shares exactly."""

from driftdesk.backend.exchange.exchange import Changes, Exchange
from driftdesk.backend.exchange.venue import Venue

__all__ = ["Changes", "Exchange", "Venue"]
