"""The documentation page under /docs, from files of this machine: it opens offline and asks no other host."""

from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

PAGE: Final = "/docs"
FILES: Final = "/docs/files"


def add_documentation(app: FastAPI) -> None:
    """Serve the page and the files that it needs; both are open to everybody, as the OpenAPI document is."""
    app.mount(FILES, StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))
    app.add_api_route(PAGE, _page, include_in_schema=False)


async def _page() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="driftdesk API",
        swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{FILES}/swagger-ui.css",
        swagger_favicon_url=f"{FILES}/favicon.png",
    )
