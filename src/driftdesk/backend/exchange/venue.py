"""Where the orders of a world are executed: our simulated exchange, or brokerages behind a client (rules.md 9)."""

from datetime import datetime
from typing import Protocol

from driftdesk.backend.exchange.exchange import Changes
from driftdesk.backend.exchange.fillmodel import FillModel
from driftdesk.backend.runs.broker import Broker, OrderRequest
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import AccountId


class Venue(Broker, Protocol):
    """A broker that also takes the orders of a person, and that the worker asks for what has happened meanwhile.

    `model` says at which price an order is estimated to fill. `settle` takes over what is due at `now` and returns how
    many orders traded; `next_event` is the earliest instant at which that can show something, None without any.
    """

    @property
    def model(self) -> FillModel: ...

    def place(self, request: OrderRequest, now: datetime) -> str: ...

    def cancel_open(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool: ...

    def replace(self, row: Row, changes: Changes, now: datetime) -> str: ...

    def settle(self, now: datetime) -> int: ...

    def next_event(self) -> datetime | None: ...
