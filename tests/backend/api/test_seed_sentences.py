"""Each sentence of the seed that states a validation, a precondition, a filter, a default or an effect (seed 000).

`SENTENCES` lists them by section, in our words, with the test that fails without it: here what may be asked and what a
portfolio is; in test_seed_sentences_in_time when accounts are rebalanced; in test_seed_sentences_of_runs the runs.
Refusals stand in `REFUSED`. Where the seed leaves room, rules.md decides. It is Wednesday 11 March 2026, 10:00 New
York, unless a test says otherwise; SPY stands at 100, TLT at 50, GLD at 200.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from seed_world import BAND, MONDAY, PORTFOLIOS, RUNS, SIXTY_FORTY, SUBSCRIPTIONS, World, asset, weights

SENTENCES: tuple[tuple[str, str, str], ...] = (
    ("Rebalancing API", "crypto is not supported", "test_a_request_against_a_sentence_is_refused"),
    ("Portfolio Model", "the percents of the weights sum to 100.00", "test_a_request_against_a_sentence_is_refused"),
    ("Portfolio Model", "cooldown days are calendar days", "test_a_cooldown_counts_calendar_days"),
    ("Portfolio Model", "its attributes", "test_a_portfolio_has_the_attributes_of_the_model"),
    (
        "Subscription Model",
        "its attributes; last rebalancing may be null",
        "test_a_subscription_knows_its_last_rebalance",
    ),
    ("Run Model", "its attributes", "test_a_run_has_the_attributes_of_the_model"),
    ("Run Model", "the weights are those considered for this run", "test_a_run_keeps_the_weights_it_considered"),
    ("Run Model", "a failed run explains itself", "test_a_run_that_ended_frees_the_account"),
    ("Run Model", "partial liquidations are not supported", "test_a_run_against_a_sentence_is_refused"),
    ("Run statuses", "runs start when the market is open", "test_a_run_of_the_evening_waits_for_the_open"),
    ("Run statuses", "and at least 15 minutes before its close", "test_the_last_quarter_of_an_hour_starts_no_run"),
    ("Run statuses", "QUEUED and IN_PROGRESS are not final", "test_only_one_run_that_is_not_final"),
    ("Run statuses", "the six others are final", "test_a_run_that_ended_frees_the_account"),
    ("Run statuses", "CANCELED_MID_RUN leaves the account in between", "test_a_run_is_canceled_while_orders_are_open"),
    ("Skipped orders", "orders below the minimum are not sent", "test_an_order_below_the_minimum_is_skipped"),
    ("Weights Model", "type, symbol, percent", "test_a_request_against_a_sentence_is_refused"),
    ("Weights Model", "an asset must be fractionable", "test_an_asset_must_be_fractionable_and_tradable"),
    ("Rebalancing Conditions", "sub_type, percent, day fit type", "test_a_request_against_a_sentence_is_refused"),
    ("Rebalancing Conditions", "days that are allowed", "test_a_day_that_the_model_allows_is_kept"),
    (
        "Rebalancing Conditions",
        "the percent is the maximum allowed drift",
        "test_a_band_is_breached_beyond_its_percent",
    ),
    ("Rebalancing Conditions", "from any target weight", "test_a_band_also_guards_the_cash_weight"),
    ("Rebalancing Conditions", "a day without trading moves back", "test_a_calendar_fires_on_or_before_its_day"),
    ("Rebalancing Conditions", "a day that does not exist moves back", "test_a_calendar_fires_on_or_before_its_day"),
    ("Rebalancing Conditions", "quarterly: January, March, June, December", "test_a_quarterly_day_fires_four_times"),
    ("Create Portfolio", "without conditions only by hand", "test_without_conditions_a_rebalance_is_a_persons"),
    ("Create Portfolio", "several conditions, one calendar", "test_several_conditions_under_both_names"),
    ("List All Portfolios", "filters are combined by AND", "test_portfolios_meet_every_filter"),
    ("Update Portfolio", "changed weights are evaluated next", "test_changed_weights_are_evaluated_next"),
    ("Update Portfolio", "changed conditions are evaluated next", "test_changed_conditions_are_evaluated_next"),
    ("Update Portfolio", "a cooldown delays it to its end", "test_a_change_waits_for_the_end_of_the_cooldown"),
    ("Update Portfolio", "only what is sent changes", "test_a_patch_changes_only_what_it_names"),
    ("Inactivate Portfolio", "it leaves the default list", "test_an_inactive_portfolio_is_out_of_use"),
    ("Inactivate Portfolio", "not while it is followed", "test_a_followed_portfolio_stays_active"),
    ("Inactivate Portfolio", "no weight of other portfolios", "test_a_request_against_a_sentence_is_refused"),
    ("Inactivate Portfolio", "no new subscriptions, no weights", "test_an_inactive_portfolio_is_out_of_use"),
    ("Create Subscription", "the account must be active", "test_an_inactive_account_cannot_subscribe"),
    ("Create Subscription", "the portfolio must be active", "test_a_portfolio_in_need_of_adjustment_is_not_followed"),
    ("Create Subscription", "one active subscription an account", "test_one_subscription_an_account"),
    ("List All Subscriptions", "filters, limit and page token", "test_subscriptions_are_filtered_and_paged"),
    ("Unsubscribe Account", "it stops the rebalancing", "test_a_deleted_subscription_rebalances_no_more"),
    ("Unsubscribe Account", "422 when there is none", "test_a_deleted_subscription_rebalances_no_more"),
    ("Create run", "outside market hours it stays QUEUED", "test_a_run_of_the_evening_waits_for_the_open"),
    ("Create run", "initiated by the system or by API", "test_a_run_has_the_attributes_of_the_model"),
    ("Create run", "one run that is not final at a time", "test_only_one_run_that_is_not_final"),
    ("Create run", "weights only without a subscription", "test_weights_need_an_account_without_subscription"),
    ("List All Runs", "filters, limit and page token", "test_runs_are_filtered_and_paged"),
    ("Cancel Run", "QUEUED and CANCELED", "test_a_queued_run_is_canceled_and_canceled_again"),
    ("Cancel Run", "while it sells or buys, open orders too", "test_a_run_is_canceled_while_orders_are_open"),
    ("Cancel Run", "422 for a run that cannot be canceled", "test_a_run_that_ended_frees_the_account"),
)


def test_each_sentence_has_its_test() -> None:
    """The table names tests of these modules, and leaves none out but the one that you read."""
    named = {test for _, _, test in SENTENCES}
    modules = Path(__file__).parent.glob("test_seed_sentences*.py")
    defined = {name for module in modules for name in re.findall(r"^def (test_\w+)", module.read_text("utf-8"), re.M)}
    assert defined - {"test_each_sentence_has_its_test"} == named


# --- what may not be asked -----------------------------------------------------------------------------------------


def condition(**fields: Any) -> dict[str, Any]:
    return {"rebalance_conditions": [fields]}


def band(**fields: Any) -> dict[str, Any]:
    return condition(**{**BAND, **fields})


def calendar(sub_type: str, day: Any, **fields: Any) -> dict[str, Any]:
    return condition(type="calendar", sub_type=sub_type, day=day, **fields)


WEEKDAYS = "Monday, Tuesday, Wednesday, Thursday or Friday"
PERCENT = "must be positive with at most two decimals; received"
# (id, status, what the message says, fields of the portfolio)
REFUSED: tuple[tuple[str, int, str, dict[str, Any]], ...] = (
    # Rebalancing API: crypto is not supported.
    ("crypto", 422, "BTC/USD is not an asset known here", {"weights": [asset("BTC/USD")]}),
    # Portfolio Model: percents sum to 100.00; cooldown_days is a count of days; a portfolio has a name.
    ("sum-below", 422, "sum to exactly 100.00 percent; they sum to 99.99", {"weights": weights("cash 99.99")}),
    ("sum-above", 422, "they sum to 100.01", {"weights": weights("cash 50 | SPY 50.01")}),
    ("no-weights", 422, "they sum to 0", {"weights": []}),
    ("cooldown-negative", 422, "cooldown_days must be zero or more; received -1", {"cooldown_days": -1}),
    ("cooldown-half", 400, "cooldown_days must be a whole number; received 1.5", {"cooldown_days": 1.5}),
    ("cooldown-text", 400, "cooldown_days must be a whole number; received 'week'", {"cooldown_days": "week"}),
    ("name-empty", 422, "name must not be empty", {"name": " "}),
    ("name-number", 400, "name must be text; received 5", {"name": 5}),
    ("description-number", 400, "description must be text; received 5", {"description": 5}),
    # Weights Model: type is cash or asset; an asset has a symbol and cash none; percents are positive, two decimals.
    ("type-unknown", 422, "weights[0].type must be cash or asset", {"weights": [{"type": "bond", "percent": "100"}]}),
    ("type-missing", 400, "weights[0].type is missing", {"weights": [{"percent": "100"}]}),
    ("symbol-missing", 422, "weights[0].symbol must name an asset", {"weights": [{"type": "asset", "percent": "100"}]}),
    ("symbol-of-cash", 422, "weights[0].symbol must be null", {"weights": [{**asset("SPY"), "type": "cash"}]}),
    ("symbol-unknown", 422, "NOSUCH is not an asset known here", {"weights": [asset("NOSUCH")]}),
    ("symbol-twice", 422, "weights[1] repeats SPY", {"weights": weights("SPY 50 | SPY 50")}),
    ("cash-twice", 422, "weights[1] repeats cash", {"weights": weights("cash 50 | cash 50")}),
    ("percent-missing", 400, "weights[0].percent is missing", {"weights": [{"type": "cash"}]}),
    ("percent-empty", 400, "weights[0].percent: value is empty", {"weights": [{"type": "cash", "percent": ""}]}),
    ("percent-word", 400, "weights[0].percent must be a decimal", {"weights": [{"type": "cash", "percent": "all"}]}),
    ("percent-fine", 422, f"weights[0].percent {PERCENT} 33.333", {"weights": weights("cash 33.333 | SPY 66.667")}),
    ("percent-zero", 422, f"weights[0].percent {PERCENT} 0", {"weights": weights("cash 0 | SPY 100")}),
    ("percent-negative", 422, f"weights[1].percent {PERCENT} -5", {"weights": weights("SPY 105 | cash -5")}),
    ("percent-number", 422, f"weights[0].percent {PERCENT} 0.001", {"weights": [asset("SPY", 0.001)]}),
    # Inactivate Portfolio: portfolios as weights of portfolios, which are not offered (rules.md 2.5).
    ("portfolio", 422, "Portfolios as weights are not offered yet", {"weights": [{**asset("x"), "type": "portfolio"}]}),
    # Rebalancing Conditions Model: type and sub_type.
    ("no-condition-type", 400, "rebalance_conditions[0].type is missing", {"rebalance_conditions": [{}]}),
    ("condition-type", 422, "rebalance_conditions[0].type must be drift_band or calendar", condition(type="whim")),
    ("sub-type-missing", 422, "sub_type must be absolute or relative", band(sub_type=None)),
    ("sub-type-of-band", 422, "sub_type must be absolute or relative for a drift_band", band(sub_type="weekly")),
    ("sub-type-of-day", 422, "must be weekly, monthly, quarterly or annually", calendar("relative", "1")),
    ("sub-type-daily", 422, "must be weekly, monthly, quarterly or annually", calendar("daily", "1")),
    # ... percent: positive, two decimals, required for a band and permitted there only.
    ("band-no-percent", 422, "rebalance_conditions[0].percent is missing; a drift_band", band(percent=None)),
    ("band-zero", 422, f"rebalance_conditions[0].percent {PERCENT} 0", band(percent="0")),
    ("band-negative", 422, f"rebalance_conditions[0].percent {PERCENT} -5", band(percent=-5)),
    ("band-fine", 422, f"rebalance_conditions[0].percent {PERCENT} 5.005", band(percent="5.005")),
    ("band-word", 400, "rebalance_conditions[0].percent must be a decimal", band(percent="five")),
    ("day-percent", 422, "percent is not allowed on a calendar; leave it out; received '5'",
     condition(**MONDAY, percent=5)),
    # ... day: required for a calendar and permitted there only; what it may be.
    ("band-day", 422, "rebalance_conditions[0].day is not allowed on a drift_band", band(day="1")),
    ("day-missing", 422, "rebalance_conditions[0].day is missing; a calendar", calendar("weekly", None)),
    ("weekly-lower", 422, f"day must be {WEEKDAYS}", calendar("weekly", "monday")),
    ("weekly-saturday", 422, f"day must be {WEEKDAYS}", calendar("weekly", "Saturday")),
    ("weekly-number", 422, f"day must be {WEEKDAYS}", calendar("weekly", 1)),
    ("monthly-0", 422, "day must be a whole number from 1 to 31", calendar("monthly", 0)),
    ("monthly-32", 422, "day must be a whole number from 1 to 31", calendar("monthly", "32")),
    ("monthly-half", 422, "day must be a whole number from 1 to 31", calendar("monthly", 1.5)),
    ("quarterly-0", 422, "day must be a whole number from 1 to 31", calendar("quarterly", "0")),
    ("quarterly-32", 422, "day must be a whole number from 1 to 31", calendar("quarterly", 32)),
    ("annually-02-30", 422, "day must be a day of the year as MM-DD", calendar("annually", "02-30")),
    ("annually-04-31", 422, "day must be a day of the year as MM-DD", calendar("annually", "04-31")),
    ("annually-13-01", 422, "day must be a day of the year as MM-DD", calendar("annually", "13-01")),
    ("annually-short", 422, "day must be a day of the year as MM-DD", calendar("annually", "3-1")),
    # Create Portfolio: only one condition of type calendar.
    ("two-calendars", 422, "rebalance_conditions[1].type is a second calendar", {"rebalance_conditions": [MONDAY] * 2}),
    # The seed's table calls the list by another name than its samples; a wrong one is refused under both.
    ("other-name", 422, "[0].type must be drift_band or calendar", {"rebalancing_conditions": [{"type": "whim"}]}),
)  # fmt: skip


@pytest.mark.parametrize(("status", "words", "fields"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_a_request_against_a_sentence_is_refused(
    untouched: World, status: int, words: str, fields: dict[str, Any]
) -> None:
    """When it is created and when it is changed, by the field's name, and nothing is changed."""
    assert words in untouched.refused(
        "POST", PORTFOLIOS, {"name": "n", "weights": weights("SPY 100"), **fields}, status
    )
    made = untouched.portfolio()
    before = untouched.ask("GET", f"{PORTFOLIOS}/{made}")
    assert words in untouched.refused("PATCH", f"{PORTFOLIOS}/{made}", fields, status)
    assert before == untouched.ask("GET", f"{PORTFOLIOS}/{made}")


@pytest.mark.parametrize(
    ("status", "words", "fields"),
    [
        pytest.param(422, "allowed are full_rebalance and invest_cash", {"type": "partial_liquidation"}, id="partial"),
        pytest.param(422, "allowed are full_rebalance and invest_cash", {"type": "partial_liquidations"}, id="plural"),
        pytest.param(400, "type is missing", {"type": ...}, id="no-type"),
        pytest.param(400, "account_id is missing", {"account_id": ...}, id="no-account"),
        pytest.param(404, "There is no account x", {"account_id": "x"}, id="unknown-account"),
        pytest.param(422, "they sum to 99.99", {"weights": weights("SPY 99.99")}, id="sum"),
        pytest.param(422, "repeats SPY", {"weights": weights("SPY 50 | SPY 50")}, id="symbol-twice"),
        pytest.param(422, "NOSUCH is not an asset", {"weights": weights("NOSUCH 100")}, id="symbol-unknown"),
        pytest.param(422, "not offered yet", {"weights": [{**asset("x"), "type": "portfolio"}]}, id="portfolio"),
        pytest.param(400, "amount must be a decimal", {"type": "invest_cash", "amount": "all"}, id="amount"),
        pytest.param(400, "amount: value is empty", {"type": "invest_cash", "amount": ""}, id="amount-empty"),
        pytest.param(422, "invest_cash only", {"amount": "5"}, id="amount-of-a-full-rebalance"),
        pytest.param(422, "type must be drift_band", {"rebalancing_conditions": [{"type": "x"}]}, id="conditions"),
    ],
)
def test_a_run_against_a_sentence_is_refused(untouched: World, status: int, words: str, fields: dict[str, Any]) -> None:
    """Run Model and Weights Model: no run is made."""
    body = {"account_id": untouched.account(), "type": "full_rebalance", "weights": weights("SPY 100"), **fields}
    sent = {name: value for name, value in body.items() if value is not ...}
    assert words in untouched.refused("POST", RUNS, sent, status)
    assert [] == untouched.ask("GET", RUNS)["runs"]


def test_an_asset_must_be_fractionable_and_tradable(world: World) -> None:
    """Weights Model: one that was not listed as such is refused by name, in portfolios and runs (rules.md 2.1)."""
    world.set_asset("TLT", fractionable=False)
    world.set_asset("GLD", tradable=False)
    alder = world.account()
    for symbol, problem in (("TLT", "TLT is not fractionable"), ("GLD", "GLD is not tradable")):
        wanted = {"name": "n", "weights": [asset(symbol)]}
        assert problem in world.refused("POST", PORTFOLIOS, wanted)
        assert problem in world.refused(
            "POST", RUNS, {"account_id": alder, "type": "full_rebalance", "weights": [asset(symbol)]}
        )


# --- portfolios ----------------------------------------------------------------------------------------------------


def test_a_portfolio_has_the_attributes_of_the_model(world: World) -> None:
    """Portfolio Model, Create Portfolio: 200, percents as text, null where a field is unused; text or number sent."""
    body = {"name": "Balanced", "weights": [{"type": "cash", "percent": 5.0}, asset("SPY", "95.00")]}
    made = world.ask("POST", PORTFOLIOS, {**body, "description": None, "rebalance_conditions": [BAND]})
    assert made == world.ask("GET", f"{PORTFOLIOS}/{made['id']}")
    assert {
        "name": "Balanced",
        "description": "",
        "status": "active",
        "cooldown_days": 0,
        "created_at": "2026-03-11T14:00:00Z",
        "updated_at": "2026-03-11T14:00:00Z",
        "weights": [{"type": "cash", "symbol": None, "percent": "5"}, asset("SPY", "95")],
        "rebalance_conditions": [{**BAND, "day": None}],
    } == {name: value for name, value in made.items() if name not in ("id", "warnings")}


@pytest.mark.parametrize(
    ("kept", "sub_type", "day"),
    [
        ("Friday", "weekly", "Friday"),
        ("1", "monthly", 1),
        ("31", "monthly", "31"),
        ("31", "quarterly", 31),
        ("02-29", "annually", "02-29"),
        ("12-31", "annually", "12-31"),
    ],
)
def test_a_day_that_the_model_allows_is_kept(untouched: World, kept: str, sub_type: str, day: str | int) -> None:
    """Rebalancing Conditions: text or a whole number is sent, text is answered (rules.md 2.2)."""
    made = untouched.portfolio("SPY 100", {"type": "calendar", "sub_type": sub_type, "day": day})
    assert [{"type": "calendar", "sub_type": sub_type, "percent": None, "day": kept}] == untouched.ask(
        "GET", f"{PORTFOLIOS}/{made}"
    )["rebalance_conditions"]


@pytest.mark.parametrize("name", ["rebalance_conditions", "rebalancing_conditions"])
def test_several_conditions_under_both_names(untouched: World, name: str) -> None:
    """Create Portfolio: bands without number and one calendar; both names are read, one is answered (rules.md 2.2)."""
    sent = [BAND, {**BAND, "sub_type": "relative", "percent": 20}, MONDAY]
    body = {"name": "n", "weights": weights("SPY 100"), name: sent}
    made = untouched.ask("POST", PORTFOLIOS, body)
    assert ["absolute", "relative", "weekly"] == [one["sub_type"] for one in made["rebalance_conditions"]]
    assert "rebalancing_conditions" not in made
    emptied = untouched.ask("PATCH", f"{PORTFOLIOS}/{made['id']}", {name: []})
    assert [] == emptied["rebalance_conditions"]


@pytest.mark.parametrize(
    ("found", "query"),
    [
        ("ABC", {}),
        ("A", {"name": "grow"}),
        ("BC", {"description": "CALM"}),
        ("AC", {"symbol": "SPY"}),
        ("C", {"symbol": "SPY", "description": "calm"}),
        ("", {"symbol": "SPY", "description": "calm", "name": "growth"}),
        ("ABC", {"status": "active"}),
        ("D", {"status": "inactive"}),
        ("", {"status": "inactive", "symbol": "TLT"}),
        ("ABC", {"colour": "blue"}),
    ],
)
def test_portfolios_meet_every_filter(world: World, found: str, query: dict[str, str]) -> None:
    """List All Portfolios: name, description, symbol, status; a bare array; what is not offered is ignored."""
    made = {
        world.portfolio("SPY 100", name="Growth", description="bold"): "A",
        world.portfolio("TLT 100", name="Income", description="calm"): "B",
        world.portfolio(name="Both", description="Calm enough"): "C",
        (old := world.portfolio("SPY 100", name="Old growth")): "D",
    }
    world.ask("DELETE", f"{PORTFOLIOS}/{old}", expect=204)
    assert found == "".join(sorted(made[one["id"]] for one in world.ask("GET", PORTFOLIOS, **query)))
    for one, letter in made.items():
        alone = world.ask("GET", PORTFOLIOS, portfolio_id=one, **query)
        assert [one] * (letter in found) == [portfolio["id"] for portfolio in alone]
    assert [] == world.ask("GET", PORTFOLIOS, portfolio_id="not-an-id", **query)


def test_a_patch_changes_only_what_it_names(world: World) -> None:
    """Update Portfolio: 200 with the whole portfolio; a field sent as null counts as not sent (rules.md 2.4)."""
    made = world.portfolio(SIXTY_FORTY, BAND, description="calm", cooldown_days=7)
    before = world.ask("GET", f"{PORTFOLIOS}/{made}")
    world.advance("03-11 10:01")
    after = world.ask("PATCH", f"{PORTFOLIOS}/{made}", {"weights": weights("GLD 100"), "name": None})
    changed = {"weights": [asset("GLD")], "updated_at": "2026-03-11T14:01:00Z"}
    assert {**before, **changed} == after == world.ask("GET", f"{PORTFOLIOS}/{made}")


def test_an_inactive_portfolio_is_out_of_use(world: World) -> None:
    """Inactivate Portfolio: 204, out of the list, not to be followed, changed, deleted again or used as a weight."""
    made = world.portfolio()
    assert world.ask("DELETE", f"{PORTFOLIOS}/{made}", expect=204) is None
    assert [] == world.ask("GET", PORTFOLIOS)
    assert [made] == [one["id"] for one in world.ask("GET", PORTFOLIOS, status="inactive")]
    assert "inactive" == world.ask("GET", f"{PORTFOLIOS}/{made}")["status"]
    body = {"account_id": world.account(), "portfolio_id": made}
    assert "is inactive; only an active one can be followed" in world.refused("POST", SUBSCRIPTIONS, body)
    assert "is inactive" in world.refused("PATCH", f"{PORTFOLIOS}/{made}", {"name": "x"})
    assert "nothing to delete" in world.refused("DELETE", f"{PORTFOLIOS}/{made}")
    weight = {"type": "portfolio", "portfolio_id": made, "percent": "100"}
    assert "not offered" in world.refused("POST", PORTFOLIOS, {"name": "n", "weights": [weight]})


def test_a_followed_portfolio_stays_active(world: World) -> None:
    """Inactivate Portfolio: only permitted without active subscriptions."""
    made = world.portfolio()
    subscription = world.follow(world.account(), made)
    assert "has 1 active subscriptions" in world.refused("DELETE", f"{PORTFOLIOS}/{made}")
    world.ask("DELETE", f"{SUBSCRIPTIONS}/{subscription}", expect=204)
    world.ask("DELETE", f"{PORTFOLIOS}/{made}", expect=204)
