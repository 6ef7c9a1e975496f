"""The websocket /stream: what happens to the orders of the account of a key, as the SDK's TradingStream reads it.

Source: the real API's "Websocket Streaming" page. The client sends ``authenticate``, then ``listen``; each is answered
under the stream ``authorization`` or ``listening``, then updates come under ``trade_updates``. There is no history:
what happened while nobody listened is told by /v2/events/trades, and by the list of orders. Frames are binary JSON, as
the paper service sends them.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import anyio
from anyio.abc import TaskGroup
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from driftdesk.backend.api.auth import Access, account_of_key, check
from driftdesk.backend.api.stream import FAILED, SHUTTING_DOWN, Gone, follow, in_time
from driftdesk.backend.api.trade_events import log_of
from driftdesk.backend.api.watermark import Watermark
from driftdesk.errors import NotFound
from driftdesk.wire.base import read_json

_log: Final = logging.getLogger(__name__)

_UPDATES: Final = "trade_updates"
# Why a websocket is closed, by the numbers of RFC 6455 and its registry.
_NOT_UNDERSTOOD: Final = 1003
_POLICY: Final = 1008
_BROKEN: Final = 1011
_RESTARTS: Final = 1012
_CODES: Final = {FAILED: _BROKEN, SHUTTING_DOWN: _RESTARTS}

router = APIRouter()


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    await socket.accept()
    async with anyio.create_task_group() as group:
        session = _Session(socket, group)
        try:
            await session.converse()
        except WebSocketDisconnect:
            pass
        except Gone as gone:
            _log.info("a reader of /stream %s", gone)
        group.cancel_scope.cancel()


class _Session:
    """One connection: who it is for, and whether it listens."""

    def __init__(self, socket: WebSocket, group: TaskGroup) -> None:
        self._socket = socket
        self._group = group
        self._service = socket.app.state.service
        self._streams = socket.app.state.streams
        self._account: str | None = None
        self._listening: anyio.CancelScope | None = None

    async def converse(self) -> None:
        """Answer messages until one of both sides ends it."""
        if "msgpack" in self._socket.headers.get("content-type", ""):
            await self._fail("MessagePack is not offered; leave Content-Type out and send JSON", _NOT_UNDERSTOOD)
        patience = self._streams.pace.patience
        while True:
            with anyio.move_on_after(patience if self._account is None else None) as waiting:
                message = await self._socket.receive()
            if waiting.cancelled_caught:
                await self._fail(f"no authentication within {patience:g} seconds", _POLICY)
                continue
            if message["type"] == "websocket.disconnect":
                return
            await self._hear(message.get("text") or message.get("bytes") or b"")

    async def _hear(self, text: str | bytes) -> None:
        try:
            said = read_json(text)
        except ValueError:
            said = None
        match said:
            case {"action": "authenticate", "data": {"key_id": str(key), "secret_key": str(secret)}}:
                await self._authenticate(key, secret)
            case {"action": "auth", "key": str(key), "secret": str(secret)}:
                await self._authenticate(key, secret)
            case {"action": "listen", "data": {"streams": [*names]}}:
                await self._listen(names)
            case _:
                await self._fail(
                    "a message must be JSON with the action authenticate (data.key_id and data.secret_key) or listen "
                    "(data.streams, a list)",
                    _NOT_UNDERSTOOD,
                )

    async def _authenticate(self, key: str, secret: str) -> None:
        credentials = self._socket.app.state.credentials
        headers = [(b"apca-api-key-id", key.encode()), (b"apca-api-secret-key", secret.encode())]
        if check(headers, credentials) is not Access.GRANTED:
            await self._say("authorization", {"status": "unauthorized", "action": "authenticate"})
            return
        try:
            account = self._service.account_of_key(account_of_key(headers, credentials))
        except NotFound as problem:
            refused = {"status": "unauthorized", "action": "authenticate", "message": str(problem)}
            await self._say("authorization", refused)
            return
        if account != self._account:
            # What was listened to was the other account's.
            self._stop_listening()
        self._account = account
        await self._say("authorization", {"status": "authorized", "action": "authenticate"})

    async def _listen(self, names: Sequence[object]) -> None:
        """Listen to these streams and to no others; those that there are not are left out of the answer."""
        if self._account is None:
            await self._say("authorization", {"status": "unauthorized", "action": "listen"})
            return
        wanted = _UPDATES in names
        # Before the answer: whatever happens after it is told.
        log = log_of(self._service, self._account)
        source = Watermark(log, log.newest())
        await self._say("listening", {"streams": [_UPDATES] if wanted else []})
        if wanted and self._listening is None:
            self._listening = anyio.CancelScope()
            self._group.start_soon(self._tell, source, self._listening)
        elif not wanted:
            self._stop_listening()

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def _tell(self, source: Watermark, scope: anyio.CancelScope) -> None:
        """Send updates until the client no longer listens; whatever else ends them ends the connection too."""

        async def send(page: Sequence[tuple[str, str]]) -> None:
            for _, text in page:
                await self._send(f'{{"stream":"{_UPDATES}","data":{text}}}')

        with scope:
            try:
                await self._close(await self._follow(source, send))
            except (Gone, WebSocketDisconnect) as ended:
                _log.info("a reader of /stream %s", ended)
            self._group.cancel_scope.cancel()

    async def _follow(self, source: Watermark, send: Callable[[Sequence[tuple[str, str]]], Awaitable[None]]) -> str:
        try:
            return await follow(source, self._streams, send)
        except (Gone, WebSocketDisconnect):
            raise
        except Exception:
            _log.exception("a stream of updates failed")
            return FAILED

    async def _fail(self, reason: str, code: int) -> None:
        """End a conversation that cannot go on."""
        self._stop_listening()
        await self._close(reason, code)
        self._group.cancel_scope.cancel()

    async def _close(self, reason: str, code: int | None = None) -> None:
        """Say why, then close; a code where the reason has none of its own (a reader that is too slow)."""
        await self._send(json.dumps({"action": "error", "data": {"error_message": reason}}))
        await in_time(self._streams.pace.patience, self._socket.close(code or _CODES.get(reason, _POLICY)))

    async def _say(self, name: str, data: Mapping[str, object]) -> None:
        await self._send(json.dumps({"stream": name, "data": data}))

    async def _send(self, text: str) -> None:
        await in_time(self._streams.pace.patience, self._socket.send_bytes(text.encode()))
