"""The error tree. One sentence each: what was wrong, which field or file, what is allowed, what to do.

    DriftdeskError
    ├── InputError        what a person typed: weights do not sum, unknown symbol (field, received, allowed)
    │   └── Incomplete    an order that lacks what every order needs, or has it in a form that cannot be read
    ├── StateError        right request, wrong moment: run already open, illegal transition, market closed
    │   ├── PreviewMoved  the inputs of a preview changed; carries the new preview's hash
    │   ├── Repeated      a client order id that the account used before
    │   └── Insufficient  an order needs more cash or shares than the account has free (details)
    ├── NotFound          no such portfolio, subscription, run, account
    ├── BackendError      the other side answered with an error (status, code, request id)
    │   ├── BackendNotFound, Rejected, RateLimited, Unavailable
    └── DataError         we refuse to go on: missing price, stale snapshot, negative equity

What a person should read in a table (a skip, a block, a warning) is a value, not an exception.
"""

from collections.abc import Mapping
from decimal import Decimal


class DriftdeskError(Exception):
    """Root of every error that driftdesk raises on purpose; `str(error)` is the sentence for a person."""


class InputError(DriftdeskError):
    """What a person typed cannot be used. `field` is the path of the field, as in ``weights[1].percent``."""

    def __init__(self, message: str, *, field: str = "", received: object = None, allowed: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.received = received
        self.allowed = allowed


class Incomplete(InputError):
    """An order lacks what every order needs, or has it in a form that cannot be read."""


class StateError(DriftdeskError):
    """The request is right and the moment is wrong. `conflict` marks what may succeed when simply tried again."""

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


class PreviewMoved(StateError):
    """The previewed orders no longer stand (rules.md 6.6); `preview_hash` identifies the new preview."""

    def __init__(self, message: str, *, preview_hash: str) -> None:
        super().__init__(message, conflict=True)
        self.preview_hash = preview_hash


class Repeated(StateError):
    """The account used this client order id before (rules.md 8.2)."""


class Insufficient(StateError):
    """The account has not the cash or the shares that an order needs (403 at the order doors, rules.md 8.4).

    `details` has the figures under their names on the wire: `buying_power` and `cost_basis` in USD, or `symbol` and
    `available`, `existing_qty`, `held_for_orders` in shares.
    """

    def __init__(self, message: str, details: Mapping[str, Decimal | str]) -> None:
        super().__init__(message)
        self.details = details


class NotFound(DriftdeskError):
    """No object with that id."""


class DataError(DriftdeskError):
    """The data do not allow a safe answer: a missing or stale price, negative equity, a broken price file."""


class BackendError(DriftdeskError):
    """The backend answered with an error: `status` is the HTTP status, `code` its own number, where it gave one."""

    def __init__(
        self, message: str, *, status: int | None = None, code: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id


class BackendNotFound(BackendError):
    """404: the backend knows no such object."""


class Rejected(BackendError):
    """400, 409, 415, 422 and the like: the backend refused the request; sending it again will not help."""


class RateLimited(BackendError):
    """429: too many requests; the client waited as told and was refused again."""


class Unavailable(BackendError):
    """No connection, a time-out, or a 5xx: whether a write took effect is not known."""
