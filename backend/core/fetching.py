"""The port through which anything is fetched over HTTP, and the rules of an address.

Calendars and news feeds both fetch; the guarded client stands in `backend.adapters.fetch`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from backend.core.errors import Invalid

MAX_URL_LENGTH = 2048
DEFAULT_MAX_BYTES = 10_000_000
DEFAULT_TIMEOUT = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Validators:
    """What a server gave to ask "has it changed since?"; kept on disk by the caller."""

    etag: str | None = None
    last_modified: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The validators as JSON values."""
        return {"etag": self.etag, "last_modified": self.last_modified}

    @classmethod
    def from_dict(cls, data: object) -> "Validators":
        """Read what `as_dict` gave; anything else is no validators."""
        if not isinstance(data, dict):
            return cls()
        etag, modified = data.get("etag"), data.get("last_modified")
        return cls(
            etag=etag if isinstance(etag, str) else None,
            last_modified=modified if isinstance(modified, str) else None,
        )


NO_VALIDATORS = Validators()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A complete answer.

    Attributes:
        url: Address that answered in the end, after redirects.
        body: Bytes after decompression; empty when not modified.
        not_modified: The server said 304: what the caller holds is still current.
        content_type: As the server named it, or empty.
        validators: To be sent with the next request.
        status: What HTTP calls the answer.
    """

    url: str
    body: bytes = b""
    not_modified: bool = False
    content_type: str = ""
    validators: Validators = field(default_factory=Validators)
    status: int = 200


class Fetcher(Protocol):
    """Fetches one address completely, or says why not."""

    def get(
        self,
        url: str,
        *,
        validators: Validators = NO_VALIDATORS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout: float = DEFAULT_TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """The whole body of `url`.

        Args:
            url: http or https only, without user name or password.
            validators: Of the copy that the caller holds; the answer may then be "not modified".
            max_bytes: Cap on the body, both as it travels and after decompression.
            timeout: Seconds for everything together: name, connection, redirects, body.
            headers: Sent to the address's own origin only, never on to another one.

        Raises:
            Invalid: ``refused_url`` or ``refused_address``: trying again cannot help.
            Unavailable: ``rate_limited`` (details: `retry_after` seconds), ``http_status``,
                ``fetch_timeout``, ``fetch_failed``, ``body_too_large``, ``too_many_redirects``.
        """


def check_url(url: str) -> SplitResult:
    """The address in its parts, if it is one that may be fetched.

    Raises:
        Invalid: ``refused_url``, naming the address without its secrets and what is allowed.
    """
    if len(url) > MAX_URL_LENGTH:
        raise _refused(url[:60] + "…", f"an address has at most {MAX_URL_LENGTH} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise _refused(url, "an address has no blanks, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused(url, f"it cannot be read ({error})") from error
    if parts.scheme.lower() not in {"http", "https"}:
        raise _refused(url, "only http and https addresses are fetched, never local files")
    if "@" in parts.netloc:
        raise _refused(url, "a user name or password does not belong into an address")
    if not parts.hostname:
        raise _refused(url, "it names no host")
    if port == 0:
        raise _refused(url, "port 0 cannot be reached")
    return parts


def safe_url(url: str) -> str:
    """The address fit for logs and errors: without user, fragment and values of its query."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(unreadable address)"
    query = "&".join(f"{pair.partition('=')[0]}=***" for pair in parts.query.split("&") if pair)
    return "".join(
        character if character.isprintable() else "?"
        for character in urlunsplit((parts.scheme, host, parts.path, query, ""))
    )


def _refused(url: str, reason: str) -> Invalid:
    shown = safe_url(url)
    return Invalid("refused_url", f"{shown!r} is refused: {reason}", url=shown, reason=reason)
