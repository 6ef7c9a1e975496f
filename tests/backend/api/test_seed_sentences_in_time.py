"""When an account is rebalanced, and subscriptions: sentences of the seed (their table: test_seed_sentences)."""

from collections.abc import Callable

import pytest
from seed_world import BAND, PORTFOLIOS, RUNS, SIXTY_FORTY, SUBSCRIPTIONS, World, weights
from sqlalchemy import update

from driftdesk.backend.store.tables import accounts

# --- when an account is rebalanced ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["absolute", "relative"])
@pytest.mark.parametrize(("price", "runs"), [("150", ["03-11"]), ("150.01", ["03-11", "03-12"])])
def test_a_band_is_breached_beyond_its_percent(world: World, name: str, price: str, runs: list[str]) -> None:
    """Rebalancing Conditions: 50 SPY of 10,000 at 150 are 60 % of 12,500: 10 points, a fifth of 50, still allowed."""
    percent = {"absolute": "10", "relative": "20"}[name]
    alder = world.account()
    world.follow(alder, world.portfolio("SPY 50 | TLT 50", {**BAND, "sub_type": name, "percent": percent}))
    world.advance("03-11 10:01")
    world.price(SPY=price)
    world.advance("03-12 15:31")
    assert runs == world.starts(alder)


@pytest.mark.parametrize(("taken", "runs"), [("200", ["03-11"]), ("250", ["03-11", "03-12"])])
def test_a_band_also_guards_the_cash_weight(world: World, taken: str, runs: list[str]) -> None:
    """Rebalancing Conditions: "any target weight". Cash of 10 %: 800 of 9,800 are 8.2 %, 750 of 9,750 are 7.7 %.

    A fifth of 10 is 2 points; SPY, 90 %, moves by less than a thirtieth of its weight (rules.md 3.4).
    """
    alder = world.account()
    world.follow(alder, world.portfolio("cash 10 | SPY 90", {**BAND, "sub_type": "relative", "percent": "20"}))
    world.advance("03-11 10:01")
    world.ask("POST", "/v1/simulation/deposits", {"account_id": alder, "amount": f"-{taken}"})
    world.advance("03-12 15:31")
    assert runs == world.starts(alder)


def calendar_days(world: World, until: str, sub_type: str, day: str) -> list[str]:
    """The sessions in which a calendar condition fires for an account that follows it from now on."""
    alder = world.account()
    world.follow(alder, world.portfolio(SIXTY_FORTY, {"type": "calendar", "sub_type": sub_type, "day": day}))
    world.advance(until)
    found = world.ask("GET", "/v1/decisions", account_id=alder, limit=1000)["decisions"]
    kinds = {one["session"]: [trigger["kind"] for trigger in one["triggers"]] for one in found}
    return sorted(session for session, fired in kinds.items() if "calendar" in fired)


@pytest.mark.parametrize(
    ("sessions", "start", "until", "sub_type", "day"),
    [
        pytest.param(["2026-03-13", "2026-03-20"], "2026-03-11", "03-20", "weekly", "Friday", id="weekly"),
        pytest.param(["2026-04-02", "2026-04-10"], "2026-03-30", "04-10", "weekly", "Friday", id="Good-Friday"),
        pytest.param(["2026-05-22"], "2026-05-20", "05-28", "weekly", "Monday", id="Memorial-Day"),
        pytest.param(["2026-04-15"], "2026-04-13", "04-17", "monthly", "15", id="monthly"),
        pytest.param(["2026-08-14"], "2026-08-12", "08-18", "monthly", "15", id="Saturday-the-15th"),
        pytest.param(["2026-04-30"], "2026-04-27", "05-05", "monthly", "31", id="31-of-April"),
        pytest.param(["2026-02-27"], "2026-02-25", "03-04", "monthly", "30", id="30-of-February"),
        pytest.param(["2026-07-02"], "2026-06-30", "07-08", "annually", "07-04", id="Independence-Day"),
        pytest.param(["2026-02-27"], "2026-02-25", "03-04", "annually", "02-29", id="no-leap-year"),
        pytest.param(["2028-02-29"], "2028-02-24", "03-03", "annually", "02-29", id="leap-year"),
    ],
)
def test_a_calendar_fires_on_or_before_its_day(
    open_world: Callable[[str], World], sessions: list[str], start: str, until: str, sub_type: str, day: str
) -> None:
    """Rebalancing Conditions: a day without trading, or one that the month lacks, becomes the trading day before it.

    Good Friday 2026 is 3 April, Memorial Day Monday 25 May; 3 July is closed for the 4th, a Saturday.
    """
    world = open_world(f"{start} 10:00")
    assert sessions == calendar_days(world, f"{until} 16:00", sub_type, day)


def test_a_quarterly_day_fires_four_times(open_world: Callable[[str], World]) -> None:
    """Rebalancing Conditions: in January, March, June and December; 15 March 2026 is a Sunday."""
    world = open_world("2026-01-02 10:00")
    fired = calendar_days(world, "2026-12-31 16:00", "quarterly", "15")
    assert ["2026-01-15", "2026-03-13", "2026-06-15", "2026-12-15"] == fired


def test_a_cooldown_counts_calendar_days(world: World) -> None:
    """Portfolio Model: rebalanced on Wednesday 11 March, 7 days: a breach of that day waits for Wednesday the 18th."""
    alder = world.account()
    world.follow(alder, world.portfolio(SIXTY_FORTY, BAND, cooldown_days=7))
    world.advance("03-11 10:01")
    world.price(SPY="200")
    world.advance("03-17 16:00")
    assert ["03-11"] == world.starts(alder)
    world.advance("03-18 15:31")
    assert ["03-11", "03-18"] == world.starts(alder)


def test_without_conditions_a_rebalance_is_a_persons(world: World) -> None:
    """Create Portfolio: having none is allowed; nothing happens by itself, a run that is asked for does."""
    alder = world.account()
    world.follow(alder, world.portfolio())
    world.advance("03-11 10:01")
    world.price(SPY="300")
    world.advance("03-20 16:00")
    assert ["03-11"] == world.starts(alder)
    own = world.ask("POST", RUNS, {"account_id": alder, "type": "full_rebalance"})
    assert ("api", "QUEUED") == (own["initiated_from"], own["status"])


def test_changed_weights_are_evaluated_next(world: World) -> None:
    """Update Portfolio: followed on Wednesday, changed on Thursday at 11:00, rebalanced at 11:00; the same is none."""
    alder, made = world.account(), world.portfolio()
    world.follow(alder, made)
    world.advance("03-12 11:00")
    world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"weights": weights("TLT 40.00 | SPY 60.0")})
    world.advance("03-12 11:01")
    assert ["03-11"] == world.starts(alder)
    world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"weights": weights("SPY 50 | TLT 50")})
    world.advance("03-12 11:02")
    latest = world.ask("GET", RUNS, account_id=alder)["runs"][0]
    assert ("system", "COMPLETED_SUCCESS", "2026-03-12T15:01:00Z") == (
        latest["initiated_from"],
        latest["status"],
        latest["created_at"],
    )


def test_changed_conditions_are_evaluated_next(world: World) -> None:
    """Update Portfolio: SPY at 64.3 of 60 is inside a band of 5 and outside one of 4, at 11:01 already."""
    alder, made = world.account(), world.portfolio(SIXTY_FORTY, BAND)
    world.follow(alder, made)
    world.advance("03-11 10:01")
    world.price(SPY="120")
    world.advance("03-12 11:00")
    world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"rebalance_conditions": [{**BAND, "percent": "5.00"}]})
    world.advance("03-12 11:01")
    assert ["03-11"] == world.starts(alder)
    world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"rebalancing_conditions": [{**BAND, "percent": "4"}]})
    world.advance("03-12 11:02")
    assert ["03-11", "03-12"] == world.starts(alder)


def test_a_change_waits_for_the_end_of_the_cooldown(world: World) -> None:
    """Update Portfolio: rebalanced on the 11th, changed on the 12th, 5 days: Monday the 16th is the first day."""
    alder, made = world.account(), world.portfolio(cooldown_days=5)
    world.follow(alder, made)
    world.advance("03-12 11:00")
    world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"weights": weights("SPY 50 | TLT 50")})
    world.advance("03-13 16:00")
    assert ["03-11"] == world.starts(alder)
    world.advance("03-16 16:00")
    assert ["03-11", "03-16"] == world.starts(alder)


# --- subscriptions -------------------------------------------------------------------------------------------------


def test_a_subscription_knows_its_last_rebalance(world: World) -> None:
    """Subscription Model: null until the first rebalance is done; `updated_at` is emitted (rules.md 2.2)."""
    alder, made = world.account(), world.portfolio()
    subscription = world.follow(alder, made)
    fresh = world.ask("GET", f"{SUBSCRIPTIONS}/{subscription}")
    assert {
        "id": subscription,
        "account_id": alder,
        "portfolio_id": made,
        "last_rebalanced_at": None,
        "created_at": "2026-03-11T14:00:00Z",
        "updated_at": "2026-03-11T14:00:00Z",
    } == {name: value for name, value in fresh.items() if name not in ("waiting", "trade_marker")}
    world.advance("03-11 10:01")
    (run,) = world.ask("GET", RUNS, account_id=alder)["runs"]
    done = world.ask("GET", f"{SUBSCRIPTIONS}/{subscription}")
    assert run["completed_at"] == done["last_rebalanced_at"] == done["updated_at"]


def test_an_inactive_account_cannot_subscribe(world: World) -> None:
    """Create Subscription: the account must be active."""
    alder = world.account()
    with world.service.world.database.write() as connection:
        connection.execute(update(accounts).where(accounts.c.id == alder).values(status="ACCOUNT_CLOSED"))
    body = {"account_id": alder, "portfolio_id": world.portfolio()}
    assert "is ACCOUNT_CLOSED; only an active one" in world.refused("POST", SUBSCRIPTIONS, body)


def test_a_portfolio_in_need_of_adjustment_is_not_followed(world: World) -> None:
    """Create Subscription: the portfolio must be active; weights that are eligible make it so again (rules.md 2.7)."""
    made, body = world.portfolio(), {"account_id": world.account()}
    world.set_asset("TLT", tradable=False)
    assert "is needs_adjustment" in world.refused("POST", SUBSCRIPTIONS, {**body, "portfolio_id": made})
    world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"weights": weights("SPY 100")})
    world.ask("POST", SUBSCRIPTIONS, {**body, "portfolio_id": made})


def test_one_subscription_an_account(world: World) -> None:
    """Create Subscription: a second one is refused, to this portfolio or another, until the first is deleted."""
    alder, first, second = world.account(), world.portfolio(), world.portfolio()
    subscription = world.follow(alder, first)
    for portfolio in (first, second):
        body = {"account_id": alder, "portfolio_id": portfolio}
        assert "has an active subscription already" in world.refused("POST", SUBSCRIPTIONS, body)
    world.ask("DELETE", f"{SUBSCRIPTIONS}/{subscription}", expect=204)
    world.follow(alder, second)


def test_subscriptions_are_filtered_and_paged(world: World) -> None:
    """List All Subscriptions: by account and portfolio, both at once; pages of two until the token is null."""
    first, second = world.portfolio(), world.portfolio()
    alder, birch, cedar = world.account(), world.account(), world.account()
    made = [world.follow(alder, first), world.follow(birch, first), world.follow(cedar, second)]

    def found(**query: str) -> list[int]:
        return [made.index(one["id"]) for one in world.ask("GET", SUBSCRIPTIONS, **query)["subscriptions"]]

    assert [0, 1, 2] == found()
    assert [0, 1] == found(portfolio_id=first)
    assert [1] == found(account_id=birch) == found(account_id=birch, portfolio_id=first)
    assert [] == found(account_id=birch, portfolio_id=second)
    page = world.ask("GET", SUBSCRIPTIONS, limit="2")
    assert [0, 1] == [made.index(one["id"]) for one in page["subscriptions"]]
    last = world.ask("GET", SUBSCRIPTIONS, limit="2", page_token=page["next_page_token"])
    assert ([made[2]], None) == ([one["id"] for one in last["subscriptions"]], last["next_page_token"])


def test_a_deleted_subscription_rebalances_no_more(world: World) -> None:
    """Unsubscribe Account: 204; its queued run is canceled, no other follows; a second time is 422 (rules.md 2.6)."""
    alder = world.account()
    subscription = world.follow(alder, world.portfolio(SIXTY_FORTY, BAND))
    assert world.ask("DELETE", f"{SUBSCRIPTIONS}/{subscription}", expect=204) is None
    world.price(SPY="200")
    world.advance("03-13 16:00")
    assert ["CANCELED"] == [run["status"] for run in world.ask("GET", RUNS, account_id=alder)["runs"]]
    assert "no active subscription" in world.refused("DELETE", f"{SUBSCRIPTIONS}/{subscription}")
    assert subscription in world.refused("GET", f"{SUBSCRIPTIONS}/{subscription}", status=404)
