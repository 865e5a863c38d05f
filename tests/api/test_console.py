"""The console at `/`: what is served of it, and what is not."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

from backend.app import create_app
from backend.routes import console
from tests.fakes.http_app import served
from tests.fakes.services import fake_desk

SCRIPT = b"console.log('it works')"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "console"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(b'<meta name="csp-nonce" content="__NONCE__"><title>desk</title>')
    (folder / "assets" / "main-abc.js").write_bytes(SCRIPT)
    (folder / "assets" / "main-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "assets" / ".hidden.js").write_bytes(b"no")
    (tmp_path / "secret.js").write_bytes(b"no")
    monkeypatch.setattr(console, "BUILT", folder)
    return folder


def asked(tmp_path: Path, method: str, path: str, **headers: str) -> httpx.Response:
    with served(create_app(fake_desk(tmp_path / "desk"))) as url, httpx.Client(base_url=url) as client:
        return client.request(method, path, headers=headers)


@pytest.mark.parametrize("path", ["/", "/ideas", "/ideas/i-1", "/apiary", "/a%2fb", "/..%2f..%2fsecret.js"])
def test_every_address_of_a_page_gives_the_page_with_a_nonce_of_its_own(
    built: Path, tmp_path: Path, path: str
) -> None:
    first, second = (asked(tmp_path, "GET", path) for _ in range(2))
    assert first.status_code == 200
    assert first.headers["content-type"].startswith("text/html")
    assert first.headers["cache-control"] == "no-cache"
    nonces = []
    for answer in (first, second):
        (policy,) = answer.headers.get_list("content-security-policy")
        (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
        assert f'content="{nonce}"' in answer.text
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


@pytest.mark.parametrize(
    "path", ["/api", "/api/nothing", "/healthz/x", "/openapi.json/x", "/assets", "/assets/x/y.js"]
)
def test_what_is_the_apis_own_is_never_the_page(built: Path, tmp_path: Path, path: str) -> None:
    answer = asked(tmp_path, "GET", path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_method_that_a_route_of_the_api_does_not_take_is_told_as_before(
    built: Path, tmp_path: Path
) -> None:
    assert asked(tmp_path, "GET", "/api/control/kill").status_code == 405


def test_an_asset_is_kept_for_ever_packed_where_the_browser_can_and_not_sent_twice(
    built: Path, tmp_path: Path
) -> None:
    packed = asked(tmp_path, "GET", "/assets/main-abc.js", **{"accept-encoding": "gzip"})
    assert (packed.content, packed.headers["content-encoding"]) == (SCRIPT, "gzip")
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    plain = asked(tmp_path, "GET", "/assets/main-abc.js", **{"accept-encoding": "identity"})
    assert (plain.content, plain.headers.get("content-encoding")) == (SCRIPT, None)
    again = asked(tmp_path, "GET", "/assets/main-abc.js", **{"if-none-match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = asked(tmp_path, "HEAD", "/assets/main-abc.js", **{"accept-encoding": "identity"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(SCRIPT)))


@pytest.mark.parametrize(
    "name",
    [
        "none.js",
        ".hidden.js",
        "..%2findex.html",
        "..%2f..%2fsecret.js",
        "%2e%2e%5csecret.js",
        "main-abc.js%00",
        "main-abc.js.gz",
    ],
)
def test_nothing_but_the_built_files_is_an_asset(built: Path, tmp_path: Path, name: str) -> None:
    answer = asked(tmp_path, "GET", f"/assets/{name}")
    assert answer.status_code == 404
    assert b"<title>" not in answer.content


def test_a_console_that_could_not_be_built_says_why_in_one_sentence(built: Path, tmp_path: Path) -> None:
    (built / "index.html").unlink()
    (built / console.WHY_NOT).write_text("0123\nit needs Node 20 or newer\n", encoding="utf-8")
    answer = asked(tmp_path, "GET", "/")
    assert answer.status_code == 503
    assert answer.text.startswith("The console is not built: it needs Node 20 or newer.")
