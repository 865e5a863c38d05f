"""Kept backtests over HTTP: listed, judged for staleness, read in parts, removed."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from backend.app import create_app
from backend.backtest.child import Order, compute
from backend.backtest.thinning import thinned
from backend.users.model import Role
from tests.api.conftest import BASE
from tests.api.test_control_routes import refused
from tests.fakes.backtests import table
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk, fake_desk
from tests.fakes.signed_in import guarded
from tests.unit.backtest.test_kernel_equals_reference import market, times

pytestmark = pytest.mark.xdist_group("routes of backtests")  # what they share is made once

URL = "/api/backtests"
FILES = ("report.json", "trades.csv", "equity.parquet", "report.html", "run.json")
IDS = [f"{number:016x}" for number in range(1, 4)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of one backtest."""
    desk = fake_desk(tmp_path_factory.mktemp("made"))
    done = compute(
        Order(job=table(market(5, 400), times=times(5, 400), commission="3.5"), root=desk.settings.data_dir)
    )
    return {name: desk.storage.read_bytes(f"backtests/{done['id']}/{name}") for name in FILES}


def keep(desk: FakeDesk, made: dict[str, bytes], run_id: str, *, at: int = 0, **changes: Any) -> None:
    """Keep it under another id, computed `at` seconds after 2026, with parts of its report changed."""
    report = json.loads(made["report.json"]) | {"id": run_id} | changes
    files = made | {"report.json": json.dumps(report).encode()}
    for name, data in files.items():
        desk.storage.write_bytes(f"backtests/{run_id}/{name}", data)
    moment = 1_767_225_600 + at  # 2026-01-01T00:00:00Z
    os.utime(desk.storage.path(f"backtests/{run_id}/report.json"), (moment, moment))


@pytest.fixture
def kept(desk: FakeDesk, made: dict[str, bytes]) -> FakeDesk:
    """Three backtests, a day between them; the strategy of the first stands in the desk's files."""
    report = json.loads(made["report.json"])
    (stream,) = report["streams"]
    own = desk.settings.config_dir / "ai" / "strategies" / f"{stream['strategy_id']}.json"
    own.write_text(json.dumps({key: value for key, value in stream["strategy"].items() if value is not None}))
    other = [{**stream, "strategy_id": "OTHER", "symbol": "XAUUSD"}]
    keep(desk, made, IDS[0], at=0)
    keep(desk, made, IDS[1], at=86_400, streams=other)
    keep(desk, made, IDS[2], at=172_800, streams=[stream, *other])
    return desk


def strategy_of(made: dict[str, bytes]) -> dict[str, Any]:
    strategy: dict[str, Any] = json.loads(made["report.json"])["streams"][0]["strategy"]
    return {key: value for key, value in strategy.items() if value is not None}


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


def test_without_any_the_list_is_empty(client: TestClient) -> None:
    assert client.get(URL).json() == {"items": [], "total": 0, "next_cursor": None, "problems": []}


def test_a_row_has_the_figures_of_its_report(
    client: TestClient, kept: FakeDesk, made: dict[str, bytes]
) -> None:
    report = json.loads(made["report.json"])
    row = client.get(URL).json()["items"][-1]
    assert (row["id"], row["computed_at"]) == (IDS[0], "2026-01-01T00:00:00Z")
    for name, value in row["metrics"].items():
        assert value == report["metrics"][name]
        assert value is not None or row["undefined"][name] == report["undefined"][name]
    assert row["period"] == report["period"]
    assert row["provenance"] == report["provenance"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [IDS[2], IDS[1], IDS[0]]),
        ({"strategy": "OTHER"}, [IDS[2], IDS[1]]),
        ({"symbol": "XAUUSD"}, [IDS[2], IDS[1]]),
        ({"symbol": "xauusd"}, []),
        ({"from": "2026-01-02T00:00:00Z"}, [IDS[2], IDS[1]]),
        ({"to": "2026-01-02T00:00:00Z"}, [IDS[0]]),
        ({"from": "2026-01-02T02:00:00+02:00", "to": "2026-01-02T00:00:01Z"}, [IDS[1]]),
    ],
)
def test_the_list_is_filtered_the_last_computed_first(
    client: TestClient, kept: FakeDesk, query: dict[str, str], found: list[str]
) -> None:
    answer = client.get(URL, params=query)
    assert ids(answer) == found
    assert answer.json()["total"] == len(found)


def test_a_page_goes_on_where_it_stopped_while_others_are_removed(client: TestClient, kept: FakeDesk) -> None:
    first = client.get(URL, params={"limit": 1}).json()
    assert client.delete(f"{URL}/{IDS[2]}").json() == {"id": IDS[2], "deleted": True}
    second = client.get(URL, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    third = client.get(URL, params={"limit": 1, "cursor": second["next_cursor"]}).json()
    assert [row["id"] for row in (*second["items"], *third["items"])] == [IDS[1], IDS[0]]
    assert third["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 0}, "invalid_request"),
        ({"limit": 501}, "invalid_request"),
        ({"cursor": "x"}, "bad_cursor"),
        ({"cursor": "1.zzzzzzzzzzzzzzzz"}, "bad_cursor"),
        ({"from": "2026-01-02"}, "invalid_request"),
        ({"from": "2026-01-02T00:00:00"}, "invalid_request"),
    ],
)
def test_bad_queries_are_refused(client: TestClient, query: dict[str, Any], code: str) -> None:
    refused(client.get(URL, params=query), 422, code)


# Stale


def stale(client: TestClient, run_id: str) -> Any:
    row = client.get(f"{URL}/{run_id}").json()["row"]
    assert (
        row["stale"] == next(one for one in client.get(URL).json()["items"] if one["id"] == run_id)["stale"]
    )
    return row["stale"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, False),
        ({"name": "another", "enabled": False, "description": "x", "updated_at": "now"}, False),
        ({"timeframe": "M15"}, True),
        ({"strategy.max_risk_pct": 0.001}, True),
        ({"strategy.min_rr": 7.5}, True),
        ({"sessions": ["London"]}, True),
    ],
)
def test_a_changed_strategy_makes_its_backtests_stale(
    client: TestClient, kept: FakeDesk, made: dict[str, bytes], change: dict[str, Any], told: bool
) -> None:
    strategy = strategy_of(made)
    report = json.loads(made["report.json"])
    keep(kept, made, IDS[0], limits=report["limits"] | {"risk_fraction": 0.0123})  # none that it was given
    for key, value in change.items():
        part, _, name = key.rpartition(".")
        (strategy[part] if part else strategy)[name] = value
    path = kept.settings.config_dir / "ai" / "strategies" / f"{strategy['id']}.json"
    path.write_text(json.dumps(strategy))
    assert stale(client, IDS[0]) == ([f"strategy {strategy['id']} was changed"] if told else [])


def test_a_risk_that_the_run_was_given_is_no_change(
    client: TestClient, kept: FakeDesk, made: dict[str, bytes]
) -> None:
    report, strategy = json.loads(made["report.json"]), strategy_of(made)
    keep(
        kept, made, IDS[0], limits=report["limits"] | {"risk_fraction": strategy["strategy"]["max_risk_pct"]}
    )
    path = kept.settings.config_dir / "ai" / "strategies" / f"{strategy['id']}.json"
    path.write_text(json.dumps(strategy | {"strategy": strategy["strategy"] | {"max_risk_pct": 0.001}}))
    assert stale(client, IDS[0]) == []


def test_other_engines_and_strategies_that_are_gone_or_broken_are_told(
    client: TestClient, kept: FakeDesk, made: dict[str, bytes]
) -> None:
    report = json.loads(made["report.json"])
    keep(kept, made, IDS[1], provenance=report["provenance"] | {"engine_version": "0", "report_version": "1"})
    own = report["strategy_id"]
    (kept.settings.config_dir / "ai" / "strategies" / f"{own}.json").write_text("{")
    engine, version, strategy = stale(client, IDS[1])
    assert engine.startswith("engine 0, now ")
    assert version.startswith("report 1, now ")
    assert own in strategy
    assert "strategy OTHER is gone" in stale(client, IDS[2])


# Damaged


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"null", b'{"streams":[{}]}', b"\xff\xfe"])
def test_a_damaged_report_is_named_and_the_others_are_listed(
    client: TestClient, kept: FakeDesk, damage: bytes
) -> None:
    path = kept.storage.path(f"backtests/{IDS[1]}/report.json")
    path.write_bytes(damage)
    for _ in range(2):
        answer = client.get(URL)
        assert ids(answer) == [IDS[2], IDS[0]]
        assert [one["id"] for one in answer.json()["problems"]] == [IDS[1]]
    refused(client.get(f"{URL}/{IDS[1]}"), 422, "bad_backtest")
    assert path.read_bytes() == damage
    assert client.delete(f"{URL}/{IDS[1]}").status_code == 200
    assert client.get(URL).json()["problems"] == []


@pytest.mark.parametrize(("part", "file"), [("equity", "equity.parquet"), ("trades", "trades.csv")])
@pytest.mark.parametrize("damage", [b"", b"\xff\x00\xfe", b'id,symbol\r\n"1,EURUSD'])
def test_damaged_parts_are_refused(
    client: TestClient, kept: FakeDesk, part: str, file: str, damage: bytes
) -> None:
    kept.storage.path(f"backtests/{IDS[0]}/{file}").write_bytes(damage)
    refused(client.get(f"{URL}/{IDS[0]}/{part}"), 422, "bad_backtest")


@pytest.mark.parametrize("part", ["", "/equity", "/trades", "/report.html"])
@pytest.mark.parametrize("run_id", ["0" * 16, "0", "%2e%2e", "..%2f..%2fconfig", "A" * 16, "x" * 500])
def test_an_unknown_backtest_is_not_found(client: TestClient, kept: FakeDesk, part: str, run_id: str) -> None:
    assert client.get(f"{URL}/{run_id}{part}").status_code == 404
    assert client.delete(f"{URL}/{run_id}").status_code in {404, 405}
    assert len(ids(client.get(URL))) == 3


def test_what_is_being_written_is_not_there_yet(client: TestClient, kept: FakeDesk) -> None:
    kept.storage.path(f"backtests/{IDS[0]}/report.json").unlink()
    assert ids(client.get(URL)) == [IDS[2], IDS[1]]
    refused(client.get(f"{URL}/{IDS[0]}/trades"), 404, "unknown_backtest")


def test_what_somebody_else_put_there_stays(client: TestClient, kept: FakeDesk) -> None:
    folder = kept.storage.path(f"backtests/{IDS[0]}")
    (folder / "notes.txt").write_text("mine")
    client.delete(f"{URL}/{IDS[0]}")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    client.delete(f"{URL}/{IDS[1]}")
    assert not kept.storage.path(f"backtests/{IDS[1]}").exists()
    refused(client.delete(f"{URL}/{IDS[1]}"), 404, "unknown_backtest")


# Parts


def test_a_short_curve_is_given_whole(client: TestClient, kept: FakeDesk, made: dict[str, bytes]) -> None:
    told = client.get(f"{URL}/{IDS[0]}/equity").json()
    stored = pq.read_table(io.BytesIO(made["equity.parquet"]))
    assert told["count"] == len(stored) == len(told["time"])
    assert told["equity"] == stored["equity"].to_pylist()
    assert told["worst"] == stored["worst"].to_pylist()
    assert told["time"] == (stored["time"].to_numpy().astype("datetime64[s]").astype("int64")).tolist()


def test_a_thinned_curve_keeps_its_ends_and_extremes(client: TestClient, kept: FakeDesk) -> None:
    whole = client.get(f"{URL}/{IDS[0]}/equity").json()
    thin = client.get(f"{URL}/{IDS[0]}/equity", params={"points": 20}).json()
    assert len(thin["time"]) <= 20
    assert thin["count"] == whole["count"]
    assert max(thin["equity"]) == max(whole["equity"])
    assert min(thin["equity"]) == min(whole["equity"])
    assert min(thin["worst"]) == min(whole["worst"])
    assert (thin["time"][0], thin["time"][-1]) == (whole["time"][0], whole["time"][-1])
    rows = set(zip(whole["time"], whole["equity"], whole["worst"], strict=True))
    assert rows.issuperset(zip(thin["time"], thin["equity"], thin["worst"], strict=True))


def test_a_part_of_the_curve_is_given_by_time(client: TestClient, kept: FakeDesk) -> None:
    whole = client.get(f"{URL}/{IDS[0]}/equity").json()["time"]
    begin, end = (np.datetime_as_string(np.datetime64(whole[at], "s")) + "Z" for at in (3, 7))
    part = client.get(f"{URL}/{IDS[0]}/equity", params={"from": begin, "to": end}).json()
    assert part["time"] == whole[3:8]
    none = client.get(f"{URL}/{IDS[0]}/equity", params={"from": end, "to": begin}).json()
    assert (none["count"], none["time"]) == (0, [])


def test_one_spike_in_a_million_points_is_seen() -> None:
    curve = np.zeros(1_000_000)
    curve[123_456], low = 1.0, curve.copy()
    low[654_321] = -1.0
    kept = thinned(curve, low, most=5)
    assert len(kept) <= 5
    assert {0, 123_456, 654_321, 999_999} <= set(kept.tolist())
    assert kept.tolist() == sorted(set(kept.tolist()))


def test_trades_are_those_of_the_file_page_by_page(
    client: TestClient, kept: FakeDesk, made: dict[str, bytes]
) -> None:
    stored = list(csv.DictReader(io.StringIO(made["trades.csv"].decode())))
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(
            f"{URL}/{IDS[0]}/trades", params={"limit": 7, **({"cursor": cursor} if cursor else {})}
        )
        assert page.status_code == 200, page.text
        assert page.json()["total"] == len(stored) > 14
        found += page.json()["items"]
        cursor = page.json()["next_cursor"]
    assert [str(row["id"]) for row in found] == [row["id"] for row in stored]
    for told, row in zip(found, stored, strict=True):
        assert told["net"] == float(row["net"])
        assert told["ambiguous"] is (row["ambiguous"] == "true")
        assert told["r"] == (float(row["r"]) if row["r"] else None)
        assert told["entry_time"] == row["entry_time"]


@pytest.mark.parametrize("cursor", ["-1", "x", "1.5", "¹"])
def test_a_bad_cursor_of_trades_is_refused(client: TestClient, kept: FakeDesk, cursor: str) -> None:
    refused(client.get(f"{URL}/{IDS[0]}/trades", params={"cursor": cursor}), 422, "bad_cursor")


def test_a_cursor_behind_the_end_gives_nothing(client: TestClient, kept: FakeDesk) -> None:
    page = client.get(f"{URL}/{IDS[0]}/trades", params={"cursor": "999999999"}).json()
    assert (page["items"], page["next_cursor"]) == ([], None)


def test_the_page_is_shut_in(client: TestClient, kept: FakeDesk, made: dict[str, bytes]) -> None:
    answer = client.get(f"{URL}/{IDS[0]}/report.html")
    assert answer.content == made["report.html"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    (policy,) = answer.headers.get_list("content-security-policy")
    stated = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    assert stated["sandbox"] == ["allow-scripts"]  # no origin: neither cookies nor the API
    assert stated["default-src"] == ["'none'"]
    assert stated["script-src"] == ["'unsafe-inline'"]  # of the page itself, from nowhere else
    assert "connect-src" not in stated
    assert answer.headers["x-content-type-options"] == "nosniff"
    own = (
        made["report.html"].decode().split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    )
    for part in own.split("; "):
        assert stated[part.split()[0]] == part.split()[1:]  # all that the page needs is let through


def test_everything_else_keeps_the_desks_policy(client: TestClient, kept: FakeDesk) -> None:
    for path in (URL, f"{URL}/{IDS[0]}", f"{URL}/{'0' * 16}/report.html"):
        answer = client.get(path)
        assert answer.headers.get_list("content-security-policy") == [
            "default-src 'none'; frame-ancestors 'none'"
        ]


@pytest.fixture
def roles(tmp_path: Path, made: dict[str, bytes]) -> Iterator[Any]:
    with guarded(tmp_path) as desk:
        keep(desk.desk, made, IDS[0])
        yield desk


def test_a_viewer_reads_and_a_trader_removes(roles: Any) -> None:
    viewer, trader = roles.client(Role.VIEWER), roles.client(Role.TRADER)
    assert ids(viewer.get(URL)) == [IDS[0]]
    assert viewer.get(f"{URL}/{IDS[0]}/report.html").status_code == 200
    assert viewer.delete(f"{URL}/{IDS[0]}").status_code == 403
    assert roles.client().get(f"{URL}/{IDS[0]}/report.html").status_code == 401
    assert trader.delete(f"{URL}/{IDS[0]}").status_code == 200


def test_a_new_process_reads_what_is_there(kept: FakeDesk) -> None:
    with TestClient(create_app(kept, host="127.0.0.1"), base_url=BASE) as again:
        assert len(ids(again.get(URL))) == 3
