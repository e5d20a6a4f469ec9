"""The operator's window: the built page of ui/dist, with headers that let nothing foreign in."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

DIST = Path(__file__).parent / "ui" / "dist"
PAGES = (
    "/",
    "/c/{id}",
    "/customers/{id}",
    "/channels",
    "/quarantine",
    "/fields",
    "/import",
    "/privacy",
    "/suggestions",
    "/ledger",
    "/team",
    "/setup",
    "/login",
)
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob: https:; object-src 'none'; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Immutable(StaticFiles):
    """Files whose names change with their content."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


async def page(request: Request) -> Response:
    """Every screen is the same page; it looks at the address itself."""
    if not (DIST / "index.html").exists():
        text = "The window is not built: run `pip install .` (or `make run`), which builds it.\n"
        return PlainTextResponse(text, status_code=503)
    return FileResponse(DIST / "index.html", headers=HEADERS)


def window_routes() -> list[BaseRoute]:
    assets = Mount("/assets", Immutable(directory=DIST / "assets", check_dir=False))
    return [assets, Route("/favicon.ico", no_icon), *(Route(path, page) for path in PAGES)]


async def no_icon(_: Request) -> Response:
    """Browsers ask for it on every page; the window names its own icon."""
    return Response(status_code=204)
