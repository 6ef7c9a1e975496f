"""One HTTP exchange with a backend: credentials, time-outs, capped retries of reads, and errors as sentences.

Only GET is ever retried, and only where trying again can help: no connection, 429, 502, 503, 504. Whether a write took
effect is never guessed (rules.md 2.10). A redirect is followed once, for GET, where it stays on its host; a write goes
where it was sent, or nowhere.
"""

import functools
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from driftdesk.client.failures import (
    REDIRECTS,
    asked,
    closed,
    failure,
    may_follow,
    no_answer,
    not_followed,
    redirected_to,
)
from driftdesk.client.limiter import MAX_WAIT, Limiter, asked_wait
from driftdesk.errors import BackendError, InputError
from driftdesk.wire.base import Message, read_json

T = TypeVar("T")
QueryValue = str | int | None

MAX_ATTEMPTS: Final = 4
FIRST_WAIT: Final = 0.25
# What the data host answers where there is one; everything else is the broker host's (wire/alpaca.md 12).
DATA_PATH: Final = "/v2/stocks/"

_RETRIED_STATUSES: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_RETRIED_FAILURES: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """The key and secret that a client sends."""

    key: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a transport waits between attempts; tests pass their own. `jitter` gives 0..1, `sleep` takes seconds."""

    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


class Transport:
    """Sends requests to one backend and reads its answers as messages; safe to share between threads.

    Every failure is a BackendError that carries message, status, code and request id: BackendNotFound (404),
    RateLimited (429), Rejected (other 4xx), Unavailable (no answer, or 5xx). Raises InputError for a `base_url` that is
    no http or https address. `timeout` in seconds. `data_url` is the host of market data, where that is another one.
    `before_write(method, path, body)` may refuse a write by raising.
    """

    def __init__(
        self,
        base_url: str,
        keys: ClientKeys,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        waiting: Waiting | None = None,
        data_url: str | None = None,
    ) -> None:
        self.before_write: Callable[[str, str, str | None], None] | None = None
        self.is_closed = False
        self._streams: set[httpx.Response] = set()
        self._waiting = waiting or Waiting()
        self._limiter = Limiter()
        address = _address(base_url)
        self._data_address = None if data_url is None else str(_address(data_url)).rstrip("/")
        self._http = httpx.Client(
            base_url=address,
            auth=httpx.BasicAuth(keys.key, keys.secret),
            timeout=timeout,
            transport=transport,
            headers={"Accept": "application/json", "User-Agent": "driftdesk"},
        )

    def close(self) -> None:
        """Close the connections, and an in-process backend with them; whoever reads a stream stops."""
        self.is_closed = True
        for answer in tuple(self._streams):
            _hang_up(answer)
        self._http.close()

    def get(self, kind: type[T], path: str, query: Mapping[str, QueryValue] | None = None) -> T:
        """GET `path`, its answer read as `kind`; None values of `query` are left out."""
        params = {name: value for name, value in (query or {}).items() if value is not None}
        return self._read(kind, self._get(path, params))

    def get_as(self, kind: type[T], path: str, media_type: str, read: Callable[[bytes], T]) -> T:
        """GET `path` as `media_type`, read by `read`; as JSON from a backend that does not speak it, or not as we do.

        `read` raises ValueError for what it cannot read.
        """
        answer = self._get(path, {}, accept=f"{media_type}, application/json;q=0.9")
        if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == media_type:
            try:
                return read(answer.content)
            except ValueError:
                answer = self._get(path, {})
        return self._read(kind, answer)

    def post(self, kind: type[T], path: str, body: Message, *, idempotency_key: str | None = None) -> T:
        """POST `body`, its answer read as `kind`. Never retried."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._read(kind, self._write("POST", path, _text(body), headers))

    def post_quietly(self, path: str, body: Message) -> None:
        """POST `body` where the answer is empty. Never retried."""
        self._write("POST", path, body.model_dump_json(by_alias=True))

    def patch(self, kind: type[T], path: str, body: Message) -> T:
        """PATCH with the fields of `body` that were set, its answer read as `kind`. Never retried."""
        return self._read(kind, self._write("PATCH", path, body.model_dump_json(by_alias=True, exclude_unset=True)))

    def put(self, kind: type[T], path: str, body: Message) -> T:
        """PUT `body`, its nulls included, its answer read as `kind`. Never retried."""
        return self._read(kind, self._write("PUT", path, body.model_dump_json(by_alias=True)))

    def delete(self, path: str) -> None:
        """DELETE `path`. Never retried."""
        self._write("DELETE", path)

    def delete_as(self, kind: type[T], path: str, query: Mapping[str, QueryValue] | None = None) -> T:
        """DELETE `path`, its answer read as `kind`; None values of `query` are left out. Never retried."""
        params = {name: value for name, value in (query or {}).items() if value is not None}
        return self._read(kind, self._write("DELETE", str(httpx.URL(path, params=params)) if params else path))

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, QueryValue], headers: Mapping[str, str], silence: float
    ) -> Iterator[Iterator[bytes]]:
        """GET `path` and read the answer as it comes; `silence`: seconds that may pass without a byte.

        Tried once. Raises BackendError as `get` does, also while the answer is read.
        """
        if self.is_closed:
            raise closed(path)
        request = self._http.build_request(
            "GET",
            self._url(path),
            params={name: value for name, value in query.items() if value is not None},
            headers={"Accept": "text/event-stream", "Cache-Control": "no-cache", **headers},
            timeout=httpx.Timeout(self._http.timeout.connect, read=silence),
        )
        try:
            with closing(self._send(request, stream=True)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise failure(answer)
                self._streams.add(answer)
                try:
                    # Closed while it was being opened: nobody would end it.
                    if self.is_closed:
                        raise closed(path)
                    yield answer.iter_bytes()
                finally:
                    self._streams.discard(answer)
        except httpx.HTTPError as error:
            raise no_answer(error) from error

    def _get(self, path: str, params: Mapping[str, str | int], *, accept: str | None = None) -> httpx.Response:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            wait = min(MAX_WAIT, FIRST_WAIT * 2 ** (attempt - 1) * (1 + self._waiting.jitter()))
            try:
                answer = self._look(path, params, {} if accept is None else {"Accept": accept})
            except _RETRIED_FAILURES as error:
                problem: BackendError = no_answer(error)
            except httpx.HTTPError as error:
                raise no_answer(error) from error
            else:
                if answer.is_success:
                    return answer
                problem = failure(answer)
                if answer.status_code not in _RETRIED_STATUSES:
                    raise problem
                wait = max(wait, asked_wait(answer.status_code, answer.headers, self._waiting.now().timestamp()))
            if attempt < MAX_ATTEMPTS:
                self._waiting.sleep(wait)
        raise problem

    def _look(self, path: str, params: Mapping[str, str | int], headers: Mapping[str, str]) -> httpx.Response:
        """One GET, and a second one where the first is redirected on its own host."""
        answer = self._send(self._http.build_request("GET", self._url(path), params=params, headers=headers))
        if answer.status_code not in REDIRECTS:
            return answer
        there = redirected_to(answer)
        if there is None or not may_follow(answer.request.url, there):
            raise not_followed(answer)
        return self._send(self._http.build_request("GET", there, headers=headers))

    def _send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send, once the rate limit of the host lets it pass."""
        host = request.url.netloc.decode()
        wait = self._limiter.wait(host, self._waiting.now().timestamp())
        if wait > 0:
            self._waiting.sleep(min(MAX_WAIT, wait + self._waiting.jitter()))
        answer = self._http.send(request, stream=stream)
        self._limiter.told(host, answer.headers)
        return answer

    def _url(self, path: str) -> str:
        return f"{self._data_address}{path}" if self._data_address and path.startswith(DATA_PATH) else path

    def _write(
        self, method: str, path: str, text: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        if self.before_write is not None:
            self.before_write(method, path, text)
        typed = {"Content-Type": "application/json"} if text is not None else {}
        try:
            answer = self._send(
                self._http.build_request(method, path, content=text, headers={**typed, **(headers or {})})
            )
        except httpx.HTTPError as error:
            raise no_answer(error) from error
        if not answer.is_success:
            raise failure(answer)
        return answer

    @staticmethod
    def _read(kind: type[T], answer: httpx.Response) -> T:
        try:
            return cast(T, _adapter(cast(Any, kind)).validate_python(read_json(answer.content)))
        except ValidationError as error:
            first = error.errors()[0]
            field_path = ".".join(map(str, first["loc"])) or "the whole answer"
            problem = f"its field {field_path} is not as documented ({first['msg']})"
        except ValueError:
            problem = "it is not JSON" if answer.content.strip() else "it is empty"
        taken = "" if answer.request.method == "GET" else " The backend took the request; look before sending it again."
        raise BackendError(
            f"The answer to {asked(answer)} cannot be used: {problem}.{taken}",
            status=answer.status_code,
            request_id=answer.headers.get("X-Request-ID"),
        )


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _address(text: str) -> httpx.URL:
    try:
        address = httpx.URL(text.rstrip("/"))
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise InputError(
            f"The backend's address must look like https://host:port; received {text!r}.",
            field="base_url",
            received=text,
            allowed="an http or https address",
        )
    return address


def _hang_up(answer: httpx.Response) -> None:
    """End a streamed answer that another thread waits for: closing its socket alone would not wake that thread."""
    network = answer.extensions.get("network_stream")
    wire = None if network is None else network.get_extra_info("socket")
    if wire is not None:
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)


def _text(body: Message) -> str:
    return body.model_dump_json(by_alias=True, exclude_none=True)
