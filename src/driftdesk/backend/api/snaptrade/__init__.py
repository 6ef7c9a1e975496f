"""The routes of SnapTrade, under both of its bases, over the same exchange as the other doors (seed 002)."""

from typing import Final

from driftdesk.backend.api.snaptrade import accounts, orders, trading, users

ROUTERS: Final = (accounts.router, orders.router, trading.router, users.router, users.simulation)
