"""What every request passes before a route sees it: who is asked, from where, how much, and under which id.

One plain ASGI layer, because it runs on every request.
"""

import ipaddress
import logging
import re
import socket
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.errors import DeskError
from backend.routes.errors import correlation_id, error_bytes
from backend.routes.refusing import Refused

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 262_144
MAX_UPLOAD_BYTES: Final = 1_073_741_824
UPLOADS: Final = "/api/history/uploads"
"""Takes bytes instead of JSON, more than fit into memory: its route counts and writes them as they come."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - names of it, nothing is bound here
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_OWN_PAGES: Final = frozenset({b"same-origin", b"none"})
_SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_STORE: Final = (b"cache-control", b"no-store")


class Hosts:
    """Which names this desk answers to: loopback by any name, and the host it is configured for.

    Bound to every address, any literal address of its own and the machine's name pass; a name that
    an attacker's DNS points here never does.
    """

    def __init__(self, host: str) -> None:
        self._names = set(_LOOPBACK)
        self._any_address = host in _WILDCARDS
        if self._any_address:
            self._names.add(socket.gethostname().lower())
        else:
            self._names.add(host.lower().strip("[]"))
        self._known: dict[bytes, bool] = {}

    def allows(self, header: bytes) -> bool:
        """Whether a Host header, with or without a port, names this desk."""
        known = self._known.get(header)
        if known is None:
            known = self._check(f"//{header.decode('latin-1')}")
            if len(self._known) < 256:  # noqa: PLR2004 - a bound against invented headers
                self._known[header] = known
        return known

    def allows_origin(self, header: bytes) -> bool:
        """Whether an Origin header is a page of this desk, on any port."""
        text = header.decode("latin-1")
        return text.startswith(("http://", "https://")) and self._check(text)

    def _check(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            name, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.username is not None or parts.path not in {"", "/"}:
            return False
        return name in self._names or (self._any_address and _is_address(name))


class Guard:
    """The outermost layer.

    Args:
        app: What it protects.
        host: The configured host of the desk.
        origins: Further origins whose pages may speak to it.
    """

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", origins: Sequence[str] = ()) -> None:
        self._app = app
        self._hosts = Hosts(host)
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, and answer what nobody expected."""
        if scope["type"] == "lifespan":
            await _plain_start(self._app, scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets yet: refuse them rather than leave them unguarded
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = scope["headers"]
        request_id = _request_id(headers)
        token = correlation_id.set(request_id)
        started = False
        extra = ((b"x-request-id", request_id.encode()), *_SECURITY_HEADERS)

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = message["headers"] = [*message.get("headers", ()), *extra]
                said = {name.lower() for name, _ in given}
                given.extend(usual for usual in (_POLICY, _NO_STORE) if usual[0] not in said)
            await send(message)

        try:
            try:
                self._check(scope["method"], headers)
                if scope["path"] == UPLOADS and scope["method"] == "POST":
                    _check_upload(headers)
                else:
                    receive = await _bounded(scope["method"], headers, receive)
                await self._app(scope, receive, answer)
            except Refused as refusal:
                log.info("[%s] refused: %s", request_id, refusal)
                await _send_error(answer, refusal.status, refusal.code, str(refusal), refusal.headers)
            except Exception:
                log.exception("[%s] %s %s failed", request_id, scope["method"], scope["path"])
                if started:
                    raise
                message = "Something unexpected went wrong; the log has it under the correlation id"
                await _send_error(answer, 500, "internal_error", message)
        finally:
            correlation_id.reset(token)

    def _check(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._hosts.allows(hosts[0]):
            raise Refused(
                403,
                "host_not_allowed",
                "This desk answers to localhost, 127.0.0.1, [::1] and the host of MT5UI_HOST only",
            )
        sites = [value for name, value in headers if name == b"sec-fetch-site"]
        for origin in (value for name, value in headers if name == b"origin"):
            if origin in self._origins:
                return
            # Another port of this machine is another program. A browser that tells whose page asks is
            # believed; of one that does not, the page's address must be the one that it asks.
            ours = bool(sites) or method in _READS or _port(origin) == _port(b"//" + hosts[0])
            if not ours or not self._hosts.allows_origin(origin):
                raise _foreign()
        if method not in _READS and not _OWN_PAGES.issuperset(sites):
            raise _foreign()


def _foreign() -> Refused:
    return Refused(403, "origin_not_allowed", "Pages of another site may not speak to this desk")


def _port(url: bytes) -> int | None:
    """The port that an address names; -1 where it has not the form of one."""
    try:
        return urlsplit(url.decode("latin-1")).port
    except ValueError:
        return -1


async def _plain_start(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the lifespan; a desk that refuses to start says so in a sentence instead of a traceback."""

    async def told(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last = str(message.get("message", "")).strip().rpartition("\n")[2]
            kind, _, sentence = last.partition(": ")
            if kind.startswith(f"{DeskError.__module__}."):
                message = {**message, "message": sentence}
        await send(message)

    await app(scope, receive, told)


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return uuid.uuid4().hex


async def _bounded(method: str, headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> Receive:
    """Refuse a body that is too large or not declared as JSON; one of unknown length is read here."""
    length, chunked, content_type = 0, False, b""
    for name, value in headers:
        if name == b"content-length":
            length = int(value) if value.isdigit() else MAX_BODY_BYTES + 1
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"content-type":
            content_type = value
    if length > MAX_BODY_BYTES:
        raise _too_large()
    if chunked:
        body = await _read(receive)
        length = len(body)
        receive = _replay(body, receive)
    if length and method not in _READS:
        kind = content_type.split(b";", 1)[0].strip().lower()
        if kind != b"application/json":
            raise Refused(415, "not_json", "The body must come with Content-Type: application/json")
    return receive


def _check_upload(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse an upload that says that it is too large, or that is not declared as plain bytes."""
    given = dict(headers)
    length = given.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_UPLOAD_BYTES:
        raise Refused(413, "body_too_large", f"A file may have at most {MAX_UPLOAD_BYTES} bytes")
    if given.get(b"content-type", b"").split(b";", 1)[0].strip().lower() != b"application/octet-stream":
        raise Refused(415, "not_bytes", "A file must come with Content-Type: application/octet-stream")


async def _read(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return pending.pop() if pending else await receive()

    return again


def _too_large() -> Refused:
    return Refused(413, "body_too_large", f"The body may have at most {MAX_BODY_BYTES} bytes")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _send_error(
    send: Send, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> None:
    body = error_bytes(code, message)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *((name.lower().encode(), value.encode()) for name, value in (headers or {}).items()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
