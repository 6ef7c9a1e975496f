"""Users over HTTP, for the holder of the client id; and the switch of their connection (ours).

The switch stands behind the ordinary keys, beside what else only a simulated backend can do.
"""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from driftdesk.backend.api.answers import REFUSALS as ORDINARY_REFUSALS
from driftdesk.backend.api.answers import service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.snaptrade.answers import TAG, answer
from driftdesk.backend.api.snaptrade.refusals import REFUSALS
from driftdesk.wire.snaptrade.served import ConnectionSetting, ConnectionState, DeletedUser, RegisterUser, UserAndSecret

router = APIRouter(prefix="/snapTrade", route_class=ExactRoute, responses=REFUSALS, tags=[TAG])
simulation = APIRouter(
    prefix="/v1/simulation", route_class=ExactRoute, responses=ORDINARY_REFUSALS, tags=["simulation"]
)


@router.post("/registerUser", summary="Register a user", response_model=UserAndSecret)
async def register_user(request: Request, body: RegisterUser) -> Response:
    return answer(service_of(request).snaptrade.register_user(body.userId))


@router.get("/listUsers", summary="List users", response_model=list[str])
async def list_users(request: Request) -> Response:
    return JSONResponse(service_of(request).snaptrade.list_users())


@router.delete("/deleteUser", summary="Delete a user", response_model=DeletedUser, status_code=HTTPStatus.OK)
async def delete_user(request: Request, userId: str) -> Response:
    return answer(service_of(request).snaptrade.delete_user(userId))


@router.post("/resetUserSecret", summary="Give a user a new secret", response_model=UserAndSecret)
async def reset_user_secret(request: Request, body: UserAndSecret) -> Response:
    return answer(service_of(request).snaptrade.reset_secret(body))


@simulation.get("/snaptrade", summary="How the SnapTrade connection stands", response_model=ConnectionState)
async def connection_state(request: Request) -> Response:
    return answer(service_of(request).snaptrade.connection_state())


@simulation.patch(
    "/snaptrade", summary="Disable the SnapTrade connection, or its trading", response_model=ConnectionState
)
async def set_connection(request: Request, body: ConnectionSetting) -> Response:
    return answer(service_of(request).snaptrade.set_connection(body))
