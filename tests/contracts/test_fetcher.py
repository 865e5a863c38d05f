"""The rules of fetching: held by the fake in memory and by the real client over sockets."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from backend.adapters.fetch import HttpFetcher
from backend.core.clock import FixedClock
from backend.core.errors import Invalid, Unavailable
from backend.core.fetching import Fetcher, Validators
from tests.fakes.fetcher import FakeFetcher, Reply, Site
from tests.fakes.http_server import serving

NOW = FixedClock(datetime(2026, 1, 5, 12, tzinfo=UTC))


class FetcherContract:
    @pytest.fixture
    def site(self) -> Site | Iterator[Site]:
        raise NotImplementedError

    @pytest.fixture
    def fetcher(self, site: Site) -> Fetcher:
        raise NotImplementedError

    def test_gives_the_whole_body_with_what_the_server_says_of_it(self, site: Site, fetcher: Fetcher) -> None:
        url = site.put("/a", Reply(body=b"hello", content_type="text/xml", etag='"1"', last_modified="then"))
        got = fetcher.get(url)
        assert (got.body, got.not_modified, got.content_type, got.url) == (b"hello", False, "text/xml", url)
        assert got.validators == Validators(etag='"1"', last_modified="then")

    @pytest.mark.parametrize(
        "held",
        [Validators(etag='"1"'), Validators(last_modified="then"), Validators(etag='"1"', last_modified="x")],
    )
    def test_an_unchanged_page_is_not_sent_again(
        self, site: Site, fetcher: Fetcher, held: Validators
    ) -> None:
        url = site.put("/a", Reply(body=b"hello", etag='"1"', last_modified="then"))
        got = fetcher.get(url, validators=held)
        assert got.not_modified
        assert got.body == b""
        assert got.validators.etag == '"1"'

    def test_a_changed_page_is_sent_whole(self, site: Site, fetcher: Fetcher) -> None:
        url = site.put("/a", Reply(body=b"new", etag='"2"'))
        assert fetcher.get(url, validators=Validators(etag='"1"')).body == b"new"

    def test_an_empty_body_is_an_answer(self, site: Site, fetcher: Fetcher) -> None:
        assert fetcher.get(site.put("/a", Reply())).body == b""

    def test_five_redirects_are_followed_and_a_sixth_is_not(self, site: Site, fetcher: Fetcher) -> None:
        for step in range(6):
            site.put(f"/{step}", Reply(status=302, location=f"/{step + 1}"))
        site.put("/6", Reply(body=b"end"))
        got = fetcher.get(site.url("/1"))
        assert (got.body, got.url) == (b"end", site.url("/6"))
        with pytest.raises(Unavailable) as caught:
            fetcher.get(site.url("/0"))
        assert caught.value.code == "too_many_redirects"

    @pytest.mark.parametrize(
        "target", ["file:///etc/passwd", "ftp://example.com/x", "http://u:p@example.com/"]
    )
    def test_a_redirect_is_judged_like_an_address(self, site: Site, fetcher: Fetcher, target: str) -> None:
        url = site.put("/a", Reply(status=302, location=target))
        with pytest.raises(Invalid) as caught:
            fetcher.get(url)
        assert caught.value.code == "refused_url"

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "/etc/passwd",
            "C:\\feeds\\a.xml",
            "ftp://example.com/a",
            "data:text/plain,hello",
            "http://user:secret@example.com/",
            "http:///nohost",
            "http://example.com:99999/",
            "http://example.com/a b",
            "http://example.com/\r\nHost: other",
            "",
            "http://" + "a" * 3000 + ".com/",
        ],
    )
    def test_refuses_addresses_that_are_none(self, fetcher: Fetcher, url: str) -> None:
        with pytest.raises(Invalid) as caught:
            fetcher.get(url)
        assert caught.value.code == "refused_url"
        assert "secret" not in caught.value.message

    @pytest.mark.parametrize("status", [204, 304, 400, 403, 404, 500, 502])
    def test_another_status_is_a_failure_that_names_it(
        self, site: Site, fetcher: Fetcher, status: int
    ) -> None:
        url = site.put("/a?apikey=hunter2", Reply(status=status))
        with pytest.raises(Unavailable) as caught:
            fetcher.get(url)
        assert caught.value.code == "http_status"
        assert caught.value.details["status"] == status
        assert "hunter2" not in str(caught.value.as_dict())

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_server_that_asks_to_wait_is_quoted(self, site: Site, fetcher: Fetcher, status: int) -> None:
        url = site.put("/a", Reply(status=status, retry_after="120"))
        with pytest.raises(Unavailable) as caught:
            fetcher.get(url)
        assert caught.value.code == "rate_limited"
        assert caught.value.details["retry_after"] == 120

    def test_without_a_wait_none_is_invented(self, site: Site, fetcher: Fetcher) -> None:
        with pytest.raises(Unavailable) as caught:
            fetcher.get(site.put("/a", Reply(status=429)))
        assert "retry_after" not in caught.value.details

    def test_the_cap_is_exact(self, site: Site, fetcher: Fetcher) -> None:
        url = site.put("/a", Reply(body=b"x" * 1000))
        assert len(fetcher.get(url, max_bytes=1000).body) == 1000
        with pytest.raises(Unavailable) as caught:
            fetcher.get(url, max_bytes=999)
        assert caught.value.code == "body_too_large"

    def test_compressed_bodies_are_opened(self, site: Site, fetcher: Fetcher) -> None:
        url = site.put("/a", Reply(body=gzip.compress(b"hello" * 1000), encoding="gzip"))
        assert fetcher.get(url).body == b"hello" * 1000

    def test_a_bomb_is_stopped_at_the_cap(self, site: Site, fetcher: Fetcher) -> None:
        url = site.put("/a", Reply(body=gzip.compress(bytes(50_000_000), 6), encoding="gzip"))
        with pytest.raises(Unavailable) as caught:
            fetcher.get(url, max_bytes=1_000_000)
        assert caught.value.code == "body_too_large"

    def test_a_drip_without_end_is_ended_by_the_deadline(self, site: Site, fetcher: Fetcher) -> None:
        with pytest.raises(Unavailable) as caught:
            fetcher.get(site.put("/a", Reply(endless=True)), timeout=0.4)
        assert caught.value.code == "fetch_timeout"

    def test_half_a_body_is_none(self, site: Site, fetcher: Fetcher) -> None:
        with pytest.raises(Unavailable) as caught:
            fetcher.get(site.put("/a", Reply(body=b"half", cut=True)))
        assert caught.value.code == "fetch_failed"

    def test_nobody_there_is_a_failure(self, fetcher: Fetcher) -> None:
        with pytest.raises(Unavailable) as caught:
            fetcher.get("http://127.0.0.1:1/feed")
        assert caught.value.code == "fetch_failed"
        assert caught.value.details["url"] == "http://127.0.0.1:1/feed"


class TestFakeFetcher(FetcherContract):
    @pytest.fixture
    def site(self) -> Site:
        return Site()

    @pytest.fixture
    def fetcher(self, site: Site) -> Fetcher:
        return FakeFetcher(site)


class TestHttpFetcher(FetcherContract):
    @pytest.fixture
    def site(self) -> Iterator[Site]:
        with serving() as site:
            yield site

    @pytest.fixture
    def fetcher(self, site: Site) -> Fetcher:
        return HttpFetcher(NOW, allow_private=True)
