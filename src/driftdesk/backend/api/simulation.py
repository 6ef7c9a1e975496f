"""What only a simulated backend can do, for tests and teaching (ours, rules.md 11).

Every call answers 422 where the clock is the system's.
"""

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from driftdesk.backend.api.answers import REFUSALS, IdempotencyKey, answer, answer_once, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.wire.accounts import Account, Asset, TradingAccount
from driftdesk.wire.simulation import Advance, Advanced, CreateAccount, Deposit, SetAsset, SetPrices

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


@router.post("/advance", summary="Advance the clock, runs included", response_model=Advanced)
async def advance(request: Request, body: Advance) -> Response:
    # No Idempotency-Key: an absolute target is one already, and a stored answer would hold one transaction over all
    # the steps. May take seconds: in a thread, so that other requests are answered meanwhile.
    return answer(await to_thread.run_sync(service_of(request).advance, body))
