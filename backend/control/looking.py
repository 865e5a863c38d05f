"""Trying a connection once: everything that was fetched for it, by when, and what answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from backend.core import masking
from backend.core.errors import DeskError, Unavailable
from backend.core.fetching import (
    DEFAULT_MAX_BYTES,
    DEFAULT_TIMEOUT,
    NO_VALIDATORS,
    Fetched,
    Fetcher,
    Validators,
    safe_url,
)

DEADLINE: Final = 20.0
"""Seconds for a whole try, whatever the configuration allows for one request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request of a try.

    Attributes:
        address: Without the values of its query.
        host: That was asked.
        status: What HTTP called the answer; None where none came.
        bytes: Of its body; None where none came.
        seconds: It took.
        error: Code of what went wrong; None where nothing did.
    """

    address: str
    host: str
    status: int | None
    bytes: int | None
    seconds: float
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What a try showed.

    Attributes:
        ok: Whether what is wanted was there.
        said: One sentence for a person.
        code: Of what went wrong; None where nothing did.
        shape: What the answer was found to be; None without one.
        seconds: It took.
        requests: What was asked over HTTP.
    """

    ok: bool
    said: str
    code: str | None
    shape: str | None
    seconds: float
    requests: tuple[Request, ...] = ()


@dataclass(slots=True)
class Watched:
    """A `Fetcher` that notes what is asked of another, and has one deadline for all of it.

    Args:
        fetcher: Does the fetching, with all of its refusals.
        monotonic: Seconds that only go on.
    """

    fetcher: Fetcher
    monotonic: Callable[[], float]
    requests: list[Request] = field(default_factory=list)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.monotonic()

    def get(
        self,
        url: str,
        *,
        validators: Validators = NO_VALIDATORS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout: float = DEFAULT_TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """As the other one, within what is left of the deadline."""
        begin = self.monotonic()
        left = DEADLINE - (begin - self.began)
        if left <= 0:
            raise Unavailable("fetch_timeout", f"the try had taken {DEADLINE:g} s before {safe_url(url)}")
        try:
            got = self.fetcher.get(
                url,
                validators=validators,
                max_bytes=max_bytes,
                timeout=min(timeout, left),
                headers=headers,
            )
        except DeskError as error:
            status = error.details.get("status")
            self._note(url, begin, status if isinstance(status, int) else None, None, error.code)
            raise
        self._note(got.url, begin, got.status, len(got.body), None)
        return got

    def _note(self, url: str, begin: float, status: int | None, size: int | None, error: str | None) -> None:
        shown = masking.hide(safe_url(url))
        self.requests.append(
            Request(
                address=shown,
                host=_host(shown),
                status=status,
                bytes=size,
                seconds=round(self.monotonic() - begin, 3),
                error=error,
            )
        )


def try_once(
    look: Callable[[], str], *, monotonic: Callable[[], float], watched: Watched | None = None
) -> Tried:
    """Look once, and tell what it showed.

    Args:
        look: Tells what shape the answer has; `DeskError` says what went wrong.
        monotonic: Seconds that only go on.
        watched: What it fetches through, if it fetches.
    """
    begin = monotonic()

    def told(**outcome: Any) -> Tried:
        asked = () if watched is None else tuple(watched.requests)
        return Tried(**outcome, seconds=round(monotonic() - begin, 3), requests=asked)

    try:
        shape = masking.hide(look())
    except DeskError as error:
        return told(ok=False, said=masking.hide(error.message), code=error.code, shape=None)
    return told(ok=True, said=f"It answers: {shape}", code=None, shape=shape)


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
