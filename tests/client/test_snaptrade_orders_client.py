"""Orders of a connected account: lists, details, and a cancel that is followed until the order is final."""

import httpx
import pytest
from client.snaptrade_words import A, SnapTrade, ok, record

from driftdesk.client.snaptrade.orders import Generation
from driftdesk.errors import InputError, Rejected

TAKEN = {"brokerage_order_id": "o-1", "raw_response": None}
CANCEL, DETAILS = f"POST {A}/trading/cancel", f"POST {A}/orders/details"
RECENT = f"GET {A}/recentOrders only_executed=false"


def test_lists_and_detail() -> None:
    """A bare array, an envelope, one record; recent orders are asked for with the open ones."""
    wire = SnapTrade(ok([record("EXECUTED", "3")]), ok({"orders": []}), ok({"orders": []}), ok(record("PENDING")))
    assert ["EXECUTED"] == [order.status for order in wire.client.orders.list("acc-1", state="open", days=90)]
    assert () == wire.client.orders.recent("acc-1")
    assert () == wire.client.orders.recent("acc-1", only_executed=True)
    assert "PENDING" == wire.client.orders.get("acc-1", "o-1").status
    assert [
        f"GET {A}/orders state=open days=90",
        RECENT,
        f"GET {A}/recentOrders only_executed=true",
        DETAILS,
    ] == wire.asked
    assert {"brokerage_order_id": "o-1"} == wire.bodies[3]


@pytest.mark.parametrize(("field", "value"), [("state", "closed"), ("days", 0), ("days", 91)])
def test_what_the_list_cannot_mean_is_refused(field: str, value: object) -> None:
    """SnapTrade would cut 91 days to 90 without a word."""
    wire = SnapTrade(ok([]))
    with pytest.raises(InputError, match=rf"^{field} must be .*; received") as refused:
        wire.client.orders.list("acc-1", **{field: value})  # type: ignore[arg-type]
    assert (field, []) == (refused.value.field, wire.requests)


def test_the_seeds_cancel_answers_the_record() -> None:
    """It is final already, so nothing is read again; how much was filled is said by the quantities."""
    wire = SnapTrade(ok(record("CANCELED", filled="3", canceled="7")))
    outcome = wire.client.orders.cancel("acc-1", "o-1", generation=Generation.SEED)
    assert ([f"POST {A}/orders/cancel"], [{"brokerage_order_id": "o-1"}]) == (wire.asked, wire.bodies)
    assert (True, "Canceled order o-1, 3 of 10 filled.") == (outcome.is_final, outcome.text)


def test_the_seeds_cancel_is_followed_while_it_is_pending() -> None:
    """A record that is still open is read again."""
    wire = SnapTrade(ok(record("CANCEL_PENDING", still_open="4")), ok(record("CANCELED", canceled="4")))
    outcome = wire.client.orders.cancel("acc-1", "o-1", generation=Generation.SEED)
    assert ([f"POST {A}/orders/cancel", DETAILS], [1.0]) == (wire.asked, wire.waits)
    assert "Canceled order o-1, 0 of 4 filled." == outcome.text


def test_the_current_cancel_is_followed_until_the_order_is_final() -> None:
    """Its answer is only an id: what became of the order is read, after 1, 2 and 4 seconds."""
    still = ok(record("CANCEL_PENDING", filled="1", still_open="4"))
    wire = SnapTrade(ok(TAKEN), still, still, ok(record("PARTIAL_CANCELED", filled="2", canceled="3")))
    outcome = wire.client.orders.cancel("acc-1", "o-1")
    assert ([CANCEL, DETAILS, DETAILS, DETAILS], [1.0, 2.0, 4.0]) == (wire.asked, wire.waits)
    assert (True, "Canceled order o-1, 2 of 5 filled.") == (outcome.is_final, outcome.text)


def test_following_a_cancel_ends() -> None:
    """After five readings in half a minute; the order as it was read last is the answer."""
    wire = SnapTrade(ok(TAKEN), ok(record("CANCEL_PENDING", filled="1", still_open="4")))
    outcome = wire.client.orders.cancel("acc-1", "o-1")
    assert ([1.0, 2.0, 4.0, 8.0, 15.0], False) == (wire.waits, outcome.is_final)
    expected = "SnapTrade took the cancel of order o-1, which is still CANCEL_PENDING with 1 of 5 filled; look again"
    assert outcome.text.startswith(expected)


def test_a_cancel_can_come_too_late() -> None:
    """The order was executed while SnapTrade took the cancel."""
    wire = SnapTrade(ok(TAKEN), ok(record("EXECUTED", filled="5")))
    expected = "The cancel of order o-1 came too late: it is EXECUTED, 5 of 5 filled."
    assert expected == wire.client.orders.cancel("acc-1", "o-1").text


@pytest.mark.parametrize("status", [400, 404, 501])
def test_an_order_without_details_is_looked_for_among_the_recent_ones(status: int) -> None:
    """Orders placed elsewhere or with several legs have none; of the legs the most open one counts."""
    legs = [record("CANCELED", canceled="2"), record("CANCEL_PENDING", still_open="2")]
    others = [record("EXECUTED", filled="9", brokerage_order_id="o-2")]
    done = [record("CANCELED", canceled="2"), record("CANCELED", canceled="2")]
    none = httpx.Response(status)
    wire = SnapTrade(ok(TAKEN), none, ok({"orders": others + legs}), none, ok({"orders": done}))
    outcome = wire.client.orders.cancel("acc-1", "o-1")
    assert [CANCEL, DETAILS, RECENT, DETAILS, RECENT] == wire.asked
    assert (True, "Canceled order o-1, 0 of 2 filled.") == (outcome.is_final, outcome.text)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ((httpx.Response(404), ok({"orders": []})), "not among the orders of the last 24 hours"),
        ((httpx.Response(402),), "connection to the brokerage is disabled"),
        ((httpx.Response(404), httpx.Response(410)), "retired this endpoint"),
        ((httpx.ReadTimeout("slow"),), "No answer from"),
    ],
)
def test_a_cancel_that_was_taken_does_not_fail_because_it_cannot_be_followed(
    script: tuple[httpx.Response | httpx.HTTPError, ...], says: str
) -> None:
    """It did happen; that the order could not be read is said beside it, and nothing is guessed."""
    wire = SnapTrade(ok(TAKEN), *script)
    outcome = wire.client.orders.cancel("acc-1", "o-1", rereads=(1.0,))
    assert (None, False) == (outcome.order, outcome.is_final)
    assert outcome.text.startswith("SnapTrade took the cancel of order o-1, but the order could not be read since: ")
    assert says in outcome.text


def test_the_last_reading_that_worked_is_kept() -> None:
    """A failure after it does not take away what is known."""
    wire = SnapTrade(ok(TAKEN), ok(record("PARTIAL", filled="1", still_open="4")), httpx.Response(500))
    outcome = wire.client.orders.cancel("acc-1", "o-1", rereads=(1.0, 1.0))
    assert outcome.order is not None
    assert ("PARTIAL", True) == (outcome.order.status, "500" in outcome.problem)


def test_a_refused_cancel_is_an_error() -> None:
    """Of an order that is final already, or unknown: nothing is read after it."""
    wire = SnapTrade(httpx.Response(400, json={"detail": "Order is not cancelable", "code": "1076"}))
    with pytest.raises(Rejected, match=r"\(400, code 1076\)\. It said: Order is not cancelable"):
        wire.client.orders.cancel("acc-1", "o-1")
    assert [CANCEL] == wire.asked


def test_ids_are_one_segment_of_the_path() -> None:
    """Whatever stands in them."""
    wire = SnapTrade(ok([]))
    wire.client.orders.list("a/../b?c")
    assert b"/accounts/a%2F..%2Fb%3Fc/orders" == wire.requests[0].url.raw_path.partition(b"?")[0]
