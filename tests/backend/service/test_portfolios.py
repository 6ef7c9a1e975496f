"""Portfolios: what may be created and changed, which ones are listed (rules.md 2.1-2.5, 2.7, 2.8)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from driftdesk.backend.service import Service
from driftdesk.errors import InputError, NotFound, StateError
from driftdesk.wire.portfolios import CreatePortfolio, Portfolio, UpdatePortfolio
from driftdesk.wire.simulation import SetAsset
from driftdesk.wire.subscriptions import CreateSubscription

CreateModel = Callable[..., Portfolio]
BAND = {"type": "drift_band", "sub_type": "absolute", "percent": "5"}
MONDAY = {"type": "calendar", "sub_type": "weekly", "day": "Monday"}


def body(**changes: Any) -> CreatePortfolio:
    """A portfolio of SPY alone, with changes."""
    plain = {"name": "Model", "weights": [{"type": "asset", "symbol": "SPY", "percent": "100"}]}
    return CreatePortfolio.model_validate({**plain, **changes})


def asset(symbol: str, percent: str) -> dict[str, str]:
    return {"type": "asset", "symbol": symbol, "percent": percent}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        pytest.param("name", {"name": "  "}, id="empty name"),
        pytest.param("cooldown_days", {"cooldown_days": -1}, id="negative cooldown"),
        pytest.param("weights[1].symbol", {"weights": [asset("SPY", "50"), asset("NOSUCH", "50")]}, id="unknown"),
        pytest.param("weights[1].symbol", {"weights": [asset("TLT", "50"), asset("GLD", "50")]}, id="not tradable"),
        pytest.param("weights[0].symbol", {"weights": [asset("QQQ", "100")]}, id="not fractionable"),
        pytest.param("weights[0].type", {"weights": [{**asset("x", "100"), "type": "portfolio"}]}, id="portfolio"),
        pytest.param("weights", {"weights": []}, id="no weights"),
        pytest.param("weights", {"weights": [asset("SPY", "99.99")]}, id="sum"),
        pytest.param("rebalance_conditions", {"rebalance_conditions": [MONDAY, MONDAY]}, id="two calendars"),
    ],
)
def test_a_portfolio_against_a_rule_names_its_field(service: Service, field: str, changes: dict[str, Any]) -> None:
    """Refused with the path of the field (rules.md 2.1, 2.5)."""
    service.set_asset(SetAsset(symbol="GLD", tradable=False))
    service.set_asset(SetAsset(symbol="QQQ", fractionable=False))
    with pytest.raises(InputError) as refused:
        service.create_portfolio(body(**changes))
    assert refused.value.field.startswith(field)
    assert service.list_portfolios() == []


def test_a_portfolio_is_kept_as_it_was_sent(service: Service) -> None:
    """Defaults: description "", no cooldown, no conditions, active (rules.md 2.1)."""
    made = service.create_portfolio(body(rebalance_conditions=[BAND, MONDAY]))
    assert service.get_portfolio(made.id) == made
    assert ("", 0, "active", 2) == (made.description, made.cooldown_days, made.status, len(made.rebalance_conditions))


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["Growth", "Income", "Growth and income"]),
        ({"name": "GROWTH"}, ["Growth", "Growth and income"]),
        ({"name": "growth", "description": "BONDS"}, ["Growth and income"]),
        ({"description": "bonds"}, ["Income", "Growth and income"]),
        ({"symbol": "tlt"}, ["Income", "Growth and income"]),
        ({"symbol": "TLT", "name": "growth"}, ["Growth and income"]),
        ({"symbol": "GLD"}, []),
        ({"status": "active"}, ["Growth", "Income", "Growth and income"]),
        ({"status": "inactive"}, ["Old growth"]),
        ({"status": "inactive", "name": "income"}, []),
        ({"status": "needs_adjustment"}, []),
    ],
)
def test_filters_are_anded(service: Service, filters: dict[str, str], names: list[str]) -> None:
    """Name and description by part, whatever the case; inactive ones only on request (rules.md 2.5, 2.8)."""
    both = [asset("SPY", "50"), asset("TLT", "50")]
    service.create_portfolio(body(name="Growth", description="Stocks"))
    service.create_portfolio(body(name="Income", description="Bonds", weights=[asset("TLT", "100")]))
    service.create_portfolio(body(name="Growth and income", description="Stocks and bonds", weights=both))
    old = service.create_portfolio(body(name="Old growth"))
    service.inactivate_portfolio(old.id)
    assert sorted(names) == sorted(found.name for found in service.list_portfolios(**filters))


def test_a_filter_by_id_finds_that_one(service: Service) -> None:
    """And nothing when another filter disagrees."""
    first, _ = service.create_portfolio(body()), service.create_portfolio(body())
    assert [first] == service.list_portfolios(portfolio_id=first.id)
    assert [] == service.list_portfolios(portfolio_id=first.id, symbol="TLT")


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"name": "New"}, "name", "New"),
        ({"description": ""}, "description", ""),
        ({"cooldown_days": 0}, "cooldown_days", 0),
        ({"rebalance_conditions": []}, "rebalance_conditions", ()),
    ],
)
def test_a_patch_changes_only_what_was_sent(service: Service, change: dict[str, Any], field: str, value: Any) -> None:
    """Also to an empty text, to zero and to no conditions (rules.md 2.4)."""
    made = service.create_portfolio(body(description="d", cooldown_days=9, rebalance_conditions=[BAND]))
    changed = service.update_portfolio(made.id, UpdatePortfolio.model_validate(change))
    assert made.model_copy(update={field: value}) == changed


def test_a_refused_patch_changes_nothing(service: Service) -> None:
    """One field is good and one is not: neither is written."""
    made = service.create_portfolio(body())
    with pytest.raises(InputError):
        service.update_portfolio(made.id, UpdatePortfolio(name="New", cooldown_days=-1))
    assert made == service.get_portfolio(made.id)


def test_an_inactive_portfolio_is_final(service: Service, open_account: Callable[..., str]) -> None:
    """No change, no second deletion, no subscription (rules.md 2.5, 2.9)."""
    made = service.create_portfolio(body())
    service.inactivate_portfolio(made.id)
    account = open_account("100.00")
    for act in (
        lambda: service.update_portfolio(made.id, UpdatePortfolio(name="x")),
        lambda: service.inactivate_portfolio(made.id),
        lambda: service.create_subscription(CreateSubscription(account_id=account, portfolio_id=made.id)),
    ):
        with pytest.raises(StateError):
            act()
    assert "inactive" == service.get_portfolio(made.id).status


def test_an_unknown_portfolio_is_not_found(service: Service) -> None:
    """To read, to change, to delete."""
    for act in (
        lambda: service.get_portfolio("none"),
        lambda: service.update_portfolio("none", UpdatePortfolio(name="x")),
        lambda: service.inactivate_portfolio("none"),
    ):
        with pytest.raises(NotFound, match="There is no portfolio none"):
            act()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"tradable": False}, "needs_adjustment"),
        ({"fractionable": False}, "needs_adjustment"),
        ({"halted": True}, "active"),
        ({"tradable": True}, "active"),
    ],
)
def test_when_a_portfolio_needs_adjustment(service: Service, change: dict[str, bool], status: str) -> None:
    """When one of its assets stops being tradable or fractionable; a halt does not count (rules.md 2.7)."""
    made = service.create_portfolio(body(weights=[asset("SPY", "50"), asset("TLT", "50")]))
    other = service.create_portfolio(body())
    service.set_asset(SetAsset(symbol="TLT", **change))
    assert (status, "active") == (service.get_portfolio(made.id).status, service.get_portfolio(other.id).status)


def test_only_eligible_weights_end_the_need_for_adjustment(service: Service) -> None:
    """A new name does not; weights with the lost asset are refused; without it they do (rules.md 2.7)."""
    made = service.create_portfolio(body(weights=[asset("SPY", "50"), asset("TLT", "50")]))
    service.set_asset(SetAsset(symbol="TLT", tradable=False))
    assert "needs_adjustment" == service.update_portfolio(made.id, UpdatePortfolio(name="New")).status
    same = UpdatePortfolio.model_validate({"weights": [asset("SPY", "50"), asset("TLT", "50")]})
    with pytest.raises(InputError, match="TLT is not tradable"):
        service.update_portfolio(made.id, same)
    without = UpdatePortfolio.model_validate({"weights": [asset("SPY", "100")]})
    assert "active" == service.update_portfolio(made.id, without).status


def test_percents_stay_exact(service: Service) -> None:
    """A hundred weights could not: 33.33 + 33.33 + 33.34, as sent (rules.md 1.2)."""
    made = service.create_portfolio(
        body(weights=[asset("SPY", "33.33"), asset("TLT", "33.330"), asset("GLD", "33.34")])
    )
    assert [Decimal("33.33"), Decimal("33.33"), Decimal("33.34")] == [weight.percent for weight in made.weights]
