"""What only a simulated backend can do, for tests and teaching (ours, rules.md 11).

Every call answers 422 where the clock is the system's.
"""

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from driftdesk.backend.api.answers import REFUSALS, IdempotencyKey, answer, answer_once, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.wire.accounts import Account, Asset, TradingAccount
from driftdesk.wire.simulation import (
    Advance,
    Advanced,
    CreateAccount,
    Delist,
    Deposit,
    DividendPaid,
    FaultScript,
    FillModelSetting,
    PayDividend,
    SetAsset,
    SetPrices,
    SplitShares,
)

router = APIRouter(prefix="/v1/simulation", route_class=ExactRoute, responses=REFUSALS, tags=["simulation"])


@router.post("/accounts", summary="Open an account with cash and positions", response_model=Account)
async def create_account(request: Request, body: CreateAccount, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).simulate_account(body))


@router.post("/prices", summary="Hold prices until they are set again", status_code=204)
async def set_prices(request: Request, body: SetPrices, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).set_prices(body))


@router.post("/deposits", summary="Move cash into or out of an account", response_model=TradingAccount)
async def deposit(request: Request, body: Deposit, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).deposit(body))


@router.post("/assets", summary="Change what may be done with an asset", response_model=Asset)
async def set_asset(request: Request, body: SetAsset, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).set_asset(body))


@router.get("/fill_model", summary="How orders are filled", response_model=FillModelSetting)
async def fill_model(request: Request) -> Response:
    return answer(service_of(request).fill_model())


@router.put("/fill_model", summary="Fill orders by another model", response_model=FillModelSetting)
async def set_fill_model(request: Request, body: FillModelSetting) -> Response:
    return answer(service_of(request).set_fill_model(body))


@router.get("/faults", summary="What the exchange will do wrong on purpose", response_model=FaultScript)
async def fault_script(request: Request) -> Response:
    return answer(service_of(request).fault_script())


@router.put("/faults", summary="Replace the fault script", response_model=FaultScript)
async def set_fault_script(request: Request, body: FaultScript) -> Response:
    return answer(service_of(request).set_fault_script(body))


@router.post("/splits", summary="Split an asset's shares", response_model=Asset)
async def split(request: Request, body: SplitShares, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).split(body))


@router.post("/dividends", summary="Pay a cash dividend", response_model=DividendPaid)
async def pay_dividend(request: Request, body: PayDividend, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).pay_dividend(body))


@router.post("/delistings", summary="End trading in an asset for good", response_model=Asset)
async def delist(request: Request, body: Delist, key: IdempotencyKey = None) -> Response:
    return await answer_once(request, key, lambda: service_of(request).delist(body))


@router.post("/advance", summary="Advance the clock, runs included", response_model=Advanced)
async def advance(request: Request, body: Advance) -> Response:
    # No Idempotency-Key: an absolute target is one already, and a stored answer would hold one transaction over all
    # the steps. May take seconds: in a thread, so that other requests are answered meanwhile.
    return answer(await to_thread.run_sync(service_of(request).advance, body))
