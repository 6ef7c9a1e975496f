"""Holdings and portfolios from files: what is read, exactly, and the one sentence for each thing that is refused."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdesk.engine.snapshot import CASH, AccountId, Holding, Quote, Symbol
from driftdesk.engine.targets import BandKind, CalendarKind, CalendarRule, DriftBand, Portfolio
from driftdesk.errors import InputError
from driftdesk.files import HoldingsFile, holdings_snapshot, read_holdings, read_portfolio, read_text

AS_OF = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
HOLDINGS = """symbol,quantity,price
SPY,60,512.34
TLT,40.5,91.1
CASH,500.25,
"""
WEIGHTS = """symbol,percent
SPY,60
TLT,35
CASH,5
"""
BODY: dict[str, object] = {
    "name": "Balanced",
    "description": "A balanced portfolio of stocks and bonds",
    "weights": [
        {"type": "cash", "percent": "5"},
        {"type": "asset", "symbol": "SPY", "percent": "60"},
        {"type": "asset", "symbol": "TLT", "percent": "35"},
    ],
    "cooldown_days": 7,
    "rebalance_conditions": [
        {"type": "drift_band", "sub_type": "absolute", "percent": "5"},
        {"type": "drift_band", "sub_type": "relative", "percent": "20"},
    ],
}


def holdings(text: str) -> HoldingsFile:
    """Read `text` as the file mine.csv."""
    return read_holdings(text, name="mine.csv")


def portfolio(text: str | dict[str, object], name: str = "model.json") -> Portfolio:
    """Read text, or an object as JSON, as a portfolio file."""
    return read_portfolio(text if isinstance(text, str) else json.dumps(text), name=name)


def in_words(file: HoldingsFile) -> str:
    """``cash 500 | SPY 60@100``."""
    return " | ".join([f"cash {file.cash}", *(f"{row.symbol} {row.quantity:f}@{row.price}" for row in file.rows)])


def weights(found: Portfolio) -> str:
    """``cash 0.05 | SPY 0.6``."""
    return " | ".join(f"{'cash' if t.symbol == CASH else t.symbol} {t.weight}" for t in found.targets.weights)


# --- holdings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "text"),
    [
        ("cash 500.25 | SPY 60@512.3400 | TLT 40.5@91.1000", HOLDINGS),
        ("cash 500.25 | SPY 60@512.3400 | TLT 40.5@91.1000", "\ufeff" + HOLDINGS.replace("\n", "\r\n\r\n")),
        ("cash 500.25 | SPY 60@512.3400 | TLT 40.5@91.1000", HOLDINGS.replace("symbol,quantity", " Ticker, SHARES ")),
        ("cash 0 | SPY 1@2.0000", "price,symbol,quantity\n2,spy,1\n"),
        ("cash 1234.50 | SPY 1000@1234.5000", 'symbol,quantity,price\nSPY,"1,000","$1,234.50"\nUSD,"$1,234.50",1\n'),
        ("cash 12.35 | SPY 0.000000001@0.0001", "symbol,quantity,price\n$CASH,12.345\nSPY,.000000001,0.00005\n"),
        ("cash -20.00 | SPY 1@9.0000", "symbol,quantity,price\ncash,-$20,\nSPY,1,$ 9\n"),
        ("cash 7.00 | SPY 1@9.0000", "symbol,quantity,price,value\ncash,,,7\nSPY,1,9,9\n"),
        ("cash 7.00 | BRK.B 0@9.0000", "name,symbol,quantity,price,value\nCash,cash,7,1,$7.00\nBerkshire,BRK.B,0,9,\n"),
    ],
    ids=["plain", "windows", "headers", "no cash", "thousands", "rounding", "negative cash", "value", "both"],
)
def test_holdings_are_read(read: str, text: str) -> None:
    """Headers in any case and order, marks of spreadsheets, dollars and thousands; cents and 4 decimals of price."""
    assert read == in_words(holdings(text))


@pytest.mark.parametrize(
    ("field", "says", "old", "new"),
    [
        ("price", "line 2: the price of SPY is missing", "512.34", ""),
        ("price", "line 2: the price of SPY is 'n/a', which is not a number", "512.34", "n/a"),
        ("price", "line 2: the price of SPY is '5,12', which is not a number", "512.34", '"5,12"'),
        ("price", "line 2: the price of SPY is '1e3', which is not a number", "512.34", "1e3"),
        ("price", "line 2: the price of SPY is '5 12', which is not a number", "512.34", "5 12"),
        ("price", r"line 2: the price of SPY is '\$', which is not a number", "512.34", "$"),
        ("price", "line 2: the price of SPY must be larger than zero", "512.34", "0"),
        ("price", "line 2: the price of SPY must be larger than zero", "512.34", "-512.34"),
        ("price", "line 2: the price of SPY is 1000000000000, which is too large", "512.34", "1000000000000"),
        ("quantity", "line 2: the quantity of SPY is missing", "SPY,60", "SPY,"),
        ("quantity", "line 2: the quantity of SPY is negative; short positions", "SPY,60", "SPY,-60"),
        ("quantity", "line 2: the quantity of SPY is 'sixty', which is not a number", "SPY,60", "SPY,sixty"),
        ("quantity", "line 2: the quantity of SPY has more than 9 decimals", "SPY,60", "SPY,0.1234567891"),
        ("quantity", "line 4: the amount of cash is missing", "CASH,500.25", "CASH,"),
        ("price", "line 4: CASH stands for cash here, whose price is blank or 1; received 75.2", "500.25,", "5,75.2"),
        ("symbol", "line 3: SPY is listed again, after line 2", "TLT", "spy"),
        ("symbol", "line 4: cash is listed again, after line 3", "TLT,40.5,91.1", "USD,3,"),
        ("symbol", "line 3: the symbol is missing", "TLT", ""),
        ("symbol", "line 3: 'BTC/USD' is not a ticker symbol", "TLT", "BTC/USD"),
        ("amount", "line 1: column 'amount' is not known; use symbol, quantity, price", "quantity", "amount"),
        ("shares", "line 1: column quantity is there twice", "price", "shares"),
        ("", r"line 2: there are 4 cells but 3 columns; put numbers with commas in quotes", "512.34", "1,512.34"),
        ("", "line 4: this is not readable as CSV", "CASH", '"CASH'),
    ],
)
def test_holdings_that_cannot_be_used(field: str, says: str, old: str, new: str) -> None:
    """Each problem is one sentence that names the file, the line and the column."""
    assert old in HOLDINGS
    with pytest.raises(InputError, match=f"^mine.csv, {says}") as refused:
        holdings(HOLDINGS.replace(old, new, 1))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("says", "text"),
    [
        ("mine.csv is empty; it needs the columns symbol, quantity, price", ""),
        ("mine.csv is empty", "\n \n"),
        ("mine.csv has a header and nothing else", "symbol,quantity,price\n"),
        ("mine.csv, line 1: column price is missing", "symbol,quantity\nSPY,1\n"),
        ("differs between value and quantity", "symbol,quantity,price,value\nCASH,5,1,6\n"),
    ],
)
def test_holdings_with_nothing_to_use(says: str, text: str) -> None:
    """An empty file, a lone header, a missing column, and cash that contradicts itself."""
    with pytest.raises(InputError, match=says):
        holdings(text)


def test_a_snapshot_of_a_file() -> None:
    """Shares are all available, prices are as of the instant asked for, and a price without shares is a quote only."""
    found = holdings_snapshot(
        holdings(HOLDINGS + "VXUS,0,65.1\n"),
        AS_OF,
        prices={Symbol("GLD"): Decimal("170.12345"), Symbol("SPY"): Decimal(1)},
    )
    assert (found.account_id, found.as_of, found.cash, found.market_open) == (
        "mine.csv",
        AS_OF,
        Decimal("500.25"),
        False,
    )
    assert found.holdings == (
        Holding(Symbol("SPY"), Decimal(60), Decimal(60)),
        Holding(Symbol("TLT"), Decimal("40.5"), Decimal("40.5")),
    )
    assert {quote.symbol: quote.price for quote in found.quotes} == {
        "SPY": Decimal("512.34"),
        "TLT": Decimal("91.1"),
        "VXUS": Decimal("65.1"),
        "GLD": Decimal("170.1235"),
    }
    assert found.quote(Symbol("TLT")) == Quote(Symbol("TLT"), Decimal("91.1"), AS_OF)
    assert holdings_snapshot(holdings(HOLDINGS), AS_OF, account_id=AccountId("A-1")).account_id == "A-1"


@given(st.text(max_size=60), st.sampled_from(["", "symbol,quantity,price\n", "symbol,percent\n", "{", '{"weights": ']))
def test_no_text_crashes_the_readers(text: str, start: str) -> None:
    """Whatever is dropped on a page is read or refused with a sentence that names the file."""
    for read in (read_holdings, read_portfolio):
        try:
            read(start + text, name="dropped.txt")
        except InputError as refused:
            sentence = str(refused)
        else:
            sentence = "dropped.txt was read"
        assert sentence.startswith("dropped.txt")


# --- portfolios -------------------------------------------------------------------------------------------------------


def test_a_portfolio_as_the_api_takes_it() -> None:
    """The seed's sample request is read to the exact fractions, conditions and cooldown."""
    found = portfolio(BODY)
    assert weights(found) == "cash 0.05 | SPY 0.60 | TLT 0.35"
    assert found.conditions == (DriftBand(BandKind.ABSOLUTE, Decimal(5)), DriftBand(BandKind.RELATIVE, Decimal(20)))
    assert (found.name, found.cooldown_days, found.id) == ("Balanced", 7, "")


def test_a_portfolio_as_the_api_answers_it() -> None:
    """An answer can be saved and read back: id, status, times and nulls beside the body, and the other spelling."""
    answer = {key: value for key, value in BODY.items() if key != "rebalance_conditions"} | {
        "id": "6819ecd2-db92-4688-821d-8fac2a8f4744",
        "status": "active",
        "created_at": "2022-08-06T23:12:13.555858Z",
        "updated_at": "2022-08-06T23:12:13.628551Z",
        "rebalancing_conditions": [{"type": "calendar", "sub_type": "monthly", "day": 31, "percent": None}],
    }
    found = portfolio(answer)
    assert found.id == "6819ecd2-db92-4688-821d-8fac2a8f4744"
    assert found.conditions == (CalendarRule(CalendarKind.MONTHLY, "31"),)


def test_numbers_in_json_are_read_from_their_text() -> None:
    """33.3 as a JSON number is the decimal 33.3 and never passes through a float."""
    text = """{"weights": [{"type": "asset", "symbol": "SPY", "percent": 66.7},
                           {"type": "asset", "symbol": "BRK.B", "percent": 33.30}]}"""
    found = portfolio("\ufeff  " + text, name="/tmp/two thirds.json")
    assert weights(found) == "SPY 0.667 | BRK.B 0.3330"
    assert (found.name, found.conditions, found.cooldown_days) == ("two thirds", (), 0)


@pytest.mark.parametrize(
    ("field", "says", "change"),
    [
        ("weights", "weights must sum to exactly 100.00 percent; they sum to 99.99", {"percent": "4.99"}),
        ("weights[0].percent", "must be positive with at most two decimals; received 5.001", {"percent": "5.001"}),
        ("weights[0].percent", r"weights\[0\].percent is missing", {"percent": None}),
        ("weights[0].percent", "must be a decimal", {"percent": "five"}),
        ("weights[0].type", "must be cash or asset; received 'portfolio'", {"type": "portfolio"}),
        ("weights[0].symbol", "is not allowed on cash", {"symbol": "USD"}),
        (
            "weights[0].symbol",
            "must be a ticker symbol in capitals; received 'spy'",
            {"type": "asset", "symbol": "spy"},
        ),
        ("weights[0].symbol", "must be a ticker symbol in capitals; received None", {"type": "asset"}),
        ("weights[1].symbol", "repeats SPY", {"type": "asset", "symbol": "SPY"}),
    ],
)
def test_weights_that_cannot_be_used(field: str, says: str, change: dict[str, object]) -> None:
    """The sentence starts with the file and the error carries the path of the field."""
    cash, *assets = BODY["weights"]  # type: ignore[misc]
    with pytest.raises(InputError, match=f"^model.json: .*{says}") as refused:
        portfolio(BODY | {"weights": [cash | change, *assets]})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "says", "change"),
    [
        ("weights", "weights is missing; it must be a list", {"weights": None}),
        ("weights", "weights must be a list; received 'SPY'", {"weights": "SPY"}),
        ("weights", "they sum to 0", {"weights": []}),
        ("weights[0].type", "must be cash or asset", {"weights": ["SPY"]}),
        ("cooldown_days", "must be a whole number of days, 0 or larger; received -1", {"cooldown_days": -1}),
        ("cooldown_days", "must be a whole number of days", {"cooldown_days": "7"}),
        ("cooldown_days", "must be a whole number of days", {"cooldown_days": 1.5}),
        ("cooldown_days", "must be a whole number of days", {"cooldown_days": True}),
        ("name", "name must be text; received 5", {"name": 5}),
        ("cooldown", "cooldown is not a field of a portfolio; use name, description, weights", {"cooldown": 7}),
        (
            "rebalance_conditions[0].day",
            "must be a day of the year as MM-DD",
            {"rebalance_conditions": [{"type": "calendar", "sub_type": "annually", "day": "02-30"}]},
        ),
    ],
)
def test_portfolios_that_cannot_be_used(field: str, says: str, change: dict[str, object]) -> None:
    """Everything beside the weights is checked as strictly."""
    with pytest.raises(InputError, match=f"^model.json: .*{says}") as refused:
        portfolio(BODY | change)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("says", "text"),
    [
        ("^model.json, line 2: this is not valid JSON", '{"name": "x",\n weights}'),
        ("^model.json: this is not valid JSON", '{"cooldown_days": ' + "9" * 5000 + "}"),
        ("^model.json: this is not valid JSON", "[" * 100_000),
        ("^model.json: the file must hold one portfolio object", "[1, 2]"),
        ("^model.json: weights.*must be a decimal", '{"weights": [{"type": "cash", "percent": NaN}]}'),
        ("^model.json is empty", ""),
    ],
)
def test_files_that_hold_no_portfolio(says: str, text: str) -> None:
    """Broken JSON names its line; the rest says what a portfolio file is."""
    with pytest.raises(InputError, match=says):
        portfolio(text)


def test_a_portfolio_as_a_table_of_weights() -> None:
    """Symbol and percent, cash among them, percent signs allowed; named after the file."""
    found = portfolio(WEIGHTS.replace("35", "35%"), name="classic.csv")
    assert weights(found) == "SPY 0.60 | TLT 0.35 | cash 0.05"
    assert (found.name, found.conditions, found.cooldown_days) == ("classic", (), 0)


@pytest.mark.parametrize(
    ("says", "old", "new"),
    [
        ("^classic.csv: weights must sum to exactly 100.00 percent; they sum to 99.99", "35", "34.99"),
        ("^classic.csv, line 3: percent must be positive with at most two decimals; received 35.005", "35", "35.005"),
        ("^classic.csv, line 3: percent must be a decimal: value is empty", "35", ""),
        ("^classic.csv, line 3: SPY is listed again, after line 2", "TLT", "SPY"),
        ("^classic.csv, line 1: column 'share' is not known; use symbol, percent, name", "percent", "share"),
    ],
)
def test_tables_of_weights_that_cannot_be_used(says: str, old: str, new: str) -> None:
    """Each problem names the file and, where there is one, the line."""
    with pytest.raises(InputError, match=says):
        portfolio(WEIGHTS.replace(old, new, 1), name="classic.csv")


# --- the file itself --------------------------------------------------------------------------------------------------


def test_text_of_a_file(tmp_path: Path) -> None:
    """UTF-8 with or without its mark is read; what is missing, a folder, or other bytes is refused by name."""
    (tmp_path / "mine.csv").write_bytes(b"\xef\xbb\xbfsymbol")
    assert read_text(tmp_path / "mine.csv") == "symbol"
    (tmp_path / "latin.csv").write_bytes(b"\xe9")
    for name, says in (
        ("none.csv", "There is no file"),
        ("latin.csv", "latin.csv is not text"),
        ("", re.escape(f"{tmp_path} cannot be read")),
    ):
        with pytest.raises(InputError, match=says):
            read_text(tmp_path / name)
