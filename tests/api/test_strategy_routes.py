"""Strategies over HTTP: found, checked, changed without losing anything, explained."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.app import create_app
from backend.core.bars import Bars, empty_bars
from backend.core.timeframes import Timeframe
from backend.evaluation.confidence import reachable
from backend.journal.record import Kind
from backend.risk.limits import RiskLimits
from backend.strategies.repository import StrategyRepository
from tests.fakes.http import TestClient
from tests.fakes.services import NOW, STRATEGY, FakeDesk, fake_desk
from tests.fakes.walks import longer, walk

BASE = "http://127.0.0.1:5001"
URL = "/api/strategies"


def document(strategy_id: str = "NEW", **changes: Any) -> dict[str, Any]:
    return {**STRATEGY, "id": strategy_id, "name": "", **changes}


def folder(desk: FakeDesk) -> Path:
    return desk.settings.config_dir / "ai" / "strategies"


def on_disk(desk: FakeDesk, strategy_id: str) -> Any:
    return json.loads((folder(desk) / f"{strategy_id}.json").read_bytes())


def refused(answer: Any, status: int, code: str) -> Any:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "correlation_id"}
    assert error["code"] == code
    return error["details"]


def create(client: TestClient, strategy_id: str = "NEW", **changes: Any) -> str:
    answer = client.post(URL, json=document(strategy_id, **changes))
    assert answer.status_code == 200, answer.text
    return str(answer.headers["etag"])


# Finding


@pytest.fixture
def many(client: TestClient) -> TestClient:
    create(client, "B1", symbol="XAUUSD", timeframe="M15", enabled=False, description="fades a spike")
    create(client, "A1", symbol="XAUUSD", name="Gold breakout")
    create(client, "C1", symbol=None, symbols=["EURUSD", "XAUUSD"], timeframe="H4")
    return client


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, ["A1", "B1", "C1", "EURUSD_H1"]),
        ({"symbol": "XAUUSD"}, ["A1", "B1", "C1"]),
        ({"symbol": "EURUSD"}, ["C1", "EURUSD_H1"]),
        ({"timeframe": "H1"}, ["A1", "EURUSD_H1"]),
        ({"enabled": "false"}, ["B1"]),
        ({"enabled": "true", "symbol": "XAUUSD"}, ["A1", "C1"]),
        ({"text": "gold"}, ["A1"]),
        ({"text": "SPIKE"}, ["B1"]),
        ({"text": "c1"}, ["C1"]),
        ({"text": "nothing like it"}, []),
    ],
)
def test_the_list_is_filtered(many: TestClient, query: dict[str, str], ids: list[str]) -> None:
    page = many.get(URL, params=query).json()
    assert [one["id"] for one in page["strategies"]] == ids
    assert page["total"] == len(ids)
    assert page["next_cursor"] is None


def test_the_list_is_paged_and_a_page_stays_one_while_others_are_deleted(many: TestClient) -> None:
    first = many.get(URL, params={"limit": 2}).json()
    assert [one["id"] for one in first["strategies"]] == ["A1", "B1"]
    assert first["total"] == 4
    assert many.delete(f"{URL}/B1").status_code == 200
    rest = many.get(URL, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in rest["strategies"]] == ["C1", "EURUSD_H1"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 501}, {"timeframe": "H5"}, {"enabled": "maybe"}])
def test_bad_filters_are_refused(client: TestClient, query: dict[str, Any]) -> None:
    refused(client.get(URL, params=query), 422, "invalid_request")


def test_the_language_is_told_with_usage_and_meaning(client: TestClient) -> None:
    told = client.get(f"{URL}/language").json()
    assert len(told["functions"]) == 34
    assert len(told["series"]) == 8
    assert all(one["usage"] and one["meaning"] for one in (*told["functions"], *told["series"]))
    assert {"name": "London", "zone": "Europe/London", "start": 8, "end": 17} in told["sessions"]
    assert not [one for one in told["functions"] if one["name"].startswith(("is_", "median", "diverges"))]


# Creating


def test_a_new_strategy_is_a_file_that_the_next_evaluation_loads(client: TestClient, desk: FakeDesk) -> None:
    answer = client.post(URL, json=document(conditions={"entry": ["close > ema(20)"]}))
    assert answer.status_code == 200
    told = answer.json()
    assert told["id"] == "NEW"
    assert answer.headers["etag"] == f'"{told["etag"]}"'
    assert "NEW" in [strategy.id for strategy in desk.strategies.load().strategies]
    written = on_disk(desk, "NEW")
    assert written["conditions"] == {"entry": ["close > ema(20)"]}  # no default is written into the file
    assert written["created_at"] == written["updated_at"] == "2026-01-05T09:00:30Z"
    assert written["created_by"] == "local"
    assert client.get(f"{URL}/NEW").headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize("strategy_id", ["EURUSD_H1", "eurusd_h1", "Eurusd_H1"])
def test_an_id_that_is_taken_is_a_conflict_in_any_case(
    client: TestClient, desk: FakeDesk, strategy_id: str
) -> None:
    before = on_disk(desk, "EURUSD_H1")
    refused(client.post(URL, json=document(strategy_id)), 409, "strategy_exists")
    assert on_disk(desk, "EURUSD_H1") == before
    assert len(list(folder(desk).iterdir())) == 1


HOSTILE_IDS = [
    "../EVIL",
    "..",
    ".",
    ".hidden",
    "a/b",
    "a\\b",
    "C:evil",
    "/etc/passwd",
    "CON",
    "nul.txt",
    "COM1",
    "a\x00b",
    "a b",
    "é",
    "x" * 65,
    "ends.",
    "",
    "%2e%2e",
    "-x",
]


@pytest.mark.parametrize("strategy_id", HOSTILE_IDS)
def test_an_id_that_is_no_safe_file_name_is_refused_and_writes_nothing(
    client: TestClient, desk: FakeDesk, strategy_id: str
) -> None:
    before = sorted(desk.settings.home.rglob("*.json"))
    details = refused(client.post(URL, json=document(strategy_id)), 422, "bad_strategy")
    assert [problem["pointer"] for problem in details["problems"]] == ["/id"]
    copy = client.post(f"{URL}/EURUSD_H1/duplicate", json={"id": strategy_id})
    refused(copy, 422, "bad_strategy")
    assert sorted(desk.settings.home.rglob("*.json")) == before


@pytest.mark.parametrize(
    "part", ["..%2fEVIL", "%2e%2e%2fprofiles%2fEURUSD", "CON", "a%00b", "x" * 300, "a%5Cb"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "{}"),
        ("DELETE", "{}"),
        ("POST", "{}/toggle"),
        ("POST", "{}/duplicate"),
        ("GET", "{}/source"),
        ("GET", "{}/versions"),
        ("GET", "{}/versions/1"),
        ("GET", "{}/explain"),
        ("GET", "{}/series"),
    ],
)
def test_a_path_that_leads_elsewhere_is_not_found(
    client: TestClient, desk: FakeDesk, method: str, path: str, part: str
) -> None:
    body = {"PUT": document(), "POST": {"id": "X"} if path.endswith("duplicate") else {}}.get(method)
    answer = client.request(method, f"{URL}/{path.format(part)}", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 404, answer.text
    assert [one.name for one in folder(desk).iterdir()] == ["EURUSD_H1.json"]


WRONG: list[tuple[dict[str, Any], str, int | None]] = [
    ({"conditions": {"entry": []}}, "/conditions/entry", None),
    ({"conditions": {"entry": ["ema_fast_gt_slow", "close > emma(20)"]}}, "/conditions/entry/1", 9),
    ({"conditions": {"entry": ["close > 1"], "exit": ["close"]}}, "/conditions/exit/0", 1),
    ({"timeframe": "H5"}, "/timeframe", None),
    ({"surprise": 1}, "/surprise", None),
    ({"strategy": {"direction": "long", "max_risk_pct": 1}}, "/strategy/max_risk_pct", None),
    ({"strategy": {"direction": "both"}}, "/short", None),
    ({"strategy": {"direction": "long", "target": "close > 1"}}, "/strategy/target", 1),
    ({"indicators": {"ema": {"fast": 50, "slow": 20}}}, "/indicators/ema/fast", None),
    ({"symbol": None}, "/symbol", None),
    ({"sessions": ["Paris"]}, "/sessions/0", None),
]


@pytest.mark.parametrize(("changes", "pointer", "column"), WRONG)
def test_what_is_wrong_is_told_at_its_place_on_every_way_in(
    client: TestClient, desk: FakeDesk, changes: dict[str, Any], pointer: str, column: int | None
) -> None:
    wrong = document("EURUSD_H1", **changes)
    created = refused(client.post(URL, json=document(**changes)), 422, "bad_strategy")
    replaced = refused(
        client.put(f"{URL}/EURUSD_H1", json=wrong, headers={"If-Match": "*"}), 422, "bad_strategy"
    )
    validated = client.post(f"{URL}/validate", json=wrong).json()
    assert validated["valid"] is False
    assert validated["needs"] is None
    for problems in (created["problems"], replaced["problems"], validated["problems"]):
        assert problems[0]["pointer"] == pointer
        assert problems[0]["reason"]
        assert problems[0].get("column") == column
    assert [one.name for one in folder(desk).iterdir()] == ["EURUSD_H1.json"]
    assert on_disk(desk, "EURUSD_H1") == STRATEGY


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b'{"id": "A", "id": "B"}', b'{"x": NaN}', b'{"id": "\xff"}']
)
def test_what_is_no_document_is_refused_in_the_same_shape(
    client: TestClient, desk: FakeDesk, body: bytes
) -> None:
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    for method, path in (("POST", URL), ("PUT", f"{URL}/EURUSD_H1")):
        details = refused(client.request(method, path, content=body, headers=headers), 422, "bad_strategy")
        assert details["problems"][0]["pointer"] == ""
    assert on_disk(desk, "EURUSD_H1") == STRATEGY


def test_validation_saves_nothing_and_says_what_it_would_need(client: TestClient, desk: FakeDesk) -> None:
    text = 'close > ema(200, tf="H4")'
    told = client.post(f"{URL}/validate", json=document(conditions={"entry": [text]}, symbol="USDSEK")).json()
    assert told["valid"] is True
    assert {one["timeframe"]: one["needed"] for one in told["needs"]} == {"H1": 15, "H4": 200}
    assert [one["pointer"] for one in told["warnings"]] == ["/symbol"]  # switched off in the map
    assert "switched off" in told["warnings"][0]["reason"]
    assert [one.name for one in folder(desk).iterdir()] == ["EURUSD_H1.json"]


def test_a_strategy_that_could_never_act_is_refused_and_one_that_is_there_is_a_problem(
    tmp_path: Path, desk: FakeDesk
) -> None:
    # 30 for its entry, nothing for strong conditions that its entry excludes, 50 for market and account
    strict = RiskLimits.model_validate({"thresholds": {"autonomous": 90}})
    repository = StrategyRepository(
        desk.settings.config_dir / "ai",
        desk.storage,
        desk.journal,
        desk.clock,
        accept=lambda strategy: reachable(strategy, strict.weights, strict.thresholds),
    )
    never = document("NEVER", conditions={"entry": ["uptrend"], "strong": ["downtrend", "sideways"]})
    app = create_app(replace(desk, strategy_repository=repository), host="127.0.0.1")
    with TestClient(app, base_url=BASE) as client:
        (problem,) = refused(client.post(URL, json=never), 422, "bad_strategy")["problems"]
        assert problem["pointer"] == "/conditions"
        assert "can score at most 80" in problem["reason"]
        (folder(desk) / "NEVER.json").write_text(json.dumps(never), encoding="utf-8")
        (told,) = client.get(f"{URL}/problems").json()["problems"]
        assert (told["file"], told["reason"]) == ("strategies/NEVER.json", problem["reason"])
        (folder(desk) / "NEVER.json").write_text(json.dumps({**never, "enabled": False}), encoding="utf-8")
        assert client.get(f"{URL}/problems").json()["problems"] == []


# Replacing


def test_a_change_needs_the_tag_of_what_it_changes(client: TestClient, desk: FakeDesk) -> None:
    tag = client.get(f"{URL}/EURUSD_H1").headers["etag"]
    mine = {**STRATEGY, "description": "mine"}
    refused(client.put(f"{URL}/EURUSD_H1", json=mine), 422, "if_match_missing")
    saved = client.put(f"{URL}/EURUSD_H1", json=mine, headers={"If-Match": tag})
    assert saved.status_code == 200
    assert on_disk(desk, "EURUSD_H1")["description"] == "mine"
    theirs = {**STRATEGY, "description": "made from what was there before"}
    details = refused(
        client.put(f"{URL}/EURUSD_H1", json=theirs, headers={"If-Match": tag}), 409, "strategy_changed"
    )
    assert details["etag"] == saved.json()["etag"]
    assert on_disk(desk, "EURUSD_H1")["description"] == "mine"
    again = client.put(f"{URL}/EURUSD_H1", json=theirs, headers={"If-Match": saved.headers["etag"]})
    assert again.status_code == 200


def test_the_tag_also_knows_of_edits_by_hand(client: TestClient, desk: FakeDesk) -> None:
    tag = client.get(f"{URL}/EURUSD_H1").headers["etag"]
    (folder(desk) / "EURUSD_H1.json").write_text(json.dumps(STRATEGY, indent=1), encoding="utf-8")
    for answer in (
        client.put(f"{URL}/EURUSD_H1", json=STRATEGY, headers={"If-Match": tag}),
        client.delete(f"{URL}/EURUSD_H1", headers={"If-Match": tag}),
        client.post(f"{URL}/EURUSD_H1/toggle", headers={"If-Match": tag}),
    ):
        refused(answer, 409, "strategy_changed")


def test_of_many_who_save_at_once_one_wins_and_the_others_are_told(
    client: TestClient, desk: FakeDesk
) -> None:
    tag = client.get(f"{URL}/EURUSD_H1").headers["etag"]
    statuses: list[int] = []

    def save(number: int) -> None:
        body = {**STRATEGY, "description": str(number)}
        statuses.append(client.put(f"{URL}/EURUSD_H1", json=body, headers={"If-Match": tag}).status_code)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7


def test_the_id_in_the_path_is_the_one_in_the_document(client: TestClient) -> None:
    answer = client.put(f"{URL}/EURUSD_H1", json=document("OTHER"), headers={"If-Match": "*"})
    assert refused(answer, 422, "bad_strategy")["problems"][0]["pointer"] == "/id"
    refused(
        client.put(f"{URL}/NONE", json=document("NONE"), headers={"If-Match": "*"}), 404, "unknown_strategy"
    )


def test_who_made_it_and_when_stays_and_when_it_changed_does_not(client: TestClient, desk: FakeDesk) -> None:
    create(client, created_at="2020-01-01T00:00:00Z", created_by="me")
    client.put(f"{URL}/NEW", json=document(updated_at="2000-01-01T00:00:00Z"), headers={"If-Match": "*"})
    written = on_disk(desk, "NEW")
    assert (written["created_at"], written["created_by"]) == ("2020-01-01T00:00:00Z", "me")
    assert written["updated_at"] == "2026-01-05T09:00:30Z"


def test_a_broken_file_can_be_read_and_mended(client: TestClient, desk: FakeDesk) -> None:
    (folder(desk) / "BROKEN.json").write_text('{"id": "BROKEN", ', encoding="utf-8")
    refused(client.get(f"{URL}/BROKEN"), 422, "bad_strategy")
    refused(client.post(f"{URL}/BROKEN/toggle"), 422, "bad_strategy")
    read = client.get(f"{URL}/BROKEN/source")
    assert read.json()["text"] == '{"id": "BROKEN", '
    mended = client.put(f"{URL}/BROKEN", json=document("BROKEN"), headers={"If-Match": read.headers["etag"]})
    assert mended.status_code == 200
    assert client.get(f"{URL}/BROKEN").status_code == 200
    assert client.get(f"{URL}/BROKEN/versions/1").json()["text"] == '{"id": "BROKEN", '


# Switching, copying, deleting


def test_switching_changes_nothing_else(client: TestClient, desk: FakeDesk) -> None:
    assert client.post(f"{URL}/EURUSD_H1/toggle").json()["strategy"]["enabled"] is False
    assert on_disk(desk, "EURUSD_H1") == {**STRATEGY, "enabled": False, "updated_at": "2026-01-05T09:00:30Z"}
    assert [one.enabled for one in desk.strategies.load().strategies] == [False]
    assert (
        client.post(f"{URL}/EURUSD_H1/toggle", json={"enabled": False}).json()["strategy"]["enabled"] is False
    )
    assert client.post(f"{URL}/EURUSD_H1/toggle", json={}).json()["strategy"]["enabled"] is True
    for body in ({"enabled": "yes"}, {"enabled": 1}, {"on": True}):
        refused(client.post(f"{URL}/EURUSD_H1/toggle", json=body), 422, "invalid_request")
    refused(client.post(f"{URL}/NONE/toggle"), 404, "unknown_strategy")


def test_a_copy_has_its_own_id_and_is_switched_off(client: TestClient, desk: FakeDesk) -> None:
    made = client.post(f"{URL}/EURUSD_H1/duplicate", json={"id": "COPY", "name": "Second"}).json()
    assert (made["id"], made["strategy"]["name"], made["strategy"]["enabled"]) == ("COPY", "Second", False)
    assert on_disk(desk, "COPY")["conditions"] == STRATEGY["conditions"]
    assert on_disk(desk, "EURUSD_H1") == STRATEGY
    on = client.post(f"{URL}/EURUSD_H1/duplicate", json={"id": "COPY2", "enabled": True}).json()
    assert (on["strategy"]["name"], on["strategy"]["enabled"]) == (STRATEGY["name"], True)
    refused(client.post(f"{URL}/EURUSD_H1/duplicate", json={"id": "copy"}), 409, "strategy_exists")
    refused(client.post(f"{URL}/NONE/duplicate", json={"id": "X"}), 404, "unknown_strategy")
    refused(client.post(f"{URL}/EURUSD_H1/duplicate", json={}), 422, "invalid_request")


def test_what_is_deleted_is_gone_but_for_its_versions(client: TestClient, desk: FakeDesk) -> None:
    create(client)
    assert client.delete(f"{URL}/NEW").json() == {"id": "NEW", "deleted": True}
    assert not (folder(desk) / "NEW.json").exists()
    refused(client.get(f"{URL}/NEW"), 404, "unknown_strategy")
    refused(client.delete(f"{URL}/NEW"), 404, "unknown_strategy")
    listed = client.get(f"{URL}/NEW/versions").json()["versions"]
    assert [(one["version"], one["action"]) for one in listed] == [(2, "delete"), (1, "create")]
    refused(client.get(f"{URL}/NEW/versions/2"), 404, "unknown_version")
    create(client, description="again")
    assert client.get(f"{URL}/NEW/versions").json()["versions"][0]["version"] == 3


# Versions


def test_every_save_keeps_the_version_before_it_and_so_does_an_edit_by_hand(
    client: TestClient, desk: FakeDesk
) -> None:
    original = (folder(desk) / "EURUSD_H1.json").read_text(encoding="utf-8")
    assert client.get(f"{URL}/EURUSD_H1/versions").json()["versions"] == []
    client.post(f"{URL}/EURUSD_H1/toggle")
    by_hand = original.replace("trend", "TREND") + "\n"
    (folder(desk) / "EURUSD_H1.json").write_text(by_hand, encoding="utf-8")
    client.put(f"{URL}/EURUSD_H1", json={**STRATEGY, "description": "new"}, headers={"If-Match": "*"})
    listed = client.get(f"{URL}/EURUSD_H1/versions").json()["versions"]
    assert [(one["version"], one["action"], one["by"]) for one in listed] == [
        (4, "replace", "local"),
        (3, "edit", "file"),
        (2, "disable", "local"),
        (1, "edit", "file"),
    ]
    texts = [client.get(f"{URL}/EURUSD_H1/versions/{number}").json()["text"] for number in (1, 2, 3, 4)]
    assert texts[0] == original
    assert json.loads(texts[1])["enabled"] is False
    assert texts[2] == by_hand
    assert texts[3] == (folder(desk) / "EURUSD_H1.json").read_text(encoding="utf-8")
    assert listed[0]["etag"] == client.get(f"{URL}/EURUSD_H1").headers["etag"].strip('"')
    for number in ("0", "5", "-1", "99999999999999999999"):
        refused(client.get(f"{URL}/EURUSD_H1/versions/{number}"), 404, "unknown_version")
    refused(client.get(f"{URL}/EURUSD_H1/versions/x"), 422, "invalid_request")


def test_changes_stand_in_the_journal(client: TestClient, desk: FakeDesk) -> None:
    create(client)
    client.post(f"{URL}/NEW/toggle")
    records = list(desk.journal.newest(kind=Kind.SETTINGS_CHANGE))
    assert [(r.payload["strategy"], r.payload["action"], r.actor) for r in records] == [
        ("NEW", "disable", "local"),
        ("NEW", "create", "local"),
    ]


# Explaining


class Stored:
    """Bars by timeframe, as the store gives them."""

    def __init__(self, *series: Bars) -> None:
        self.series = {bars.timeframe: bars for bars in series}

    def bars(
        self, symbol: str, timeframe: Timeframe, *, count: int | None = None, until: datetime | None = None
    ) -> Bars:
        bars = self.series.get(timeframe)
        if bars is None or symbol != bars.symbol:
            return empty_bars(symbol, timeframe)
        if until is not None:
            ends = bars.time + timeframe.seconds
            bars = bars[: int(np.searchsorted(ends, until.timestamp(), side="right"))]
        return bars if count is None else bars[max(0, len(bars) - count) :]


HOURS = walk(480, timeframe=Timeframe.H1, start=NOW - timedelta(days=20))
LONGER = longer(HOURS, Timeframe.H4)


@pytest.fixture
def explaining(tmp_path: Path) -> Any:
    desk = fake_desk(tmp_path, market=Stored(HOURS, LONGER))
    with TestClient(create_app(desk, host="127.0.0.1"), base_url=BASE) as client:
        create(
            client,
            conditions={
                "entry": [
                    'close > ema(5, tf="H4")[1] and crosses_above(close, sma(3))',
                    "rsi_between_40_60",
                ],
                "exit": ["close < low[1]"],
                "strong": ["not (hour == 3 or weekday == 5)"],
            },
            indicators={"rsi": {"period": 5}},
        )
        yield client


def test_each_condition_is_told_with_what_it_compares(explaining: TestClient) -> None:
    index = 200
    closed = datetime.fromtimestamp(int(HOURS.time[index]) + 3600, UTC)
    at = closed + timedelta(minutes=59)
    told = explaining.get(f"{URL}/NEW/explain", params={"at": at.isoformat()}).json()
    assert told["note"] is None
    assert told["bar"]["close"] == HOURS.close[index]
    assert told["bar"]["closed"] == closed.isoformat().replace("+00:00", "Z")
    (side,) = told["sides"]
    assert side["direction"] == "long"
    assert [one["pointer"] for one in side["conditions"]] == [
        "/conditions/entry/0",
        "/conditions/entry/1",
        "/conditions/exit/0",
        "/conditions/strong/0",
    ]
    first, fact, leave, strong = side["conditions"]
    assert first["needs"] == {"H1": 4, "H4": 6}
    compare, cross = first["parts"]
    assert first["holds"] is (compare["holds"] and cross["holds"])
    seen = int(np.flatnonzero(LONGER.time + 4 * 3600 <= closed.timestamp())[-1])
    assert told["longer_bars"][0]["close"] == LONGER.close[seen]
    before = compare["operands"][1]
    assert before["text"] == 'ema(5, tf="H4")[1]'
    assert before["timeframe"] == "H4"
    assert before["bar"] == datetime.fromtimestamp(int(LONGER.time[seen - 1]), UTC).isoformat().replace(
        "+00:00", "Z"
    )
    assert compare["operands"][0]["value"] == HOURS.close[index]
    assert [one["text"] for one in cross["operands"]] == ["close[1]", "close", "sma(3)[1]", "sma(3)"]
    assert cross["operands"][2]["value"] == pytest.approx(HOURS.close[index - 3 : index].mean())
    assert cross["operands"][3]["value"] == pytest.approx(HOURS.close[index - 2 : index + 1].mean())
    assert fact["condition"] == "rsi_between_40_60"
    assert fact["formula"] == "40 <= rsi(5) <= 60"
    value = fact["operands"][0]["value"]
    assert fact["holds"] is (40 <= value <= 60)
    assert leave["holds"] is bool(HOURS.close[index] < HOURS.low[index - 1])
    previous = datetime.fromtimestamp(int(HOURS.time[index - 1]), UTC).isoformat().replace("+00:00", "Z")
    assert (leave["operands"][1]["text"], leave["operands"][1]["bar"]) == ("low[1]", previous)
    assert strong["parts"][0]["parts"][0]["text"] == "hour == 3"
    assert {one["timeframe"]: one["needed"] for one in told["needs"]} == {"H1": 15, "H4": 6}


def test_a_time_without_a_bar_explains_the_one_before_and_says_so(explaining: TestClient) -> None:
    sunday = "2026-01-04T12:00:00Z"
    told = explaining.get(f"{URL}/NEW/explain", params={"at": sunday}).json()
    assert told["bar"]["closed"] == "2026-01-02T22:00:00Z"
    assert "2026-01-02T22:00:00Z" in told["note"]


def test_a_series_says_of_each_bar_what_the_explanation_of_that_bar_says(explaining: TestClient) -> None:
    last = 300
    until = HOURS.opened(last) + timedelta(hours=1)
    told = explaining.get(f"{URL}/NEW/series", params={"until": until.isoformat(), "bars": 40}).json()
    assert told["times"] == HOURS.time[last - 39 : last + 1].tolist()
    (side,) = told["sides"]
    indicators = {each["text"]: each["values"] for each in told["indicators"]}
    assert len(indicators["rsi(5)"]) == len(told["in_session"]) == len(side["signal"]) == 40
    for index in (0, 7, 39):
        at = HOURS.opened(last - 39 + index) + timedelta(hours=1)
        one = explaining.get(f"{URL}/NEW/explain", params={"at": at.isoformat()}).json()
        (expected,) = one["sides"]
        assert side["signal"][index] is expected["signal"]
        assert [each["holds"][index] for each in side["conditions"]] == [
            each["holds"] for each in expected["conditions"]
        ]
        assert [each["pointer"] for each in side["conditions"]] == [
            each["pointer"] for each in expected["conditions"]
        ]
        compared = {each["text"]: each["value"] for each in expected["conditions"][1]["operands"]}
        assert indicators["rsi(5)"][index] == pytest.approx(compared["rsi(5)"], rel=1e-9)


def test_a_series_begins_where_history_does_and_says_what_is_undefined(explaining: TestClient) -> None:
    until = HOURS.opened(30) + timedelta(hours=1)
    told = explaining.get(f"{URL}/NEW/series", params={"until": until.isoformat(), "bars": 5000}).json()
    assert told["times"] == HOURS.time[:31].tolist()
    rsi = next(each["values"] for each in told["indicators"] if each["text"] == "rsi(5)")
    assert rsi[:5] == [None] * 5
    assert None not in rsi[5:]
    (side,) = told["sides"]
    assert side["conditions"][1]["holds"][:5] == [None] * 5
    for bars in (0, 5001):
        refused(explaining.get(f"{URL}/NEW/series", params={"bars": bars}), 422, "invalid_request")
    refused(explaining.get(f"{URL}/NEW/series", params={"until": "2020-01-01T00:00:00Z"}), 404, "no_bars")


def test_what_cannot_be_explained_says_why(explaining: TestClient, client: TestClient) -> None:
    early = (HOURS.opened(6) + timedelta(hours=1)).isoformat()
    details = refused(explaining.get(f"{URL}/NEW/explain", params={"at": early}), 422, "too_few_bars")
    assert (details["needed"], details["available"]) == (15, 7)
    refused(explaining.get(f"{URL}/NEW/explain", params={"at": "2020-01-01T00:00:00Z"}), 404, "no_bars")
    refused(explaining.get(f"{URL}/NEW/explain", params={"at": "2027-01-01T00:00:00Z"}), 422, "in_the_future")
    refused(
        explaining.get(f"{URL}/NEW/explain", params={"at": "2026-01-01T00:00:00"}), 422, "invalid_request"
    )
    refused(explaining.get(f"{URL}/NEW/explain", params={"symbol": "XAUUSD"}), 404, "not_of_symbol")
    refused(explaining.get(f"{URL}/NEW/explain", params={"symbol": "NOSUCH"}), 404, "unknown_symbol")
    refused(explaining.get(f"{URL}/NONE/explain"), 404, "unknown_strategy")
    refused(client.get(f"{URL}/EURUSD_H1/explain"), 422, "too_few_bars")  # three bars are stored there
