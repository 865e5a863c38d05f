"""The Celery application as the contract names it."""

import logging
from pathlib import Path

from celery.schedules import crontab

import backend.tasks
from backend.celery_app import app
from backend.jobs.agent import CANARY
from backend.jobs.applog import AppLogHandler
from backend.jobs.commands import WORKERS
from backend.jobs.lifecycle import _without_canaries
from backend.jobs.spec import CATALOGUE, QUEUES

TASKS = {
    "ai_tasks": ["evaluate_all_strategies", "evaluate_single_symbol", "backtest_strategy"],
    "data_tasks": [
        "collect_market_data",
        "update_economic_calendar",
        "collect_rss_news",
        "update_symbol_info",
    ],
    "maintenance_tasks": [
        "cleanup_old_logs",
        "cleanup_cache",
        "archive_old_trades",
        "system_health_check",
        "optimize_csv_files",
    ],
}


def test_the_twelve_tasks_have_their_names_and_are_importable_from_tasks() -> None:
    for module, names in TASKS.items():
        for name in names:
            assert getattr(backend.tasks, name).name == f"backend.tasks.{module}.{name}"
            assert f"backend.tasks.{module}.{name}" in app.tasks


def test_parameters_and_their_bounds() -> None:
    backtest = CATALOGUE.get("backtest_strategy")
    assert backtest.arguments({"symbol": "EURUSD", "strategy_name": "s"}) == {
        "symbol": "EURUSD",
        "strategy_name": "s",
        "days": 30,
    }
    for name, days in (("cleanup_old_logs", 30), ("cleanup_cache", 7), ("archive_old_trades", 90)):
        spec = CATALOGUE.get(name)
        assert spec.arguments({}) == {"days_to_keep": days, "dry_run": False}
        bounds = spec.parameters["days_to_keep"]
        assert (bounds.minimum, bounds.maximum) == (1, 3650)


def test_a_worker_without_q_consumes_every_queue() -> None:
    assert set(app.amqp.queues.consume_from) == set(QUEUES)
    assert {queue for plan in WORKERS for queue in plan.queues} == set(QUEUES), "and so do the desk's two"


def test_the_eight_schedules_stand_in_the_configuration() -> None:
    found = app.conf.beat_schedule
    assert found["evaluate-ai-strategies"]["schedule"] == crontab(minute="*/15")
    assert found["collect-market-data"]["schedule"] == crontab(minute="*/5")
    assert found["update-economic-calendar"]["schedule"] == crontab(minute=0)
    assert found["collect-rss-news"]["schedule"] == crontab(minute="*/10")
    assert found["cleanup-old-logs"]["schedule"] == crontab(hour=2, minute=0)
    assert found["cleanup-cache"]["schedule"] == crontab(hour=3, minute=0)
    assert found["archive-old-trades"]["schedule"] == crontab(hour=4, minute=0)
    assert found["system-health-check"]["schedule"] == crontab(minute="*/30")
    for name, entry in found.items():
        assert app.conf.task_routes[entry["task"]]["queue"] == entry["options"]["queue"], name


def test_settings_that_mattered() -> None:
    conf = app.conf
    assert (str(conf.timezone), conf.task_serializer, conf.accept_content) == ("UTC", "json", ["json"])
    assert conf.task_acks_late
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_time_limit > conf.task_soft_time_limit > 0
    assert conf.result_expires == 86_400
    assert conf.broker_connection_retry_on_startup
    assert conf.worker_soft_shutdown_timeout == 10


def test_the_log_file_is_shared_and_rotated(tmp_path: Path) -> None:
    handlers = [AppLogHandler(tmp_path, name) for name in ("api", "worker")]
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "y" * 100_000, None, None)
    for _ in range(60):
        for handler in handlers:
            handler.emit(record)
    sizes = [path.stat().st_size for path in tmp_path.glob("app.log*")]
    assert len(sizes) == 3
    assert max(sizes) < 5.3 * 1024 * 1024
    lines = sum(path.read_text().count("\n") for path in tmp_path.glob("app.log*"))
    assert lines == 120


def test_test_messages_leave_no_line() -> None:
    record = logging.LogRecord("celery.worker.strategy", logging.INFO, __file__, 1, "m", None, None)
    assert _without_canaries(record)
    record.data = {"name": "backend.tasks.ai_tasks.evaluate_all_strategies"}
    assert _without_canaries(record)
    record.data = {"name": CANARY}
    assert not _without_canaries(record)
