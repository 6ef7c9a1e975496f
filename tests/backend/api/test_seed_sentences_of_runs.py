"""Runs: how they start, end, are canceled and listed; sentences of the seed (their table: test_seed_sentences)."""

from collections.abc import Callable

import pytest
from seed_world import PORTFOLIOS, RUNS, SIXTY_FORTY, World, weights

SKIP_REASON = "ORDER_LESS_THAN_MIN_NOTIONAL"


def test_a_run_has_the_attributes_of_the_model(world: World) -> None:
    """Run Model, Create run: one by API, one by the system; the answer is the whole run (rules.md 2.2, 5.5)."""
    alder, birch, made = world.account(), world.account(), world.portfolio()
    body = {"account_id": alder, "type": "full_rebalance", "weights": weights(SIXTY_FORTY)}
    by_api = world.ask("POST", RUNS, body)
    world.follow(birch, made)
    (by_system,) = world.ask("GET", RUNS, account_id=birch)["runs"]
    for run, who in ((by_api, "api"), (by_system, "system")):
        assert (who, who, "full_rebalance", "QUEUED") == tuple(
            run[name] for name in ("initiated_by", "initiated_from", "type", "status")
        )
        assert weights(SIXTY_FORTY) == run["weights"]
        assert ([], [], [], None, None, None) == tuple(
            run[name] for name in ("orders", "failed_orders", "skipped_orders", "reason", "completed_at", "canceled_at")
        )
        assert "2026-03-11T14:00:00Z" == run["created_at"] == run["updated_at"]
    assert (made, birch) == (by_system["portfolio_id"], by_system["account_id"])
    world.advance("03-11 10:01")
    done = world.ask("GET", f"{RUNS}/{by_api['id']}")
    assert "2026-03-11T14:00:01Z" == done["completed_at"] == done["updated_at"]
    assert [("SPY", "6000", "60"), ("TLT", "4000", "80")] == [
        (order["symbol"], order["notional"], order["filled_qty"]) for order in done["orders"]
    ]


def test_a_run_keeps_the_weights_it_considered(world: World) -> None:
    """Run Model: the portfolio changes after the run was made, the run does not."""
    alder, made = world.account(), world.portfolio()
    world.follow(alder, made)
    world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"weights": weights("GLD 100")})
    assert [weights(SIXTY_FORTY)] == [run["weights"] for run in world.ask("GET", RUNS)["runs"]]


def test_a_run_of_the_evening_waits_for_the_open(world: World) -> None:
    """Run statuses, Create run: made at 17:00, QUEUED over night, started at 9:30 of the next session."""
    world.advance("03-11 17:00")
    run = world.run(world.account())
    world.advance("03-12 09:29")
    assert "QUEUED" == world.status(run)
    world.advance("03-12 09:31")
    assert "COMPLETED_SUCCESS" == world.status(run)


@pytest.mark.parametrize(("status", "made"), [("COMPLETED_SUCCESS", "15:45:00"), ("QUEUED", "15:45:01")])
def test_the_last_quarter_of_an_hour_starts_no_run(world: World, status: str, made: str) -> None:
    """Run statuses: at least 15 minutes before the close of 16:00."""
    world.advance(f"2026-03-11 {made}")
    run = world.run(world.account())
    world.advance("03-11 16:00")
    assert status == world.status(run)


def test_only_one_run_that_is_not_final(world: World) -> None:
    """Run statuses, Create run: refused while one is QUEUED and while it is IN_PROGRESS; another account may."""
    alder = world.account()
    body = {"account_id": alder, "type": "invest_cash", "weights": weights("SPY 100")}
    run = world.run(alder)
    assert "open run" in world.refused("POST", RUNS, body)
    world.service.ticker.tick(world.service.world.now())
    assert "IN_PROGRESS" == world.status(run)
    assert "open run" in world.refused("POST", RUNS, body)
    world.run(world.account())


def canceled(world: World, account: str) -> str:
    run = world.run(account)
    world.ask("DELETE", f"{RUNS}/{run}", expect=204)
    return run


def canceled_midway(world: World, account: str) -> str:
    run = world.run(account)
    world.service.ticker.tick(world.service.world.now())
    world.ask("DELETE", f"{RUNS}/{run}", expect=204)
    return run


def failed(world: World, account: str) -> str:
    world.set_asset("SPY", halted=True)
    run = world.run(account, "SPY 100")
    world.advance("03-11 10:01")
    world.set_asset("SPY", halted=False)
    return run


def timed_out(world: World, account: str) -> str:
    run = world.run(account)
    world.service.ticker.tick(world.service.world.now())
    world.set_asset("SPY", halted=True)
    world.advance("03-12 10:00")
    world.set_asset("SPY", halted=False)
    return run


def adjusted(world: World, account: str) -> str:
    run = world.run(account, "cash 100")
    world.service.ticker.tick(world.service.world.now())
    return run


def completed(world: World, account: str) -> str:
    run = world.run(account)
    world.advance("03-11 10:01")
    return run


@pytest.mark.parametrize(
    ("status", "again", "reason", "end"),
    [
        ("CANCELED", 204, "Canceled by request.", canceled),
        ("CANCELED_MID_RUN", 422, "Canceled by request.", canceled_midway),
        ("ERROR", 422, "None of the 1 orders was filled.", failed),
        ("TIMEOUT", 422, "The session closed before every order was filled.", timed_out),
        ("COMPLETED_ADJUSTED", 422, "Nothing to trade: the account is at its targets.", adjusted),
        ("COMPLETED_SUCCESS", 422, None, completed),
    ],
)
def test_a_run_that_ended_frees_the_account(
    world: World, status: str, again: int, reason: str | None, end: Callable[[World, str], str]
) -> None:
    """Run statuses, Cancel Run: final; the reason is told; canceling is refused, but for one that is CANCELED."""
    alder = world.account()
    run = end(world, alder)
    found = world.ask("GET", f"{RUNS}/{run}")
    assert (status, reason) == (found["status"], found["reason"])
    answer = world.ask("DELETE", f"{RUNS}/{run}", expect=again)
    if again == 422:
        assert f"is {status}; only a QUEUED or IN_PROGRESS run can be canceled" in answer["message"]
    assert status == world.status(run)
    assert run != world.run(alder)


def test_a_queued_run_is_canceled_and_canceled_again(world: World) -> None:
    """Cancel Run: 204 both times, nothing is traded."""
    run = world.run(world.account())
    for _ in range(2):
        assert world.ask("DELETE", f"{RUNS}/{run}", expect=204) is None
    world.advance("03-11 10:05")
    found = world.ask("GET", f"{RUNS}/{run}")
    assert ("CANCELED", "2026-03-11T14:00:00Z", []) == (found["status"], found["canceled_at"], found["orders"])


@pytest.mark.parametrize(
    ("filled", "open_before", "cash"), [("", "TLT", "0"), ("TLT", "SPY", "10000")], ids=["sells", "buys"]
)
def test_a_run_is_canceled_while_orders_are_open(world: World, filled: str, open_before: str, cash: str) -> None:
    """Cancel Run: 200 TLT are sold for SPY; canceled a second earlier or later; open orders go, what filled stays."""
    alder = world.account("0", TLT="200")
    run = world.run(alder, "SPY 100")
    if filled:
        world.advance("2026-03-11 10:00:01")
    else:
        world.service.ticker.tick(world.service.world.now())
    orders = f"/v1/trading/accounts/{alder}/orders"
    assert [open_before] == [order["symbol"] for order in world.ask("GET", orders, status="open")]
    world.ask("DELETE", f"{RUNS}/{run}", expect=204)
    assert [] == world.ask("GET", orders, status="open")
    found = world.ask("GET", f"{RUNS}/{run}")
    assert ("CANCELED_MID_RUN", [open_before], ["canceled"]) == (
        found["status"],
        [order["symbol"] for order in found["failed_orders"]],
        [order["status"] for order in found["failed_orders"]],
    )
    assert list(filter(None, [filled])) == [order["symbol"] for order in found["orders"]]
    assert cash == world.ask("GET", f"/v1/trading/accounts/{alder}/account")["cash"]


@pytest.mark.parametrize(
    ("cash", "sent", "skipped"), [("100", ["SPY", "TLT"], []), ("99", ["SPY"], ["0.99"])], ids=["1.00", "0.99"]
)
def test_an_order_below_the_minimum_is_skipped(world: World, cash: str, sent: list[str], skipped: list[str]) -> None:
    """Skipped orders: one percent of 100 is exactly the minimum and is sent; of 99 it is not, and says why."""
    run = world.run(world.account(cash), "SPY 99 | TLT 1")
    world.advance("03-11 10:01")
    found = world.ask("GET", f"{RUNS}/{run}")
    assert sent == [order["symbol"] for order in found["orders"]]
    assert [("TLT", "buy", notional, "USD", SKIP_REASON) for notional in skipped] == [
        tuple(skip[name] for name in ("symbol", "side", "notional", "currency", "reason"))
        for skip in found["skipped_orders"]
    ]
    assert all("0.99" in skip["reason_details"] and "1" in skip["reason_details"] for skip in found["skipped_orders"])


def test_weights_need_an_account_without_subscription(world: World) -> None:
    """Create run: with weights only without a subscription, without weights only with one (rules.md 5.5)."""
    alder, birch = world.account(), world.account()
    world.follow(alder, world.portfolio())
    world.advance("03-11 10:01")
    one_off = {"type": "full_rebalance", "weights": weights("SPY 100")}
    assert "has an active subscription" in world.refused("POST", RUNS, {"account_id": alder, **one_off})
    for without in ({}, {"weights": []}, {"weights": None}):
        body = {"account_id": birch, "type": "full_rebalance", **without}
        assert "has no active subscription" in world.refused("POST", RUNS, body)
    own = world.ask("POST", RUNS, {"account_id": alder, "type": "full_rebalance", "weights": []})
    assert weights(SIXTY_FORTY) == own["weights"]


def test_runs_are_filtered_and_paged(world: World) -> None:
    """List All Runs: by account, type and status together, newest first; pages of two until the token is null."""
    alder, birch = world.account(), world.account()
    made = [world.run(alder, kind="invest_cash"), world.run(birch)]
    world.ask("DELETE", f"{RUNS}/{made[0]}", expect=204)
    made.append(world.run(alder))

    def found(**query: str) -> list[int]:
        return [made.index(one["id"]) for one in world.ask("GET", RUNS, **query)["runs"]]

    assert [2, 1, 0] == found()
    assert [2, 0] == found(account_id=alder)
    assert [0] == found(type="invest_cash") == found(status="CANCELED", account_id=alder)
    assert [] == found(type="invest_cash", status="QUEUED")
    page = world.ask("GET", RUNS, limit="2")
    assert [2, 1] == [made.index(one["id"]) for one in page["runs"]]
    last = world.ask("GET", RUNS, limit="2", page_token=page["next_page_token"])
    assert ([made[0]], None) == ([one["id"] for one in last["runs"]], last["next_page_token"])
