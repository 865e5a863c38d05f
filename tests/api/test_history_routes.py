"""/api/history: what is taken in and where it lies, what is queued, and what is refused before that."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio import CapacityLimiter

from backend.app import create_app
from backend.core.timeframes import Timeframe
from backend.history.importing import look
from backend.history.pieces import Choices
from backend.routes import guard, history
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk, fake_desk
from tests.unit.history.files import MONDAY, MT5_HEAD, mt5_minutes, save

BYTES = {"Content-Type": "application/octet-stream"}
UPLOADS = "/api/history/uploads"
IMPORTS = "/api/history/imports"


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, FakeDesk]]:
    """One desk for all that is refused, and so changes nothing."""
    desk = fake_desk(tmp_path_factory.mktemp("desk"))
    save(desk.settings.data_dir / "incoming/there.csv", ["x"])
    with TestClient(create_app(desk, host="127.0.0.1"), base_url="http://127.0.0.1:5001") as client:
        yield client, desk


def upload(client: TestClient, content: Any, name: str = "EURUSD_M1.csv", **headers: str) -> Any:
    return client.post(UPLOADS, params={"name": name}, content=content, headers=BYTES | headers)


def incoming(desk: FakeDesk) -> list[str]:
    folder = desk.settings.data_dir / "incoming"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def imported(desk: FakeDesk, tmp_path: Path) -> dict[str, Any]:
    """An import of two minutes, as its job does it."""
    file = save(tmp_path / "EURUSD_M1.csv", [MT5_HEAD, *mt5_minutes(MONDAY, 2)])
    return desk.history.importer.run(look([file]), Choices(clock="UTC"))[0]


# Uploads


def test_an_upload_lies_below_incoming_under_its_own_name(client: TestClient, desk: FakeDesk) -> None:
    answer = upload(client, b"one,two\n")
    assert answer.status_code == 200
    name = answer.json()["name"]
    assert answer.json()["size"] == 8
    assert incoming(desk) == [name]
    assert name.startswith("uploads/")
    assert name.endswith("/EURUSD_M1.csv")
    assert (desk.settings.data_dir / "incoming" / name).read_bytes() == b"one,two\n"
    again = upload(client, b"others\n").json()["name"]
    assert again != name
    assert [row["name"] for row in client.get("/api/history").json()["incoming"]] == sorted([name, again])


def test_an_upload_may_be_larger_than_any_other_body_and_of_unknown_length(
    client: TestClient, desk: FakeDesk
) -> None:
    piece = b"x" * 100_000

    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield piece

    answer = upload(client, pieces())
    assert answer.json()["size"] == 3_000_000 > guard.MAX_BODY_BYTES
    assert (desk.settings.data_dir / "incoming" / answer.json()["name"]).stat().st_size == 3_000_000


def test_too_much_is_refused_and_leaves_nothing(
    client: TestClient, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_UPLOAD_BYTES", 1000)
    monkeypatch.setattr(history, "MAX_UPLOAD_BYTES", 1000)

    def pieces() -> Iterator[bytes]:
        yield b"x" * 900
        yield b"x" * 101

    for content in (b"x" * 1001, pieces()):
        answer = upload(client, content)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"
    assert incoming(desk) == []
    assert upload(client, b"x" * 1000).status_code == 200


def test_who_goes_away_in_the_middle_leaves_nothing(desk: FakeDesk) -> None:
    messages = [
        {"type": "http.request", "body": b"x" * 2_000_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []
    seen: list[list[str]] = []

    async def receive() -> Any:
        seen.append(incoming(desk))
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    app = create_app(desk, host="127.0.0.1")
    app.state.services = desk
    headers = [(b"host", b"127.0.0.1:5001"), (b"content-type", b"application/octet-stream")]
    scope = {
        "type": "http", "method": "POST", "path": UPLOADS, "raw_path": UPLOADS.encode(), "headers": headers,
        "query_string": b"name=EURUSD.csv", "scheme": "http", "http_version": "1.1", "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 5001),
    }  # fmt: skip

    async def asked() -> None:
        app.state.admissions = CapacityLimiter(1)
        await app(scope, receive, send)

    asyncio.run(asked())
    assert sent[0]["status"] == 400
    assert any(name.endswith(".part") for name in seen[-1])  # it was on the disk
    assert incoming(desk) == []


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("../symbol_map.csv", 422),
        ("..", 422),
        ("/etc/passwd", 422),
        ("a/b.csv", 422),
        ("a\\b.csv", 422),
        ("C:x.csv", 422),
        (".part", 422),
        ("con.csv", 422),
        ("x\0.csv", 422),
        ("x. ", 422),
        ("", 422),
        ("x" * 121, 422),
    ],
)
def test_a_name_that_is_none_is_refused(
    refusing: tuple[TestClient, FakeDesk], name: str, status: int
) -> None:
    client, desk = refusing
    answer = upload(client, b"x", name)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] in {"unsafe_path", "invalid_request"}
    assert incoming(desk) == ["there.csv"]
    assert not (desk.settings.data_dir / "symbol_map.csv").exists()


def test_an_upload_is_bytes_of_this_desks_own_pages(client: TestClient, desk: FakeDesk) -> None:
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        refused = upload(client, b"x", **{"Content-Type": kind})
        assert (refused.status_code, refused.json()["error"]["code"]) == (415, "not_bytes")
    assert upload(client, b"x", Origin="http://evil.example").status_code == 403
    assert upload(client, b"x", Host="evil.example").status_code == 403
    assert upload(client, b"").json()["error"]["code"] == "empty_file"
    assert client.post(UPLOADS, content=b"x", headers=BYTES).status_code == 422
    assert incoming(desk) == []
    # And the door is no wider elsewhere.
    assert client.post(IMPORTS, content=b"{}", headers=BYTES).status_code == 415


def test_an_upload_that_nobody_imported_is_gone_after_a_day(client: TestClient, desk: FakeDesk) -> None:
    old = upload(client, b"old").json()["name"]
    folder = (desk.settings.data_dir / "incoming" / old).parent
    for age, there in ((86_000, True), (87_000, False)):
        moment = desk.clock.wall().timestamp() - age
        os.utime(folder, (moment, moment))
        name = upload(client, b"new").json()["name"]
        assert (old in incoming(desk)) is there
        desk.incoming.done(desk.incoming.path(name))


def test_done_with_an_upload_nothing_else_goes(client: TestClient, desk: FakeDesk) -> None:
    by_hand = desk.settings.data_dir / "incoming/mine/EURUSD.csv"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(b"x")
    one, two = (upload(client, b"x").json()["name"] for _ in range(2))
    for name in ("mine/EURUSD.csv", "mine", one, "uploads"):
        desk.incoming.done(desk.incoming.path(name))
    assert incoming(desk) == ["mine/EURUSD.csv", two]


# Imports and fetches


def test_an_import_is_a_job_with_what_was_said(client: TestClient, desk: FakeDesk) -> None:
    name = upload(client, b"x").json()["name"]
    said = {"file": name, "symbol": "EURUSD", "tz": "Europe/Athens", "digits": 5, "replace": True}
    answer = client.post(IMPORTS, json=said)
    assert answer.json() == {"task_id": "job-1", "status": "pending"}
    job = desk.jobs.get("job-1")
    assert job.task == "backend.tasks.data_tasks.import_history"
    assert job.kwargs == said | {"replace": 1, "skip_bad": 0, "dry_run": 0}
    assert [row["id"] for row in client.get("/api/history").json()["jobs"]] == ["job-1"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"file": "nosuch.csv"}, 404, "no_such_file"),
        ({"file": "../history"}, 422, "unsafe_path"),
        ({"file": "uploads/../../run"}, 422, "unsafe_path"),
        ({"file": "/etc/passwd"}, 422, "unsafe_path"),
        ({"file": "."}, 422, "unsafe_path"),
        ({"file": "C:/Windows"}, 422, "unsafe_path"),
        ({"file": "there.csv", "tz": "Mars/Base"}, 422, None),
        ({"file": "there.csv", "digits": 11}, 422, "invalid_request"),
        ({"file": "there.csv", "digits": -1}, 422, "invalid_request"),
        ({"file": "there.csv", "symbol": ""}, 422, "invalid_request"),
        ({"file": "there.csv", "replace": "yes"}, 422, "invalid_request"),
        ({"file": "there.csv", "folder": "/"}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        (None, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_imported_is_not_queued(
    refusing: tuple[TestClient, FakeDesk], body: Any, status: int, code: str | None
) -> None:
    client, desk = refusing
    answer = client.post(IMPORTS, json=body)
    assert answer.status_code == status
    assert code is None or answer.json()["error"]["code"] == code
    assert desk.jobs.rows == {}


def test_a_link_out_of_the_folder_is_no_way_out(client: TestClient, desk: FakeDesk) -> None:
    secret = save(desk.settings.data_dir.parent / "config/secret.csv", ["x"])
    folder = desk.settings.data_dir / "incoming"
    folder.mkdir(parents=True)
    try:
        (folder / "link.csv").symlink_to(secret)
        (folder / "config").symlink_to(secret.parent)
    except OSError:
        pytest.skip("links need rights that this account has not")
    for name in ("link.csv", "config", "config/secret.csv"):
        assert client.post(IMPORTS, json={"file": name}).json()["error"]["code"] == "unsafe_path"
    assert client.get("/api/history").json()["incoming"] == []


def test_a_fetch_is_a_job(client: TestClient, desk: FakeDesk) -> None:
    body = {"symbol": "EURUSD", "timeframe": "M1", "since": "2015-01-01T02:00:00+02:00"}
    assert client.post("/api/history/fetches", json=body).json()["task_id"] == "job-1"
    assert desk.jobs.get("job-1").kwargs == body | {"since": "2015-01-01T00:00:00Z"}
    for change, status in (
        ({"symbol": "NOSUCH"}, 404),
        ({"timeframe": "H5"}, 422),
        ({"since": "2015-01-01T00:00:00"}, 422),
        ({"count": 1}, 422),
    ):
        assert client.post("/api/history/fetches", json=body | change).status_code == status
    assert len(desk.jobs.rows) == 1


def test_with_the_broker_down_nothing_is_promised(client: TestClient, desk: FakeDesk) -> None:
    save(desk.settings.data_dir / "incoming/there.csv", ["x"])
    desk.jobs.broker_down = True
    assert client.post(IMPORTS, json={"file": "there.csv"}).status_code == 503


# What is kept


def test_an_empty_desk_has_nothing_and_says_so(client: TestClient) -> None:
    page = client.get("/api/history").json()
    assert {page[name] == [] for name in ("series", "incoming", "reports", "jobs")} == {True}
    assert client.get("/api/history/check").json() == {"series": []}
    assert client.get("/api/history/check", params={"symbol": "EURUSD"}).status_code == 404
    assert client.get("/api/history/check", params={"source": "moon"}).status_code == 422
    assert client.get("/api/history/reports/nosuch").status_code == 404


def test_series_reports_and_quality(client: TestClient, desk: FakeDesk, tmp_path: Path) -> None:
    report = imported(desk, tmp_path)
    page = client.get("/api/history").json()
    assert page["series"] == [{"kept": "imported", "symbol": "EURUSD", "timeframe": "M1"}]
    (short,) = page["reports"]
    assert (short["symbol"], short["bid"]["added"], short["ask"]) == ("EURUSD", 2, None)
    whole = client.get(f"/api/history/reports/{short['report']}").json()
    assert whole["quality"] == report["quality"]
    assert "files" not in short
    (quality,) = client.get("/api/history/check").json()["series"]
    assert (quality["kept"], quality["bars"], quality["verdict"]) == ("imported", 2, short["verdict"])
    same = client.get("/api/market/EURUSD/quality", params={"timeframe": "M1", "source": "imported"}).json()
    assert same == {"symbol": "EURUSD", "series": [quality]}


def test_a_report_that_cannot_be_read_hides_no_other(
    client: TestClient, desk: FakeDesk, tmp_path: Path
) -> None:
    imported(desk, tmp_path)
    save(desk.history.folder / "reports/EURUSD_M1_20300101_000000.json", ["{"])
    save(desk.history.folder / "reports/EURUSD_M1_20300101_000001.json", ['{"symbol": 1}'])
    assert len(client.get("/api/history").json()["reports"]) == 1


@pytest.mark.parametrize("name", ["..%2f..%2fconfig", "%2e%2e", "a%00b", "x" * 201])
def test_a_report_is_not_a_path(refusing: tuple[TestClient, FakeDesk], name: str) -> None:
    client, _ = refusing
    assert client.get(f"/api/history/reports/{name}").status_code in {404, 422}


# /api/market/{symbol}


def test_a_symbols_page_has_what_is_known_and_why_the_rest_is_not(client: TestClient, desk: FakeDesk) -> None:
    page = client.get("/api/market/EURUSD").json()
    assert (page["broker_symbol"], page["enabled"]) == ("EURUSD.r", True)
    assert page["quote"]["bid"] == "1.10000"
    assert page["specification"]["instrument"]["point"] == "0.00001"
    assert page["series"] == []
    desk.terminal.down = True
    away = client.get("/api/market/EURUSD").json()
    assert away["quote"] is None
    assert away["quote_reason"]
    assert away["specification"]["live"] is True
    assert client.get("/api/market/NOSUCH").status_code == 404


def test_bars_scroll_back_by_their_cursor(client: TestClient, desk: FakeDesk) -> None:
    asked: list[Any] = []
    chart = desk.market.chart

    def watched(*given: Any, **span: Any) -> Any:
        asked.append(span["until"])
        return chart(*given, **span)

    desk.market.chart = watched
    first = client.get("/api/market/EURUSD/bars", params={"count": 2}).json()
    assert first["made_of"] == "H1"
    assert first["next_cursor"] == str(first["time"][0])
    client.get("/api/market/EURUSD/bars", params={"cursor": first["next_cursor"]})
    assert asked[0] is None
    assert asked[1].timestamp() == first["time"][0]
    assert client.get("/api/market/EURUSD/bars", params={"cursor": "9" * 12}).status_code == 422


def test_ticks_scroll_back(client: TestClient, desk: FakeDesk) -> None:
    rows = [
        {"symbol": "EURUSD", "tick_time": f"2026-01-05T08:0{minute}:00Z", "bid": 1.1, "ask": 1.2, "spread": 8,
         "volume": None} for minute in range(3)
    ]  # fmt: skip
    desk.storage.append_jsonl("cache/market_data/EURUSD_20260105.jsonl", rows)
    newest = client.get("/api/market/EURUSD/ticks", params={"count": 2}).json()
    assert newest["time"] == ["2026-01-05T08:01:00Z", "2026-01-05T08:02:00Z"]
    assert newest["volume"] == [None, None]
    oldest = client.get("/api/market/EURUSD/ticks", params={"cursor": newest["next_cursor"]}).json()
    assert (oldest["time"], oldest["next_cursor"]) == (["2026-01-05T08:00:00Z"], None)
    nothing = client.get("/api/market/XAUUSD/ticks").json()
    assert (nothing["count"], nothing["time"]) == (0, None)
    assert "XAUUSD" in nothing["reason"]
    for query in ({"count": 10_001}, {"cursor": "x"}, {"since": "2026-01-05"}):
        assert client.get("/api/market/EURUSD/ticks", params=query).status_code == 422


def test_quality_is_told_of_known_symbols_and_what_is_kept(client: TestClient) -> None:
    assert client.get("/api/market/NOSUCH/quality").status_code == 404
    assert client.get("/api/market/EURUSD/quality").status_code == 404
    assert client.get("/api/market/EURUSD/quality", params={"timeframe": "H5"}).status_code == 422


def test_the_timeframes_of_the_routes_are_the_desks(client: TestClient) -> None:
    for frame in Timeframe:
        assert client.get("/api/market/EURUSD/bars", params={"timeframe": frame}).status_code == 200
