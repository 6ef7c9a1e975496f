"""What the SnapTrade routes do, over the same world, exchange and ledger as the other doors (seed 002, rules.md 9)."""

from driftdesk.backend.service.snaptrade.trading import Trading

__all__ = ["SnapTrade"]


class SnapTrade(Trading):
    """Every use case of the SnapTrade routes; thread-safe. Every user sees every account of the world."""
