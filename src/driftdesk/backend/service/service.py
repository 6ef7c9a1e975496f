"""The service: every use case of the backend over one world."""

from driftdesk.backend.exchange import Venue
from driftdesk.backend.service.activities import Activities
from driftdesk.backend.service.controls import Controls
from driftdesk.backend.service.events import Events
from driftdesk.backend.service.history import History
from driftdesk.backend.service.holdings import Holdings
from driftdesk.backend.service.orders import Orders
from driftdesk.backend.service.portfolios import Portfolios
from driftdesk.backend.service.prices import Prices
from driftdesk.backend.service.runs import Runs
from driftdesk.backend.service.snaptrade import SnapTrade
from driftdesk.backend.service.subscriptions import Subscriptions
from driftdesk.backend.service.trade_events import TradeEvents
from driftdesk.backend.world import World


class Service(
    Portfolios, Subscriptions, Runs, Orders, Events, TradeEvents, Controls, Holdings, History, Activities, Prices
):
    """What the API calls; thread-safe. Raises the errors of `driftdesk.errors`, which the API maps to statuses.

    `snaptrade` has what the SnapTrade routes call.
    """

    def __init__(self, world: World, venue: Venue | None = None) -> None:
        super().__init__(world, venue)
        self.snaptrade = SnapTrade(self)

    def close(self) -> None:
        """Close the store."""
        self.world.database.close()
