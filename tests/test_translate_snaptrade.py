"""From SnapTrade's balances and positions to a snapshot: nothing counted twice, converted or kept quiet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from domain import bands, model

from driftdesk.engine.drift import measure_drift
from driftdesk.engine.snapshot import Side
from driftdesk.errors import DataError
from driftdesk.translate_snaptrade import Connected, ConnectedSnapshot, FindingKind, snaptrade_snapshot
from driftdesk.wire.snaptrade.accounts import Account, Balance, Connection, Positions, Quote
from driftdesk.wire.snaptrade.orders import OrderRecord

NOW = datetime(2026, 3, 2, 17, tzinfo=UTC)
READ = NOW - timedelta(minutes=5)


def account(**changes: Any) -> Account:
    return Account.model_validate(
        {"id": "acc-1", "display_name": "IRA", "net_value": {"amount": 1000, "currency": "USD"}} | changes
    )


def cash(text: str) -> tuple[Balance, ...]:
    """``USD 500 | CAD ?``: a balance per currency, ``?`` for a cash that is null."""
    pairs = [part.split() for part in text.split("|")]
    return tuple(
        Balance.model_validate({"currency": {"code": code}, "cash": None if amount == "?" else amount})
        for code, amount in pairs
    )


def positions(text: str, as_of: datetime | None = READ) -> Positions:
    """``SPY 2@100 | SPAXX 40@1 cash | BTC 1@5 crypto | XIU.TO 3@30 CAD``: held at a price, and what is special."""
    rows: list[dict[str, Any]] = []
    for part in filter(None, text.split("|")):
        symbol, amount, *marks = part.split()
        units, _, price = amount.partition("@")
        kinds = [mark for mark in marks if mark.islower() and mark != "cash"] or ["etf"]
        currencies = [mark for mark in marks if mark.isupper()] or ["USD"]
        rows.append(
            {
                "instrument": {"kind": kinds[0], "symbol": symbol},
                "units": units,
                "price": price or None,
                "currency": currencies[0],
                "cash_equivalent": "cash" in marks,
            }
        )
    freshness = None if as_of is None else {"as_of": as_of}
    return Positions.model_validate({"results": rows, "data_freshness": freshness})


def quote(symbol: str, price: str, currency: str = "USD") -> Quote:
    return Quote.model_validate(
        {"symbol": {"symbol": symbol, "currency": {"code": currency}}, "last_trade_price": price}
    )


def order(action: str, symbol: str, still_open: str | None, **more: Any) -> OrderRecord:
    fields = {"brokerage_order_id": "o-1", "status": "ACCEPTED", "universal_symbol": {"symbol": symbol}}
    return OrderRecord.model_validate(fields | {"action": action, "open_quantity": still_open} | more)


def snapshot(
    held: str = "SPY 2@100",
    in_cash: str = "USD 500",
    *,
    targets: tuple[str, ...] = (),
    excluded: frozenset[str] = frozenset(),
    as_of: datetime | None = READ,
    **read: Any,
) -> ConnectedSnapshot:
    """A snapshot of an account with these holdings and this cash, in an open market at NOW."""
    parts: dict[str, Any] = {
        "account": account(),
        "balances": cash(in_cash),
        "positions": positions(held, as_of),
    } | read
    return snaptrade_snapshot(Connected(**parts), as_of=NOW, market_open=True, targets=targets, excluded=excluded)


def test_cash_equivalents_are_counted_once() -> None:
    """500 in cash, 40 of it in a money-market fund, and 200 in SPY are 700, and the fund is said to be cash."""
    found = snapshot("SPY 2@100 | SPAXX 40@1 cash", targets=("SPY",))
    report = measure_drift(found.snapshot, model("cash 50 | SPY 50"), bands("abs 5"))
    assert (Decimal(700), Decimal(500)) == (report.equity, report.cash)
    (finding,) = found.findings
    assert FindingKind.CASH_EQUIVALENT is finding.kind
    assert finding.text == "SPAXX, 40 USD, is counted as cash, where SnapTrade has it too, and not as a holding."


def test_prices_are_the_quotes_or_those_of_the_positions() -> None:
    """A quote was taken now; a position's price is as old as the positions; a target without a quote has none."""
    found = snapshot(
        "SPY 2@100 | TLT 1@50.00005", quotes=(quote("SPY", "101"), quote("GLD", "200")), targets=("GLD", "X")
    )
    prices = {price.symbol: (price.price, price.at) for price in found.snapshot.quotes}
    assert {
        "SPY": (Decimal("101.0000"), NOW),
        "TLT": (Decimal("50.0001"), READ),
        "GLD": (Decimal("200.0000"), NOW),
        "X": (None, None),
    } == prices


def test_old_positions_stop_the_plan_in_an_open_market() -> None:
    """The engine refuses a price of 20 minutes ago (rules.md 3.1): the price has the age of the positions."""
    found = snapshot(as_of=NOW - timedelta(minutes=20))
    with pytest.raises(DataError, match="SPY has a price older than 15 minutes"):
        measure_drift(found.snapshot, model("SPY 100"))


def test_an_account_in_another_currency_is_read_in_it() -> None:
    """All amounts are Canadian; nothing is converted."""
    in_cad = account(net_value={"amount": 1, "currency": "CAD"})
    found = snapshot("XIU.TO 3@30 CAD", "CAD 500.005", account=in_cad)
    assert ("CAD", Decimal("500.01")) == (found.currency, found.snapshot.cash)


def test_a_single_balance_says_the_currency_where_the_account_does_not() -> None:
    """Two of them do not."""
    silent = account(net_value=None)
    assert "USD" == snapshot(account=silent).currency
    with pytest.raises(DataError, match="The currency of account IRA is not known"):
        snapshot(in_cash="USD 500 | CAD 0", account=silent)


@pytest.mark.parametrize(
    ("read", "says"),
    [
        ({"in_cash": "USD 500 | CAD 20.50"}, r"kept in USD and holds 20\.5 CAD in cash; amounts are not converted"),
        ({"in_cash": "USD 500 | CAD -1"}, r"holds -1 CAD"),
        ({"in_cash": "CAD 0"}, r"says no cash in USD for account IRA"),
        ({"in_cash": "USD ?"}, r"says no cash in USD for account IRA"),
        ({"balances": ()}, r"says no cash in USD for account IRA"),
        ({"held": "XIU.TO 3@30 CAD"}, r"XIU\.TO is priced in CAD and the account is kept in USD.*exclude the holding"),
        ({"quotes": (quote("GLD", "200", "CAD"),)}, r"The price of GLD is in CAD .*use a listing in USD"),
        (
            {"positions": Positions.model_validate({"results": [{"instrument": {"symbol": "SPY"}, "units": "1"}]})},
            r"SPY is priced in an unnamed currency",
        ),
        (
            {"positions": Positions.model_validate({"results": [{"instrument": {"description": "Bond"}}]})},
            r"A position has no symbol \(Bond\)",
        ),
        (
            {
                "positions": Positions.model_validate(
                    {"results": [{"instrument": {"symbol": "SPY", "currency": "USD"}, "price": "1"}]}
                )
            },
            r"does not say how many units of SPY",
        ),
        ({"account": account(sync_status={"holdings": {"holdings_unavailable": True}})}, r"does not show its holdings"),
        (
            {"account": account(sync_status={"holdings": {"initial_sync_completed": False}})},
            r"still reading account IRA for the first time",
        ),
    ],
)
def test_amounts_without_a_meaning_are_refused(read: dict[str, Any], says: str) -> None:
    """Loudly: another currency, an amount that is not said, holdings that SnapTrade has not got."""
    with pytest.raises(DataError, match=says):
        snapshot(**read)


def test_a_foreign_holding_can_be_excluded() -> None:
    """It leaves equity and plan; 500 in cash and 200 in SPY remain."""
    found = snapshot("SPY 2@100 | XIU.TO 3@30 CAD", excluded=frozenset({"XIU.TO"}))
    assert Decimal(700) == measure_drift(found.snapshot, model("SPY 100")).equity


@pytest.mark.parametrize("kind", ["mutualfund", "crypto", "option"])
def test_other_kinds_keep_their_name_and_the_engine_refuses_them(kind: str) -> None:
    """Only exchange-traded shares are the engine's class of shares."""
    with pytest.raises(DataError, match="B is neither a stock nor an ETF"):
        measure_drift(snapshot(f"B 1@5 {kind}").snapshot, model("SPY 100"))


def test_open_orders_reserve_cash_and_units() -> None:
    """A buy of 3 reserves 270 at its limit of 90, one of 2 reserves 200; a sell its units; a final order nothing."""
    found = snapshot(
        orders=(
            order("BUY", "SPY", "3", limit_price="90"),
            order("BUY", "SPY", None, total_quantity="5", filled_quantity="3", canceled_quantity="0"),
            order("SELL", "SPY", "1.5"),
            order("SELL", "SPY", "0", status="EXECUTED"),
        )
    )
    sides = [(o.side, o.reserved) for o in found.snapshot.open_orders]
    assert [(Side.BUY, Decimal(270)), (Side.BUY, Decimal(200)), (Side.SELL, Decimal("1.5"))] == sides
    assert (Decimal(2), Decimal("0.5")) == (found.snapshot.holdings[0].quantity, found.snapshot.holdings[0].available)
    assert () == found.findings


@pytest.mark.parametrize(
    ("doubtful", "says"),
    [
        (order("BUY", "SPY", None), "may be open (ACCEPTED), but does not say what it reserves"),
        (order("SELL_SHORT", "SPY", "1"), "does not say what it reserves"),
        (order("BUY", "NEW", "1"), "does not say what it reserves"),
        (order("BUY", "SPY", "1", universal_symbol=None), "does not say what it reserves"),
        (order("SELL", "SPY", "1", total_quantity="5", filled_quantity="1", canceled_quantity="1"), "do not add up"),
    ],
)
def test_orders_in_doubt_are_found(doubtful: OrderRecord, says: str) -> None:
    """An order that may be open is not passed over in silence, nor one whose quantities contradict each other."""
    (finding,) = snapshot(orders=(doubtful,)).findings
    assert FindingKind.ORDER is finding.kind
    assert says in finding.text


@pytest.mark.parametrize(
    ("read", "kind", "says"),
    [
        (
            {"connection": Connection(id="c", type="trade", disabled=True, disabled_date=NOW)},
            FindingKind.DISABLED,
            "disabled since 2026-03-02: its data are old",
        ),
        (
            {"connection": Connection(id="c", type="trade", disabled=True)},
            FindingKind.DISABLED,
            "is disabled: its data",
        ),
        ({"connection": Connection(id="c", type="read")}, FindingKind.READ_ONLY, "a plan can be exported, not sent"),
        ({"as_of": NOW - timedelta(days=1, seconds=1)}, FindingKind.STALE, "2026-03-01 16:59 UTC, over a day ago"),
        ({"as_of": None}, FindingKind.STALE, "does not say when the holdings of IRA were read"),
    ],
)
def test_disabled_and_stale_connections_are_found(read: dict[str, Any], kind: FindingKind, says: str) -> None:
    """They go on answering without an error, so the person is told before a trade is computed."""
    (finding,) = snapshot(**read).findings
    assert kind is finding.kind
    assert says in finding.text


@pytest.mark.parametrize("connection", [None, Connection(id="c"), Connection(id="c", type="trade")])
def test_what_is_not_known_of_a_connection_is_no_finding(connection: Connection | None) -> None:
    """Unknown is not no."""
    assert () == snapshot(connection=connection, as_of=NOW - timedelta(days=1)).findings
