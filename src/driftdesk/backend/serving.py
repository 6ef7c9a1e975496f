"""Serve the API on a socket, and stop without waiting for streams that never end by themselves."""

import socket
from typing import Final

import uvicorn
from fastapi import FastAPI

# A stream ends at its next look; a reader that takes nothing must not keep the server.
_GRACE_SECONDS: Final = 5
# What a client says on a websocket is short: its keys, and what it listens to.
_LONGEST_MESSAGE: Final = 65_536


class Server(uvicorn.Server):
    """A server of one app of `driftdesk.backend.api`; `run()` serves until the process is told to stop."""

    def __init__(self, app: FastAPI, *, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_level="warning",
                timeout_graceful_shutdown=_GRACE_SECONDS,
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=_LONGEST_MESSAGE,
            )
        )
        self._streams = app.state.streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: a graceful shutdown waits for every answer to be whole."""
        self._streams.close()
        await super().shutdown(sockets)
