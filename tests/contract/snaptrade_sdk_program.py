"""What a person does with the official SDK of SnapTrade, the same in each of its versions: see orders, cancel, fail.

Runs as a program, with the wanted version of the SDK first on its path. Reads what to do as JSON, and writes what came
back as JSON: for each step the status and the body, or the status and body of the SDK's exception.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import snaptrade_client
from snaptrade_client import ApiException, SnapTrade


def opened(host: str, client_id: str, consumer_key: str) -> SnapTrade:
    """The SDK's client: keys by name until 11, as an object of their own since 12."""
    auth = getattr(snaptrade_client, "SnapTradeAuth", None)
    if auth is None:
        return SnapTrade(client_id=client_id, consumer_key=consumer_key, host=host)
    return SnapTrade(auth=auth.commercial_api_key(client_id=client_id, consumer_key=consumer_key), host=host)


def outcome(call: Callable[..., Any], **words: object) -> tuple[int, Any]:
    """Status and body of an answer, also of one that the SDK raises."""
    try:
        answer = call(**words)
    except ApiException as problem:
        return problem.status, problem.body
    return answer.status, answer.body


def steps(asked: dict[str, Any]) -> dict[str, Any]:
    """Every step's outcome, in the order in which they are taken."""
    key, secret, host = asked["client_id"], asked["consumer_key"], asked["host"]
    user = {"user_id": asked["user_id"], "user_secret": asked["user_secret"]}
    of_account = {**user, "account_id": asked["account_id"]}
    sdk = opened(host, key, secret)
    accounts, trading = sdk.account_information, sdk.trading
    told: dict[str, Any] = {
        "status": outcome(sdk.api_status.check),
        "accounts": outcome(accounts.list_user_accounts, **user),
        "list": outcome(accounts.get_user_account_orders, **of_account, state="open"),
    }
    if hasattr(accounts, "get_user_account_order_detail"):
        words = {**of_account, "brokerage_order_id": asked["order_ids"][0]}
        told["detail"] = outcome(accounts.get_user_account_order_detail, **words)
    cancels = {
        "orders/cancel": getattr(trading, "cancel_user_account_order", None),
        "trading/cancel": getattr(trading, "cancel_order", None),
    }
    for (route, cancel), order_id in zip(cancels.items(), asked["order_ids"], strict=True):
        if cancel is not None:
            told[route] = {
                name: outcome(cancel, **of_account, brokerage_order_id=which)
                for name, which in (("first", order_id), ("again", order_id), ("unknown", "no-such-order"))
            }
    lists = "get_user_account_orders"
    told["bad key"] = outcome(getattr(opened(host, "another", secret).account_information, lists), **of_account)
    told["bad consumer key"] = outcome(getattr(opened(host, key, "another").account_information, lists), **of_account)
    told["bad secret"] = outcome(getattr(accounts, lists), **{**of_account, "user_secret": "another"})
    told["open at last"] = outcome(accounts.get_user_account_orders, **of_account, state="open")
    return told


if __name__ == "__main__":
    json.dump(steps(json.load(sys.stdin)), sys.stdout)
