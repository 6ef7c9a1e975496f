"""The command `driftdesk`: open the pages, serve the API, preview from files, make the demo world anew.

Whatever goes wrong on purpose ends as one sentence on standard error and exit status 2, never as a traceback.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from driftdesk import __version__
from driftdesk.errors import DriftdeskError, InputError
from driftdesk.launch import (
    BACKEND_VARIABLE,
    COLUMN_VARIABLE,
    DATA_VARIABLE,
    EMBEDDED,
    HOST,
    JUMPS_VARIABLE,
    LIVE_VARIABLE,
    PRICES_VARIABLE,
    YES,
    choose_port,
    data_directory,
    end_politely,
    is_free,
    jumps_allowed,
    live_allowed,
    open_app,
    split_targets,
)
from driftdesk.money import parse_decimal

if TYPE_CHECKING:
    from driftdesk.backend.opening import PriceSource

BAD_INPUT: Final = 2
SERVE_PORT: Final = 8787
LAST_PORT: Final = 65535
# Requests a minute: what the older documentation of the real API allows (wire/alpaca.md 14).
RATE_LIMIT: Final = 1000
_MOST_DIGITS: Final = 9
LINE_WIDTH: Final = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (the process's own by default); returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_a_character(stream)
    parsed = build_parser().parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough, as in `| head`; nothing more may be written at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DriftdeskError, OSError) as error:
        print(f"driftdesk: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130
    return status


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options; each command's function stands in `run`."""
    parser = argparse.ArgumentParser(
        prog="driftdesk",
        description="A rebalancing workbench. Without a command: open the pages in a browser, on this machine only.",
    )
    parser.add_argument("--version", action="version", version=f"driftdesk {__version__}")
    _add_world(parser, None)
    parser.add_argument("--port", type=_port, help="port of the pages (default: the first free one from 8501 on)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    parser.add_argument(
        "--backend", metavar="NAME",
        help="what the pages show: embedded (the default), alpaca-sandbox, alpaca-live, snaptrade, or the URL of a "
        "`driftdesk serve`; several with commas between them (DRIFTDESK_BACKEND)",
    )  # fmt: skip
    parser.add_argument(
        "--live",
        action="store_true",
        help="allow alpaca-live, and orders through snaptrade, which move real money (DRIFTDESK_ALLOW_LIVE=1)",
    )
    parser.set_defaults(run=_open)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="serve the API over HTTP"))
    _add_preview(commands.add_parser("preview", help="plan from a file of holdings and a portfolio file, no backend"))
    reset = commands.add_parser("reset", help="make the demo world anew")
    _add_world(reset, argparse.SUPPRESS)
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(run=_reset)
    return parser


def _add_world(parser: argparse.ArgumentParser, default: str | None) -> None:
    # A command's own default would hide what was said before the command: `driftdesk --data DIR reset`.
    parser.add_argument(
        "--prices", type=Path, metavar="FILE", default=default, help="price history to build on: a CSV, or a directory"
    )
    parser.add_argument("--column", metavar="NAME", default=default, help="its price column, for files of one symbol")
    parser.add_argument(
        "--allow-jumps", action="store_true", default=default,
        help="take moves of more than 40 %% in a day for real, with a warning each (DRIFTDESK_ALLOW_JUMPS=1)",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="DIR", default=default, help="data directory (DRIFTDESK_DATA)")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_world(parser, argparse.SUPPRESS)
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=SERVE_PORT, help="port (default: %(default)s)")
    parser.add_argument("--database", metavar="URL", help="sqlite:///FILE (default: served.db in the data directory)")
    parser.add_argument("--clock", choices=("simulated", "system"), default="simulated", help="default: %(default)s")
    parser.add_argument("--start", type=_instant, metavar="TIME", help="first instant of a simulated clock, ISO 8601")
    parser.add_argument(
        "--rate-limit", type=_count, metavar="N", default=RATE_LIMIT,
        help="requests a minute for each key, 0 for no limit (default: %(default)s)",
    )  # fmt: skip
    content = parser.add_mutually_exclusive_group()
    content.add_argument("--demo", action="store_true", default=True, help="begin with the demo world (the default)")
    content.add_argument("--empty", dest="demo", action="store_false", help="begin with no accounts and no portfolios")
    parser.set_defaults(run=_serve)


def _add_preview(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("holdings", type=Path, metavar="HOLDINGS.csv", help="symbol, quantity, price; a row for cash")
    parser.add_argument("portfolio", type=Path, metavar="PORTFOLIO.json", help="weights and conditions, as in the API")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: %(default)s")
    parser.add_argument(
        "--type", dest="run_type", choices=("full_rebalance", "invest_cash"), default="full_rebalance",
        help="default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--amount", type=_amount, metavar="USD", help="cash to invest at most (invest_cash)")
    parser.add_argument(
        "--min-notional", type=_amount, metavar="USD", help="smallest order that is sent (default: 1.00)"
    )
    parser.set_defaults(run=_preview)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to {LAST_PORT}.")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of requests; use a whole number, 0 for no limit.")
    return int(text)


def _amount(text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except InputError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount in USD; use one such as 12.50.") from None


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an ISO time with a time zone; use one such as 2026-03-02T09:00-05:00."
        )
    return instant.astimezone(UTC)


def _never_fail_on_a_character(stream: TextIO) -> None:
    # A reason may hold a true minus sign, and a pipe on Windows or a bare C locale may not know it.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


@dataclass(frozen=True, slots=True)
class World:
    """Where the demo world lives and what its prices come from."""

    data: Path
    source: "PriceSource"

    def environment(self) -> dict[str, str]:
        """The variables that tell the pages about this world; empty ones hide what the shell may have set."""
        source = self.source
        chosen = {
            DATA_VARIABLE: self.data,
            PRICES_VARIABLE: source.file,
            COLUMN_VARIABLE: source.column,
            JUMPS_VARIABLE: YES if source.allow_jumps else None,
        }
        return {name: "" if value is None else str(value) for name, value in chosen.items()}


def _world(arguments: argparse.Namespace) -> World:
    prices = arguments.prices.expanduser().absolute() if arguments.prices else None
    if prices is not None and not prices.exists():
        raise InputError(
            f"--prices {arguments.prices} does not exist; give a CSV with a Date column, or a directory of such files.",
            field="--prices",
            received=str(arguments.prices),
            allowed="a CSV file or a directory of CSV files",
        )
    for option, said in (("--column", arguments.column), ("--allow-jumps", arguments.allow_jumps)):
        if said and prices is None:
            raise InputError(f"{option} needs --prices: it says how to read that file.", field=option)
    # The backend's libraries take half a second to import; only the commands that need a backend pay for them.
    from driftdesk.backend.opening import PriceSource  # noqa: PLC0415

    allow_jumps = prices is not None and (arguments.allow_jumps or jumps_allowed())
    return World(data_directory(arguments.data), PriceSource(prices, arguments.column, allow_jumps))


def _warn(world: World) -> None:
    """What a person should know of a price file, one line each on standard error; refuses one that cannot be used."""
    from driftdesk.backend.opening import make_feed  # noqa: PLC0415 - as in _world

    if world.source.file is not None:
        for finding in make_feed(world.source).findings:
            print(f"driftdesk: warning: {finding.file}, line {finding.line}: {finding.text}", file=sys.stderr)


@contextmanager
def _progress_line() -> Iterator[Callable[[float, str], None]]:
    """One line that is written over, and wiped at the end; nothing where nobody watches a terminal."""
    watched = sys.stdout.isatty()

    def show(fraction: float, what: str) -> None:
        if watched:
            print(f"\r{what} · {fraction:4.0%}".ljust(LINE_WIDTH), end="", flush=True)

    try:
        yield show
    finally:
        if watched:
            print(f"\r{'':{LINE_WIDTH}}\r", end="", flush=True)


def _build(world: World) -> None:
    from driftdesk.demo import ensure_world  # noqa: PLC0415 - as in _world

    _warn(world)
    with _progress_line() as show:
        ensure_world(world.data, world.source, progress=show)


def _open(arguments: argparse.Namespace) -> int:
    world = _world(arguments)
    port = choose_port(arguments.port)
    remote = arguments.backend or os.environ.get(BACKEND_VARIABLE) or EMBEDDED
    targets = split_targets(remote)
    others = [target for target in targets if target != EMBEDDED]
    if others:
        from driftdesk.connect import check_backend  # noqa: PLC0415 - as in _world

        for target in others:
            check_backend(target, data=world.data, allow_live=arguments.live or live_allowed())
    if EMBEDDED in targets:
        _build(world)
        print(f"The demo world is in {world.data}.", flush=True)
    if others:
        print(f"The pages show {', '.join(targets)}.", flush=True)
    print(f"driftdesk is at http://{HOST}:{port} (Ctrl-C ends it).", flush=True)
    chosen = {BACKEND_VARIABLE: arguments.backend, LIVE_VARIABLE: YES if arguments.live else None}
    said = {name: value for name, value in chosen.items() if value is not None}
    return open_app({**world.environment(), **said}, port=port, browser=not arguments.no_browser)


def _reset(arguments: argparse.Namespace) -> int:
    world = _world(arguments)
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise InputError(f"Nobody is there to ask; say --yes to make the demo world in {world.data} anew.")
        if input(f"Make the demo world in {world.data} anew? Its runs and orders are lost. [y/N] ").lower() != "y":
            print("Nothing was changed.")
            return 0
    from driftdesk.demo import reset_world  # noqa: PLC0415 - as in _world

    _warn(world)
    with _progress_line() as show:
        reset_world(world.data, world.source, progress=show)
    print(f"The demo world in {world.data} is new.")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    world = _world(arguments)
    if arguments.start is not None and arguments.clock != "simulated":
        raise InputError("--start sets a simulated clock; leave it out, or say --clock simulated.", field="--start")
    if not is_free(arguments.host, arguments.port):
        raise InputError(
            f"--port {arguments.port} of {arguments.host} cannot be used; choose another port or host.",
            field="--port",
            received=arguments.port,
            allowed="a free port of this machine",
        )
    given = _credentials()
    from driftdesk.backend.api import create_app  # noqa: PLC0415 - as in _world
    from driftdesk.backend.api.auth import Credentials  # noqa: PLC0415
    from driftdesk.backend.serving import Server  # noqa: PLC0415
    from driftdesk.connect import open_backend  # noqa: PLC0415

    _warn(world)
    database = arguments.database or f"sqlite:///{world.data / 'served.db'}"
    backend = open_backend(
        database,
        clock=arguments.clock,
        start=arguments.start,
        demo=arguments.demo,
        source=world.source,
    )
    try:
        backend.start_worker()
        key, secret = given or _new_credentials()
        app = create_app(backend.service, Credentials(key, secret), rate_limit=arguments.rate_limit or None)
        print(
            f"The API is at http://{arguments.host}:{arguments.port}, its pages at /docs (Ctrl-C ends it).\n"
            "SnapTrade's clients find it there too: the key is their client id, the secret their consumer key.",
            flush=True,
        )
        end_politely()
        Server(app, host=arguments.host, port=arguments.port).run()
    except KeyboardInterrupt:
        pass
    finally:
        backend.close()
    return 0


def _credentials() -> tuple[str, str] | None:
    key, secret = os.environ.get("DRIFTDESK_KEY"), os.environ.get("DRIFTDESK_SECRET")
    if bool(key) != bool(secret):
        raise InputError("DRIFTDESK_KEY and DRIFTDESK_SECRET go together; set both, or neither.")
    return (key, secret) if key and secret else None


def _new_credentials() -> tuple[str, str]:
    key, secret = f"DD{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
    print(f"Key and secret, shown this once: {key} {secret}", flush=True)
    return key, secret


def _preview(arguments: argparse.Namespace) -> int:
    from driftdesk.engine.plan import MIN_NOTIONAL, PlanRequest, RunType  # noqa: PLC0415 - as in _world
    from driftdesk.engine.preview import preview  # noqa: PLC0415
    from driftdesk.files import holdings_snapshot, name_of, read_holdings, read_portfolio, read_text  # noqa: PLC0415
    from driftdesk.report import Format, render_preview  # noqa: PLC0415

    portfolio = read_portfolio(read_text(arguments.portfolio), name=name_of(arguments.portfolio))
    holdings = read_holdings(read_text(arguments.holdings), name=name_of(arguments.holdings))
    snapshot = holdings_snapshot(holdings, datetime.now(UTC))
    request = PlanRequest(
        targets=portfolio.targets,
        conditions=portfolio.conditions,
        run_type=RunType(arguments.run_type),
        amount=arguments.amount,
        min_notional=MIN_NOTIONAL if arguments.min_notional is None else arguments.min_notional,
    )
    planned = preview(snapshot, request)
    form = Format(arguments.format)
    print(render_preview(planned, form))
    if form is Format.CSV:
        for warning in planned.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
