"""Talk to SnapTrade: brokerage accounts that people have connected (wire/snaptrade.md)."""

from driftdesk.client.snaptrade.client import SnapTradeClient
from driftdesk.client.snaptrade.signature import SnapTradeKeys, SnapTradeUser

__all__ = ["SnapTradeClient", "SnapTradeKeys", "SnapTradeUser"]
