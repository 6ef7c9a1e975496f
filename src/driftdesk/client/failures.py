"""What goes wrong in an exchange, as errors with a sentence: no answer, a refusal in any body, a redirect."""

from http import HTTPStatus
from typing import Any, Final

import httpx

from driftdesk.errors import BackendError, BackendNotFound, RateLimited, Rejected, Unavailable
from driftdesk.wire.base import read_json

REDIRECTS: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)


def asked(answer: httpx.Response) -> str:
    """What was asked, as in ``GET /v1/clock``."""
    return f"{answer.request.method} {answer.request.url.path}"


def no_answer(error: httpx.HTTPError) -> Unavailable:
    """The error for a request that got no answer; of a write it says that its effect is not known."""
    request = error.request
    reason = "it took too long" if isinstance(error, httpx.TimeoutException) else (str(error) or type(error).__name__)
    doubt = "" if request.method == "GET" else " Whether it took effect is not known; look before trying again."
    origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
    return Unavailable(f"No answer from {origin} to {request.method} {request.url.path}: {reason}.{doubt}")


def closed(path: str) -> Unavailable:
    """The error for a stream of a client that was closed."""
    return Unavailable(f"The client was closed; {path} cannot be read.")


def failure(answer: httpx.Response) -> BackendError:
    """The error for an answer that is not a success, whatever its body looks like (wire/alpaca.md 8.1)."""
    if answer.status_code in REDIRECTS:
        return not_followed(answer)
    try:
        body = read_json(answer.content)
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    message = next((text for name in ("message", "error") if isinstance(text := said.get(name), str) and text), None)
    status = answer.status_code
    if message is None:
        message = f"The backend answered {status} {answer.reason_phrase} to {asked(answer)} and gave no reason."
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


def redirected_to(answer: httpx.Response) -> httpx.URL | None:
    """Where a redirect leads; None where it does not say, or says no address."""
    try:
        return answer.request.url.join(answer.headers["Location"])
    except (KeyError, httpx.InvalidURL):
        return None


def may_follow(here: httpx.URL, there: httpx.URL) -> bool:
    """Whether a read may be sent on, keys and all: to the host that they were meant for, never from https to http."""
    same = (there.scheme, there.port) == (here.scheme, here.port)
    return there.host == here.host and (same or (here.scheme, there.scheme) == ("http", "https"))


def not_followed(answer: httpx.Response) -> BackendError:
    """The error for a redirect that is not followed."""
    there = redirected_to(answer)
    # Without its query: that may hold what is nobody's business.
    where = "" if there is None else f" to {there.scheme}://{there.netloc.decode()}{there.path}"
    # "See other" is how some servers answer a write that they have done.
    done = answer.status_code in (HTTPStatus.FOUND, HTTPStatus.SEE_OTHER) and answer.request.method != "GET"
    effect = "whether it took effect is not known" if done else "nothing was done"
    return BackendError(
        f"{asked(answer)} was redirected{where} and not sent on; {effect}. Check the backend's address.",
        status=answer.status_code,
        request_id=answer.headers.get("X-Request-ID"),
    )


def _code(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None
