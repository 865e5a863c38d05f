"""Fetching over HTTP with a guard on everything that an address or a server could do."""

import math
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from backend.adapters.fetch_network import Deadline, GuardedBackend, Resolver, resolve
from backend.core.clock import Clock
from backend.core.errors import Unavailable
from backend.core.fetching import (
    DEFAULT_MAX_BYTES,
    DEFAULT_TIMEOUT,
    NO_VALIDATORS,
    Fetched,
    Validators,
    check_url,
    safe_url,
)

MAX_REDIRECTS = 5
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 15.0
LONGEST_RETRY_AFTER = 24 * 3600.0
USER_AGENT = "mt5ui/0.1 (trading desk; calendar and news reader)"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 503})
_OK = frozenset({200, 203})
_NOT_MODIFIED = 304
_PIECE = 65_536


class HttpFetcher:
    """`Fetcher` over httpx.

    Args:
        clock: Reads a Retry-After that is given as a date.
        allow_private: Let addresses on loopback and private networks pass.
        user_agent: Who asks.
        trust_env: Let the environment name certificate stores. Proxies of the environment are never
            used: behind one nobody could check the address that is really connected to.
        resolver: From host name and port to addresses.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        allow_private: bool = False,
        user_agent: str = USER_AGENT,
        trust_env: bool = False,
        resolver: Resolver = resolve,
    ) -> None:
        self._clock = clock
        self._allow_private = allow_private
        self._user_agent = user_agent
        self._trust_env = trust_env
        self._resolver = resolver
        self._tls: ssl.SSLContext | None = None
        self._tls_lock = threading.Lock()

    def get(
        self,
        url: str,
        *,
        validators: Validators = NO_VALIDATORS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout: float = DEFAULT_TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """The whole body of `url`; see `Fetcher`."""
        check_url(url)
        deadline = Deadline.after(timeout)
        origin = _origin(url)
        with self._client(deadline) as client:
            for _ in range(MAX_REDIRECTS + 1):
                sent = self._headers(validators, headers if _origin(url) == origin else None)
                with _explained(url), client.stream("GET", url, headers=sent) as response:
                    if response.status_code not in _REDIRECTS:
                        return self._read(url, response, validators, max_bytes)
                    url = _redirected(url, response)
        raise Unavailable(
            "too_many_redirects",
            f"{safe_url(url)} was still a redirect after {MAX_REDIRECTS} of them; check the address",
            url=safe_url(url),
        )

    def _client(self, deadline: Deadline) -> httpx.Client:
        backend = GuardedBackend(
            deadline=deadline, allow_private=self._allow_private, resolver=self._resolver
        )
        timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        transport = _Transport(backend, self._tls_context())
        return httpx.Client(transport=transport, timeout=timeout, trust_env=False, follow_redirects=False)

    def _tls_context(self) -> ssl.SSLContext:
        with self._tls_lock:  # reading the certificate store takes long enough to be done once
            if self._tls is None:
                self._tls = httpx.create_ssl_context(trust_env=self._trust_env)
            return self._tls

    def _headers(self, validators: Validators, extra: Mapping[str, str] | None) -> dict[str, str]:
        asked = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
        return {
            "User-Agent": self._user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            **(extra or {}),
            **{
                name: value
                for name, value in asked.items()
                if value and value.isascii() and value.isprintable()
            },
        }

    def _read(self, url: str, response: httpx.Response, validators: Validators, max_bytes: int) -> Fetched:
        status, shown = response.status_code, safe_url(url)
        if status == _NOT_MODIFIED and validators != NO_VALIDATORS:
            kept = _validators(response, validators)
            return Fetched(url=url, not_modified=True, validators=kept, status=status)
        if status in _BUSY:
            wait = self._retry_after(response.headers.get("Retry-After"))
            raise Unavailable(
                "rate_limited",
                f"{shown} answered {status}: it asks to wait"
                + (f" {wait:.0f} seconds" if wait is not None else ""),
                url=shown,
                status=status,
                **({"retry_after": wait} if wait is not None else {}),
            )
        if status not in _OK:
            raise Unavailable(
                "http_status",
                f"{shown} answered {status} {response.reason_phrase}".rstrip()
                + ("; check the address" if status in {400, 401, 403, 404, 410} else ""),
                url=shown,
                status=status,
            )
        return Fetched(
            url=url,
            body=_body(response, shown, max_bytes),
            content_type=response.headers.get("Content-Type", ""),
            validators=_validators(response, NO_VALIDATORS),
            status=status,
        )

    def _retry_after(self, text: str | None) -> float | None:
        if text is None:
            return None
        try:
            wait = float(text)
        except ValueError:
            try:
                wait = (parsedate_to_datetime(text) - self._clock.wall()).total_seconds()
            except (TypeError, ValueError, OverflowError):
                return None
        return min(max(wait, 0.0), LONGEST_RETRY_AFTER) if math.isfinite(wait) else None


class _Transport(httpx.BaseTransport):
    """Carries httpx requests over connections of the guarded backend."""

    def __init__(self, backend: GuardedBackend, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=tls, network_backend=backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = self._pool.handle_request(
            httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions)
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Pieces(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Pieces(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _explained(url: str) -> Iterator[None]:
    shown = safe_url(url)
    try:
        yield
    except (httpcore.TimeoutException, httpx.TimeoutException) as error:
        raise Unavailable(
            "fetch_timeout", f"{shown} did not answer completely in time ({error})", url=shown
        ) from error
    except (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
        httpx.HTTPError,
        httpx.InvalidURL,
        UnicodeError,
        OSError,
    ) as error:
        raise Unavailable(
            "fetch_failed",
            f"{shown} could not be fetched: {str(error) or type(error).__name__}; "
            "check the network and the address",
            url=shown,
        ) from error


def _redirected(url: str, response: httpx.Response) -> str:
    location: str = response.headers.get("Location", "").strip().replace(" ", "%20")
    shown = safe_url(url)
    if not location:
        raise Unavailable("fetch_failed", f"{shown} redirects to nowhere", url=shown)
    try:
        target = urljoin(url, location)
    except ValueError as error:
        raise Unavailable("fetch_failed", f"{shown} redirects to an unreadable address", url=shown) from error
    parts = check_url(target)
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise Unavailable(
            "fetch_failed", f"{shown} redirects from https to {safe_url(target)}, which is not", url=shown
        )
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _validators(response: httpx.Response, fallback: Validators) -> Validators:
    return Validators(
        etag=response.headers.get("ETag", fallback.etag),
        last_modified=response.headers.get("Last-Modified", fallback.last_modified),
    )


def _body(response: httpx.Response, shown: str, max_bytes: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise Unavailable(
            "fetch_failed",
            f"{shown} answered in the encoding {encoding!r}, which was not asked for",
            url=shown,
        )
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(shown, max_bytes)
    inflater = _Inflater() if encoding not in {"", "identity"} else None
    body = bytearray()
    travelled = 0
    for piece in response.iter_raw(_PIECE):
        travelled += len(piece)
        try:
            body += piece if inflater is None else inflater.feed(piece, max_bytes + 1 - len(body))
        except zlib.error as error:
            raise Unavailable("fetch_failed", f"{shown} answered in broken {encoding}", url=shown) from error
        if travelled > max_bytes or len(body) > max_bytes:
            raise _too_large(shown, max_bytes)
    if inflater is not None and travelled and not inflater.finished:
        raise Unavailable("fetch_failed", f"the answer of {shown} was cut off", url=shown)
    return bytes(body)


def _too_large(shown: str, max_bytes: int) -> Unavailable:
    return Unavailable(
        "body_too_large", f"{shown} answered with more than {max_bytes} bytes", url=shown, max_bytes=max_bytes
    )


class _Inflater:
    """Decompresses gzip and deflate without ever making more than asked for."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out gzip and zlib by itself
        self._begun = False
        self.finished = False

    def feed(self, data: bytes, room: int) -> bytes:
        """What `data` decompresses to, at most `room` bytes; more than that is lost."""
        out = bytearray()
        while data and len(out) < room:
            if self.finished:
                if not data.startswith(b"\x1f\x8b"):
                    break  # padding after the end
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip members may follow one another
                self.finished = False
            try:
                out += self._stream.decompress(data, room - len(out))
            except zlib.error:
                if self._begun:
                    raise
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)  # "deflate" that is raw, as some send it
                self._begun = True
                continue
            self._begun = True
            self.finished = self._stream.eof
            data = self._stream.unused_data if self.finished else self._stream.unconsumed_tail
        return bytes(out)
