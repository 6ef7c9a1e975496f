"""Price files: what is read, to the last digit, and the one sentence that refuses each kind of broken file."""

import gzip
import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from driftdesk.backend.feeds.history import HistoryFeed, read_history
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import DataError, InputError
from driftdesk.market_calendar import new_york_sessions

SPY, TLT = Symbol("SPY"), Symbol("TLT")
DATA = Path(__file__).parents[4] / "shared" / "data"
D = date.fromisoformat

# The week of Thanksgiving 2026: no session on Thursday the 26th.
PANEL = """Date,SPY,TLT
2026-11-23,600.00005,
2026-11-24,601.5,
2026-11-25,602.25,90.125
2026-11-27,603,91
"""
OHLC = """Date,Open,High,Low,Close,Adj Close,Volume
2026-11-23,10,12,9,11,5.5,1000
2026-11-24,11,13,10,12,6,1000
2026-11-25,12,14,11,13,6.5,1000
"""


def read(folder: Path, text: str, name: str = "prices.csv", **options: object) -> HistoryFeed:
    """Write `text` to a file and read it as prices."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_history(path, new_york_sessions(), **options)  # type: ignore[arg-type]


def closes(feed: HistoryFeed, symbol: Symbol) -> str:
    """All closes of a symbol in one line."""
    return " ".join(f"{day:%d}:{close}" for day, close in feed.closes(symbol, feed.first, feed.last))


def test_a_panel_is_read_exactly(tmp_path: Path) -> None:
    """Prices come from their text, half-up at 0.0001; a symbol that starts late has no price before."""
    feed = read(tmp_path, PANEL)
    assert feed.label == "prices.csv, 2026-11-23 to 2026-11-27"
    assert (D("2026-11-23"), D("2026-11-27")) == (feed.first, feed.last)
    assert closes(feed, SPY) == "23:600.0001 24:601.5000 25:602.2500 27:603.0000"
    assert closes(feed, TLT) == "25:90.1250 27:91.0000"
    assert feed.close(TLT, D("2026-11-24")) is None
    assert feed.price(TLT, datetime(2026, 11, 24, 12, tzinfo=NEW_YORK)) is None
    assert Decimal("90.125") == feed.price(TLT, datetime(2026, 11, 26, 12, tzinfo=NEW_YORK))
    assert ["SPDR S&P 500 ETF", "iShares 20+ Year Treasury Bond ETF"] == [asset.name for asset in feed.assets]
    assert feed.findings == ()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + PANEL,
        PANEL.replace("\n", "\r\n"),
        PANEL.replace("Date,SPY,TLT", "date, spy, tlt"),
        PANEL.replace("\n", "\n\n"),
        PANEL.replace("23,600.00005,", "23,600.00005,NaN"),
        PANEL.replace("2026-11-24,", "2026-11-24 00:00:00-05:00,"),
        PANEL.replace("601.5,", '"601.5",'),
    ],
    ids=["byte order mark", "windows lines", "any case", "empty lines", "NaN is blank", "midnight", "quotes"],
)
def test_spellings_that_mean_the_same(text: str, tmp_path: Path) -> None:
    """What spreadsheets and pandas do to a CSV does not change what is read."""
    feed = read(tmp_path, text)
    assert closes(feed, SPY) == "23:600.0001 24:601.5000 25:602.2500 27:603.0000"
    assert closes(feed, TLT) == "25:90.1250 27:91.0000"


def test_an_unfamiliar_symbol_is_called_by_its_symbol(tmp_path: Path) -> None:
    """A file may hold symbols that no table of names knows."""
    (asset,) = read(tmp_path, "Date,ZZZZ\n2026-11-23,5\n").assets
    assert (asset.symbol, asset.name, asset.exchange) == ("ZZZZ", "ZZZZ", "NYSE")


def test_gzip(tmp_path: Path) -> None:
    """A .csv.gz is read as the same file without .gz."""
    (tmp_path / "panel.csv.gz").write_bytes(gzip.compress(PANEL.encode()))
    feed = read_history(tmp_path / "panel.csv.gz", new_york_sessions())
    assert closes(feed, TLT) == "25:90.1250 27:91.0000"


@pytest.mark.parametrize(
    ("says", "old", "new"),
    [
        ("line 3: 2026-11-23 is there twice", "2026-11-24", "2026-11-23"),
        ("line 4: 2026-11-20 comes after 2026-11-24; dates must be in order", "2026-11-25", "2026-11-20"),
        (r"line 5: 2026-11-26 \(Thursday\) is not a trading day in New York", "2026-11-27", "2026-11-26"),
        (r"line 5: 2026-11-28 \(Saturday\) is not a trading day", "2026-11-27", "2026-11-28"),
        (
            "line 3: 1 session is missing between 2026-11-23 and 2026-11-25, the first on 2026-11-24",
            "2026-11-24,601.5,\n",
            "",
        ),
        (
            "line 5: 2 sessions are missing between 2026-11-25 and 2026-12-01, the first on 2026-11-27",
            "2026-11-27",
            "2026-12-01",
        ),
        ("line 5: 2099-11-27 is outside the trading calendar", "2026-11-27", "2099-11-27"),
        ("line 2: 1926-11-23 is outside the trading calendar", "2026-11-23", "1926-11-23"),
        ("line 3: '24.11.2026' is not a date; dates are written YYYY-MM-DD", "2026-11-24", "24.11.2026"),
        ("line 3: '2026-11-31' is not a date", "2026-11-24", "2026-11-31"),
        ("line 3: '2026-11-24 16:00:00' is not a date", "2026-11-24", "2026-11-24 16:00:00"),
        ("line 5: TLT has no price on 2026-11-27", "603,91", "603,"),
        ("line 3: SPY has no price on 2026-11-24", "601.5,", "n/a,"),
        ("line 3: the price of SPY is 0; prices must be larger than zero", "601.5,", "0,"),
        ("line 3: the price of SPY is -601.5; prices must be larger", "601.5,", "-601.5,"),
        ("line 3: the price of SPY is 0.00004; prices from 0.0001", "601.5,", "0.00004,"),
        ("line 3: the price of SPY is 1e10; prices from 0.0001 to below 10000000", "601.5,", "1e10,"),
        ("line 3: the price of SPY is 'six', which is not a number", "601.5,", "six,"),
        ("line 3: the price of SPY is 'inf', which is not a number", "601.5,", "inf,"),
        (r"line 3: SPY goes from 600.0001 to 360 \(-40.0 %\) on 2026-11-24; more than 40 %", "601.5,", "360,"),
        (r"line 3: SPY goes from 600.0001 to 840.0002 \(\+40.0 %\)", "601.5,", "840.0002,"),
        ("line 4: there are 2 cells where the header has 3 columns", "602.25,90.125", "602.25"),
        ("line 3: there are 4 cells where the header has 3 columns", "601.5,", "601.5,,"),
        ("line 1: the header must be Date and at least one column", "Date,SPY", "Day,SPY"),
        ("line 1: column 3 has no name", "SPY,TLT", "SPY,"),
        ("line 1: column 3 has 'the price', which is not a ticker", "SPY,TLT", "SPY,the price"),
        ("line 1: SPY is listed twice", "SPY,TLT", "SPY,spy"),
        ("line 2: this is not readable as CSV", "600.00005,", '"600"5,'),
    ],
)
def test_a_broken_panel_is_refused(says: str, old: str, new: str, tmp_path: Path) -> None:
    """Each problem names the file, the line and the reason."""
    assert PANEL.count(old) == 1
    with pytest.raises(DataError, match=f"^prices.csv, {says}"):
        read(tmp_path, PANEL.replace(old, new))


def test_lines_that_change_places_are_out_of_order_and_not_missing(tmp_path: Path) -> None:
    """Lines 3 and 4 swapped: the day is there, on the next line."""
    header, first, second, third, last = PANEL.splitlines()
    with pytest.raises(DataError, match=r"^prices\.csv, line 4: 2026-11-24 comes after 2026-11-25"):
        read(tmp_path, "\n".join([header, first, third, second, last]))


@pytest.mark.parametrize(
    ("says", "text"),
    [
        ("prices.csv has no prices", ""),
        ("prices.csv has no prices", "Date,SPY\n"),
        ("prices.csv, line 1: the header must be Date and at least one", "Date\n2026-11-23\n"),
        ("prices.csv has no price at all for TLT", "Date,SPY,TLT\n2026-11-23,1,\n"),
    ],
)
def test_a_file_without_prices_is_refused(says: str, text: str, tmp_path: Path) -> None:
    """Nothing to replay is a sentence, not an empty market."""
    with pytest.raises(DataError, match=says):
        read(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Not UTF-8, not gzip, and gzip cut short."""
    cases = {
        "a.csv": (b"Date,SPY\n2026-11-23,\xff\n", "a.csv is not text in UTF-8"),
        "b.csv.gz": (PANEL.encode(), "b.csv.gz cannot be read"),
        "c.csv.gz": (gzip.compress(PANEL.encode())[:-12], "c.csv.gz cannot be read"),
    }
    for name, (content, says) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=says):
            read_history(tmp_path / name, new_york_sessions())


def test_a_move_of_exactly_forty_percent_is_read(tmp_path: Path) -> None:
    """More than 40 % is refused; 40 % is not."""
    assert closes(read(tmp_path, "Date,SPY\n2026-11-23,100\n2026-11-24,140\n"), SPY) == "23:100.0000 24:140.0000"
    assert closes(read(tmp_path, "Date,SPY\n2026-11-23,100\n2026-11-24,60\n"), SPY) == "23:100.0000 24:60.0000"


def test_a_jump_that_a_person_allows_is_a_finding(tmp_path: Path) -> None:
    """The feed is read and says where, what and when."""
    feed = read(tmp_path, "Date,SPY\n2026-11-23,100\n2026-11-24,33.5\n", allow_jumps=True)
    (finding,) = feed.findings
    assert (finding.file, finding.line, finding.symbol) == ("prices.csv", 3, "SPY")
    assert finding.text == "SPY goes from 100 to 33.5 (-66.5 %) on 2026-11-24; accepted as a real move."
    assert closes(feed, SPY) == "23:100.0000 24:33.5000"


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("SPY", "SPY.csv"),
        ("SPY", "spy.csv"),
        ("EFA", "EFA_US.csv"),
        ("TLT", "TLT_1D_2020-01-01.csv"),
        ("EFA", "optimal_EFA_ohlc_2001_2024.csv"),
        ("BRK.B", "BRK.B_daily.csv"),
    ],
)
def test_an_ohlc_file_takes_its_symbol_from_its_name(symbol: str, name: str, tmp_path: Path) -> None:
    """The first part in capitals, else the first part; the column is the one asked for, in any case."""
    feed = read(tmp_path, OHLC, name, column="adj close")
    assert [symbol] == [asset.symbol for asset in feed.assets]
    assert closes(feed, Symbol(symbol)) == "23:5.5000 24:6.0000 25:6.5000"


@pytest.mark.parametrize(
    ("says", "name", "column"),
    [
        ("SPY.csv has one symbol's opens.*name the column to use: Open, High, Low, Close, Adj Close", "SPY.csv", None),
        ("SPY.csv has no price column 'Adjusted'; it has Open, High, Low, Close, Adj", "SPY.csv", "Adjusted"),
        ("SPY.csv has no price column 'Date'", "SPY.csv", "Date"),
        ("The name of 2024_daily.csv tells no ticker symbol; rename it", "2024_daily.csv", "Close"),
    ],
)
def test_a_wrong_question_about_an_ohlc_file(says: str, name: str, column: str | None, tmp_path: Path) -> None:
    """What the person asked for is refused with what there is."""
    with pytest.raises(InputError, match=says):
        read(tmp_path, OHLC, name, column=column)


def test_a_directory_of_ohlc_files(tmp_path: Path) -> None:
    """One file per symbol; the feed starts with the first, ends with the one that ends first, and says so."""
    folder = tmp_path / "prices"
    folder.mkdir()
    lines = OHLC.splitlines()
    (folder / "SPY.csv").write_text(OHLC)
    (folder / "TLT.csv").write_text("\n".join([lines[0], *lines[2:], "2026-11-27,12,14,11,14,7,1000"]))
    (folder / "notes.txt").write_text("not a price file")
    feed = read_history(folder, new_york_sessions(), column="Close")
    assert feed.label == "prices, 2026-11-23 to 2026-11-25"
    assert closes(feed, SPY) == "23:11.0000 24:12.0000 25:13.0000"
    assert closes(feed, TLT) == "24:12.0000 25:13.0000"
    (finding,) = feed.findings
    assert (finding.file, finding.line, finding.symbol) == ("SPY.csv", 4, "SPY")
    assert "SPY ends on 2026-11-25, before others that reach 2026-11-27" in finding.text


def test_a_directory_is_refused_as_a_whole(tmp_path: Path) -> None:
    """No column, a symbol twice, no day in common, no files, nothing there, and what is neither file nor directory."""
    sessions = new_york_sessions()
    with pytest.raises(InputError, match="holds no price files"):
        read_history(tmp_path, sessions, column="Close")
    (tmp_path / "SPY.csv").write_text(OHLC)
    with pytest.raises(InputError, match="is a directory of price files; name their price column"):
        read_history(tmp_path, sessions)
    (tmp_path / "SPY_new.csv").write_text(OHLC)
    with pytest.raises(DataError, match=r"SPY_new\.csv holds SPY again, after SPY\.csv"):
        read_history(tmp_path, sessions, column="Close")
    (tmp_path / "SPY_new.csv").unlink()
    (tmp_path / "TLT.csv").write_text("Date,Close\n2026-11-27,90\n")
    with pytest.raises(DataError, match="no day in common: one starts on 2026-11-27, one ends on 2026-11-25"):
        read_history(tmp_path, sessions, column="Close")
    with pytest.raises(InputError, match="There is no price file"):
        read_history(tmp_path / "nowhere.csv", sessions)
    with pytest.raises(InputError, match="is neither a price file nor a directory"):
        read_history(Path(os.devnull), sessions)


# --- real files, where they are ---------------------------------------------------------------------------------------

real = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real price histories is not beside this checkout")


@real
def test_the_real_panel() -> None:
    """4,887 sessions of seven symbols, to the rounded digit of the file's first and last lines."""
    feed = read_history(DATA / "panel_adj_close_2004_2024.csv", new_york_sessions())
    assert feed.label == "panel_adj_close_2004_2024.csv, 2004-11-18 to 2024-04-19"
    assert " ".join(asset.symbol for asset in feed.assets) == "SPY TLT AGG EFA GLD AAPL GOOG"
    assert {len(feed.closes(asset.symbol, feed.first, feed.last)) for asset in feed.assets} == {4887}
    assert Decimal("81.3835") == feed.close(SPY, D("2004-11-18"))
    assert Decimal("44.5019") == feed.close(TLT, D("2004-11-18"))
    assert feed.findings == ()


@real
def test_the_real_split_is_refused_and_the_adjusted_column_is_read() -> None:
    """EFA split three for one on 2005-06-09: its raw closes fall from 157 to 52.54 in line 957."""
    path = DATA / "prices" / "optimalhorizon_EFA_ohlc_2001_2024.csv"
    with pytest.raises(
        DataError, match=rf"^{path.name}, line 957: EFA goes from 157 to 52.54 \(-66.5 %\) on 2005-06-09"
    ):
        read_history(path, new_york_sessions(), column="Close")
    feed = read_history(path, new_york_sessions(), column="Adjusted_close")
    assert Decimal("30.6384") == feed.close(Symbol("EFA"), D("2005-06-09"))


def test_prices_are_told_from_others_by_their_content(tmp_path: Path) -> None:
    """Another name or spelling is the same feed; another price, symbol or day is another."""
    feed = read(tmp_path, PANEL)
    same = read(tmp_path, PANEL.replace("601.5,", "601.50,"), name="moved.csv")
    assert feed.identity == same.identity
    changes = (("91\n", "91.0001\n"), ("TLT", "IEF"), ("2026-11-27,603,91\n", ""))
    others = {read(tmp_path, PANEL.replace(old, new)).identity for old, new in changes}
    assert 4 == len(others | {feed.identity})
