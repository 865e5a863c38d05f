"""The connector over HTTP: every function of the terminal, and the desk's clock.

Only who knows the token is answered, and only under the name of this computer; a browser's page can
neither guess the one nor choose the other.
"""

import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.connector.owner import Answer, TerminalOwner
from backend.connector.replay import DeskClock
from backend.core import masking
from backend.core.clock import iso
from backend.core.errors import Conflict, Invalid, NotFound, Unavailable
from backend.mt5 import wire
from backend.mt5.api import FUNCTIONS, Mt5Api
from backend.routes import errors
from backend.routes.guard import Hosts

MAX_BODY_BYTES = 1_000_000
_OPEN_PATHS = frozenset({"/healthz"})
_CALLABLE = frozenset(FUNCTIONS) - {"shutdown", "last_error"}


class Advance(BaseModel):
    """Where the replay's clock is to go."""

    model_config = ConfigDict(extra="forbid")

    to: AwareDatetime


def create_connector(
    terminal: Mt5Api,
    *,
    token: str,
    clock: DeskClock | None = None,
    kind: str = "simulated",
    host: str = "127.0.0.1",
    on_stuck: Callable[[str], None] | None = None,
    holds_interpreter: bool = False,
    deadline_scale: float = 1.0,
) -> FastAPI:
    """The application that owns the terminal.

    Args:
        terminal: What it owns; nobody else may call it.
        token: What a caller must bring as ``Authorization: Bearer …``.
        clock: Desk time; live if not given.
        kind: Of the terminal, for those who ask.
        host: The address that it is bound to.
        on_stuck: Ends the process when a call passes its deadline; see `TerminalOwner`.
        holds_interpreter: The terminal's calls keep other threads from running.
        deadline_scale: Multiplies every call's deadline.
    """
    desk_clock = clock if clock is not None else DeskClock()
    owner = TerminalOwner(
        terminal,
        on_stuck=on_stuck,
        holds_interpreter=holds_interpreter,
        deadline_scale=deadline_scale,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        owner.start()
        try:
            yield
        finally:
            owner.stop()

    app = FastAPI(title="MT5 connector", lifespan=lifespan, openapi_url=None)
    app.state.owner = owner
    app.state.clock = desk_clock
    errors.install(app)
    app.add_middleware(_Gate, token=token, hosts=Hosts(host))

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        return {
            "status": "ok",
            "terminal": kind,
            "connected": owner.connected,
            "last_error": masking.hide_in(owner.last_error),
        }

    @app.post("/call/{function}")
    async def call(function: str, request: Request) -> Response:
        if function == "shutdown":
            raise Conflict("connector_owns_terminal", "the connector owns the terminal; end it instead")
        if function not in _CALLABLE:
            raise NotFound(
                "unknown_function",
                f"the terminal has no function {function!r}",
                functions=sorted(_CALLABLE),
            )
        try:
            args, kwargs = wire.load_arguments(await request.body())
        except (ValueError, RecursionError) as error:
            raise Invalid("bad_arguments", f"{function}: the arguments cannot be read: {error}") from error
        return _response(await owner.call(function, args, kwargs))

    @app.get("/clock")
    async def read_clock() -> dict[str, Any]:
        return desk_clock.as_dict()

    @app.get("/clock/next-close")
    async def next_close(timeframes: Annotated[list[str], Query()]) -> dict[str, Any]:
        found = await owner.run("next_close", lambda: desk_clock.next_close(timeframes))
        return {"next_close": iso(found) if isinstance(found, datetime) else None}

    @app.post("/clock/advance")
    def advance(body: Advance) -> dict[str, Any]:
        desk_clock.advance(body.to)
        return desk_clock.as_dict()

    return app


def _response(answer: Answer) -> Response:
    """Result and last error: JSON, or an array's bytes with the rest in a header."""
    rest: dict[str, Any] = {"last_error": masking.hide_in(list(answer.last_error))}
    if answer.raised is not None:
        rest["raised"] = {"type": type(answer.raised).__name__, "message": masking.hide(str(answer.raised))}
    elif isinstance(answer.result, np.ndarray):
        try:
            rest["array"] = wire.array_kind(answer.result)
        except ValueError as error:
            raise Unavailable("terminal_version", f"the terminal answered strangely: {error}") from error
        return Response(
            np.ascontiguousarray(answer.result).tobytes(),
            media_type="application/octet-stream",
            headers={"x-mt5-answer": json.dumps(rest, separators=(",", ":"))},
        )
    head = json.dumps(rest, separators=(",", ":"))
    body = f'{head[:-1]},"result":{wire.dump_result(answer.result)}}}'
    return Response(body, media_type="application/json")


class _Gate:
    """Lets a request in that names this computer and brings the token."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: Hosts) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refused = self._refusal(scope)
            if refused is not None:
                await refused(scope, receive, send)
                return
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = dict(scope["headers"])
        if not self._hosts.allows(headers.get(b"host", b"")):
            return errors.error_response(403, "forbidden_host", "the connector does not answer to that name")
        if scope["path"] not in _OPEN_PATHS and not hmac.compare_digest(
            headers.get(b"authorization", b""), self._expected
        ):
            return errors.error_response(
                401,
                "wrong_token",
                "the connector's token is missing or wrong",
                headers={"WWW-Authenticate": "Bearer"},
            )
        length = headers.get(b"content-length", b"0")
        chunked = b"transfer-encoding" in headers
        if chunked or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            return errors.error_response(
                413, "body_too_large", f"a call is at most {MAX_BODY_BYTES} bytes, its length declared"
            )
        return None
