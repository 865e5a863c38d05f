"""A whole desk in trouble: broken configuration, a dead connector, a killed supervisor."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.acceptance.clones import ROOT
from tests.acceptance.desk_process import READY, DeskProcess, kill, start_desk
from tests.acceptance.hands import unused_port
from tests.acceptance.outside import outside_world
from tests.acceptance.test_desk import decisions
from tests.conftest import NOT_INHERITED

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("desk"), pytest.mark.timeout(150)]

TRIES = 3


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return kept | {
        "MT5UI_HOME": str(home),
        "MT5UI_ALLOW_PRIVATE_ADDRESSES": "true",
        "PYTHONPATH": str(ROOT),
    }


def break_something_of_everything(config: Path) -> None:
    """One wrong entry in each kind of file, beside right ones."""
    strategy = json.loads((config / "ai/strategies/EURUSD_H1.json").read_text())
    strategy["conditions"] = {"entry": ["ema_fast >>> ema_slow"]}
    (config / "ai/strategies/BROKEN_H1.json").write_text(json.dumps(strategy))
    (config / "ai/profiles/NZDUSD.json").write_text('{"symbol": "NZDUSD", "weights": "heavy"}')
    feeds = json.loads((config / "rss_feeds.json").read_text())
    feeds["feeds"].append({"name": "Nowhere", "url": "file:///etc/passwd"})
    (config / "rss_feeds.json").write_text(json.dumps(feeds))
    schedules = json.loads((config / "schedules.json").read_text())
    schedules["lunch"] = {"task": "backend.tasks.data_tasks.collect_rss_news", "every": "often"}
    (config / "schedules.json").write_text(json.dumps(schedules))
    with (config / "symbol_map.csv").open("a") as file:
        file.write("CHFJPY,CHFJPY,perhaps,0.01,0.01,a row that says nothing\n")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    import shutil

    home = tmp_path_factory.mktemp("desk") / "home"
    shutil.copytree(ROOT / "config", home / "config")
    with outside_world(home):
        break_something_of_everything(home / "config")
        desk = start(home, unused_port())
        try:
            desk.wait_for_line(READY, 60)
            yield desk
        finally:
            desk.destroy()


def start(home: Path, port: int) -> DeskProcess:
    return start_desk(home, port, environment(home))


def doctor(desk: DeskProcess) -> dict[str, dict[str, Any]]:
    port = desk.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", "doctor", "--json"],
        cwd=ROOT,
        env=environment(desk.home) | {"MT5UI_PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    findings: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return {finding["name"]: finding for finding in findings}


def job(desk: DeskProcess, job_id: str) -> dict[str, Any]:
    answer = desk.get(f"/api/tasks/{job_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def evaluate(desk: DeskProcess) -> str:
    answer = desk.post("/api/celery/tasks/ai/evaluate-symbol", {"symbol": "EURUSD"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def test_what_is_wrong_in_the_configuration_is_named_and_the_rest_goes_on(desk: DeskProcess) -> None:
    problems = [json.dumps(problem) for problem in desk.get("/api/status").json()["problems"]]
    told = "\n".join(problems)
    for file, key, reason in (
        ("strategies/BROKEN_H1.json", "/conditions/entry/0", "unknown name 'ema_fast'"),
        ("profiles/NZDUSD.json", "/weights", "unknown field"),
        ("rss_feeds.json", "/feeds/1", "http"),
        ("schedules.json", "lunch.every", "often"),
        ("symbol_map.csv", "enabled", "perhaps"),
    ):
        line = [problem for problem in problems if file in problem and key in problem]
        assert line, f"{file} {key} is not among:\n{told}"
        assert any(reason in problem for problem in line), told
    findings = doctor(desk)
    for name in ("symbols", "strategies", "schedules", "feeds"):
        assert findings[name]["level"] == "warn", findings[name]
    desk.wait_until(lambda: decisions(desk), 20, "decisions of the strategies that are right")
    desk.wait_until(lambda: desk.file("cache/rss_news.json"), 20, "news of the feeds that are right")
    schedules = {schedule["name"] for schedule in desk.get("/api/schedules").json()["schedules"]}
    assert "lunch" not in schedules
    assert "collect-rss-news" in schedules
    symbols = desk.get("/api/status").json()["symbols"]
    assert "EURUSD" in symbols
    assert "CHFJPY" not in symbols


def test_a_file_that_is_no_json_fails_its_own_task_with_its_name_and_no_other(desk: DeskProcess) -> None:
    feeds = desk.home / "config" / "rss_feeds.json"
    before = feeds.read_text(encoding="utf-8")
    try:
        feeds.write_text('{"feeds": [', encoding="utf-8")
        failed = desk.ended(desk.post("/api/celery/tasks/data/collect-news").json()["task_id"])
        assert failed["status"] == "failure"
        assert "rss_feeds.json" in failed["error"]
        assert doctor(desk)["feeds"]["level"] == "fail"
        assert desk.ended(evaluate(desk))["status"] == "success"
    finally:
        feeds.write_text(before, encoding="utf-8")
    assert (
        desk.ended(desk.post("/api/celery/tasks/data/collect-news").json()["task_id"])["status"] == "success"
    )


def test_with_the_connector_dead_tasks_fail_with_the_terminals_code_and_recover(desk: DeskProcess) -> None:
    desk.wait_until(lambda: bars(desk)["count"], 30, "stored bars")
    killed: set[int] = set()

    def keep_it_dead() -> bool:
        pid = desk.children().get("connector")
        if pid is not None and pid not in killed:
            kill(pid)
            killed.add(pid)
        return True

    keep_it_dead()
    task = evaluate(desk)
    failed = desk.wait_until(
        lambda: keep_it_dead() and (job(desk, task)["state"] == "failed") and job(desk, task),
        60,
        "the evaluation has failed",
    )
    assert failed["attempts"] == TRIES
    assert failed["error"]["code"] == "terminal_unreachable"
    assert failed["error"]["details"]["terminal_code"] < 0
    assert desk.get(f"/api/celery/tasks/{task}/status").json()["status"] == "failure"
    assert "connector ended with code" in desk.output
    stored = bars(desk)
    assert stored["count"] > 0, "what is stored is served"
    assert stored["age_seconds"] is not None
    refused = desk.get("/api/market/EURUSD/quote")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "terminal_unreachable")
    checks = {check["name"]: check for check in desk.get("/api/status").json()["checks"]}
    assert not checks["terminal"]["ok"]
    desk.wait_until(lambda: desk.get("/readyz").status_code == 200, 45, "the connector runs again")
    assert desk.ended(evaluate(desk))["status"] == "success"
    assert desk.get("/api/market/EURUSD/quote").status_code == 200


def bars(desk: DeskProcess) -> dict[str, Any]:
    body: dict[str, Any] = desk.get("/api/market/EURUSD/bars", timeframe="H1", count=10).json()
    return body


def test_zz_a_killed_supervisor_leaves_nothing_running_and_the_next_start_says_so(desk: DeskProcess) -> None:
    parts = set(desk.children())
    left = desk.processes()
    waiting = evaluate(desk)
    kill(desk.process.pid)
    desk.process.wait(5)
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == [], "each part ends by itself, the broker too"
    with pytest.raises(httpx.HTTPError):
        desk.get("/healthz")
    port = int(desk.url.rpartition(":")[2])
    second = start(desk.home, port)
    third: DeskProcess | None = None
    try:
        second.wait_for_line(READY, 60)
        assert any("was killed" in line for line in second.lines), second.output
        assert second.ended(waiting)["status"] == "success", "what was acknowledged is done"
        assert set(second.children()) == parts
        left = second.processes()
        waiting = evaluate(second)
        kill(second.process.pid)
        second.process.wait(5)
        third = start(desk.home, port)  # at once, while the parts of the one before still end
        third.wait_for_line(READY, 60)
        assert any("was killed" in line for line in third.lines), third.output
        _, alive = psutil.wait_procs(left, timeout=5)
        assert alive == []
        assert third.ended(waiting)["status"] == "success"
        assert third.stop(patience=15) < 10
        run = desk.home / "data" / "run"
        assert [path.name for path in run.iterdir() if path.suffix in {".json", ".lock"}] == []
    finally:
        second.destroy()
        if third is not None:
            third.destroy()
