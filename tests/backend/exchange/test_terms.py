"""What an order may ask for, and when it is looked at (rules.md 8.2). Wednesday 11 March 2026, New York times."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from driftdesk.backend.exchange.fillmodel import FillModel, FillModelName
from driftdesk.backend.exchange.terms import Timing, check_terms, stop_reached, timing, within_limit, worst_price
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import InputError
from driftdesk.market_calendar import new_york_sessions
from driftdesk.wire.orders import OrderType, TimeInForce


def order(text: str, **terms: str) -> OrderRequest:
    """``order("buy 3", limit_price="100")`` by quantity, ``order("buy $3")`` by notional; a market day order."""
    side, size = text.split()
    prices = {name: Decimal(terms.pop(name)) for name in ("limit_price", "stop_price") if name in terms}
    return OrderRequest(
        account_id=AccountId("a"),
        client_order_id=terms.pop("client_order_id", "mine"),
        symbol=Symbol("SPY"),
        side=Side(side),
        quantity=None if "$" in size else Decimal(size),
        notional=Decimal(size.removeprefix("$")) if "$" in size else None,
        type=OrderType(terms.pop("type", "market")),
        time_in_force=TimeInForce(terms.pop("tif", "day")),
        **prices,
    )


@pytest.mark.parametrize(
    "request_",
    [
        order("buy 3"),
        order("sell 0.000000001"),
        order("buy $1.005"),
        order("buy 3", type="limit", limit_price="100.25"),
        order("buy 3", type="limit", limit_price="0.1234"),
        order("sell 3", type="stop", stop_price="90"),
        order("sell 3", type="stop_limit", stop_price="90", limit_price="89.5"),
        order("buy $20", type="limit", limit_price="100"),
        *(order("buy 3", tif=name) for name in ("gtc", "opg", "cls", "ioc", "fok")),
        order("buy 3", client_order_id="x" * 128),
    ],
)
def test_what_an_exchange_understands(request_: OrderRequest) -> None:
    """Each type with its prices, sizes to nine decimals, every time in force for whole shares."""
    check_terms(request_)


@pytest.mark.parametrize(
    ("request_", "field", "sentence"),
    [
        (order("buy 0"), "qty", "positive"),
        (order("buy -1"), "qty", "positive"),
        (order("buy 0.0000000001"), "qty", "nine decimals"),
        (order("buy 9000000001"), "qty", "at most 9000000000"),
        (order("buy $0"), "notional", "positive"),
        (order("buy 3", type="limit"), "limit_price", "required for a limit order"),
        (order("buy 3", type="stop"), "stop_price", "required for a stop order"),
        (order("buy 3", type="stop_limit", stop_price="9"), "limit_price", "required for a stop_limit order"),
        (order("buy 3", limit_price="100"), "limit_price", "not allowed for a market order"),
        (order("buy 3", type="limit", limit_price="9", stop_price="9"), "stop_price", "not allowed for a limit order"),
        (order("buy 3", type="limit", limit_price="290.123"), "limit_price", "steps of 0.01 USD"),
        (order("buy 3", type="limit", limit_price="0.12345"), "limit_price", "steps of 0.0001 USD"),
        (order("buy 3", type="limit", limit_price="0"), "limit_price", "a positive price"),
        (order("buy 0.5", tif="gtc"), "time_in_force", "day for a notional or a fraction"),
        (order("buy $5", tif="fok"), "time_in_force", "day for a notional or a fraction"),
        (order("buy $5", type="stop", stop_price="9"), "type", "market or limit for a notional"),
        (order("buy 3", type="stop", stop_price="9", tif="ioc"), "type", "market or limit for ioc"),
        (order("buy 3", client_order_id=""), "client_order_id", "1 to 128 characters"),
        (order("buy 3", client_order_id="x" * 129), "client_order_id", "1 to 128 characters"),
    ],
)
def test_what_cannot_be_is_refused_by_field(request_: OrderRequest, field: str, sentence: str) -> None:
    """One sentence that names the field and what is allowed."""
    with pytest.raises(InputError, match=sentence) as refused:
        check_terms(request_)
    assert field == refused.value.field


def test_either_a_quantity_or_a_notional() -> None:
    """Both and neither are refused."""
    both = OrderRequest(AccountId("a"), "mine", Symbol("SPY"), Side.BUY, Decimal(1), Decimal(1))
    neither = OrderRequest(AccountId("a"), "mine", Symbol("SPY"), Side.BUY)
    for request in (both, neither):
        with pytest.raises(InputError, match="either qty"):
            check_terms(request)


def at(text: str, day: int = 11) -> datetime:
    hour, minute, *second = map(int, text.split(":"))
    return datetime(2026, 3, day, hour, minute, second[0] if second else 0, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("name", "sent", "looked_at", "expires"),
    [
        pytest.param("day", at("10:00"), at("10:00:01"), at("16:00"), id="in the session"),
        pytest.param("day", at("8:00"), at("9:30:01"), at("16:00"), id="before it"),
        pytest.param("day", at("17:00"), at("9:30:01", 12), at("16:00", 12), id="after it: the next one's"),
        pytest.param("day", at("12:00", 14), at("9:30:01", 16), at("16:00", 16), id="on a Saturday"),
        pytest.param("day", at("16:00"), at("9:30:01", 12), at("16:00", 12), id="at the close"),
        pytest.param("gtc", at("10:00"), at("10:00:01"), None, id="gtc does not expire"),
        pytest.param("opg", at("9:27:59"), at("9:30"), at("16:00"), id="in time for the opening"),
        pytest.param("opg", at("19:00"), at("9:30", 12), at("16:00", 12), id="for tomorrow's opening"),
        pytest.param("cls", at("10:00"), at("16:00"), at("16:00"), id="for the closing"),
        pytest.param("cls", at("20:00"), at("16:00", 12), at("16:00", 12), id="for tomorrow's closing"),
        pytest.param("ioc", at("10:00"), at("10:00:01"), at("16:00"), id="at once"),
    ],
)
def test_when_an_order_is_looked_at(name: str, sent: datetime, looked_at: datetime, expires: datetime | None) -> None:
    """A second after it can trade; in an auction at its instant; day orders expire at the close of their session."""
    expected = Timing(looked_at, expires)
    assert expected == timing(TimeInForce(name), sent, new_york_sessions(), FillModel())


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("opg", at("9:28")),
        ("opg", at("12:00")),
        ("opg", at("18:59:59")),
        ("cls", at("15:50")),
        ("cls", at("18:00")),
        ("ioc", at("8:00")),
        ("fok", at("17:00")),
    ],
)
def test_too_late_for_an_auction_too_early_for_at_once(name: str, sent: datetime) -> None:
    """The opening closes at 9:28, the closing ten minutes before the close; both are taken again from 19:00."""
    with pytest.raises(InputError, match=r"New York|while the market is closed"):
        timing(TimeInForce(name), sent, new_york_sessions(), FillModel())


def test_an_early_close_moves_the_closing_auction() -> None:
    """Friday 27 November 2026 ends at 13:00: 12:49 is in time, 12:50 is not."""
    friday = datetime(2026, 11, 27, 12, 49, tzinfo=NEW_YORK)
    looked_at = timing(TimeInForce.CLS, friday, new_york_sessions(), FillModel()).first_look
    assert datetime(2026, 11, 27, 13, 0, tzinfo=NEW_YORK) == looked_at
    with pytest.raises(InputError, match="ten minutes before the close"):
        timing(TimeInForce.CLS, friday + timedelta(minutes=1), new_york_sessions(), FillModel())


def test_under_next_open_an_order_is_the_next_sessions() -> None:
    """Sent on Wednesday at ten it is filled at Thursday's open, and a day order of Thursday's."""
    model = FillModel(FillModelName.NEXT_OPEN)
    assert Timing(at("9:30", 12), at("16:00", 12)) == timing(TimeInForce.DAY, at("10:00"), new_york_sessions(), model)


@pytest.mark.parametrize(
    ("side", "last", "reached", "within"),
    [
        ("buy", "99.99", False, True),
        ("buy", "100", True, True),
        ("buy", "100.01", True, False),
        ("sell", "99.99", True, False),
        ("sell", "100", True, True),
        ("sell", "100.01", False, True),
    ],
)
def test_stops_and_limits_count_their_own_price(side: str, last: str, reached: bool, within: bool) -> None:
    """At 100 exactly a stop is reached and a limit kept, on both sides."""
    assert reached is stop_reached(Side(side), Decimal(100), Decimal(last))
    assert within is within_limit(Side(side), Decimal(100), Decimal(last))


@pytest.mark.parametrize(
    ("request_", "worst"),
    [
        (order("buy 3"), "100"),
        (order("buy 3", type="limit", limit_price="95"), "95"),
        (order("buy 3", type="stop", stop_price="110"), "110"),
        (order("buy 3", type="stop", stop_price="90"), "100"),
        (order("buy 3", type="stop_limit", stop_price="110", limit_price="112"), "112"),
    ],
)
def test_what_a_buy_must_hold_back(request_: OrderRequest, worst: str) -> None:
    """Its limit where it has one, else its stop where that is above the last price of 100."""
    assert Decimal(worst) == worst_price(request_, Decimal(100))
