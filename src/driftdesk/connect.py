"""The composition root: puts client, backend and transport together. The only place that knows them all."""

import hashlib
import logging
import os
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import Timeout

from driftdesk.backend.api import create_app
from driftdesk.backend.api.auth import Credentials
from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.opening import SIMULATED, PriceSource, make_feed, open_service
from driftdesk.backend.service import Service
from driftdesk.backend.store.database import Database, make_directory
from driftdesk.client import ORDERS, Client, ClientKeys
from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.connected.opening import open_connected
from driftdesk.credentials import (
    SERVICES,
    SNAPTRADE,
    RealService,
    SnapTradeAccess,
    read_keys,
    read_server_keys,
    read_snaptrade,
    real_service,
)
from driftdesk.demo import build_world, check_start, demo_now, ensure_world, open_world
from driftdesk.desk import Desk, Mode
from driftdesk.engine.schedule import new_york_date
from driftdesk.errors import BackendError, InputError, StateError
from driftdesk.launch import (
    BACKEND_VARIABLE,
    COLUMN_VARIABLE,
    DATA_VARIABLE,
    EMBEDDED,
    PRICES_VARIABLE,
    data_directory,
    jumps_allowed,
    live_allowed,
    split_targets,
    working_folder,
)
from driftdesk.market_calendar import new_york_sessions

# How often the worker looks at a world that follows the system's clock.
_WORKER_PERIOD_SECONDS: Final = 1.0

_LOOK_ONLY: Final = (
    "This desk was opened to look: orders at brokerages move real money, and are sent where --live is said beside "
    "--backend snaptrade, DRIFTDESK_ALLOW_LIVE is 1, or allow_live=True is passed. The plan can be exported."
)
_log: Final = logging.getLogger(__name__)


@dataclass
class Backend:
    """A service with, where it follows the system's clock, the thread that steps it."""

    service: Service
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _unanswered: bool = False

    def start_worker(self) -> None:
        """Step the world as time passes, until `close`; nothing to do for a simulated clock, which is advanced instead.

        Raises StateError when another process steps this database.
        """
        if self.service.world.clock.simulated or self._thread is not None:
            return
        lock = self.service.worker.lock()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StateError(f"Another program steps {self.service.world.database.path}; stop it first.") from None

        def follow() -> None:
            try:
                while not self._stop.wait(_WORKER_PERIOD_SECONDS):
                    self._work()
            finally:
                lock.release()

        self._thread = threading.Thread(target=follow, name="driftdesk-worker", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.service.worker.work(self.service.world.now())
        except BackendError as error:
            # A brokerage that gives no answer: what is due is looked at again, and said only once.
            if not self._unanswered:
                _log.warning("the worker waits: %s", error)
            self._unanswered = True
        except Exception:
            # A store that is busy for once must not end the thread: runs would stand still while the API answers.
            _log.exception("the worker failed; it tries again in %s s", _WORKER_PERIOD_SECONDS)
        else:
            if self._unanswered:
                _log.warning("the worker goes on: there are answers again")
            self._unanswered = False

    def close(self) -> None:
        """Stop the worker and close the store."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.service.close()


def open_backend(
    database: str,
    *,
    clock: str = "simulated",
    start: datetime | None = None,
    demo: bool = False,
    source: PriceSource = SIMULATED,
) -> Backend:
    """A backend over the database URL, with the demo world or empty. `clock`: "simulated" or "system".

    A database that holds a world keeps it: `start` and `demo` only matter for a new one. Raises InputError for a URL
    that is not a SQLite file, for a start that the prices or the calendar do not reach, and for a demo world on the
    system's clock, whose history cannot be replayed; StateError for a world that was made on other prices.
    """
    if clock == "system" and demo:
        raise InputError(
            "The demo world needs a simulated clock; use --clock simulated, or --empty with the system's clock.",
            field="--clock",
            received=clock,
            allowed="simulated with --demo",
        )
    feed = make_feed(source)
    if clock == "simulated":
        start = _first_instant(feed, start, demo=demo)
    store = Database(database)
    path = store.path
    store.close()
    if demo and start is not None:
        build_world(path, feed, until=start)
    return Backend(open_service(path, feed, start=start, system_clock=clock == "system"))


def _first_instant(feed: PriceFeed, start: datetime | None, *, demo: bool) -> datetime:
    """The first instant of a simulated clock: `start` where it can be one, else that of the demo world."""
    if demo or start is None:
        usual = demo_now(feed)
        if start is None:
            return usual
        check_start(feed, start)
    sessions = new_york_sessions()
    if not sessions.first < new_york_date(start) < sessions.last:
        raise InputError(
            f"--start must lie between {sessions.first} and {sessions.last}, which the trading calendar knows; "
            f"received {start.isoformat()}.",
            field="--start",
            received=start.isoformat(),
            allowed=f"{sessions.first} to {sessions.last}",
        )
    return start


def connect_service(service: Service, *, label: str) -> Desk:
    """A desk on a service in this process, over the wire's own messages; closing the desk closes the service."""
    keys = (secrets.token_hex(8), secrets.token_hex(16))
    transport = InProcessTransport(create_app(service, Credentials(*keys)))
    client = Client("http://driftdesk.local", ClientKeys(*keys), transport=transport)
    mode = Mode.SIMULATED if service.world.clock.simulated else Mode.REMOTE
    return Desk(client, mode=mode, label=label, on_close=service.close)


def connect_snaptrade(access: SnapTradeAccess, directory: Path, *, allow_live: bool) -> Desk:
    """A desk on the accounts that a SnapTrade user has connected, mirrored into a store in `directory`.

    On the real service nothing is sent without `allow_live`: the desk shows, previews and exports plans.
    """
    client = SnapTradeClient(access.keys, base_url=access.url)
    try:
        # One store for each user: accounts of one must not show on the desk of another.
        user = access.keys.user.id if access.keys.user else ""
        name = hashlib.sha256(f"{access.url}|{access.keys.client_id}|{user}".encode()).hexdigest()[:12]
        look_only = None if allow_live or access.stand_in else _LOOK_ONLY
        path = directory / f"snaptrade-{name}.db"
        service, reader = open_connected(path, client, stand_in=access.stand_in, look_only=look_only)
        try:
            reader.refresh()
        except BaseException:
            service.close()
            raise
    except BaseException:
        client.close()
        raise
    backend = Backend(service)
    # Where another program steps this store, its orders are followed there.
    with suppress(StateError):
        backend.start_worker()

    def close() -> None:
        backend.close()
        client.close()

    keys = (secrets.token_hex(8), secrets.token_hex(16))
    own = Client(
        "http://driftdesk.local",
        ClientKeys(*keys),
        InProcessTransport(create_app(service, Credentials(*keys), in_threads=True)),
        real_money=False if access.stand_in else ORDERS,
    )
    label = f"SnapTrade · {access.url}" if access.stand_in else "SnapTrade: accounts at brokerages, real money"
    return Desk(own, mode=Mode.CONNECTED, label=label, on_close=close, refresh=reader.refresh)


def connect(
    target: str = "embedded",
    *,
    data: Path | str | None = None,
    prices: Path | str | None = None,
    column: str | None = None,
    allow_jumps: bool = False,
    allow_live: bool = False,
) -> Desk:
    """A desk on ``"embedded"`` (the demo world in `data`, on `prices` when given), on a real service
    (``"alpaca-sandbox"``, ``"alpaca-live"``), on accounts at brokerages (``"snaptrade"``), or on the URL of a
    `driftdesk serve`.

    `data` is the user's data directory by default. `column` names the price column of OHLC files; `allow_jumps` takes
    moves of more than 40 % in a day for real. A URL takes its keys from DRIFTDESK_KEY and DRIFTDESK_SECRET, a real
    service from the places that `driftdesk.credentials` names. The live service also needs `allow_live`, and every
    write there what it changes to be typed (`Desk.confirming`). Raises InputError for any other target, missing keys,
    and a live service that was not allowed.
    """
    if target == "embedded":
        directory = data_directory(Path(data) if data is not None else None)
        source = PriceSource(Path(prices) if prices is not None else None, column, allow_jumps)
        ensure_world(directory, source)
        service = open_world(directory, source)
        return connect_service(service, label=f"Demo world · {service.world.feed.label}")
    if (real := real_service(target, allow_live=allow_live)) is not None:
        client = Client(real.broker, _keys(real), data_url=real.data, real_money=real.live)
        return Desk(client, mode=Mode.LIVE if real.live else Mode.SANDBOX, label=real.label)
    if target == SNAPTRADE:
        access = read_snaptrade(os.environ, _folders())
        return connect_snaptrade(access, data_directory(Path(data) if data else None), allow_live=allow_live)
    client = _served(target)
    simulated = client.market.clock().simulated
    return Desk(client, mode=Mode.SIMULATED if simulated else Mode.REMOTE, label=target)


def check_backend(target: str, *, data: Path, allow_live: bool) -> None:
    """Refuse, with InputError and without the network, what `connect` would refuse of a target that is not embedded.

    The directory `data` is made where the target keeps a store.
    """
    if (real := real_service(target, allow_live=allow_live)) is not None:
        _keys(real)
    elif target == SNAPTRADE:
        access = read_snaptrade(os.environ, _folders())
        SnapTradeClient(access.keys, base_url=access.url).close()
        make_directory(data)
    else:
        _served(target).close()


def _served(target: str) -> Client:
    """A client of the `driftdesk serve` at the URL `target`; InputError where it is none, or there are no keys."""
    if not target.startswith(("http://", "https://")):
        names = ", ".join(repr(name) for name in (*SERVICES, SNAPTRADE))
        raise InputError(
            f"{target!r} is not something to connect to; use 'embedded' or the http(s) URL of a `driftdesk serve`, or "
            f"a real service: {names}.",
            field="target",
            received=target,
            allowed=f"'embedded', {names} or a URL",
        )
    return Client(target.rstrip("/"), read_server_keys(target, os.environ))


def _keys(service: RealService) -> ClientKeys:
    return read_keys(service, os.environ, _folders())


def _folders() -> tuple[Path, Path]:
    return working_folder(), Path.home()


def targets_from_environment() -> tuple[str, ...]:
    """What the pages show, by DRIFTDESK_BACKEND: one name or URL, or several with commas between them."""
    return split_targets(os.environ.get(BACKEND_VARIABLE) or EMBEDDED)


def connect_from_environment(target: str | None = None) -> Desk:
    """A desk that the pages open, the first of `targets_from_environment` by default: by DRIFTDESK_DATA, _PRICES,
    _COLUMN, _ALLOW_JUMPS and _ALLOW_LIVE."""
    return connect(
        target or targets_from_environment()[0],
        data=os.environ.get(DATA_VARIABLE) or None,
        prices=os.environ.get(PRICES_VARIABLE) or None,
        column=os.environ.get(COLUMN_VARIABLE) or None,
        allow_jumps=jumps_allowed(),
        allow_live=live_allowed(),
    )
