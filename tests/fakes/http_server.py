"""The same web site, served on the loopback interface by real sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.fetcher import Reply, Site


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False
    request_queue_size = 64

    def __init__(self, site: Site) -> None:
        self.site = site
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        reply = self.server.site.answer(self.path, dict(self.headers.items()))
        try:
            self._send(reply)
        except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
            self.close_connection = True  # a client that has had enough

    def _send(self, reply: Reply) -> None:
        fresh = reply.matches(self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since"))
        self.send_response(304 if fresh else reply.status)
        for name, value in (
            ("ETag", reply.etag),
            ("Last-Modified", reply.last_modified),
            ("Location", reply.location),
            ("Retry-After", reply.retry_after),
            ("Content-Encoding", reply.encoding),
        ):
            if value is not None:
                self.send_header(name, value)
        if fresh:
            self.end_headers()
            return
        self.send_header("Content-Type", reply.content_type)
        if reply.endless:
            self.end_headers()
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")
                self.wfile.flush()
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(reply.body) + (10 if reply.cut else 0)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.close_connection = self.close_connection or reply.cut

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def serving(site: Site | None = None) -> Iterator[Site]:
    """Serve a site; its `base` becomes the real address."""
    site = site or Site()
    server = _Server(site)
    site.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
