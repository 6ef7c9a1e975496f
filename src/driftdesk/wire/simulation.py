"""Requests and answers under /v1/simulation: only where the clock is simulated (ours, rules.md 11)."""

from driftdesk.wire.base import Answer, Message, WireDecimal, WireInt, WireTime


class NewPosition(Message):
    """Shares that a new account starts with."""

    symbol: str
    qty: WireDecimal


class CreateAccount(Message):
    """An account with opening cash (USD) and positions; `name` is what a person calls it."""

    name: str = ""
    cash: WireDecimal
    positions: tuple[NewPosition, ...] = ()


class SetPrices(Message):
    """Prices in USD that hold from now until set again; null returns the symbol to the feed."""

    prices: dict[str, WireDecimal | None]


class Deposit(Message):
    """Cash in USD that comes in (positive) or leaves (negative)."""

    account_id: str
    amount: WireDecimal


class SetAsset(Message):
    """Change what may be done with an asset; a field left out stays as it is. `halted`: orders are refused intraday."""

    symbol: str
    tradable: bool | None = None
    fractionable: bool | None = None
    halted: bool | None = None


class Advance(Message):
    """Move the clock to the instant `to`, or by `seconds`; worker steps included. `budget_ms` caps the work of this
    call: the answer's `done` says whether to call again with the same `to`."""

    to: WireTime | None = None
    seconds: WireInt | None = None
    budget_ms: WireInt | None = None


class Advanced(Answer):
    """Where the clock stands, the target, and whether it was reached. `progress` in 0..1 of this call's way."""

    now: WireTime
    target: WireTime
    done: bool
    runs_created: int = 0
    orders_filled: int = 0
