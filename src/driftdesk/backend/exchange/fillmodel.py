"""How orders are filled: chosen by name, repeatable by seed (issue 4; ours).

immediate      a second after they are accepted, all of it, at the last price
spread         the same, at the last price plus half a spread and slippage against the order, in bps
participation  as spread, but no more in a minute than a share of the volume that the seed gives that minute
next_open      all of it at the next session's open
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.errors import InputError
from driftdesk.money import BASIS_POINTS, HUNDRED, ONE, PRICE_STEP, ZERO, exact, floor_quantity, round_price

FILL_DELAY: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
# A minute's volume lies between half and one and a half times the mean.
_LEAST, _SPAN = Decimal("0.5"), ONE
_DIGITS: Final = 2**32


class FillModelName(StrEnum):
    IMMEDIATE = "immediate"
    SPREAD = "spread"
    PARTICIPATION = "participation"
    NEXT_OPEN = "next_open"


@dataclass(frozen=True, slots=True)
class FillModel:
    """A fill model. `spread_bps` is the whole spread; `minute_volume` the mean number of shares traded in a minute, of
    which an order takes at most `participation_percent`."""

    name: FillModelName = FillModelName.IMMEDIATE
    seed: int = 0
    spread_bps: Decimal = ZERO
    slippage_bps: Decimal = ZERO
    participation_percent: Decimal = HUNDRED
    minute_volume: Decimal = HUNDRED

    def __post_init__(self) -> None:
        for field, value, most in (
            ("spread_bps", self.spread_bps, BASIS_POINTS),
            ("slippage_bps", self.slippage_bps, BASIS_POINTS / 2),
        ):
            if not ZERO <= value < most:
                raise InputError(f"{field} must be from 0 to below {most}; received {value}.", field=field)
        if not ZERO < self.participation_percent <= HUNDRED:
            raise InputError("participation_percent must be above 0, at most 100.", field="participation_percent")
        if self.minute_volume <= ZERO:
            raise InputError("minute_volume must be positive.", field="minute_volume")

    @exact
    def price(self, side: Side, last: Decimal) -> Decimal:
        """What a share trades at for that side (USD, 4 decimals), at least 0.0001."""
        if self.name in (FillModelName.IMMEDIATE, FillModelName.NEXT_OPEN):
            return last
        worse = (self.spread_bps / 2 + self.slippage_bps) / BASIS_POINTS
        return max(PRICE_STEP, round_price(last * (ONE + worse if side is Side.BUY else ONE - worse)))

    @exact
    def size(self, symbol: Symbol, at: datetime, wanted: Decimal) -> Decimal:
        """How many of the `wanted` shares trade in the minute of `at`: whole shares while whole ones are wanted."""
        if self.name is not FillModelName.PARTICIPATION:
            return wanted
        minute = int(at.timestamp() // 60)
        digest = hashlib.sha256(f"{self.seed}|{symbol}|{minute}".encode()).digest()
        share = Decimal(int.from_bytes(digest[:4], "big")) / _DIGITS
        most = floor_quantity(self.minute_volume * (_LEAST + _SPAN * share) * self.participation_percent / HUNDRED)
        if wanted == wanted // ONE:
            most = max(ONE, most // ONE)
        return min(wanted, most)

    def first_look(self, now: datetime, sessions: Sessions) -> datetime:
        """The first instant at which an order sent at `now` can be filled: in the session, or the next one's open."""
        session = sessions.current_or_next(now)
        if self.name is FillModelName.NEXT_OPEN:
            return sessions.next_open(now)
        return min(max(now, session.open) + FILL_DELAY, session.close)
