"""What can be done to the simulated exchange by hand: fill models, faults, corporate actions (issue 4, ours)."""

from driftdesk.backend.exchange import actions, faults
from driftdesk.backend.exchange.fillmodel import FillModel, FillModelName
from driftdesk.backend.service.simulation import Simulation
from driftdesk.errors import InputError
from driftdesk.wire.accounts import Asset
from driftdesk.wire.simulation import Delist, DividendPaid, FaultScript, FillModelSetting, PayDividend, SplitShares


class Controls(Simulation):
    """Use cases that exist only where the clock is simulated; StateError elsewhere."""

    def fill_model(self) -> FillModelSetting:
        """How orders are filled."""
        model = self.exchange.model
        return FillModelSetting(
            name=model.name,
            seed=model.seed,
            spread_bps=model.spread_bps,
            slippage_bps=model.slippage_bps,
            participation_percent=model.participation_percent,
            minute_volume=model.minute_volume,
        )

    def set_fill_model(self, body: FillModelSetting) -> FillModelSetting:
        """Fill by another model from now on, orders that are open included."""
        self._clock()
        if body.name not in set(FillModelName):
            names = ", ".join(FillModelName)
            raise InputError(
                f"name must be one of {names}; received {body.name!r}.", field="name", received=body.name, allowed=names
            )
        values = body.model_dump(exclude={"name"}, exclude_none=True)
        self._simulated_exchange().set_model(FillModel(name=FillModelName(body.name), **values))
        return self.fill_model()

    def fault_script(self) -> FaultScript:
        """What the exchange will still do wrong on purpose."""
        with self.world.database.read() as connection:
            return FaultScript.model_validate({"faults": [_told(fault) for fault in faults.script(connection)]})

    def set_fault_script(self, body: FaultScript) -> FaultScript:
        """Replace the script; an empty one ends all disturbance."""
        self._clock()
        made = []
        for index, entry in enumerate(body.faults):
            if entry.kind not in set(faults.FaultKind):
                kinds = ", ".join(faults.FaultKind)
                raise InputError(
                    f"faults[{index}].kind must be one of {kinds}; received {entry.kind!r}.",
                    field=f"faults[{index}].kind",
                    received=entry.kind,
                    allowed=kinds,
                )
            symbol = self.get_asset(entry.symbol).symbol if entry.symbol else None
            made.append(faults.Fault(faults.FaultKind(entry.kind), symbol, entry.value, entry.times))
        with self.world.database.write() as connection:
            faults.clear_faults(connection)
            for fault in made:
                faults.add_fault(connection, fault)
        return self.fault_script()

    def split(self, body: SplitShares) -> Asset:
        """Split an asset's shares, from now on."""
        clock, asset = self._clock(), self.get_asset(body.symbol)
        with self.world.database.write() as connection:
            actions.split(connection, asset.symbol, actions.Ratio(body.new, body.old), clock.now())
        return self.get_asset(asset.symbol)

    def pay_dividend(self, body: PayDividend) -> DividendPaid:
        """Pay a cash dividend on every share held; it waits to be invested like any inflow (rules.md 5.6)."""
        clock, asset = self._clock(), self.get_asset(body.symbol)
        with self.world.database.write() as connection:
            paid = actions.pay_dividend(connection, asset.symbol, body.per_share, clock.now())
            for account_id, amount in paid.items():
                self._note_inflow(connection, account_id, amount)
        return DividendPaid(symbol=asset.symbol, paid=paid)

    def delist(self, body: Delist) -> Asset:
        """End trading in an asset for good: portfolios that list it need an adjustment (rules.md 2.7)."""
        clock, asset = self._clock(), self.get_asset(body.symbol)
        with self.world.database.write() as connection:
            actions.delist(connection, asset.symbol, clock.now())
            self._mark_portfolios(connection, asset.symbol, clock.now())
        return self.get_asset(asset.symbol)


def _told(fault: faults.Fault) -> dict[str, object]:
    return {"kind": fault.kind, "symbol": fault.symbol, "value": fault.value, "times": fault.times}
