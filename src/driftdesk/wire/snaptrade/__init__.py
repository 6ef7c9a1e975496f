"""Messages of SnapTrade (seed 002, wire/snaptrade.md): orders, accounts, trades."""
