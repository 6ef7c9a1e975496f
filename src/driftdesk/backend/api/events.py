"""The event stream of the rebalancer over HTTP (wire/alpaca.md 9.1)."""

from typing import Final

from fastapi import APIRouter, Request, Response

from driftdesk.backend.api.answers import REFUSALS, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.watermark import Asked, Log, answer_stream, described

PATH: Final = "/v2/events/rebalancer"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["events"])


@router.get(
    PATH,
    summary="Changes of portfolios and runs as they happen (server-sent events)",
    description="Without `since` or `since_id` there is no history, only what happens from now on. Types: "
    "portfolio.status_changed with `portfolio`, run.created and run.status_changed with `run` (without its three lists "
    "of orders). A run that was canceled under way is CANCELED here: CANCELED_MID_RUN is never on this stream. Times "
    "are those of the backend's clock. Comments are heartbeats, or say why a stream ends early; events may come twice "
    "and are told apart by event_id.",
    response_class=Response,
    responses=described('{"event_id":"01K...","event_type":"run.created","at":"...","run":{}}'),
)
async def rebalancer_events(request: Request, asked: Asked) -> Response:
    service = service_of(request)
    log = Log(service.last_event_id, service.read_events, service.count_events, service.is_over)
    return answer_stream(request, log, asked)
