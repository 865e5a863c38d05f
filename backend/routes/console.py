"""The console: the page at `/`, its files, and the page again at every address of its own.

It is built into `backend/console` by `run.py`; what an answer holds of it is read from there.
"""

import re
import secrets
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException

from backend.routes.access import DeskRoute

BUILT: Final = Path(__file__).resolve().parents[1] / "console"
WHY_NOT: Final = "why-not.txt"
_NONCE: Final = b"__NONCE__"
_KEPT: Final = "public, max-age=31536000, immutable"
_ASSET: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
}


class _PageConvertor(Convertor[str]):
    """Every address that is none of the API's: those keep their own 404 and 405."""

    regex = r"(?!(?:api|assets)(?:/|$)|(?:healthz|readyz|metrics|openapi\.json)(?:/|$)).*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("page", _PageConvertor())

router = APIRouter(tags=["console"], route_class=DeskRoute, include_in_schema=False)


@router.api_route("/assets/{name}", methods=["GET", "HEAD"])
def asset(request: Request, name: str) -> Response:
    """A file of the page. Its name holds the hash of its content, so that it never changes."""
    path = BUILT / "assets" / name
    kind = _TYPES.get(path.suffix)
    if kind is None or not _ASSET.fullmatch(name) or not path.is_file():
        raise HTTPException(404)
    headers = {"Cache-Control": _KEPT, "ETag": f'"{name}"', "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    packed = path.with_name(f"{name}.gz")
    if "gzip" in request.headers.get("accept-encoding", "") and packed.is_file():
        path = packed
        headers["Content-Encoding"] = "gzip"
    return Response(path.read_bytes(), media_type=kind, headers=headers)


@router.api_route("/{page:page}", methods=["GET", "HEAD"])
def page(page: str) -> Response:  # noqa: ARG001 - which page it is, the page itself reads from its address
    """The page, with a nonce of this answer for the styles that it makes itself."""
    try:
        html = (BUILT / "index.html").read_bytes()
    except FileNotFoundError:
        return Response(_why_not(), 503, media_type="text/plain")
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; frame-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}
    return Response(html.replace(_NONCE, nonce.encode()), media_type="text/html", headers=headers)


def _why_not() -> str:
    try:
        reason = (BUILT / WHY_NOT).read_text(encoding="utf-8").partition("\n")[2].strip()
    except OSError:
        reason = "nobody has built it yet"
    return f"The console is not built: {reason}. `python3 run.py setup` builds it; the API works without.\n"
