"""The real services by name: their addresses, and the keys that a person keeps for them outside the program.

Keys come from the environment, or from a file `.streamlit/secrets.toml` in the working directory or the home directory:

    [alpaca-sandbox]
    key = "..."
    secret = "..."

The live service has variables and a section of its own, so that a key is never used for the other one by mistake.
Nothing here prints or repeats a key.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from driftdesk.client import ClientKeys
from driftdesk.errors import InputError

SECRETS: Final = Path(".streamlit") / "secrets.toml"
_DOMAIN: Final = "alpaca.markets"


@dataclass(frozen=True, slots=True)
class RealService:
    """A real service: the hosts of broker and market data, and the variables that hold its keys (wire/alpaca.md 2)."""

    name: str
    label: str
    broker: str
    data: str
    key_variable: str
    secret_variable: str
    live: bool


SERVICES: Final[Mapping[str, RealService]] = {
    service.name: service
    for service in (
        RealService(
            "alpaca-sandbox",
            "Alpaca Broker API, sandbox",
            "https://broker-api.sandbox.alpaca.markets",
            "https://data.sandbox.alpaca.markets",
            "ALPACA_BROKER_KEY",
            "ALPACA_BROKER_SECRET",
            live=False,
        ),
        RealService(
            "alpaca-live",
            "Alpaca Broker API, live: real money",
            "https://broker-api.alpaca.markets",
            "https://data.alpaca.markets",
            "ALPACA_BROKER_KEY_LIVE",
            "ALPACA_BROKER_SECRET_LIVE",
            live=True,
        ),
    )
}


def real_service(target: str, *, allow_live: bool) -> RealService | None:
    """The service called `target`, None where the target is none.

    Raises InputError for the live service without `allow_live`, and for the bare address of a real host.
    """
    # An address typed instead of a name would pass by the switch, and by the typing before a write.
    if f".{_host(target)}".endswith(f".{_DOMAIN}"):
        raise InputError(
            f"Connect to a real service by its name, {' or '.join(SERVICES)}, not by its address: the name knows what "
            "may be asked of it.",
            field="target",
            allowed=", ".join(SERVICES),
        )
    service = SERVICES.get(target)
    if service is not None and service.live and not allow_live:
        raise InputError(
            f"{target} moves real money and is not opened by accident: say --live beside it, set "
            "DRIFTDESK_ALLOW_LIVE=1, or pass allow_live=True.",
            field="allow_live",
            allowed="allow_live=True",
        )
    return service


def read_keys(service: RealService, environment: Mapping[str, str], folders: Iterable[Path]) -> ClientKeys:
    """The keys of `service` from `environment`, else from the first of `folders` whose secrets file has its section.

    Raises InputError where there are none, or one without the other, or a file cannot be read.
    """
    key, secret = environment.get(service.key_variable, ""), environment.get(service.secret_variable, "")
    if key or secret:
        return _pair(key, secret, f"{service.key_variable} and {service.secret_variable}")
    files = list(dict.fromkeys(folder / SECRETS for folder in folders))
    for file in files:
        section = _section(file, service.name)
        if section is not None:
            return _pair(section.get("key"), section.get("secret"), f"[{service.name}] of {file}")
    raise InputError(
        f"There are no keys for {service.name}: set {service.key_variable} and {service.secret_variable}, or write key "
        f"and secret under [{service.name}] in {' or '.join(map(str, files))}.",
        field=service.key_variable,
        allowed="a key and a secret",
    )


def _host(target: str) -> str:
    try:
        return (urlsplit(target).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _pair(key: object, secret: object, where: str) -> ClientKeys:
    if not (isinstance(key, str) and isinstance(secret, str) and key.strip() and secret.strip()):
        raise InputError(f"{where} must hold both a key and a secret, as text; one is missing.", field=where)
    return ClientKeys(key.strip(), secret.strip())


def _section(file: Path, name: str) -> Mapping[str, Any] | None:
    try:
        found = tomllib.loads(file.read_text("utf-8")).get(name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        # Its own message could repeat a piece of a key.
        raise InputError(f"{file} cannot be read; it must be a TOML file with a section [{name}].") from None
    return found if isinstance(found, dict) else None
