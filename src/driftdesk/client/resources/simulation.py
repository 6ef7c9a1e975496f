"""What only a simulated backend can do (ours, rules.md 11)."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from driftdesk.client.transport import Transport
from driftdesk.errors import InputError, Unavailable
from driftdesk.wire.accounts import Account, Asset, TradingAccount
from driftdesk.wire.market import Clock
from driftdesk.wire.simulation import (
    Advance,
    Advanced,
    CreateAccount,
    Delist,
    Deposit,
    DividendPaid,
    FaultEntry,
    FaultScript,
    FillModelSetting,
    NewPosition,
    PayDividend,
    SetAsset,
    SetPrices,
    SplitShares,
)

_ROOT: Final = "/v1/simulation"

# Short enough that a progress bar moves and other requests are answered in between.
_BUDGET_MS: Final = 400
_MOST_CALLS_WITHOUT_MOVEMENT: Final = 50


class Simulation:
    """`client.simulation`. Every method raises BackendError; Rejected where the clock is the system's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_account(
        self, name: str = "", *, cash: Decimal, positions: Mapping[str, Decimal] | None = None
    ) -> Account:
        """Open an account with `cash` (USD) and `positions` (symbol -> shares)."""
        held = tuple(NewPosition(symbol=symbol, qty=quantity) for symbol, quantity in (positions or {}).items())
        body = CreateAccount(name=name, cash=cash, positions=held)
        return self._transport.post(Account, f"{_ROOT}/accounts", body)

    def set_prices(self, prices: Mapping[str, Decimal | None]) -> None:
        """Hold prices (USD) until they are set again; None returns a symbol to the feed."""
        self._transport.post_quietly(f"{_ROOT}/prices", SetPrices(prices=dict(prices)))

    def deposit(self, account_id: str, amount: Decimal) -> TradingAccount:
        """Bring cash (USD) into an account, or take it out with a negative `amount`."""
        body = Deposit(account_id=account_id, amount=amount)
        return self._transport.post(TradingAccount, f"{_ROOT}/deposits", body)

    def set_asset(
        self,
        symbol: str,
        *,
        tradable: bool | None = None,
        fractionable: bool | None = None,
        halted: bool | None = None,
    ) -> Asset:
        """Change what may be done with an asset; None leaves it as it is."""
        body = SetAsset(symbol=symbol, tradable=tradable, fractionable=fractionable, halted=halted)
        return self._transport.post(Asset, f"{_ROOT}/assets", body)

    def fill_model(self) -> FillModelSetting:
        """How orders are filled."""
        return self._transport.get(FillModelSetting, f"{_ROOT}/fill_model")

    def set_fill_model(self, model: FillModelSetting) -> FillModelSetting:
        """Fill by another model from now on, open orders included; what is left out takes the model's own value."""
        return self._transport.put(FillModelSetting, f"{_ROOT}/fill_model", model)

    def faults(self) -> tuple[FaultEntry, ...]:
        """What the exchange will still do wrong on purpose."""
        return self._transport.get(FaultScript, f"{_ROOT}/faults").faults

    def set_faults(self, *faults: FaultEntry) -> tuple[FaultEntry, ...]:
        """Replace what the exchange will do wrong; none ends all disturbance. A `times` of None is for always."""
        return self._transport.put(FaultScript, f"{_ROOT}/faults", FaultScript(faults=faults)).faults

    def split(self, symbol: str, new: int, old: int = 1) -> Asset:
        """Give `new` shares for `old` ones from now on; orders that are open in them are canceled."""
        return self._transport.post(Asset, f"{_ROOT}/splits", SplitShares(symbol=symbol, new=new, old=old))

    def pay_dividend(self, symbol: str, per_share: Decimal) -> dict[str, Decimal]:
        """Pay `per_share` (USD) on every share held now: {account id: USD}."""
        body = PayDividend(symbol=symbol, per_share=per_share)
        return self._transport.post(DividendPaid, f"{_ROOT}/dividends", body).paid

    def delist(self, symbol: str) -> Asset:
        """End trading in an asset for good; what is held stays."""
        return self._transport.post(Asset, f"{_ROOT}/delistings", Delist(symbol=symbol))

    def advance(
        self,
        *,
        to: datetime | None = None,
        seconds: int | None = None,
        progress: Callable[[float, datetime], None] | None = None,
    ) -> Advanced:
        """Move the clock to the instant `to` (timezone-aware), or by `seconds`, runs included.

        Works in short calls with one absolute target, so that a repeated click asks for the same instant (rules.md 11);
        `progress(fraction, now)` is told after each. The answer counts what happened over all calls. Raises InputError
        unless exactly one of `to` and `seconds` is given, Rejected (409) while somebody else advances.
        """
        if (to is None) == (seconds is None):
            raise InputError("advance needs either `to` or `seconds`, not both.", field="to")
        start = self._transport.get(Clock, "/v1/clock").timestamp
        target = start + timedelta(seconds=seconds or 0) if to is None else to
        created = filled = still = 0
        now = start
        while True:
            body = Advance(to=target, budget_ms=_BUDGET_MS)
            step = self._transport.post(Advanced, f"{_ROOT}/advance", body)
            created, filled = created + step.runs_created, filled + step.orders_filled
            still = still + 1 if step.now == now else 0
            now = step.now
            if progress is not None:
                progress(_fraction(start, now, target, done=step.done), now)
            if step.done:
                return step.model_copy(update={"runs_created": created, "orders_filled": filled})
            if still >= _MOST_CALLS_WITHOUT_MOVEMENT:
                raise Unavailable(f"The backend's clock stays at {now.isoformat()} and does not advance.")


def _fraction(start: datetime, now: datetime, target: datetime, *, done: bool) -> float:
    way = (target - start).total_seconds()
    return 1.0 if done or way <= 0 else max(0.0, min(1.0, (now - start).total_seconds() / way))
