"""How the SnapTrade routes answer: messages with exactly the keys they were given, in one of the two dialects."""

from collections.abc import Iterable

from fastapi import Response
from pydantic import BaseModel

from driftdesk.wire.snaptrade.base import Dialect, emit

TAG = "snaptrade"
_JSON = "application/json"


def answer(message: BaseModel, dialect: Dialect = Dialect.CURRENT) -> Response:
    """200 with one message."""
    return Response(emit(message, dialect), media_type=_JSON)


def answer_list(messages: Iterable[BaseModel]) -> Response:
    """200 with a bare JSON array."""
    return Response("[" + ",".join(map(emit, messages)) + "]", media_type=_JSON)
