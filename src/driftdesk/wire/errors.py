"""The error body: code = HTTP status x 100000 + 10000 + n (rules.md 2.9)."""

from driftdesk.wire.base import Message


class ErrorBody(Message):
    """Body of every error answer. `preview_hash` (ours) is there when a preview no longer stands (rules.md 6.6)."""

    code: int
    message: str
    preview_hash: str | None = None
