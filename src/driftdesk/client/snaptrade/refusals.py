"""What SnapTrade's refusals mean, in one sentence for each status (wire/snaptrade.md 6)."""

import json
from http import HTTPStatus
from typing import Any, Final

import httpx

from driftdesk.client.failures import asked
from driftdesk.wire.base import read_json

_LONGEST: Final = 300

_MEANING: Final = {
    401: (
        "the signature, the timestamp or the user was not accepted; check client id, consumer key, user id and secret, "
        "and the clock of this computer"
    ),
    402: (
        "the connection to the brokerage is disabled: its data are old and it takes no orders; reconnect it in "
        "SnapTrade, the same connection, so that the accounts keep their ids"
    ),
    403: (
        "this key or this connection is not allowed to do that; placing and canceling need a connection of type trade, "
        "and some features are only enabled on request"
    ),
    404: "SnapTrade has nothing under that id for this user",
    409: "the brokerage's data of this account contradict each other just now; read again in a few minutes",
    410: (
        "SnapTrade has retired this endpoint for your key; nothing was read, and nothing is known about what the "
        "account holds"
    ),
    425: "SnapTrade is still reading this account for the first time; read again in a few minutes",
    429: "too many requests; wait a minute",
    501: "SnapTrade does not offer this for the brokerage of this account; do it at the brokerage itself",
    503: "the brokerage gave no usable answer, or its data are just being read",
}


def refusal(answer: httpx.Response) -> dict[str, Any]:
    """`message` and `code` of an answer that is an error, whatever its body looks like."""
    try:
        body = read_json(answer.content)
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    detail = _first(said, "detail", "default_detail", "error", "message")
    code = _first(said, "code", "default_code")
    status = f"{answer.status_code}" if code is None else f"{answer.status_code}, code {_text(code)}"
    meaning = _MEANING.get(answer.status_code)
    parts = [f"SnapTrade refused {asked(answer)} ({status})" + (f": {meaning}." if meaning else ".")]
    if answer.is_server_error and answer.status_code != HTTPStatus.NOT_IMPLEMENTED:
        unsure = "Whether it took effect is not known; look before trying again."
        parts.append("Try again in a few minutes." if answer.request.method == "GET" else unsure)
    if detail is not None:
        parts.append(f"It said: {_text(detail)}")
    elif meaning is None:
        parts.append("It gave no reason.")
    return {"message": " ".join(parts), "code": None if code is None else _text(code)}


def _first(said: dict[str, Any], *names: str) -> Any:
    return next((said[name] for name in names if said.get(name) not in (None, "")), None)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
