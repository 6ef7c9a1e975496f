"""A brokerage behind SnapTrade for tests: a backend of ours served as SnapTrade, and the connected world on it.

The wire between them can be disturbed by hand: an answer that never comes, a request that never arrives, a refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from conftest import WEDNESDAY_10AM, simulated_feed

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.backend.service.orders import OrderFilter
from driftdesk.client import Client, ClientKeys
from driftdesk.client.snaptrade import SnapTradeClient, SnapTradeKeys
from driftdesk.client.transport import Waiting
from driftdesk.connected import world as connected_world
from driftdesk.connected.opening import open_connected
from driftdesk.connected.patience import Patience
from driftdesk.connected.reader import Reader
from driftdesk.desk import Desk, Mode
from driftdesk.translate import to_portfolio
from driftdesk.wire.portfolios import CreatePortfolio
from driftdesk.wire.runs import Run
from driftdesk.wire.simulation import Advance, CreateAccount, NewPosition, SetPrices

KEYS = ("key", "secret")
PRICES = {"SPY": Decimal(100), "TLT": Decimal(50), "GLD": Decimal(200)}
PLACE = "/trade/place"
EVERY_ORDER = OrderFilter(status="all", limit=500)
# Everything is read anew when it is asked for; an open order is looked at every second of market time.
NO_TIME, A_SECOND = timedelta(0), timedelta(seconds=1)
PATIENCE = Patience(
    account=NO_TIME,
    book=NO_TIME,
    prices=NO_TIME,
    instruments=NO_TIME,
    failure=NO_TIME,
    order=A_SECOND,
    rest=A_SECOND,
    settling=NO_TIME,
)


@dataclass
class Wire(httpx.BaseTransport):
    """What lies between client and SnapTrade. Each of `disturb` sees a request and may answer it or raise instead."""

    inner: httpx.BaseTransport
    disturb: list[Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response | None]] = field(
        default_factory=list
    )
    asked: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        for disturbance in list(self.disturb):
            answer = disturbance(request, lambda: self.inner.handle_request(request))
            if answer is not None:
                return answer
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()

    def lose_answer(self, path: str, times: int = 1) -> None:
        """The next `times` answers to requests whose path ends so are lost: they took effect all the same."""
        self._once(path, times, after=True)

    def lose_request(self, path: str, times: int = 1) -> None:
        """The next `times` requests whose path ends so never arrive."""
        self._once(path, times, after=False)

    def refuse(self, path: str, status: int, detail: str) -> None:
        """Every request whose path ends so is refused."""
        body = {"detail": detail, "status_code": status, "code": "1076"}
        self.answer(path, httpx.Response(status, json=body))

    def answer(self, path: str, answer: httpx.Response) -> None:
        """Every request whose path ends so is answered so."""
        said = (answer.status_code, answer.content)

        def reply(request: httpx.Request, _go_on: object) -> httpx.Response | None:
            return httpx.Response(said[0], content=said[1]) if request.url.path.endswith(path) else None

        self.disturb.append(reply)

    def change(self, path: str, change: Callable[[Any], Any]) -> None:
        """Answers to requests whose path ends so are changed on the way."""

        def edited(request: httpx.Request, go_on: Callable[[], httpx.Response]) -> httpx.Response | None:
            if not request.url.path.endswith(path):
                return None
            answer = go_on()
            answer.read()
            return httpx.Response(answer.status_code, json=change(answer.json()))

        self.disturb.append(edited)

    def show_only(self, account_id: str) -> None:
        """Of all accounts only this one is listed."""

        def only(answer: Any) -> Any:
            return {**answer, "results": [account for account in answer["results"] if account["id"] == account_id]}

        self.change("/accounts/all", only)

    def _once(self, path: str, times: int, *, after: bool) -> None:
        left = [times]

        def lose(request: httpx.Request, go_on: Callable[[], httpx.Response]) -> httpx.Response | None:
            if not request.url.path.endswith(path) or not left[0]:
                return None
            left[0] -= 1
            if after:
                go_on().read()
            raise httpx.ReadTimeout("lost on the way", request=request)

        self.disturb.append(lose)


@dataclass
class Brokerage:
    """The backend that plays the brokerages, the wire to it, and the connected world on this side."""

    backend: Service
    wire: Wire
    service: Service
    reader: Reader
    desk: Desk
    client: SnapTradeClient

    def open_account(self, cash: str, **quantities: str) -> str:
        """An account at the brokerage; its id."""
        held = tuple(NewPosition(symbol=symbol, qty=Decimal(qty)) for symbol, qty in quantities.items())
        return self.backend.simulate_account(CreateAccount(cash=Decimal(cash), positions=held)).id

    def portfolio(self, weights: dict[str, str], band: str = "5") -> Any:
        """A portfolio of the connected world, as the engine sees it."""
        body = {
            "name": "Model",
            "weights": [
                {"type": "cash", "percent": percent}
                if symbol == "cash"
                else {"type": "asset", "symbol": symbol, "percent": percent}
                for symbol, percent in weights.items()
            ],
            "rebalance_conditions": [{"type": "drift_band", "sub_type": "absolute", "percent": band}],
        }
        return to_portfolio(self.desk.client.portfolios.create(CreatePortfolio.model_validate(body)))

    def rebalance(self, account_id: str, model: Any, key: str = "one") -> Run:
        """Preview and confirm."""
        return self.desk.create_run(self.desk.preview(account_id, model=model), idempotency_key=key)

    def pass_time(self, seconds: int = 3) -> None:
        """Time passes at the brokerage, then this side looks."""
        self.backend.advance(Advance(seconds=seconds))
        self.service.worker.work(self.service.world.now())

    def work(self) -> None:
        """This side looks, with no time passing."""
        self.service.worker.work(self.service.world.now())

    def finish(self, run_id: str, seconds: int = 3, steps: int = 60) -> Run:
        """Time passes until the run has ended and its orders are listed."""
        for _ in range(steps):
            self.work()
            run = self.desk.run(run_id)
            if not run.is_open and run.status != "COMPLETED_ADJUSTED":
                self.work()
                return self.desk.run(run_id)
            self.backend.advance(Advance(seconds=seconds))
        raise AssertionError(f"the run does not end: {self.desk.run(run_id)}")

    def set_prices(self, **prices: str) -> None:
        """Prices at the brokerage (USD)."""
        self.backend.set_prices(SetPrices(prices={symbol: Decimal(price) for symbol, price in prices.items()}))

    def leave(self) -> None:
        """Close this side; the brokerage goes on."""
        self.desk.close()
        self.service.close()

    def close(self) -> None:
        """Both sides."""
        self.leave()
        self.client.close()
        self.backend.close()


def open_brokerage(
    folder: Path,
    *,
    look_only: str | None = None,
    patience: Patience = PATIENCE,
    prepare: Callable[[Wire], None] | None = None,
) -> Brokerage:
    """A brokerage at 10:00 on a Wednesday with prices set by hand, and the connected world on it; opened again, both
    go on. `prepare` disturbs the wire before anything is read."""
    # Every call sees the brokerage's own instant: no test waits for a second to pass.
    connected_world._ASKED_AGAIN_AFTER_SECONDS = 0.0
    fresh = not (folder / "brokerage.db").exists()
    backend = open_service(folder / "brokerage.db", simulated_feed(), start=WEDNESDAY_10AM, seed=1, durable=False)
    if fresh:
        backend.set_prices(SetPrices(prices=dict(PRICES)))
    wire = Wire(InProcessTransport(create_app(backend, Credentials(*KEYS))))
    if prepare is not None:
        prepare(wire)
    return connect_to(backend, wire, folder / "connected.db", look_only=look_only, patience=patience)


def connect_to(
    backend: Service, wire: Wire, path: Path, *, look_only: str | None = None, patience: Patience = PATIENCE
) -> Brokerage:
    """The connected world in the file `path`, on a backend that is there already."""
    client = SnapTradeClient(
        SnapTradeKeys(*KEYS), base_url="http://snaptrade.local", transport=wire, waiting=Waiting(sleep=lambda _s: None)
    )
    service, reader = open_connected(path, client, stand_in=True, look_only=look_only, patience=patience)
    own = Client(
        "http://driftdesk.local",
        ClientKeys("a", "b"),
        InProcessTransport(create_app(service, Credentials("a", "b"), in_threads=True)),
    )
    reader.refresh()
    desk = Desk(own, mode=Mode.CONNECTED, label="Brokerages", refresh=reader.refresh)
    return Brokerage(backend, wire, service, reader, desk, client)
