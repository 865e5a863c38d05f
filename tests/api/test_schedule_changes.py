"""PATCH /api/schedules/{name}: by the rules of the file, on record, back to the default."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.schedules import load_schedules
from backend.jobs.ticks import Every
from backend.journal.record import Kind
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk

NEWS = "/api/schedules/collect-rss-news"


@pytest.fixture
def file(desk: FakeDesk) -> Path:
    path = desk.settings.config_dir / "schedules.json"
    entries = {
        "$comment": "all times are UTC",
        "collect-rss-news": {"crontab": {"minute": "*/10"}, "catch_up": 60},
        "mine": {"task": "backend.tasks.data_tasks.collect_rss_news", "every": 90},
    }
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def changes(desk: FakeDesk) -> list[dict[str, Any]]:
    return [one.payload["changes"] for one in desk.journal.newest(kind=Kind.SETTINGS_CHANGE)][::-1]


@pytest.mark.usefixtures("file")
def test_what_is_configured_stands_beside_the_default(client: TestClient) -> None:
    told = client.get(NEWS).json()
    assert (told["now"]["crontab"], told["now"]["catch_up"]) == ({"minute": "*/10"}, 60)
    assert (told["default"]["catch_up"], told["default"]["at_start"]) == (None, True)
    assert client.get("/api/schedules/mine").json()["default"] is None


def test_an_interval_takes_the_place_of_a_crontab_and_a_reset_takes_all_back(
    client: TestClient, desk: FakeDesk, file: Path
) -> None:
    told = client.patch(NEWS, json={"every": 300, "offset": 20, "enabled": False}).json()
    assert (told["now"]["crontab"], told["now"]["every"], told["now"]["offset"]) == (None, 300, 20)
    found = load_schedules(desk.settings.config_dir).schedules["collect-rss-news"]
    assert (found.when, found.enabled, found.catch_up) == (Every(300, 20), False, 60)
    assert json.loads(file.read_text())["$comment"] == "all times are UTC"
    back = client.patch(NEWS, json={"crontab": {"minute": 0, "hour": "8-17"}, "enabled": None}).json()
    assert (back["now"]["every"], back["now"]["enabled"]) == (None, True)
    assert back["now"]["crontab"] == {"minute": "0", "hour": "8-17"}
    reset = client.post(f"{NEWS}/reset").json()
    assert reset["now"] == reset["default"]
    assert "collect-rss-news" not in json.loads(file.read_text())
    first, _, last = changes(desk)
    assert first["collect-rss-news"][0] == {"crontab": {"minute": "*/10"}, "catch_up": 60}
    assert last["collect-rss-news"][1] is None


def test_a_schedule_that_stands_only_in_code_gets_its_entry(
    client: TestClient, desk: FakeDesk, file: Path
) -> None:
    assert client.patch("/api/schedules/watch-account", json={"every": 5}).status_code == 200
    assert json.loads(file.read_text())["watch-account"] == {"every": 5}
    file.unlink()
    assert client.patch("/api/schedules/watch-account", json={"offset": 2}).status_code == 200
    assert json.loads(file.read_text()) == {"watch-account": {"offset": 2}}
    assert load_schedules(desk.settings.config_dir).schedules["watch-account"].when == Every(10, 2)


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("nobody", {"enabled": False}, (404, "unknown_schedule")),
        ("$comment", {"enabled": False}, (404, "unknown_schedule")),
        ("collect-rss-news", {"every": 0}, (422, "bad_schedule")),
        ("collect-rss-news", {"every": 10**12}, (422, "bad_schedule")),
        ("collect-rss-news", {"every": True}, (422, "invalid_request")),
        ("collect-rss-news", {"every": 1.5}, (422, "invalid_request")),
        ("collect-rss-news", {"every": 60, "crontab": {"minute": 1}}, (422, "bad_schedule")),
        ("collect-rss-news", {"offset": 5}, (422, "bad_schedule")),
        ("collect-rss-news", {"crontab": {}}, (422, "invalid_request")),
        ("collect-rss-news", {"crontab": {"second": "1"}}, (422, "bad_schedule")),
        ("collect-rss-news", {"crontab": {"minute": "*/0"}}, (422, "bad_schedule")),
        ("collect-rss-news", {"crontab": {"minute": "0-99999999999"}}, (422, "bad_schedule")),
        ("collect-rss-news", {"crontab": {"minute": "60"}}, (422, "bad_schedule")),
        ("collect-rss-news", {"crontab": {"day_of_month": 30, "month_of_year": 2}}, (422, "bad_schedule")),
        # the 29ths of February of the next eight years are a Tuesday and a Sunday
        (
            "collect-rss-news",
            {"crontab": {"day_of_month": 29, "month_of_year": 2, "day_of_week": 3}},
            (422, "never"),
        ),
        ("collect-rss-news", {"overlap": "stack"}, (422, "bad_schedule")),
        ("collect-rss-news", {"catch_up": -1}, (422, "bad_schedule")),
        ("collect-rss-news", {"task": "os.system"}, (422, "invalid_request")),
        ("collect-rss-news", {"kwargs": {}}, (422, "invalid_request")),
        ("mine", {"every": None}, (422, "bad_schedule")),
    ],
)
def test_what_the_file_may_not_say_is_refused_and_nothing_is_on_record(
    client: TestClient, desk: FakeDesk, file: Path, name: str, body: Any, expected: tuple[int, str]
) -> None:
    before = file.read_bytes()
    answer = client.patch(f"/api/schedules/{name}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == expected, answer.text
    assert file.read_bytes() == before
    assert changes(desk) == []


def test_ones_own_has_no_default_and_an_older_reader_changes_nothing(client: TestClient, file: Path) -> None:
    answer = client.post("/api/schedules/mine/reset")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_default")
    seen = client.get(NEWS).headers["ETag"]
    file.write_text(json.dumps({"collect-rss-news": {"enabled": False}}), encoding="utf-8")
    late = client.patch(NEWS, json={"enabled": True}, headers={"If-Match": seen})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "settings_changed")
    assert json.loads(file.read_text()) == {"collect-rss-news": {"enabled": False}}


def test_a_file_that_is_no_json_is_named_and_left(client: TestClient, file: Path) -> None:
    file.write_text("[]", encoding="utf-8")
    for answer in (client.get(NEWS), client.patch(NEWS, json={"enabled": True})):
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_schedules")
    assert file.read_text() == "[]"
