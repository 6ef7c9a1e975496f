"""The fault script: what the exchange shall do wrong on purpose, for tests, teaching and trials (ours, issue 4).

    reject      the next order for the symbol is rejected
    fill_part   its next fill takes only `value` (0 to 1) of what is wanted; the rest waits a minute
    delay       its next look comes `value` seconds later, at most a day
    time_out    its submission is received, but no answer comes back: the sender does not know
    lose        its submission never arrives, and no answer comes back
    disconnect  streams of updates are cut

A fault is used up after `times`, or stays until it is taken back.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from driftdesk.backend.exchange.terms import floor_whole
from driftdesk.backend.store.tables import faults
from driftdesk.errors import InputError
from driftdesk.money import ONE, ZERO, floor_quantity

# In seconds; every look comes at the latest at the close, so that a longer one says nothing more.
LONGEST_DELAY: Final = 86_400


class FaultKind(StrEnum):
    REJECT = "reject"
    FILL_PART = "fill_part"
    DELAY = "delay"
    TIME_OUT = "time_out"
    LOSE = "lose"
    DISCONNECT = "disconnect"


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of the script. `symbol` None: any; `times` None: always."""

    kind: FaultKind
    symbol: str | None = None
    value: Decimal | None = None
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.kind is FaultKind.FILL_PART and (self.value is None or not ZERO < self.value < ONE):
            raise InputError("value of fill_part must be between 0 and 1.", field="value", received=self.value)
        if self.kind is FaultKind.DELAY and (self.value is None or self.value not in range(1, LONGEST_DELAY + 1)):
            raise InputError(
                f"value of delay must be a whole number of seconds from 1 to {LONGEST_DELAY}.",
                field="value",
                received=self.value,
                allowed=f"1 to {LONGEST_DELAY}",
            )
        if self.times is not None and self.times < 1:
            raise InputError("times must be 1 or more, or null for always.", field="times", received=self.times)

    @property
    def seconds(self) -> timedelta:
        """The length of a delay."""
        return timedelta(seconds=int(self.value or ZERO))

    def part_of(self, wanted: Decimal) -> Decimal:
        """What a partial fill takes of `wanted` shares: whole ones while whole ones are wanted."""
        part = floor_quantity(wanted * (self.value or ONE))
        return floor_whole(part) if wanted == floor_whole(wanted) else part


def add_fault(connection: Connection, fault: Fault) -> None:
    """Append to the script."""
    connection.execute(
        insert(faults).values(kind=fault.kind, symbol=fault.symbol, value=fault.value, times=fault.times)
    )


def clear_faults(connection: Connection) -> None:
    """Take the whole script back."""
    connection.execute(delete(faults))


def script(connection: Connection) -> tuple[Fault, ...]:
    """What is still to come, in the order of its making."""
    rows = connection.execute(select(faults).order_by(faults.c.id))
    return tuple(Fault(FaultKind(row.kind), row.symbol, row.value, row.times) for row in rows)


def take_fault(connection: Connection, kind: FaultKind, symbol: str | None = None) -> Fault | None:
    """The first fault of that kind for the symbol, used once; None without one."""
    row = connection.execute(
        select(faults)
        .where(faults.c.kind == kind, or_(faults.c.symbol.is_(None), faults.c.symbol == symbol))
        .order_by(faults.c.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    if row.times == 1:
        connection.execute(delete(faults).where(faults.c.id == row.id))
    elif row.times is not None:
        connection.execute(update(faults).where(faults.c.id == row.id).values(times=row.times - 1))
    return Fault(FaultKind(row.kind), row.symbol, row.value, row.times)
