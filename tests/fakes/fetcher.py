"""A web site in memory, and a `Fetcher` that reads it under the same rules as the real one."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from backend.core.errors import DeskError, Unavailable
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


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What one path answers.

    `etag` and `last_modified` are honoured with 304, unless it `ignores` them. `endless` drips without
    end. `cut` ends the connection in the middle of the body.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "text/plain"
    etag: str | None = None
    last_modified: str | None = None
    location: str | None = None
    retry_after: str | None = None
    encoding: str | None = None
    endless: bool = False
    cut: bool = False
    ignores: bool = False

    def matches(self, etag: str | None, last_modified: str | None) -> bool:
        if self.ignores:
            return False
        if self.etag is not None and etag is not None:
            return self.etag == etag
        return self.last_modified is not None and self.last_modified == last_modified


@dataclass
class Site:
    """Paths and what they answer, with what was asked."""

    base: str = "http://site.test"
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return self.base + path

    def put(self, path: str, reply: Reply) -> str:
        self.replies[path] = reply
        return self.url(path)

    def answer(self, path: str, headers: Mapping[str, str]) -> Reply:
        self.asked.append((path, {name.lower(): value for name, value in headers.items()}))
        return self.replies.get(path, Reply(status=404, body=b"no such page"))


class FakeFetcher:
    """Reads a `Site`; addresses on other hosts fail as they would with nobody there."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.failures: dict[str, DeskError] = {}

    def get(
        self,
        url: str,
        *,
        validators: Validators = NO_VALIDATORS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout: float = DEFAULT_TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            parts = check_url(url)
            shown = safe_url(url)
            if url in self.failures:
                raise self.failures[url]
            if f"{parts.scheme}://{parts.netloc}" != self.site.base:
                raise Unavailable("fetch_failed", f"{shown} could not be fetched", url=shown)
            sent = dict(headers or {})
            if validators.etag:
                sent["If-None-Match"] = validators.etag
            if validators.last_modified:
                sent["If-Modified-Since"] = validators.last_modified
            target = urlsplit(url)
            reply = self.site.answer(target.path + (f"?{target.query}" if target.query else ""), sent)
            if reply.location is None:
                return _fetched(url, reply, validators, max_bytes)
            url = urljoin(url, reply.location)
        raise Unavailable("too_many_redirects", f"{safe_url(url)} redirects on and on", url=safe_url(url))


def _fetched(url: str, reply: Reply, validators: Validators, max_bytes: int) -> Fetched:
    shown = safe_url(url)
    given = Validators(etag=reply.etag, last_modified=reply.last_modified)
    if reply.matches(validators.etag, validators.last_modified):
        return Fetched(url=url, not_modified=True, validators=given)
    if reply.status in {429, 503}:
        wait = {"retry_after": float(reply.retry_after)} if reply.retry_after is not None else {}
        raise Unavailable("rate_limited", f"{shown} answered {reply.status}", url=shown, **wait)
    if reply.status != 200:
        raise Unavailable("http_status", f"{shown} answered {reply.status}", url=shown, status=reply.status)
    if reply.endless:
        raise Unavailable("fetch_timeout", f"{shown} did not answer in time", url=shown)
    if reply.cut:
        raise Unavailable("fetch_failed", f"{shown} was cut off", url=shown)
    body = reply.body
    if reply.encoding == "gzip":
        body = zlib.decompressobj(47).decompress(body, max_bytes + 1)
    if max(len(reply.body), len(body)) > max_bytes:
        raise Unavailable("body_too_large", f"{shown} is larger than {max_bytes} bytes", url=shown)
    return Fetched(url=url, body=body, content_type=reply.content_type, validators=given)
