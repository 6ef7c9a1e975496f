"""Splits and delistings as positions, market data and assets tell of them (rules.md 1.4; issue 4).

It is 10:00 New York on Wednesday 11 March 2026; TLT trades at 50, set by hand. IEF closed at 84.8076 the day before and
trades at 85.2565.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest

from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service import Service
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import InputError, StateError
from driftdesk.wire.simulation import Advance, Delist, FaultEntry, FaultScript, SetAsset, SplitShares


def trade(service: Service, account: str, side: str, quantity: str) -> None:
    """A market order for TLT, filled."""
    name = f"{side} {quantity}"
    request = OrderRequest(AccountId(account), name, Symbol("TLT"), Side(side), quantity=Decimal(quantity))
    service.exchange.submit(request, service.world.now())
    service.advance(Advance(seconds=2))


def day_of(service: Service, symbol: str) -> tuple[Decimal, Decimal, Decimal]:
    """Price of the latest trade, close of this session's bar, close of the bar before."""
    told = service.snapshots([symbol])[symbol]
    assert told.latest_trade is not None
    assert told.daily_bar is not None
    assert told.prev_daily_bar is not None
    return told.latest_trade.p, told.daily_bar.c, told.prev_daily_bar.c


def test_closes_from_before_a_split_compare_with_the_price_now(service: Service) -> None:
    """Three for one: 85.2565 and 84.8076 become 28.4188 and 28.2692 in every answer."""
    service.split(SplitShares(symbol="IEF", new=3))
    assert (Decimal("28.4188"), Decimal("28.4188"), Decimal("28.2692")) == day_of(service, "IEF")


def test_a_split_is_no_loss_of_the_day(service: Service, open_account: Callable[..., str]) -> None:
    """30 shares at 28.4188 after 28.2692 at the last close: up 0.1496, which is 0.5292 % of it."""
    account = open_account("0", IEF="10")
    service.split(SplitShares(symbol="IEF", new=3))
    held = service.position(account, "IEF")
    expected = [Decimal(text) for text in ("30", "28.4188", "28.2692", "0.005292")]
    assert expected == [held.qty, held.current_price, held.lastday_price, held.change_today]


def test_a_price_set_by_hand_holds_through_a_split_for_the_closes_that_had_it(service: Service) -> None:
    """TLT is 50 from Wednesday on; split two for one on Thursday it is 25, and was 25 on Wednesday."""
    service.advance(Advance(seconds=24 * 3600))
    service.split(SplitShares(symbol="TLT", new=2))
    assert (Decimal(25), Decimal(25), Decimal(25)) == day_of(service, "TLT")


def test_trades_on_both_sides_of_a_split_leave_the_day_unmeasured(
    service: Service, open_account: Callable[..., str]
) -> None:
    """10 - 5 + 15 = 20 old shares become 10, 5 are sold: counted backwards in new shares, the day began with none."""
    account = open_account("10000", TLT="10")
    service.advance(Advance(seconds=24 * 3600))
    trade(service, account, "sell", "5")
    trade(service, account, "buy", "15")
    service.split(SplitShares(symbol="TLT", new=1, old=2))
    trade(service, account, "sell", "5.0")
    held = service.position(account, "TLT")
    assert (Decimal(5), None) == (held.qty, held.unrealized_intraday_pl)


def test_what_was_delisted_stays_so(service: Service) -> None:
    """It cannot be made tradable again, and a change that leaves that alone goes through."""
    service.delist(Delist(symbol="GLD"))
    with pytest.raises(StateError, match="GLD was delisted, which is for good"):
        service.set_asset(SetAsset(symbol="GLD", tradable=True))
    assert service.set_asset(SetAsset(symbol="GLD", fractionable=False)).tradable is False


def test_what_was_delisted_is_no_active_asset(service: Service) -> None:
    """GLD moves from the active assets to the inactive ones, and stays among all."""
    service.delist(Delist(symbol="GLD"))
    listed = {status: {asset.symbol for asset in service.list_assets(status=status)} for status in ("active", "all")}
    assert {"GLD"} == listed["all"] - listed["active"]
    assert ["GLD"] == [asset.symbol for asset in service.list_assets(status="inactive")]
    assert "inactive" == service.get_asset("GLD").status


@pytest.mark.parametrize("seconds", ["0", "0.5", "1.5", "86401", "99999999999999"])
def test_a_delay_is_a_whole_number_of_seconds_up_to_a_day(service: Service, seconds: str) -> None:
    """Half a second would never let the exchange come to rest, and a year beyond 9999 cannot be counted."""
    script = FaultScript(faults=(FaultEntry(kind="delay", value=Decimal(seconds), times=None),))
    with pytest.raises(InputError, match="from 1 to 86400"):
        service.set_fault_script(script)
