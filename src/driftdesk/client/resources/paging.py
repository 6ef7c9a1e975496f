"""Reading lists that come in pages (wire/alpaca.md 6)."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import quote

T = TypeVar("T")

PAGE_SIZE: Final = 100

PageToken = str | int | None


def all_pages(
    fetch: Callable[[int, PageToken], tuple[Sequence[T], PageToken]], max_items: int | None = None
) -> tuple[T, ...]:
    """Every item of `fetch(limit, page_token)`'s pages, at most `max_items`.

    Ends at a null or empty token, an empty page, or a token seen before, so that no backend can keep it going for ever.
    """
    items: list[T] = []
    token: PageToken = None
    seen: set[PageToken] = set()
    while max_items is None or len(items) < max_items:
        wanted = PAGE_SIZE if max_items is None else min(PAGE_SIZE, max_items - len(items))
        page, token = fetch(wanted, token)
        items.extend(page)
        if not page or token in (None, "") or token in seen:
            break
        seen.add(token)
    return tuple(items[:max_items])


def segment(identifier: str) -> str:
    """`identifier` as one segment of a path."""
    return quote(identifier, safe="")
