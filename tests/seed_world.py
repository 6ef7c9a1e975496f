"""A backend that is asked over HTTP, in the words of the seed: portfolios, subscriptions, runs (seed 000)."""

from datetime import datetime
from typing import Any

import httpx

from driftdesk.engine.schedule import NEW_YORK

PORTFOLIOS = "/v1/rebalancing/portfolios"
SUBSCRIPTIONS = "/v1/rebalancing/subscriptions"
RUNS = "/v1/rebalancing/runs"
BAND = {"type": "drift_band", "sub_type": "absolute", "percent": "5"}
MONDAY = {"type": "calendar", "sub_type": "weekly", "day": "Monday"}
SIXTY_FORTY = "SPY 60 | TLT 40"


def at(text: str) -> datetime:
    """``2026-03-11 10:00`` in New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def weights(text: str) -> list[dict[str, str]]:
    """``cash 5 | SPY 60 | TLT 35``: weights in percent."""
    pairs = [part.split() for part in text.split("|")]
    return [
        {"type": "cash", "percent": percent}
        if name == "cash"
        else {"type": "asset", "symbol": name, "percent": percent}
        for name, percent in pairs
    ]


def asset(symbol: Any, percent: Any = "100") -> dict[str, Any]:
    return {"type": "asset", "symbol": symbol, "percent": percent}


class World:
    """A backend that is spoken to over HTTP, and the few things that a test does by hand."""

    def __init__(self, http: httpx.Client, service: Any) -> None:
        self.http = http
        self.service = service

    def ask(self, method: str, path: str, body: Any = None, expect: int = 200, **query: Any) -> Any:
        """The JSON that is answered with the status `expect`; other statuses fail the test."""
        sent = {} if body is None else {"json": body}
        answer = self.http.request(method, path, params=query, **sent)
        assert expect == answer.status_code, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, status: int = 422) -> str:
        """The message of a refusal with that status."""
        error = self.ask(method, path, body, status)
        assert error["code"] // 100_000 == status
        message: str = error["message"]
        return message

    def account(self, cash: str = "10000", **positions: str) -> str:
        held = [{"symbol": symbol, "qty": quantity} for symbol, quantity in positions.items()]
        made: str = self.ask("POST", "/v1/simulation/accounts", {"cash": cash, "positions": held})["id"]
        return made

    def portfolio(self, text: str = SIXTY_FORTY, *conditions: dict[str, Any], **more: Any) -> str:
        body = {"name": "Model", "weights": weights(text), "rebalance_conditions": list(conditions), **more}
        made: str = self.ask("POST", PORTFOLIOS, body)["id"]
        return made

    def follow(self, account: str, portfolio: str) -> str:
        made: str = self.ask("POST", SUBSCRIPTIONS, {"account_id": account, "portfolio_id": portfolio})["id"]
        return made

    def run(self, account: str, text: str = SIXTY_FORTY, kind: str = "full_rebalance") -> str:
        made: str = self.ask("POST", RUNS, {"account_id": account, "type": kind, "weights": weights(text)})["id"]
        return made

    def status(self, run: str) -> str:
        found: str = self.ask("GET", f"{RUNS}/{run}")["status"]
        return found

    def starts(self, account: str) -> list[str]:
        """The New York days on which the account's runs were created, oldest first."""
        runs = self.ask("GET", RUNS, account_id=account)["runs"][::-1]
        return [f"{datetime.fromisoformat(run['created_at']).astimezone(NEW_YORK):%m-%d}" for run in runs]

    def advance(self, to: str) -> None:
        """Move the clock to ``03-12 15:31`` of its year, New York."""
        year = self.service.world.now().year
        target = at(to if len(to) > len("03-12 15:31") else f"{year}-{to}")
        self.ask("POST", "/v1/simulation/advance", {"to": target.isoformat()})

    def price(self, **prices: str) -> None:
        self.ask("POST", "/v1/simulation/prices", {"prices": prices}, expect=204)

    def set_asset(self, symbol: str, **changes: bool) -> None:
        self.ask("POST", "/v1/simulation/assets", {"symbol": symbol, **changes})
