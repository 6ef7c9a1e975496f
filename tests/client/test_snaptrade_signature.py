"""The signature of SnapTrade: vectors that its own SDK and openssl gave, and what is sent beside it."""

import httpx
import pytest

from driftdesk.client.snaptrade.signature import SnapTradeKeys, SnapTradeUser, sign, signed_query
from driftdesk.errors import InputError

CANCEL = b'{"brokerage_order_id":"66a033fa-da74-4fcf-b527-feefdec9257e"}'
ACCOUNT = "917c8734-8470-4a3e-a18f-57c3f2ee6631"
ALICE = "userId=alice&userSecret=wonder-1&clientId=CLIENT&timestamp=1760000000"
PERSONAL = "clientId=CLIENT&timestamp=1760000000"
ODD = "userId=user%20one%2Bx%40y&userSecret=s3cr%2Ft%3D%C3%A9&clientId=CLIENT&timestamp=1760000000"


@pytest.mark.parametrize(
    ("path", "query", "body", "expected"),
    [
        pytest.param("/accounts", PERSONAL, b"", "1UCwv5g/frq2iiDOMTNGUefJ0yzbpuNylYnc+1Sj4PU=", id="no body"),
        pytest.param("/trade/5f3c", PERSONAL, b"{}", "MBE1QioAgsJXjPrTT4efw7o256vyCRW90DuTVy6gOm4=", id="empty body"),
        pytest.param(
            f"/accounts/{ACCOUNT}/trading/cancel",
            ALICE,
            CANCEL,
            "k5PFFTloL/UYIGFjq+YlxTYo0SDcrcYzyyWB637DTog=",
            id="cancel",
        ),
        pytest.param(
            f"/api/v1/accounts/{ACCOUNT}/orders/cancel",
            ALICE,
            CANCEL,
            "UNYgspV5gGsL7GNp3oWKfwVhjlHzGw3gVBvP68051pA=",
            id="cancel of the seed",
        ),
        pytest.param(
            "/trade/place",
            ODD,
            '{"z": 10.0, "units": 0.679, "price": 0.0000001, "legs": [{"b": 1, "a": "café"}]}'.encode(),
            "18UWNqdzOH9OQryuSAkIYHnbg7hNZx+QRFsv8ttExtU=",
            id="sorted at every level, escaped, floats as Python writes them",
        ),
    ],
)
def test_vectors(path: str, query: str, body: bytes, expected: str) -> None:
    """With the consumer key SECRET; the first one was made with openssl, all with SDK 13.0.49's own function."""
    assert expected == sign("SECRET", path, query, body)


def test_the_query_of_a_commercial_key_names_its_user() -> None:
    """Operation, user, client, time; every value percent-encoded, the slash and the space too, and sent so by httpx."""
    keys = SnapTradeKeys("CLIENT", "SECRET", SnapTradeUser("user one+x@y", "s3cr/t=é"))
    query = signed_query("", keys, 1760000000)
    assert ODD == query
    assert ODD == httpx.URL(f"https://snaptrade.test/trade/place?{query}").query.decode()
    assert f"state=open&days=3&{ODD}" == signed_query("state=open&days=3", keys, 1760000000)


def test_the_query_of_a_personal_key_names_no_user() -> None:
    """Client and time only."""
    assert PERSONAL == signed_query("", SnapTradeKeys("CLIENT", "SECRET"), 1760000000)


def test_what_was_signed_before_is_signed_anew() -> None:
    """A redirect may repeat the query: user, client and time are in it once, with the time of this attempt."""
    keys = SnapTradeKeys("CLIENT", "SECRET")
    assert f"days=3&{PERSONAL}" == signed_query("userSecret=x&days=3&clientId=CLIENT&timestamp=1", keys, 1760000000)


@pytest.mark.parametrize(
    ("client_id", "consumer_key", "user", "field"),
    [
        ("", "SECRET", None, "client_id"),
        ("CLIENT", " ", None, "consumer_key"),
        ("CLIENT", "SECRET", SnapTradeUser("", "x"), "user.id"),
        ("CLIENT", "SECRET", SnapTradeUser("alice", ""), "user.secret"),
    ],
)
def test_keys_that_cannot_be_right_are_refused(
    client_id: str, consumer_key: str, user: SnapTradeUser | None, field: str
) -> None:
    """Before anything is sent, by the name of what is empty."""
    with pytest.raises(InputError, match="is empty; a commercial key needs") as refused:
        SnapTradeKeys(client_id, consumer_key, user)
    assert field == refused.value.field


def test_secrets_are_not_shown() -> None:
    """Neither the consumer key nor the user's secret stands in what a notebook prints."""
    assert "SnapTradeKeys(client_id='CLIENT', user=SnapTradeUser(id='alice'))" == repr(
        SnapTradeKeys("CLIENT", "SECRET", SnapTradeUser("alice", "wonder-1"))
    )
