"""The whole desk as a user meets it: one command, real processes, files and HTTP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from backend.jobs.lifecycle import ALONE
from tests.acceptance.clones import copy_project, install_environment, lend_machine_code
from tests.acceptance.desk_process import READY, DeskProcess, kill, start_desk
from tests.acceptance.hands import Hand, ends_by_ctrl_c, unused_port
from tests.acceptance.outside import outside_world
from tests.unit.history.files import MONDAY, MT5_HEAD, mt5_minutes

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("desk"), pytest.mark.timeout(240)]

FIRST_FILES = (
    "cache/market_data/EURUSD_*.json",
    "evaluations/evaluation_*.json",
    "symbols/EURUSD.json",
    "health_checks/health_*.json",
    "cache/economic_calendar.json",
    "cache/rss_news.json",
)
POSTS: dict[str, Any] = {
    "/tasks/ai/evaluate-all": None,
    "/tasks/ai/evaluate-symbol": {"symbol": "EURUSD"},
    "/tasks/ai/backtest": {"symbol": "EURUSD", "strategy_name": "EURUSD_H1", "days": 30},
    "/tasks/data/collect-market-data": None,
    "/tasks/data/update-calendar": None,
    "/tasks/data/collect-news": None,
    "/tasks/data/update-symbols": None,
    "/tasks/maintenance/cleanup-logs": {"days_to_keep": 30},
    "/tasks/maintenance/cleanup-cache": {},
    "/tasks/maintenance/archive-trades": None,
    "/tasks/maintenance/health-check": None,
    "/tasks/maintenance/optimize-csv": None,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = copy_project(tmp_path_factory.mktemp("a trader's folder") / "MT5 UI")
    install_environment(copy)
    lend_machine_code(copy)
    return copy


@pytest.fixture(scope="module", params=["auto", "memory"])
def desk(
    request: pytest.FixtureRequest, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeskProcess]:
    """One desk for the tests of a broker mode: no network but loopback, started from elsewhere."""
    home = tmp_path_factory.mktemp("desk") / "home with spaces"
    home.mkdir()
    copy_project(home / "copy")
    (home / "copy" / "config").rename(home / "config")
    env = dict(os.environ) | {
        "MT5UI_HOME": str(home),
        "MT5UI_BROKER": request.param,
        "MT5UI_ALLOW_PRIVATE_ADDRESSES": "true",
        "PIP_NO_INDEX": "1",
    }
    with outside_world(home):
        desk = start_desk(home, unused_port(), env, cwd=home.parent, run=project / "run.py")
        try:
            desk.wait_for_line(READY, 60)
            yield desk
        finally:
            desk.destroy()


def decisions(desk: DeskProcess) -> list[dict[str, Any]]:
    answer = desk.get("/api/decisions", limit=200)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_first_work_is_on_the_files_within_20_seconds(desk: DeskProcess) -> None:
    began = time.monotonic()
    for name in FIRST_FILES:
        desk.wait_until(partial(desk.file, name), 20 - (time.monotonic() - began), name)
    desk.wait_until(lambda: decisions(desk), 20 - (time.monotonic() - began), "a decision in the journal")
    health = desk.file("health_checks/health_*.json")
    assert health


@pytest.mark.parametrize("path", POSTS)
def test_every_post_of_the_contract_does_its_work(desk: DeskProcess, path: str) -> None:
    answer = desk.post("/api/celery" + path, POSTS[path])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "pending"
    assert body["message"]
    # the engine may still be compiling: most of a minute of a core, here for two desks at once
    ended = desk.ended(body["task_id"], 180)
    assert ended["status"] == "success", ended
    assert ended["error"] is None
    assert ended["result"]


def test_a_desk_on_which_all_is_well_is_healthy(desk: DeskProcess) -> None:
    desk.wait_until(lambda: len(desk.workers()) >= 2, 15, "both workers report")
    desk.wait_until(lambda: desk.file("cache/market_data/EURUSD_*.json"), 20, "prices")
    ended = desk.ended(desk.post("/api/celery/tasks/maintenance/health-check").json()["task_id"])
    assert ended["result"]["status"] == "ok", ended["result"]


def test_workers_are_seen(desk: DeskProcess) -> None:
    stats = desk.wait_until(lambda: desk.get("/api/celery/tasks/stats").json()["stats"], 15, "stats")
    assert stats
    active = desk.get("/api/celery/tasks/active").json()
    assert {"active", "scheduled", "timestamp"} <= active.keys()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/tasks/ai/evaluate-symbol", {"symbol": "NOSUCH"}, 404),
        ("/tasks/ai/backtest", {"symbol": "EURUSD", "strategy_name": "nope"}, 404),
        ("/tasks/ai/evaluate-symbol", {}, 422),
        ("/tasks/ai/evaluate-symbol", {"symbol": "EURUSD", "hm": 1}, 422),
        ("/tasks/maintenance/cleanup-logs", {"days_to_keep": -1}, 422),
        ("/tasks/maintenance/cleanup-logs", {"days_to_keep": 3651}, 422),
    ],
)
def test_bad_requests_queue_nothing(desk: DeskProcess, path: str, body: Any, status: int) -> None:
    def newest() -> str:
        return str(desk.get("/api/tasks", limit=1, actor="local").json()["items"][0]["id"])

    desk.ended(desk.post("/api/celery/tasks/maintenance/health-check").json()["task_id"])
    before = newest()
    answer = desk.post("/api/celery" + path, body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert newest() == before


def test_a_file_is_uploaded_imported_and_asked_in_sql(desk: DeskProcess, project: Path) -> None:
    content = "\r\n".join([MT5_HEAD, *mt5_minutes(MONDAY, 500)]).encode()
    taken = httpx.post(
        f"{desk.url}/api/history/uploads",
        params={"name": "EURUSD_M1.csv"},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert taken.status_code == 200, taken.text
    queued = desk.post("/api/history/imports", {"file": taken.json()["name"], "tz": "UTC"})
    ended = desk.ended(queued.json()["task_id"])
    assert ended["status"] == "success", ended
    assert ended["result"]["series"][0]["bid"]["added"] == 500
    page = desk.get("/api/history").json()
    assert {"kept": "imported", "symbol": "EURUSD", "timeframe": "M1"} in page["series"]
    assert page["incoming"] == []
    asked = subprocess.run(
        [sys.executable, "-m", "backend.cli", "sql", "--csv", "SELECT count(*) FROM imported_bars"],
        cwd=project,
        env=os.environ | {"MT5UI_HOME": str(desk.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.split() == ["count_star()", "500"]


def test_an_id_that_was_never_issued_is_not_found(desk: DeskProcess) -> None:
    assert desk.get("/api/celery/tasks/00000000-0000-0000-0000-000000000000/status").status_code == 404


def test_ideas_follow_from_their_decisions(desk: DeskProcess) -> None:
    for idea in desk.get("/api/trade-ideas", limit=50).json()["items"]:
        one = desk.get(f"/api/trade-ideas/{idea['id']}")
        assert one.status_code == 200


def test_every_json_file_is_json(desk: DeskProcess) -> None:
    for path in (desk.home / "data").rglob("*.json"):
        json.loads(path.read_bytes())


def test_localhost_works_like_the_address(desk: DeskProcess) -> None:
    port = desk.url.rsplit(":", 1)[1]
    assert httpx.get(f"http://localhost:{port}/healthz", timeout=5).status_code == 200


def test_a_worker_started_by_hand_joins_a_desk_that_shares_its_broker(
    desk: DeskProcess, project: Path
) -> None:
    """As `celery -A backend.celery_app worker` in a second window; in memory there is nothing to share."""
    environment = dict(os.environ) | {"MT5UI_HOME": str(desk.home), "MT5UI_BROKER": desk.broker}
    command = [
        "celery",
        "-A",
        "backend.celery_app",
        "worker",
        "--loglevel=info",
        "--pool=solo",
        "-n",
        "mine@%h",
    ]
    log = desk.home.parent / "worker by hand.txt"
    with Hand([sys.executable, "-m", *command], cwd=project, env=environment, log=log) as worker:
        if desk.broker == "memory":
            assert worker.process.wait(30) == 1
            assert worker.output.rstrip().endswith(ALONE)
            return
        worker.said(" ready.")
        desk.wait_until(lambda: "mine@" in " ".join(desk.workers()), 15, "the worker is seen")
        ends_by_ctrl_c(worker)
        desk.wait_until(lambda: "mine@" not in " ".join(desk.workers()), 15, "the worker is gone")


def test_a_second_start_in_the_same_folder_is_one_sentence(
    desk: DeskProcess, project: Path, free_port: int
) -> None:
    env = dict(os.environ) | {"MT5UI_HOME": str(desk.home)}
    second = start_desk(desk.home, free_port, env, run=project / "run.py")
    assert second.process.wait(30) == 1
    desk.wait_until(lambda: second.lines, 5, "its sentence")
    assert len(second.lines) == 1
    assert second.lines[0].startswith("A desk already runs in ")


def test_a_taken_port_is_one_sentence(desk: DeskProcess, project: Path, desk_home: Path) -> None:
    port = int(desk.url.rsplit(":", 1)[1])
    env = dict(os.environ) | {"MT5UI_HOME": str(desk_home)}
    other = start_desk(desk_home, port, env, run=project / "run.py")
    assert other.process.wait(30) == 1
    desk.wait_until(lambda: other.lines, 5, "its sentence")
    assert len(other.lines) == 1
    assert other.lines[0].startswith(f"Port {port} on 127.0.0.1 is taken")


def test_a_child_that_dies_is_restarted_and_says_its_last_words(desk: DeskProcess) -> None:
    before = desk.children()["api"]
    kill(before)
    desk.wait_for_line("api ended with code", 10)
    desk.wait_for_line("api started again", 10)

    def answers() -> bool:
        try:
            return desk.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    desk.wait_until(answers, 30, "the API answers again")
    assert desk.children()["api"] != before


def test_zz_sigterm_ends_everything_and_leaves_nothing(desk: DeskProcess) -> None:
    processes = desk.processes()
    assert len(processes) >= 2
    assert desk.stop(patience=15) < 10, desk.output
    gone, alive = psutil.wait_procs(processes, timeout=0.5)
    assert alive == [], desk.output
    assert gone
    run = desk.home / "data" / "run"
    assert sorted(path.name for path in run.iterdir() if path.suffix in {".json", ".lock"}) == []
    left = [path for path in (desk.home / "data").rglob("*") if path.suffix in {".tmp", ".part"}]
    assert left == []


def test_a_folder_that_cannot_be_written_is_one_sentence(
    project: Path, desk_home: Path, free_port: int, desk_env: Callable[..., dict[str, str]]
) -> None:
    (desk_home / "data").write_text("a file where a folder should be", encoding="utf-8")
    desk = start_desk(desk_home, free_port, desk_env(), run=project / "run.py")
    assert desk.process.wait(30) == 1
    time_limit = time.monotonic() + 5
    while not desk.lines and time.monotonic() < time_limit:
        time.sleep(0.05)
    assert len(desk.lines) == 1
    assert desk.lines[0].startswith("The desk cannot write in ")
