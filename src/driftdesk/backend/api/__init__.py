"""The backend over HTTP: thin routers around the service, one shape of error, documentation under /docs."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Response

from driftdesk.backend.api import (
    accounts,
    activities,
    errors,
    events,
    history,
    holdings,
    market,
    orders,
    prices,
    rebalancing,
    simulation,
    snaptrade,
    trade_events,
    trading,
    websocket,
)
from driftdesk.backend.api.auth import Credentials
from driftdesk.backend.api.documentation import add_documentation
from driftdesk.backend.api.edge import Edge
from driftdesk.backend.api.limits import RateLimits
from driftdesk.backend.api.snaptrade.documentation import describe
from driftdesk.backend.api.snaptrade.refusals import register as register_snaptrade
from driftdesk.backend.api.stream import Streams

if TYPE_CHECKING:
    from driftdesk.backend.service import Service

__all__ = ["Credentials", "create_app"]


class _DocumentedApp(FastAPI):
    """A FastAPI whose documentation names the two ways to send credentials, which the edge checks."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schema = super().openapi()
            schema.setdefault("components", {})["securitySchemes"] = {
                "basic": {"type": "http", "scheme": "basic"},
                "key": {"type": "apiKey", "in": "header", "name": "APCA-API-KEY-ID"},
                "secret": {"type": "apiKey", "in": "header", "name": "APCA-API-SECRET-KEY"},
            }
            schema["security"] = [{"basic": []}, {"key": [], "secret": []}]
            describe(schema)
        return self.openapi_schema or {}


def create_app(
    service: "Service",
    credentials: Credentials,
    *,
    rate_limit: int | None = None,
    wall: Callable[[], float] = time.time,
    in_threads: bool = False,
) -> FastAPI:
    """The ASGI app that serves `service` to the holder of `credentials`; needs no lifespan.

    `rate_limit`: requests a minute for each key, None to tell of a limit and refuse nothing. `wall` gives seconds since
    1970, for the timestamps and previews of the SnapTrade routes. `in_threads`: what may ask a brokerage is done in a
    thread, because its answer takes seconds in which others ask too. A server that shuts down first calls
    `app.state.streams.close()`, or it waits for streams of events to end.
    """
    app = _DocumentedApp(
        title="driftdesk",
        summary="Portfolios, drift, runs and a simulated exchange, compatible with the rebalancing API.",
        version="1",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.credentials = credentials
    app.state.wall = wall
    app.state.in_threads = in_threads

    def is_cut() -> bool:
        cut: bool = app.state.service.take_disconnect()
        return cut

    app.state.streams = Streams(is_cut=is_cut)
    app.add_middleware(Edge, credentials=credentials, limits=RateLimits(rate_limit), wall=wall)
    errors.register(app)
    register_snaptrade(app)
    # Positions and activities of all accounts before accounts: their paths would be read as the id of one.
    for module in (rebalancing, activities, holdings, accounts, history, market, prices, simulation, trading):
        app.include_router(module.router)
    for module in (events, trade_events, websocket):
        app.include_router(module.router)
    for router in (orders.SEED_DOOR, orders.TRADING_DOOR, orders.BROKER_DOOR):
        app.include_router(router)
    for router in snaptrade.ROUTERS:
        app.include_router(router)
    add_documentation(app)
    app.add_api_route("/health", _health, summary="Whether the backend answers", tags=["health"])
    return app


async def _health() -> Response:
    return Response('{"status":"ok"}', media_type="application/json")
