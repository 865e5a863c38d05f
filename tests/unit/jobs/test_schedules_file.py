"""``config/schedules.json``: what it may change, and what it is told when it is wrong."""

import json
from pathlib import Path

import pytest

from backend.config import CODE_ROOT
from backend.core.errors import Invalid
from backend.jobs.schedules import DEFAULTS, load_schedules
from backend.jobs.spec import QUEUES
from backend.jobs.ticks import Every
from tests.fakes.jobs import catalogue

CONTRACT = {
    "evaluate-ai-strategies": ("ai_tasks.evaluate_all_strategies", 'crontab(minute="*/15")', "ai_evaluation"),
    "collect-market-data": ("data_tasks.collect_market_data", 'crontab(minute="*/5")', "data_collection"),
    "update-economic-calendar": (
        "data_tasks.update_economic_calendar",
        'crontab(minute="0")',
        "data_collection",
    ),
    "collect-rss-news": ("data_tasks.collect_rss_news", 'crontab(minute="*/10")', "data_collection"),
    "cleanup-old-logs": (
        "maintenance_tasks.cleanup_old_logs",
        'crontab(hour="2", minute="0")',
        "maintenance",
    ),
    "cleanup-cache": ("maintenance_tasks.cleanup_cache", 'crontab(hour="3", minute="0")', "maintenance"),
    "archive-old-trades": (
        "maintenance_tasks.archive_old_trades",
        'crontab(hour="4", minute="0")',
        "maintenance",
    ),
    "system-health-check": ("maintenance_tasks.system_health_check", 'crontab(minute="*/30")', "monitoring"),
}


def write(folder: Path, content: object) -> Path:
    (folder / "schedules.json").write_text(json.dumps(content))
    return folder


def test_the_eight_schedules_of_the_contract() -> None:
    found = {schedule.name: schedule for schedule in DEFAULTS}
    for name, (task, when, queue) in CONTRACT.items():
        schedule = found[name]
        assert (schedule.task, str(schedule.when), schedule.queue) == (f"backend.tasks.{task}", when, queue)


def test_the_shipped_file_changes_nothing_but_spells_it_out(tmp_path: Path) -> None:
    shipped = load_schedules(CODE_ROOT / "config")
    assert shipped.problems == ()
    defaults = load_schedules(tmp_path)
    assert {name: str(s.when) for name, s in shipped.schedules.items()} == {
        name: str(s.when) for name, s in defaults.schedules.items()
    }
    assert {s.queue for s in defaults.schedules.values()} <= set(QUEUES)


def test_a_user_changes_what_he_names_and_adds_his_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "$comment": "mine",
            "collect-rss-news": {"enabled": False},
            "cleanup-cache": {"crontab": {"hour": 5, "minute": 30}, "kwargs": {"days_to_keep": 3}},
            "mine": {
                "task": "desk.tasks.evaluate",
                "every": 90,
                "kwargs": {"symbol": "EURUSD"},
                "overlap": "queue",
            },
        },
    )
    loaded = load_schedules(tmp_path)
    assert loaded.problems == ()
    assert not loaded.schedules["collect-rss-news"].enabled
    cache = loaded.schedules["cleanup-cache"]
    assert (str(cache.when), cache.kwargs) == ('crontab(hour="5", minute="30")', {"days_to_keep": 3})
    assert cache.task == "backend.tasks.maintenance_tasks.cleanup_cache"
    assert loaded.schedules["mine"].when == Every(90)


@pytest.mark.parametrize(
    ("entry", "key", "allowed"),
    [
        ({"crontab": {"minute": "61"}}, "crontab", "crontab(5)"),
        ({"crontab": "*/5"}, "crontab", "object"),
        ({"every": 0}, "every", "from 1 to"),
        ({"every": "60"}, "every", "seconds"),
        ({"every": 60, "crontab": {"minute": 1}}, "every", "one of the two"),
        ({"queue": "fast"}, "queue", "ai_evaluation"),
        ({"enabled": "yes"}, "enabled", "true or false"),
        ({"overlap": "drop"}, "overlap", "skip, queue"),
        ({"clock": "moon"}, "clock", "desk, wall"),
        ({"catch_up": -1}, "catch_up", "from 0"),
        ({"kwargs": [1]}, "kwargs", "object"),
        ({"minutes": 5}, "minutes", "crontab"),
        ("off", "", "object"),
    ],
)
def test_a_wrong_entry_is_named_and_the_rest_goes_on(
    tmp_path: Path, entry: object, key: str, allowed: str
) -> None:
    write(tmp_path, {"collect-market-data": entry, "cleanup-cache": {"enabled": False}})
    loaded = load_schedules(tmp_path)
    (problem,) = loaded.problems
    assert "collect-market-data" in problem.message
    assert "schedules.json" in problem.details["file"]
    assert problem.details["key"] == f"collect-market-data.{key}".rstrip(".")
    assert allowed in problem.details["allowed"]
    assert "collect-market-data" not in loaded.schedules, "not planned in a way that nobody asked for"
    assert not loaded.schedules["cleanup-cache"].enabled
    assert "system-health-check" in loaded.schedules


def test_tasks_and_arguments_are_checked_against_what_there_is(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a": {"task": "desk.tasks.nothing", "every": 60},
            "b": {"task": "desk.tasks.cleanup", "every": 60, "kwargs": {"days_to_keep": 0}},
            "c": {"every": 60},
            "d": {"task": "desk.tasks.cleanup"},
        },
    )
    loaded = load_schedules(tmp_path, catalogue())
    assert [problem.details["key"].partition(".")[0] for problem in loaded.problems] == ["a", "b", "c", "d"]
    assert not {"a", "b", "c", "d"} & loaded.schedules.keys()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_file_that_is_no_object_is_refused_whole(tmp_path: Path, text: str) -> None:
    (tmp_path / "schedules.json").write_text(text)
    with pytest.raises(Invalid) as refusal:
        load_schedules(tmp_path)
    assert refusal.value.code == "bad_schedules"
