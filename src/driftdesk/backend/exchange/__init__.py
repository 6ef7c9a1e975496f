"""The simulated exchange: market orders filled at the feed's price, with cash and shares moved exactly."""

from driftdesk.backend.exchange.exchange import Exchange

__all__ = ["Exchange"]
