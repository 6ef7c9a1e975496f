"""ULIDs: ids whose text sorts in the order in which they were made. 48 bits of milliseconds since 1970, then 80 bits.

Written as 26 characters of Crockford's base 32, whose order is that of the numbers behind them.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

LENGTH: Final = 26
LOW_BITS: Final = 80

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_BITS_A_DIGIT: Final = 5
# 26 digits hold 130 bits, a ULID has 128.
_LARGEST: Final = 2**128 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def write_ulid(number: int) -> str:
    """The text of a ULID given as a number of 128 bits."""
    return "".join(_DIGITS[number >> shift & 31] for shift in range((LENGTH - 1) * _BITS_A_DIGIT, -1, -_BITS_A_DIGIT))


def read_ulid(text: str) -> int:
    """The number behind a ULID's text, of upper or lower case; ValueError for text that is none."""
    number = 0
    for digit in text.upper():
        # A KeyError would say the same less plainly.
        if digit not in _VALUES:
            raise ValueError(f"{digit!r} is no digit of a ULID")
        number = number << _BITS_A_DIGIT | _VALUES[digit]
    # Capitals of other letters may be several of these digits.
    if len(text) != LENGTH or not text.isascii() or number > _LARGEST:
        raise ValueError(f"a ULID has {LENGTH} characters and begins with 0 to 7")
    return number


def milliseconds(at: datetime) -> int:
    """Whole milliseconds from 1970 to `at` (with a time zone); 0 for earlier instants, which no ULID can hold."""
    return max(0, (at - _EPOCH) // _MILLISECOND)


def time_of(ulid: str) -> datetime:
    """The instant inside a ULID, to the millisecond; ValueError for text that is no ULID, or beyond the year 9999."""
    try:
        return _EPOCH + (read_ulid(ulid) >> LOW_BITS) * _MILLISECOND
    except OverflowError:
        raise ValueError("the time in it is beyond the year 9999") from None


def last_ulid(at: datetime) -> str:
    """The greatest ULID of the millisecond of `at`."""
    return write_ulid((milliseconds(at) + 1 << LOW_BITS) - 1)
