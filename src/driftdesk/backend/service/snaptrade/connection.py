"""The one connection of the SnapTrade routes: to this world as a brokerage, which can be disabled or made read-only.

That is for trying what a client makes of it (ours). As at SnapTrade, a disabled connection goes on answering reads
without any error, as of the moment it was disabled; here with the amounts of now.
"""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from driftdesk.backend.service.order_requests import check_choice
from driftdesk.backend.service.snaptrade.symbols import mic
from driftdesk.backend.store.tables import accounts, assets
from driftdesk.errors import NotFound, StateError
from driftdesk.wire.snaptrade.accounts import Brokerage, Connection
from driftdesk.wire.snaptrade.served import (
    BrokerageInstrument,
    BrokerageInstruments,
    Confirmation,
    ConnectionSetting,
    ConnectionState,
)

if TYPE_CHECKING:
    from driftdesk.backend.service.service import Service

SLUG: Final = "DRIFTDESK"
NAME: Final = "driftdesk simulated exchange"
_STATE: Final = "snaptrade_connection"
_TYPES: Final = ("trade", "read")


class ConnectionDisabled(StateError):
    """The connection takes no orders until it is enabled again."""


class ReadOnly(StateError):
    """The connection is not allowed to trade."""


class Connections:
    """The connection and its brokerage."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._world = service.world

    def connection_state(self) -> ConnectionState:
        """How the connection stands; enabled and for trading until set."""
        text = self._world.database.get_meta(_STATE)
        kept = {"type": _TYPES[0], "disabled": False, "disabled_at": None} if text is None else json.loads(text)
        return ConnectionState.model_validate(kept)

    def set_connection(self, setting: ConnectionSetting) -> ConnectionState:
        """Disable, enable, or change the type; InputError for an unknown type."""
        if setting.type is not None:
            check_choice("type", setting.type, _TYPES)
        with self._world.database.write():
            before = self.connection_state()
            disabled = before.disabled if setting.disabled is None else setting.disabled
            state = ConnectionState(
                type=setting.type or before.type,
                disabled=disabled,
                disabled_at=(before.disabled_at or self._world.now()) if disabled else None,
            )
            self._world.database.set_meta(_STATE, state.model_dump_json())
        return state

    def connections(self) -> list[Connection]:
        """The one connection of every user."""
        state = self.connection_state()
        with self._world.database.read() as connection:
            first: datetime | None = connection.scalar(select(accounts.c.created_at).order_by(accounts.c.created_at))
        found = Connection(
            id=self.connection_id,
            name=NAME,
            type=state.type,
            disabled=state.disabled,
            disabled_date=state.disabled_at,
            created_date=first or self._world.now(),
            brokerage=self.brokerage(),
        )
        return [found]

    def get_connection(self, connection_id: str) -> Connection:
        """The connection by its id; NotFound for another."""
        if connection_id != self.connection_id:
            raise NotFound(f"There is no connection {connection_id}.")
        return self.connections()[0]

    def refresh_connection(self, connection_id: str) -> Confirmation:
        """Nothing is to be read again here: answers are always of now. ConnectionDisabled while it is disabled."""
        self.get_connection(connection_id)
        self._check_enabled()
        return Confirmation(detail=f"Connection {connection_id} is up to date.")

    def brokerage(self) -> Brokerage:
        """This world as a brokerage. Fractions depend on the security, so that only its instruments tell of them."""
        return Brokerage(
            id=self._world.new_id("snaptrade", "brokerage"),
            slug=SLUG,
            name=NAME,
            display_name=NAME,
            enabled=True,
            allows_trading=True,
            maintenance_mode=False,
            is_degraded=False,
        )

    def instruments(self, slug: str) -> BrokerageInstruments:
        """What the brokerage trades, by symbol; NotFound for another brokerage."""
        if slug != SLUG:
            raise NotFound(f"There is no brokerage {slug}; the only one here is {SLUG}.")
        listed = select(assets).where(assets.c.delisted_at.is_(None)).order_by(assets.c.symbol)
        with self._world.database.read() as connection:
            found = tuple(
                BrokerageInstrument(
                    symbol=row["symbol"],
                    exchange_mic=mic(row["exchange"]),
                    tradeable=row["tradable"],
                    fractionable=row["fractionable"],
                    universal_symbol_id=row["id"],
                )
                for row in connection.execute(listed).mappings()
            )
        return BrokerageInstruments(instruments=found)

    @property
    def connection_id(self) -> str:
        """The id of the connection, the same for as long as the world lives."""
        return self._world.new_id("snaptrade", "connection")

    def _as_of(self) -> datetime:
        """As of when balances and positions are told."""
        return self.connection_state().disabled_at or self._world.now()

    def _check_can_trade(self) -> None:
        self._check_enabled()
        if self.connection_state().type != _TYPES[0]:
            raise ReadOnly("The connection is read-only; placing, replacing and canceling need one of type trade.")

    def _check_enabled(self) -> None:
        if self.connection_state().disabled:
            raise ConnectionDisabled("The connection is disabled; reconnect it before anything is sent through it.")
