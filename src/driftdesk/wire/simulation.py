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


class FillModelSetting(Message):
    """How the simulated exchange fills: immediate, spread, participation or next_open (backend/exchange/fillmodel.py).

    `spread_bps` is the whole spread; `minute_volume` the mean number of shares traded in a minute.
    """

    name: str
    seed: WireInt | None = None
    spread_bps: WireDecimal | None = None
    slippage_bps: WireDecimal | None = None
    participation_percent: WireDecimal | None = None
    minute_volume: WireDecimal | None = None


class FaultEntry(Message):
    """Something that the exchange does wrong on purpose: reject, fill_part, delay, time_out, lose, disconnect.

    `symbol` null: any; `value`: the part of fill_part (0 to 1), the whole seconds of delay; `times` null: until taken
    back.
    """

    kind: str
    symbol: str | None = None
    value: WireDecimal | None = None
    times: WireInt | None = 1


class FaultScript(Message):
    """What the exchange does wrong, in this order."""

    faults: tuple[FaultEntry, ...] = ()


class SplitShares(Message):
    """`new` shares for `old` ones, from now on."""

    symbol: str
    new: WireInt
    old: WireInt = 1


class PayDividend(Message):
    """A cash dividend in USD per share, paid on every share held now."""

    symbol: str
    per_share: WireDecimal


class DividendPaid(Answer):
    """What each account got (USD)."""

    symbol: str
    paid: dict[str, WireDecimal]


class Delist(Message):
    """End trading in an asset for good."""

    symbol: str
