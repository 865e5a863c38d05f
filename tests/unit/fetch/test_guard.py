"""What the real client refuses to reach, and how it waits."""

import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpcore
import pytest

from backend.adapters.fetch import HttpFetcher
from backend.adapters.fetch_network import why_refused
from backend.core.clock import FixedClock
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.core.fetching import NO_VALIDATORS, Validators, check_url, safe_url
from tests.fakes.fetcher import Reply, Site
from tests.fakes.http_server import serving

NOW = FixedClock(datetime(2026, 1, 5, 12, tzinfo=UTC))
PUBLIC = "93.184.216.34"
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - an address to refuse, not to bind


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "10.0.0.5", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200",
        "169.254.169.254", "168.63.129.16", UNSPECIFIED, "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2001:db8::1", "no address",
    ],
)  # fmt: skip
def test_no_address_inside_is_reached(address: str) -> None:
    assert why_refused(address, allow_private=False)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_pass(address: str) -> None:
    assert not why_refused(address, allow_private=False)


def test_private_addresses_pass_when_allowed_but_metadata_never() -> None:
    for address in ("127.0.0.1", "192.168.1.1", "::1", "fd00::1"):
        assert not why_refused(address, allow_private=True)
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "168.63.129.16", UNSPECIFIED):
        assert why_refused(address, allow_private=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1"])
def test_loopback_is_refused_in_every_spelling(site: Site, host: str) -> None:
    port = site.base.rpartition(":")[2]
    with pytest.raises(DeskError) as caught:
        HttpFetcher(NOW).get(f"http://{host}:{port}/a")
    # An odd spelling that this system's resolver does not know is as good as refused.
    expected = (
        {"refused_address"}
        if host in {"127.0.0.1", "localhost", "[::1]"}
        else {
            "refused_address",
            "fetch_failed",
        }
    )
    assert caught.value.code in expected
    assert site.asked == []


def test_a_refusal_says_how_to_allow() -> None:
    with pytest.raises(Invalid, match="MT5UI_ALLOW_PRIVATE_ADDRESSES"):
        HttpFetcher(NOW).get("http://127.0.0.1:1/a")


@contextmanager
def internet(monkeypatch: pytest.MonkeyPatch, site: Site) -> Iterator[list[str]]:
    """Connections to the public address end at the local server; the rest stay as they are."""
    connected: list[str] = []
    real = httpcore.SyncBackend.connect_tcp
    port = int(site.base.rpartition(":")[2])

    def connect(backend: httpcore.SyncBackend, host: str, to: int, *rest: Any) -> httpcore.NetworkStream:
        connected.append(host)
        return real(backend, "127.0.0.1", port, *rest) if host == PUBLIC else real(backend, host, to, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(httpcore.SyncBackend, "connect_tcp", connect)
        yield connected


def test_a_redirect_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    port = site.base.rpartition(":")[2]
    site.put("/a", Reply(status=302, location=f"http://127.0.0.1:{port}/secret"))
    site.put("/secret", Reply(body=b"inside"))
    with internet(monkeypatch, site), pytest.raises(Invalid) as caught:
        HttpFetcher(NOW, resolver=lambda host, _: [PUBLIC if host == "feeds.example" else host]).get(
            "http://feeds.example/a"
        )
    assert caught.value.code == "refused_address"
    assert [path for path, _ in site.asked] == ["/a"]


def test_metadata_is_refused_behind_a_redirect_even_where_private_is_allowed(site: Site) -> None:
    site.put("/a", Reply(status=302, location="http://169.254.169.254/latest/meta-data/"))
    with pytest.raises(Invalid) as caught:
        HttpFetcher(NOW, allow_private=True).get(site.url("/a"))
    assert caught.value.code == "refused_address"


def test_a_name_that_changes_its_address_between_check_and_connection_gains_nothing(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    site.put("/a", Reply(body=b"outside"))
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    with internet(monkeypatch, site) as connected:
        fetcher = HttpFetcher(NOW, resolver=lambda *_: next(answers))
        assert fetcher.get("http://rebind.example/a").body == b"outside"
        assert connected == [PUBLIC]  # the address that was judged, as a number
        with pytest.raises(Invalid):
            fetcher.get("http://rebind.example/a")
    assert site.asked[0][1]["host"] == "rebind.example"


def test_of_several_addresses_only_those_allowed_are_tried(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    site.put("/a", Reply(body=b"outside"))
    with internet(monkeypatch, site) as connected:
        fetcher = HttpFetcher(NOW, resolver=lambda *_: ["127.0.0.1", "10.0.0.1", PUBLIC])
        assert fetcher.get("http://mixed.example/a").body == b"outside"
    assert connected == [PUBLIC]


def test_tls_is_checked_against_the_name_not_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    class Stream(httpcore.NetworkStream):
        def start_tls(
            self,
            ssl_context: ssl.SSLContext,
            server_hostname: str | None = None,
            timeout: float | None = None,
        ) -> httpcore.NetworkStream:
            assert ssl_context.check_hostname
            assert ssl_context.verify_mode is ssl.CERT_REQUIRED
            asked.append(server_hostname)
            raise httpcore.ConnectError("seen enough")

        def close(self) -> None:
            """Nothing to end."""

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_: Stream())
    with pytest.raises(Unavailable):
        HttpFetcher(NOW, resolver=lambda *_: [PUBLIC]).get("https://bank.example/feed")
    assert asked == ["bank.example"]


def test_https_is_not_left_for_http(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    site.put("/a", Reply(status=301, location="http://bank.example/b"))
    real = httpcore.SyncBackend.connect_tcp
    port = int(site.base.rpartition(":")[2])

    def connect(backend: httpcore.SyncBackend, _: str, __: int, *rest: Any) -> httpcore.NetworkStream:
        stream = real(backend, "127.0.0.1", port, *rest)
        monkeypatch.setattr(type(stream), "start_tls", lambda self, *_: self)
        return stream

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(Unavailable, match="from https to"):
        HttpFetcher(NOW, resolver=lambda *_: [PUBLIC]).get("https://bank.example/a")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.put("/a", Reply(body=b"direct"))
    assert HttpFetcher(NOW, allow_private=True).get(site.url("/a")).body == b"direct"


def test_headers_of_the_caller_stay_with_their_origin(site: Site) -> None:
    with serving() as other:
        site.put("/a", Reply(status=302, location=other.url("/b")))
        other.put("/b", Reply(body=b"there"))
        HttpFetcher(NOW, allow_private=True).get(site.url("/a"), headers={"X-Key": "k"})
        assert site.asked[0][1]["x-key"] == "k"
        assert "x-key" not in other.asked[0][1]
        assert other.asked[0][1]["user-agent"].startswith("mt5ui")


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("Mon, 05 Jan 2026 12:02:00 GMT", 120),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0),
        ("999999999", 86_400),
        ("-5", 0),
        ("soon", None),
        ("nan", None),
        ("Mon, 05 Jan 2026 12:02:00", None),
    ],
)
def test_a_wait_is_read_as_seconds_or_date_and_is_bounded(
    site: Site, given: str, seconds: float | None
) -> None:
    with pytest.raises(Unavailable) as caught:
        HttpFetcher(NOW, allow_private=True).get(site.put("/a", Reply(status=429, retry_after=given)))
    assert caught.value.details.get("retry_after") == seconds


def test_headers_that_drip_are_ended_by_the_deadline() -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            HttpFetcher(NOW, allow_private=True).get(
                f"http://127.0.0.1:{listener.getsockname()[1]}/a", timeout=0.4
            )
        taken = time.monotonic() - begun
        over.set()
        thread.join(5)
    assert caught.value.code == "fetch_timeout"
    assert 0.3 < taken < 5


def test_a_resolver_that_hangs_is_left_behind() -> None:
    over = threading.Event()

    def hang(*_: object) -> list[str]:
        over.wait(30)
        return []

    with pytest.raises(Unavailable) as caught:
        HttpFetcher(NOW, resolver=hang).get("http://slow.example/", timeout=0.2)
    over.set()
    assert caught.value.code == "fetch_timeout"


def test_a_name_that_does_not_exist_is_a_failure_of_the_moment() -> None:
    def missing(*_: object) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unavailable, match="cannot be resolved"):
        HttpFetcher(NOW, resolver=missing).get("http://nowhere.example/")


def test_a_hundred_megabytes_are_not_read(site: Site) -> None:
    site.put("/a", Reply(body=bytes(100_000_000)))
    with pytest.raises(Unavailable) as caught:
        HttpFetcher(NOW, allow_private=True).get(site.url("/a"))
    assert caught.value.code == "body_too_large"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("deflate", zlib.compress(b"text" * 50)),
        ("deflate", zlib.compress(b"text" * 50)[2:-4]),
        ("gzip", gzip.compress(b"text" * 20, mtime=0) + gzip.compress(b"text" * 30, mtime=0)),
        ("gzip", gzip.compress(b"text" * 50, mtime=0) + b"\0" * 10),
        ("identity", b"text" * 50),
    ],
)
def test_every_form_of_compression_that_servers_use(site: Site, encoding: str, body: bytes) -> None:
    url = site.put("/a", Reply(body=body, encoding=encoding))
    assert HttpFetcher(NOW, allow_private=True).get(url).body == b"text" * 50


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"whatever"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0)),
        ("gzip", gzip.compress(b"text" * 500, mtime=0)[:-12]),
        ("gzip", b"this is no gzip at all"),
    ],
)
def test_a_body_that_cannot_be_opened_is_no_answer(site: Site, encoding: str, body: bytes) -> None:
    url = site.put("/a", Reply(body=body, encoding=encoding))
    with pytest.raises(Unavailable) as caught:
        HttpFetcher(NOW, allow_private=True).get(url)
    assert caught.value.code == "fetch_failed"


def test_a_validator_that_cannot_be_a_header_is_not_sent(site: Site) -> None:
    url = site.put("/a", Reply(body=b"whole"))
    held = Validators(etag='"\u20ac"', last_modified="x\r\nHost: other")
    assert HttpFetcher(NOW, allow_private=True).get(url, validators=held).body == b"whole"
    assert not {"if-none-match", "if-modified-since"} & set(site.asked[0][1])


def test_validators_survive_the_disk_and_nothing_else_is_taken_for_them() -> None:
    held = Validators(etag="e", last_modified="m")
    assert Validators.from_dict(held.as_dict()) == held
    others: tuple[object, ...] = (None, [], "x", {"etag": 5})
    for other in others:
        assert Validators.from_dict(other) == NO_VALIDATORS


def test_an_address_is_shown_without_what_it_carries() -> None:
    assert (
        safe_url("https://u:p@h.example:8/a?token=abc&c=guest:guest#f")
        == "https://h.example:8/a?token=***&c=***"
    )
    assert safe_url("http://[bad") == "(unreadable address)"


def test_a_good_address_is_given_in_its_parts() -> None:
    assert check_url("https://www.example.com/feed?x=1").hostname == "www.example.com"
