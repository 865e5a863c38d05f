"""Every part started with the command that the contract names for it, against a Redis of one's own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.clones import ROOT
from tests.acceptance.hands import Hand, Place, answer, ends_by_ctrl_c, until, unused_port
from tests.acceptance.outside import outside_world
from tests.fakes.redis_server import redis_server

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("by hand"), pytest.mark.timeout(120)]

QUEUES = ("ai_evaluation", "data_collection", "maintenance", "monitoring", "orders", "research")
SCHEDULES = {
    "evaluate-ai-strategies": "backend.tasks.ai_tasks.evaluate_all_strategies",
    "collect-market-data": "backend.tasks.data_tasks.collect_market_data",
    "update-economic-calendar": "backend.tasks.data_tasks.update_economic_calendar",
    "collect-rss-news": "backend.tasks.data_tasks.collect_rss_news",
    "cleanup-old-logs": "backend.tasks.maintenance_tasks.cleanup_old_logs",
    "cleanup-cache": "backend.tasks.maintenance_tasks.cleanup_cache",
    "archive-old-trades": "backend.tasks.maintenance_tasks.archive_old_trades",
    "system-health-check": "backend.tasks.maintenance_tasks.system_health_check",
}
TASKS: dict[str, dict[str, Any]] = {
    "backend.tasks.ai_tasks.evaluate_all_strategies": {},
    "backend.tasks.ai_tasks.evaluate_single_symbol": {"symbol": "XAUUSD"},
    "backend.tasks.ai_tasks.backtest_strategy": {"symbol": "EURUSD", "strategy_name": "EURUSD_H1"},
    "backend.tasks.data_tasks.collect_market_data": {},
    "backend.tasks.data_tasks.update_economic_calendar": {},
    "backend.tasks.data_tasks.collect_rss_news": {},
    "backend.tasks.data_tasks.update_symbol_info": {},
    "backend.tasks.maintenance_tasks.cleanup_old_logs": {"days_to_keep": 30},
    "backend.tasks.maintenance_tasks.cleanup_cache": {"days_to_keep": 7},
    "backend.tasks.maintenance_tasks.archive_old_trades": {"days_to_keep": 90},
    "backend.tasks.maintenance_tasks.system_health_check": {},
    "backend.tasks.maintenance_tasks.optimize_csv_files": {},
}
WORKER = ["celery", "-A", "backend.celery_app", "worker", "--loglevel=info", "--pool=solo"]
BEAT = ["celery", "-A", "backend.celery_app", "beat", "--loglevel=info"]
OLD_TRADES = "time,symbol,profit\n2024-01-02T10:00:00Z,EURUSD,1.50\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    server = redis_server()
    home = tmp_path_factory.mktemp("by hand") / "a trader's desk"
    shutil.copytree(ROOT / "config", home / "config")
    port = unused_port()
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction"]
    place = Place(home, f"redis://127.0.0.1:{port}/0", old_files(home))
    redis = Hand([str(server), *settings], cwd=home, env=place.env, log=home.parent / "redis.txt")
    with redis, outside_world(home):
        redis.said("Ready to accept connections")
        yield place


def old_files(home: Path) -> list[str]:
    """What the upkeep should find: a log, a cache file and a day of trades, all long ago."""
    then = datetime.now(UTC) - timedelta(days=400)
    old = {
        "logs/worker-main.log.3": "old\n",
        f"data/cache/market_data/EURUSD_{then:%Y%m%d}.json": "[]",
        f"logs/trades_{then:%Y%m%d}.csv": OLD_TRADES,
    }
    for name, content in old.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        os.utime(path, (then.timestamp(), then.timestamp()))
    return list(old)


@pytest.fixture(scope="module")
def api_port() -> int:
    return unused_port()


@pytest.fixture(scope="module")
def worker(place: Place) -> Iterator[Hand]:
    with place.run("connector", [sys.executable, "-m", "backend.connector"]) as connector:
        until(lambda: place.files("data/run/connector.json"), 30, "the connector", lambda: connector.output)
        with place.run("worker", WORKER) as worker:
            yield worker
            ends_by_ctrl_c(worker)


@pytest.fixture(scope="module")
def beat(place: Place) -> Iterator[Hand]:
    with place.run("beat", BEAT) as beat:
        yield beat
        ends_by_ctrl_c(beat)


@pytest.fixture(scope="module")
def api(place: Place, api_port: int) -> Iterator[Hand]:
    command = ["uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(api_port), "--reload"]
    with place.run("api", command, cwd=ROOT / "backend") as api:
        yield api
        ends_by_ctrl_c(api)


@pytest.fixture(scope="module")
def results(place: Place, worker: Hand) -> dict[str, Any]:
    """Every task once, as the earlier platform's users called them: import from backend.tasks, delay, get."""
    source = (
        "import json, sys, backend.tasks\n"
        "calls = json.loads(sys.argv[1])\n"
        "sent = {name: getattr(backend.tasks, name.rpartition('.')[2]).delay(**given)"
        " for name, given in calls.items()}\n"
        "print(json.dumps({name: one.get(timeout=60) for name, one in sent.items()}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, json.dumps(TASKS)],
        cwd=ROOT,
        env=place.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr + worker.output[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_worker_names_every_queue_and_task(worker: Hand, beat: Hand, api: Hand) -> None:
    worker.said(" ready.")
    for queue in QUEUES:
        assert f".> {queue} " in worker.output
    for task in TASKS:
        assert f"  . {task}\n" in worker.output


def test_beat_shows_the_eight_schedules_under_their_names(beat: Hand) -> None:
    for name, task in SCHEDULES.items():
        beat.said(f"planned: {name} runs {task}, crontab(")


def test_every_task_is_imported_called_and_done(results: dict[str, Any]) -> None:
    assert results.keys() == TASKS.keys()
    assert all(results.values()), "a task that did its work has something to tell"
    assert results["backend.tasks.ai_tasks.evaluate_single_symbol"]["evaluations"]
    assert results["backend.tasks.data_tasks.collect_market_data"]["symbols"] == 10
    assert results["backend.tasks.maintenance_tasks.archive_old_trades"]["archived"] == 1


@pytest.mark.parametrize(
    "pattern",
    [
        "data/evaluations/evaluation_????????.json",
        "data/backtests/*/report.json",
        "data/cache/market_data/EURUSD_????????.json",
        "data/cache/economic_calendar.json",
        "data/cache/rss_news.json",
        "data/symbols/EURUSD.json",
        "data/health_checks/health_????????.json",
    ],
)
def test_every_file_of_the_tasks_table_is_there_and_is_json(
    place: Place, results: dict[str, Any], pattern: str
) -> None:
    assert results
    assert place.files(pattern), pattern
    for path in place.files(pattern):
        assert json.loads(path.read_bytes())


def test_what_is_fetched_is_what_the_provider_said(place: Place, results: dict[str, Any]) -> None:
    assert results
    calendar = json.loads((place.home / "data/cache/economic_calendar.json").read_bytes())
    assert [event["title"] for event in calendar["events"]] == ["CPI m/m"], "nothing is invented"
    news = json.loads((place.home / "data/cache/rss_news.json").read_bytes())
    assert [article["title"] for article in news["articles"]] == ["Rates unchanged"]


def test_upkeep_found_the_old_files_and_no_others(place: Place, results: dict[str, Any]) -> None:
    assert results
    for name in place.old:
        assert not (place.home / name).exists(), name
    assert place.files("data/cache/market_data/EURUSD_*.json")
    (archived,) = place.files("logs/archive/trades_????????.csv")
    assert archived.read_text(encoding="utf-8") == OLD_TRADES


def test_the_api_from_inside_the_folder_takes_work_that_the_worker_does(
    place: Place, api: Hand, worker: Hand, api_port: int
) -> None:
    url = f"http://127.0.0.1:{api_port}"
    until(lambda: answer("GET", f"{url}/healthz"), 30, "the API", lambda: api.output)
    accepted_and_done(url, worker)
    ready = httpx.get(f"{url}/readyz", timeout=5)
    assert ready.status_code == 200, ready.text


def accepted_and_done(url: str, worker: Hand) -> None:
    accepted = httpx.post(f"{url}/api/celery/tasks/maintenance/health-check", timeout=5)
    assert accepted.status_code == 200, accepted.text
    task_id = accepted.json()["task_id"]

    def ended() -> bool:
        status = httpx.get(f"{url}/api/celery/tasks/{task_id}/status", timeout=5).json()
        assert status["status"] in {"pending", "started", "success"}, status
        return bool(status["status"] == "success")

    until(ended, 30, "the health check is done", lambda: worker.output[-3000:])


@pytest.mark.parametrize(
    ("command", "folder"),
    [([sys.executable, "-m", "uvicorn", "app:app"], "backend"), (["uvicorn", "backend.app:app"], ".")],
)
def test_the_other_ways_to_start_the_api(place: Place, worker: Hand, command: list[str], folder: str) -> None:
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    with place.run(f"api {folder}", [*command, "--port", str(port)], cwd=ROOT / folder) as api:
        until(lambda: answer("GET", f"{url}/healthz"), 30, "the API", lambda: api.output)
        accepted_and_done(url, worker)
        ends_by_ctrl_c(api)


@pytest.mark.skipif(sys.platform == "win32", reason="the .ps1 is for Windows")
def test_the_script_starts_both_and_ctrl_c_ends_both(place: Place) -> None:
    with place.run("script", ["bash", str(ROOT / "scripts" / "start_celery_services.sh")]) as script:
        script.said(" ready.")
        script.said("beat: Starting")
        ends_by_ctrl_c(script)
        assert "worker: Warm shutdown" in script.output
        assert script.survivors() == []
