"""The rate limit of the headers: counted for each host, shared by threads, waited for at most a minute."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from driftdesk.client.limiter import Limiter

NOW = 1_772_470_800.0


def told(limiter: Limiter, remaining: int | str, seconds: float, host: str = "a") -> None:
    reset = str(int(NOW + seconds))
    limiter.told(host, {"X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": reset})


def test_nothing_is_assumed_before_the_first_answer() -> None:
    """A backend without the headers is not held back."""
    limiter = Limiter()
    assert 0.0 == limiter.wait("a", NOW)
    limiter.told("a", {})
    assert 0.0 == limiter.wait("a", NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Reset": "1772470860"},
        {"X-RateLimit-Remaining": "none", "X-RateLimit-Reset": "1772470860"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"},
        {"X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "1772470860"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 5000},
    ],
)
def test_headers_that_are_no_numbers_tell_nothing(headers: dict[str, str]) -> None:
    """And never trip."""
    limiter = Limiter()
    limiter.told("a", headers)
    assert 0.0 == limiter.wait("a", NOW)


def test_requests_count_down_and_then_wait_for_the_reset() -> None:
    """Two are left, so the third waits the 30 seconds; after the reset it goes at once."""
    limiter = Limiter()
    told(limiter, 2, 30)
    assert [0.0, 0.0, 30.0] == [limiter.wait("a", NOW) for _ in range(3)]
    assert [25.0, 0.0] == [limiter.wait("a", NOW + later) for later in (5, 31)]


def test_a_wait_is_at_most_a_minute() -> None:
    """Whatever the header says, and wherever the two clocks stand."""
    limiter = Limiter()
    told(limiter, 0, 86_400)
    assert 60.0 == limiter.wait("a", NOW)


def test_hosts_are_counted_apart() -> None:
    """Market data goes on while the broker's window is used up."""
    limiter = Limiter()
    told(limiter, 0, 30, host="broker")
    assert [30.0, 0.0] == [limiter.wait(host, NOW) for host in ("broker", "data")]


def test_answers_that_come_late_do_not_raise_the_rest() -> None:
    """Within a window the rest only falls; an answer about an earlier window says nothing; a later one begins anew."""
    limiter = Limiter()
    told(limiter, 3, 30)
    told(limiter, 1, 30)
    told(limiter, 2, 30)
    told(limiter, 50, -30)
    assert [0.0, 30.0] == [limiter.wait("a", NOW) for _ in range(2)]
    told(limiter, 1, 90)
    assert [0.0, 60.0] == [limiter.wait("a", NOW) for _ in range(2)]


def test_threads_share_what_is_left() -> None:
    """Of 100 requests from 8 threads, exactly the 40 that were left go at once."""
    limiter = Limiter()
    told(limiter, 40, 30)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: limiter.wait("a", NOW), range(100)))
    assert (40, 60) == (waits.count(0.0), waits.count(30.0))
