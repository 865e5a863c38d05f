"""The one place where what went wrong becomes an HTTP answer, always in the same shape."""

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.utils import create_model_field
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from backend.core import masking
from backend.core.errors import DeskError

log = logging.getLogger(__name__)

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")

STATUS: Final[Mapping[str, int]] = {"not_found": 404, "conflict": 409, "invalid": 422, "unavailable": 503}

_CODE_OF_STATUS: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "not_json",
}


class ErrorDetail(BaseModel):
    """What happened, where, and the id that finds it in the log."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="Stable machine-readable name in snake case", examples=["unknown_symbol"])
    message: str = Field(description="One sentence for a person")
    details: dict[str, Any] = Field(description="Where: file, key, allowed values, a terminal's error code")
    correlation_id: str = Field(description="Also in the X-Request-ID header and in the log")


class ErrorBody(BaseModel):
    """The shape of every answer that is not a success."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetail


REFUSAL: Final = create_model_field("Refusal", ErrorBody, mode="serialization")
"""The shape once for all routes: FastAPI would make it anew for each status of each, at every start."""


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for OpenAPI: those given, and those that any route can give.

    Their shape is `REFUSAL`; a `DeskRoute` adds it.
    """
    meaning = {
        400: "The request cannot be read",
        401: "Nobody is signed in, or what they came with is not valid any more",
        403: "The role has not the right, or the Host or Origin is not this desk's",
        404: "No such thing",
        409: "Its state forbids this",
        413: "The body is too large",
        415: "The body is not declared as what the route takes: JSON, or the bytes of a file",
        422: "The input breaks a rule",
        429: "Too many attempts; Retry-After says how long to wait",
        500: "Unexpected; the log holds the correlation id",
        503: "Something outside does not answer; trying again later may help",
    }
    named = {422} if 404 in statuses else set()  # noqa: PLR2004 - what is looked up is checked first
    unread = {400} if 413 in statuses else set()  # noqa: PLR2004 - a body that is no text is neither read nor judged
    given = sorted({401, 403, 500, *named, *unread, *statuses})
    return {status: {"description": meaning[status]} for status in given}


def to_json(value: Any) -> bytes:
    """JSON of any value, also of what a hostile request put into it (lone surrogates, odd types)."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        return json.dumps(value, default=str, ensure_ascii=True).encode()


def error_bytes(code: str, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The body of an error answer, with the correlation id of the present request."""
    return to_json(
        {
            "error": {
                "code": code,
                "message": masking.hide(message),
                "details": masking.hide_in(details or {}),
                "correlation_id": correlation_id.get(),
            }
        }
    )


def error_response(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error answer in the common shape."""
    return Response(
        error_bytes(code, message, details),
        status,
        headers=dict(headers) if headers else None,
        media_type="application/json",
    )


async def _desk_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, DeskError)  # noqa: S101 - registered for this type only
    status = STATUS.get(error.category, 500)
    if status >= 500:  # noqa: PLR2004 - server errors
        log.warning("[%s] %s: %s %s", correlation_id.get(), error.code, error.message, error.details)
    headers = {"Retry-After": "2"} if error.category == "unavailable" else None
    return error_response(status, error.code, error.message, error.details, headers)


_PLAIN: Final[Mapping[str, str]] = {
    "extra_forbidden": "there is no such field here",
    "missing": "it is missing",
    "model_attributes_type": "it must be a JSON object",
    "json_invalid": "it is not valid JSON",
}
"""What pydantic says in the words of its own models, said for a caller."""


def _problem(problem: Mapping[str, Any]) -> dict[str, str]:
    rule = str(problem["type"])
    place = problem["loc"][:1] if rule == "json_invalid" else problem["loc"]
    return {
        "at": ".".join(str(part) for part in place),
        "reason": _PLAIN.get(rule, str(problem["msg"])),
        "rule": rule,
    }


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    problems = [_problem(problem) for problem in error.errors()]
    first = problems[0] if problems else {"at": "body", "reason": "it cannot be read"}
    return error_response(
        422, "invalid_request", f"{first['at']}: {first['reason']}", {"problems": problems[:20]}
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    code = _CODE_OF_STATUS.get(error.status_code, f"http_{error.status_code}")
    if error.status_code == 404:  # noqa: PLR2004 - a path that no route has
        message = f"There is no {request.url.path}; the paths are listed in /openapi.json"
    elif error.status_code == 405:  # noqa: PLR2004 - a method that the path does not take
        message = f"{request.url.path} does not take {request.method}"
    else:
        message = str(error.detail)
    return error_response(error.status_code, code, message, headers=error.headers)


def install(app: FastAPI) -> None:
    """Teach `app` the error table. What is not in it is answered by the guard as a 500."""
    app.add_exception_handler(DeskError, _desk_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http_error)
