"""What the OpenAPI document says of the SnapTrade routes: how requests are signed, and that none answers 422."""

from typing import Any, Final

from driftdesk.backend.api.snaptrade.answers import TAG

_SIGNED: Final = (
    ("query", "clientId", True, "The backend's key."),
    ("query", "timestamp", True, "Seconds since 1970, at most five minutes away from the backend's clock."),
    (
        "header",
        "Signature",
        True,
        "Base64 of the HMAC-SHA256, with the backend's secret, of content, path and raw query as sorted compact JSON.",
    ),
)
_OF_A_USER: Final = (
    ("query", "userId", False, "A registered user; left out, with the secret, by a personal key."),
    ("query", "userSecret", False, "The user's secret."),
)
_OF_THE_CLIENT: Final = "/snapTrade/"
_UNSIGNED: Final = "/"
# What the framework answers by itself to a request that it cannot read; these routes answer 400.
_NEVER: Final = "422"


def describe(schema: dict[str, Any]) -> None:
    """Say in `schema` how the operations of the SnapTrade routes are signed; its status is open to everybody."""
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if TAG in operation["tags"]:
                operation["security"] = []
                operation["parameters"] = [*operation.get("parameters", ()), *map(_parameter, _needed(path))]
                operation["responses"].pop(_NEVER, None)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def _needed(path: str) -> tuple[tuple[str, str, bool, str], ...]:
    if path == _UNSIGNED:
        return ()
    return _SIGNED if path.startswith(_OF_THE_CLIENT) else _SIGNED + _OF_A_USER


def _parameter(said: tuple[str, str, bool, str]) -> dict[str, Any]:
    place, name, required, text = said
    return {"in": place, "name": name, "required": required, "description": text, "schema": {"type": "string"}}
