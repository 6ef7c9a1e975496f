"""How often SnapTrade is asked (wire/snaptrade.md 4, 6).

It takes 250 requests a minute for a client and, with a personal key, ten for an account; it wants ten minutes between
two looks at holdings in the background, and disables keys that poll for prices. With these, an account that is looked
at all the time while it trades takes nine a minute, one that nobody looks at and that has no open order takes none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what was read counts as fresh, by the wall clock: an account that a person looks at, the book, prices,
    and what a brokerage trades; after a failure nothing is asked of that account for `failure`.

    By the market's clock: how long an open order is left alone between two looks, while it may trade (`order`) and
    while nothing does (`rest`), and for how long after one of our fills a brokerage may still tell of the cash before
    it (`settling`).
    """

    account: timedelta = timedelta(minutes=1)
    book: timedelta = timedelta(minutes=10)
    prices: timedelta = timedelta(minutes=1)
    instruments: timedelta = timedelta(days=1)
    failure: timedelta = timedelta(seconds=15)
    order: timedelta = timedelta(seconds=15)
    rest: timedelta = timedelta(minutes=10)
    settling: timedelta = timedelta(minutes=5)


# Against a server of ours there is nobody to spare but the server itself, which keeps to the same limit. Where its
# clock is moved on, what was read before is not fresh any more (connected.opening).
NEAR: Final = Patience(
    account=timedelta(seconds=5),
    book=timedelta(minutes=1),
    prices=timedelta(seconds=5),
    instruments=timedelta(days=1),
    failure=timedelta(seconds=2),
    order=timedelta(seconds=2),
    rest=timedelta(seconds=15),
    settling=timedelta(0),
)
