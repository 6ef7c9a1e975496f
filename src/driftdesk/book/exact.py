"""Exact whole numbers wider than 64 bits, out of float64 and wrapping int64.

A value of quantity (1e-9 share) x price (1e-4 USD) is a count of 1e-13 USD; 923,000 USD overflow an int64. A column of
such values is therefore never stored. It is needed as cents and a rest, and those are found like this:

    exact = whole x unit + rest,   0 <= rest < unit

`estimate` is exact / unit in float64, off by at most e. `wrapped` is exact modulo 2**64, which is what int64 arithmetic
gives when it overflows: sums and products stay right modulo 2**64 however often they wrap. With whole = floor(estimate)
the true difference exact - whole x unit lies within (e + 1) x unit of zero. As long as (e + 1) x unit < 2**63, the
int64 difference *is* the true one, and one floor division moves its whole units over. Nothing is rounded, and no row
needs wider integers. With the limits of columns.py, e stays below one cent; cents in 1e-13 USD would allow an error of
9e7 cents, cents in 1e-17 USD (a hundredth of a percent of a value) one of 9e3 cents.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A cent in 1e-13 USD, the unit of quantity x price.
CENT: Final = 10**11
# Percents are whole hundredths of a percent ("basis points"); a target times an equity is a count of 1e-17 USD.
WHOLE: Final = 10**4
FINE_CENT: Final = CENT * WHOLE


def whole_and_rest(estimate: Floats, wrapped: Ints, unit: int) -> tuple[Ints, Ints]:
    """(whole, rest) of exact = whole x unit + rest, 0 <= rest < unit, as the top of this file proves.

    `estimate` is about exact / unit, `wrapped` is exact modulo 2**64; both of the same shape, which the answer has too.
    """
    whole = np.floor(estimate).astype(np.int64)
    rest = wrapped - whole * unit
    carry = rest // unit
    whole += carry
    rest -= carry * unit
    return whole, rest
