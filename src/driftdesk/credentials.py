"""The real services by name: their addresses, and the keys that a person keeps for them outside the program.

Keys come from the environment, or from a file `.streamlit/secrets.toml` in the working directory or the home directory:

    [alpaca-sandbox]
    key = "..."
    secret = "..."

The live service has variables and a section of its own, so that a key is never used for the other one by mistake.
SnapTrade's are `client_id`, `consumer_key`, and for a commercial key `user_id` and `user_secret`. Nothing here prints
or repeats a key.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from driftdesk.client import ClientKeys
from driftdesk.client.snaptrade import SnapTradeKeys, SnapTradeUser
from driftdesk.client.snaptrade.client import SNAPTRADE_URL
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


SNAPTRADE: Final = "snaptrade"
_SNAPTRADE_FIELDS: Final = ("client_id", "consumer_key", "user_id", "user_secret", "url")


@dataclass(frozen=True, slots=True)
class SnapTradeAccess:
    """Where SnapTrade is, and with which keys it is asked. A `stand_in` is a server of ours on this machine."""

    url: str
    keys: SnapTradeKeys

    @property
    def stand_in(self) -> bool:
        """Whether nothing real is behind it. Another host may pass on to the real service, so only this one counts."""
        host = _host(self.url)
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False


def read_snaptrade(environment: Mapping[str, str], folders: Iterable[Path]) -> SnapTradeAccess:
    """What SNAPTRADE_CLIENT_ID, _CONSUMER_KEY, _USER_ID, _USER_SECRET and _URL say, else the section [snaptrade] of the
    first secrets file in `folders` that has one; a personal key has no user, and the address is SnapTrade's own.

    Raises InputError where there are no keys, or only some of them, or a file cannot be read.
    """
    said = {field: environment.get(f"SNAPTRADE_{field.upper()}", "").strip() for field in _SNAPTRADE_FIELDS}
    where = "SNAPTRADE_CLIENT_ID and SNAPTRADE_CONSUMER_KEY"
    if not (said["client_id"] or said["consumer_key"]):
        files = list(dict.fromkeys(folder / SECRETS for folder in folders))
        sections = ((file, _section(file, SNAPTRADE)) for file in files)
        file, section = next(((file, found) for file, found in sections if found is not None), (None, None))
        if section is None:
            raise InputError(
                f"There are no keys for {SNAPTRADE}: set {where}, and for a commercial key SNAPTRADE_USER_ID and "
                f"SNAPTRADE_USER_SECRET, or write them under [{SNAPTRADE}] in {' or '.join(map(str, files))}.",
                field="SNAPTRADE_CLIENT_ID",
                allowed="a client id and a consumer key",
            )
        where = f"[{SNAPTRADE}] of {file}"
        said |= {field: str(section.get(field) or "").strip() for field in _SNAPTRADE_FIELDS}
    if not (said["client_id"] and said["consumer_key"]) or bool(said["user_id"]) != bool(said["user_secret"]):
        raise InputError(
            f"{where} must hold a client id and a consumer key, and a user's id and secret together or not at all.",
            field=where,
        )
    user = SnapTradeUser(said["user_id"], said["user_secret"]) if said["user_id"] else None
    return SnapTradeAccess(said["url"] or SNAPTRADE_URL, SnapTradeKeys(said["client_id"], said["consumer_key"], user))


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


def read_server_keys(url: str, environment: Mapping[str, str]) -> ClientKeys:
    """The keys of the `driftdesk serve` at `url`: DRIFTDESK_KEY and DRIFTDESK_SECRET of `environment`.

    Raises InputError where there are none, or one without the other.
    """
    key, secret = environment.get("DRIFTDESK_KEY", ""), environment.get("DRIFTDESK_SECRET", "")
    if not (key or secret):
        raise InputError(
            f"There are no keys for {url}: set DRIFTDESK_KEY and DRIFTDESK_SECRET.",
            field="DRIFTDESK_KEY",
            allowed="a key and a secret",
        )
    return _pair(key, secret, "DRIFTDESK_KEY and DRIFTDESK_SECRET")


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
