"""Quotes, previews and placing of orders over HTTP (wire/snaptrade.md 4)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from driftdesk.backend.api.answers import service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.snaptrade.accounts import A
from driftdesk.backend.api.snaptrade.answers import TAG, answer, answer_list
from driftdesk.backend.api.snaptrade.refusals import REFUSALS
from driftdesk.wire.snaptrade.accounts import Quote
from driftdesk.wire.snaptrade.instruments import UniversalSymbol
from driftdesk.wire.snaptrade.orders import OrderRecord
from driftdesk.wire.snaptrade.trading import Impact, NewOrder, PlaceChecked, SymbolQuery

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=[TAG])


@router.get(A + "/quotes", summary="Prices of up to ten securities", response_model=list[Quote])
async def quotes(
    request: Request,
    account_id: str,
    *,
    symbols: Annotated[str, Query(description="Separated by commas: universal symbol ids, or tickers.")],
    use_ticker: Annotated[bool, Query(description="Whether symbols are tickers.")] = False,
) -> Response:
    names = [name for part in symbols.split(",") if (name := part.strip())]
    return answer_list(service_of(request).snaptrade.quotes(account_id, names, use_ticker=use_ticker))


@router.post(A + "/symbols", summary="Search securities", response_model=list[UniversalSymbol])
async def search(request: Request, account_id: str, body: SymbolQuery) -> Response:
    return answer_list(service_of(request).snaptrade.search_symbols(account_id, body.substring))


@router.post("/trade/impact", summary="What an order would cost; nothing is placed", response_model=Impact)
async def impact(request: Request, body: NewOrder) -> Response:
    return answer(service_of(request).snaptrade.impact(body, request.app.state.wall()))


# Before the one trade: its path would be read as an id.
@router.post("/trade/place", summary="Place an order", response_model=OrderRecord)
async def place(request: Request, body: NewOrder) -> Response:
    return answer(service_of(request).snaptrade.place(body))


@router.post("/trade/{trade_id}", summary="Place the order of an impact, once", response_model=OrderRecord)
async def place_checked(request: Request, trade_id: str, body: PlaceChecked | None = None) -> Response:
    return answer(service_of(request).snaptrade.place_checked(trade_id, request.app.state.wall()))
