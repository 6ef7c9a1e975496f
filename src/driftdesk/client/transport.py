"""One HTTP exchange with a backend: credentials, time-outs, capped retries of reads, and errors as sentences.

Only GET is ever retried, and only where trying again can help: no connection, 429, 502, 503, 504. Whether a write took
effect is never guessed (rules.md 2.10).
"""

import functools
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from driftdesk.errors import BackendError, BackendNotFound, InputError, RateLimited, Rejected, Unavailable
from driftdesk.wire.base import Message, read_json

T = TypeVar("T")
QueryValue = str | int | None

MAX_ATTEMPTS: Final = 4
FIRST_WAIT: Final = 0.25
# Nobody waits longer than this for one attempt, whatever the backend asks for (wire/alpaca.md 14).
MAX_WAIT: Final = 60.0

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
    no http or https address. `timeout` in seconds.
    """

    def __init__(
        self,
        base_url: str,
        keys: ClientKeys,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        waiting: Waiting | None = None,
    ) -> None:
        self._waiting = waiting or Waiting()
        try:
            address = httpx.URL(base_url.rstrip("/"))
        except httpx.InvalidURL:
            address = httpx.URL("")
        if address.scheme not in ("http", "https") or not address.host:
            raise InputError(
                f"The backend's address must look like https://host:port; received {base_url!r}.",
                field="base_url",
                received=base_url,
                allowed="an http or https address",
            )
        self._http = httpx.Client(
            base_url=address,
            auth=httpx.BasicAuth(keys.key, keys.secret),
            timeout=timeout,
            transport=transport,
            headers={"Accept": "application/json", "User-Agent": "driftdesk"},
        )

    def close(self) -> None:
        """Close the connections, and an in-process backend with them."""
        self._http.close()

    def get(self, kind: type[T], path: str, query: Mapping[str, QueryValue] | None = None) -> T:
        """GET `path`, its answer read as `kind`; None values of `query` are left out."""
        params = {name: value for name, value in (query or {}).items() if value is not None}
        return self._read(kind, self._get(path, params))

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

    def delete(self, path: str) -> None:
        """DELETE `path`. Never retried."""
        self._write("DELETE", path)

    def _get(self, path: str, params: Mapping[str, str | int]) -> httpx.Response:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            wait = min(MAX_WAIT, FIRST_WAIT * 2 ** (attempt - 1) * (1 + self._waiting.jitter()))
            try:
                answer = self._http.get(path, params=params)
            except _RETRIED_FAILURES as error:
                failure: BackendError = _no_answer(error)
            except httpx.HTTPError as error:
                raise _no_answer(error) from error
            else:
                if answer.is_success:
                    return answer
                failure = _failure(answer)
                if answer.status_code not in _RETRIED_STATUSES:
                    raise failure
                wait = max(wait, self._asked_wait(answer))
            if attempt < MAX_ATTEMPTS:
                self._waiting.sleep(wait)
        raise failure

    def _write(
        self, method: str, path: str, text: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        typed = {"Content-Type": "application/json"} if text is not None else {}
        try:
            answer = self._http.request(method, path, content=text, headers={**typed, **(headers or {})})
        except httpx.HTTPError as error:
            raise _no_answer(error) from error
        if not answer.is_success:
            raise _failure(answer)
        return answer

    def _asked_wait(self, answer: httpx.Response) -> float:
        """Seconds that the backend asks to wait (Retry-After, on 429 else X-RateLimit-Reset), 0 to MAX_WAIT."""
        headers = answer.headers
        now = self._waiting.now().timestamp()
        asked = 0.0
        if after := headers.get("Retry-After"):
            try:
                asked = float(after) if after.strip().isdecimal() else parsedate_to_datetime(after).timestamp() - now
            except ValueError:
                asked = 0.0
        # Every answer of the real backend carries the reset; only a 429 means that it has to be waited for.
        elif answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            reset = headers.get("X-RateLimit-Reset", "")
            asked = int(reset) - now if reset.isdecimal() else 0.0
        return max(0.0, min(MAX_WAIT, asked))

    @staticmethod
    def _read(kind: type[T], answer: httpx.Response) -> T:
        try:
            return cast(T, _adapter(cast(Any, kind)).validate_python(read_json(answer.content)))
        except ValidationError as error:
            first = error.errors()[0]
            field_path = ".".join(map(str, first["loc"])) or "the whole answer"
            problem = f"its field {field_path} is not as documented ({first['msg']})"
        except ValueError:
            problem = "it is not JSON"
        raise BackendError(
            f"The answer to {_asked(answer)} cannot be used: {problem}.",
            status=answer.status_code,
            request_id=answer.headers.get("X-Request-ID"),
        )


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _text(body: Message) -> str:
    return body.model_dump_json(by_alias=True, exclude_none=True)


def _asked(answer: httpx.Response) -> str:
    return f"{answer.request.method} {answer.request.url.path}"


def _no_answer(error: httpx.HTTPError) -> Unavailable:
    request = error.request
    reason = "it took too long" if isinstance(error, httpx.TimeoutException) else (str(error) or type(error).__name__)
    doubt = "" if request.method == "GET" else " Whether it took effect is not known; look before trying again."
    origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
    return Unavailable(f"No answer from {origin} to {request.method} {request.url.path}: {reason}.{doubt}")


def _failure(answer: httpx.Response) -> BackendError:
    """The error for an answer that is not a success, whatever its body looks like (wire/alpaca.md 8.1)."""
    try:
        body = read_json(answer.content)
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    message = next((text for name in ("message", "error") if isinstance(text := said.get(name), str) and text), None)
    status = answer.status_code
    if message is None:
        message = f"The backend answered {status} {answer.reason_phrase} to {_asked(answer)} and gave no reason."
    kind: type[BackendError]
    match status:
        case HTTPStatus.NOT_FOUND:
            kind = BackendNotFound
        case HTTPStatus.TOO_MANY_REQUESTS:
            kind = RateLimited
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = Unavailable
        case _ if status >= HTTPStatus.BAD_REQUEST:
            kind = Rejected
        case _:
            kind = BackendError
    return kind(message, status=status, code=_code(said.get("code")), request_id=answer.headers.get("X-Request-ID"))


def _code(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None
