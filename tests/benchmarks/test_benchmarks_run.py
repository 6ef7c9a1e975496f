"""The benchmarks can be run, and check that the contenders agree; how long they take decides nothing here."""

import pytest
from benchmarks import book, orders


def test_the_benchmark_of_the_book_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """A tiny book is scanned and planned by all contenders: a line of scans, a line per kind of run."""
    book.main(["--accounts", "300", "--models", "5", "--rounds", "1", "--sample", "2"])
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert [["300"], ["300", "full_rebalance"], ["300", "invest_cash"]] == [
        line[: 2 if "_" in line[1] else 1] for line in lines if line[:1] == ["300"]
    ]


def test_the_benchmark_of_orders_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A short session, twice with the same end: a line of orders, times, memory and disk."""
    orders.main(["--orders", "600", "--accounts", "10"])
    heads, line = capsys.readouterr().out.splitlines()
    assert heads.startswith("     orders     traded")
    numbers = [float(cell.replace(",", "")) for cell in line.split()]
    assert 600 == numbers[0] > numbers[1] > 0
    assert 9 == len(numbers)
    assert all(number > 0 for number in numbers[2:])
