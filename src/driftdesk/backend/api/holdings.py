"""Positions over HTTP (wire/alpaca.md 11.3): of all accounts at once as JSON or as an Arrow stream."""

from typing import Final

from fastapi import APIRouter, Request, Response

from driftdesk.backend.api.answers import REFUSALS, answer, answer_list, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.wire.accounts import BulkPositions, Position
from driftdesk.wire.arrow import MEDIA_TYPE, positions_to_arrow

POSITIONS = "/v1/trading/accounts/{account_id}/positions"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["positions"])

_ARROW: Final[dict[int | str, dict[str, object]]] = {
    200: {
        "description": "JSON, or an Arrow IPC stream where the Accept header asks for one: a row an account, with its "
        "positions as a list, the same values as exact decimals.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    "/v1/accounts/positions",
    summary="Positions and cash of every account",
    response_model=BulkPositions,
    responses=_ARROW,
)
async def all_positions(request: Request) -> Response:
    bulk = service_of(request).all_positions()
    asked = _accepts_arrow(",".join(request.headers.getlist("accept")))
    found = Response(positions_to_arrow(bulk), media_type=MEDIA_TYPE) if asked else answer(bulk)
    found.headers["Vary"] = "Accept"
    return found


@router.get(POSITIONS, summary="Positions of an account", response_model=list[Position])
async def positions(request: Request, account_id: str) -> Response:
    return answer_list(service_of(request).positions(account_id))


@router.get(POSITIONS + "/{symbol_or_id}", summary="One position of an account", response_model=Position)
async def position(request: Request, account_id: str, symbol_or_id: str) -> Response:
    return answer(service_of(request).position(account_id, symbol_or_id))


def _accepts_arrow(accept: str) -> bool:
    """Whether an Accept header names the Arrow stream, and does not prefer JSON to it."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            weights[name] = float(quality)
        except ValueError:
            weights[name] = 0.0
    arrow = weights.get(MEDIA_TYPE, 0.0)
    return arrow > 0 and arrow >= weights.get("application/json", 0.0)
