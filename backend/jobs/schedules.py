"""What is planned: the schedules in code, changed by ``config/schedules.json`` without editing code."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from backend.core.errors import DeskError, Invalid
from backend.jobs.spec import QUEUES, Catalogue
from backend.jobs.ticks import Cron, Every, Ticks

FILE = "schedules.json"
SHORTEST_INTERVAL = 1
LONGEST_INTERVAL = 30 * 86_400
KEYS = (
    "task",
    "crontab",
    "every",
    "offset",
    "enabled",
    "queue",
    "kwargs",
    "clock",
    "overlap",
    "catch_up",
    "at_start",
)
CLOCKS = ("desk", "wall")
OVERLAPS = ("skip", "queue")


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """One thing that is done again and again.

    Attributes:
        name: As beat shows it.
        task: Full task name.
        when: Its ticks, in UTC.
        queue: Where its jobs go; None takes the task's own queue.
        kwargs: Arguments of each job.
        clock: desk: ticks follow the market's time, also in a replay; wall: real time.
        enabled: Whether it is planned at all.
        overlap: skip: a tick is passed over while the job before it has not ended; queue: never.
        catch_up: Seconds after a tick within which it is still worth running; None is one interval.
        at_start: Run when the desk starts, unless it ran within half its interval.
    """

    name: str
    task: str
    when: Ticks
    queue: str | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    clock: str = "wall"
    enabled: bool = True
    overlap: str = "skip"
    catch_up: int | None = None
    at_start: bool = False


def _cron(**fields: Any) -> Cron:
    return Cron(fields)


_AI = "backend.tasks.ai_tasks"
_DATA = "backend.tasks.data_tasks"
_TRADING = "backend.tasks.trading_tasks"
_CARE = "backend.tasks.maintenance_tasks"

DEFAULTS: tuple[Schedule, ...] = (
    Schedule(
        name="evaluate-ai-strategies",
        task=f"{_AI}.evaluate_all_strategies",
        when=_cron(minute="*/15"),
        queue="ai_evaluation",
        clock="desk",
        at_start=True,
    ),
    Schedule(
        name="collect-market-data",
        task=f"{_DATA}.collect_market_data",
        when=_cron(minute="*/5"),
        queue="data_collection",
        clock="desk",
        at_start=True,
    ),
    Schedule(
        name="update-economic-calendar",
        task=f"{_DATA}.update_economic_calendar",
        when=_cron(minute=0),
        queue="data_collection",
        at_start=True,
    ),
    Schedule(
        name="collect-rss-news",
        task=f"{_DATA}.collect_rss_news",
        when=_cron(minute="*/10"),
        queue="data_collection",
        at_start=True,
    ),
    Schedule(
        name="cleanup-old-logs",
        task=f"{_CARE}.cleanup_old_logs",
        when=_cron(hour=2, minute=0),
        queue="maintenance",
    ),
    Schedule(
        name="cleanup-cache",
        task=f"{_CARE}.cleanup_cache",
        when=_cron(hour=3, minute=0),
        queue="maintenance",
    ),
    Schedule(
        name="archive-old-trades",
        task=f"{_CARE}.archive_old_trades",
        when=_cron(hour=4, minute=0),
        queue="maintenance",
    ),
    Schedule(
        name="system-health-check",
        task=f"{_CARE}.system_health_check",
        when=_cron(minute="*/30"),
        queue="monitoring",
        at_start=True,
    ),
    # The desk's own: each closed bar is decided soon after its close, and specifications stay fresh.
    Schedule(
        name="evaluate-on-bar-close",
        task=f"{_AI}.evaluate_on_bar_close",
        when=Every(60, offset=2),
        queue="ai_evaluation",
        clock="desk",
    ),
    Schedule(
        name="expire-ideas",
        task=f"{_TRADING}.expire_ideas",
        when=Every(60, offset=30),
        queue="orders",
        clock="desk",
    ),
    Schedule(
        name="manage-positions",
        task=f"{_TRADING}.manage_positions",
        when=Every(60, offset=5),
        queue="orders",
        clock="desk",
        at_start=True,
    ),
    Schedule(
        name="reconcile-orders",
        task=f"{_TRADING}.reconcile_orders",
        when=Every(60, offset=10),
        queue="orders",
        clock="desk",
        at_start=True,
    ),
    Schedule(
        name="watch-account",
        task=f"{_TRADING}.watch_account",
        when=Every(10),
        queue="orders",
        clock="desk",
        at_start=True,
    ),
    Schedule(
        name="update-symbol-info",
        task=f"{_DATA}.update_symbol_info",
        when=_cron(hour=0, minute=10),
        queue="data_collection",
        at_start=True,
    ),
    Schedule(
        name="audit-parity",
        task=f"{_TRADING}.audit_parity",
        when=_cron(hour=1, minute=30),
        queue="research",
    ),
    Schedule(
        name="weigh-refusals",
        task=f"{_AI}.weigh_refusals",
        when=_cron(hour=1, minute=10),
        queue="research",
    ),
)

DEFAULT_OF: Mapping[str, Schedule] = {schedule.name: schedule for schedule in DEFAULTS}


@dataclass(frozen=True, slots=True)
class LoadedSchedules:
    """The schedules that are in order, by name, and what is wrong with the others."""

    schedules: Mapping[str, Schedule]
    problems: tuple[Invalid, ...]


def load_schedules(config_dir: Path, catalogue: Catalogue | None = None) -> LoadedSchedules:
    """The defaults as the user's file changes them. A wrong entry is not planned; the rest is.

    Args:
        config_dir: Folder of ``schedules.json``; without the file the defaults hold.
        catalogue: The known tasks, to check names and arguments; None leaves that to beat.

    Raises:
        Invalid: The file as a whole is not a JSON object: nothing is known of what was wanted.
    """
    path = config_dir / FILE
    schedules = dict(DEFAULT_OF)
    problems: list[Invalid] = []
    for name, entry in _entries(path).items():
        if name.startswith("$"):
            continue
        try:
            schedules[name] = _changed(name, schedules.get(name), entry, catalogue)
        except DeskError as error:
            schedules.pop(name, None)
            details = {
                **error.details,
                "file": str(path),
                "key": f"{name}.{error.details.get('key', '')}".rstrip("."),
            }
            problems.append(Invalid("bad_schedule", f"{path}: {name}: {error.message}", **details))
    return LoadedSchedules(schedules, tuple(problems))


def checked_entry(name: str, entry: Mapping[str, Any], catalogue: Catalogue | None = None) -> Schedule:
    """The schedule that an entry of the file states; `Invalid` ``bad_schedule``, with the key."""
    return _changed(name, DEFAULT_OF.get(name), dict(entry), catalogue)


def _entries(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except orjson.JSONDecodeError as error:
        raise Invalid("bad_schedules", f"{path} is not JSON: {error}", file=str(path)) from error
    if not isinstance(content, dict):
        raise Invalid("bad_schedules", f"{path} is not an object of schedules by name", file=str(path))
    return content


def _changed(name: str, base: Schedule | None, entry: Any, catalogue: Catalogue | None) -> Schedule:
    if not isinstance(entry, dict):
        raise _wrong("", f"is {type(entry).__name__}", "an object")
    for key in entry:
        if key not in KEYS:
            raise _wrong(key, "is not a key of a schedule", ", ".join(KEYS))
    if base is None:
        if "task" not in entry:
            raise _wrong("task", "is missing", "the full name of a task")
        base = Schedule(name=name, task=_text(entry, "task"), when=Every(3600))
        if "crontab" not in entry and "every" not in entry:
            raise _wrong("crontab", "is missing", "crontab fields, or every with seconds")
    changed = replace(
        base,
        task=_text(entry, "task") if "task" in entry else base.task,
        when=_when(entry, base.when),
        enabled=_flag(entry, "enabled", base.enabled),
        queue=_choice(entry, "queue", base.queue, QUEUES),
        kwargs=_kwargs(entry, base.kwargs),
        clock=_choice(entry, "clock", base.clock, CLOCKS) or "wall",
        overlap=_choice(entry, "overlap", base.overlap, OVERLAPS) or "skip",
        catch_up=_whole(entry, "catch_up", base.catch_up, 0, LONGEST_INTERVAL),
        at_start=_flag(entry, "at_start", base.at_start),
    )
    if catalogue is not None:
        catalogue.get(changed.task).arguments(changed.kwargs)
    return changed


def _when(entry: Mapping[str, Any], base: Ticks) -> Ticks:
    if "crontab" in entry and "every" in entry:
        raise _wrong("every", "stands beside crontab", "one of the two")
    if "crontab" in entry:
        if not isinstance(entry["crontab"], dict):
            raise _wrong("crontab", f"is {entry['crontab']!r}", 'an object such as {"minute": "*/15"}')
        try:
            return Cron(entry["crontab"])
        except Invalid as error:
            raise _wrong("crontab", error.message, str(error.details.get("allowed", ""))) from error
    if "every" in entry or "offset" in entry:
        before = base if isinstance(base, Every) else Every(3600)
        seconds = _whole(entry, "every", before.seconds, SHORTEST_INTERVAL, LONGEST_INTERVAL)
        offset = _whole(entry, "offset", before.offset, 0, LONGEST_INTERVAL)
        return Every(seconds or before.seconds, offset or 0)
    return base


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry[key]
    if not isinstance(value, str) or not value:
        raise _wrong(key, f"is {value!r}", "a text")
    return value


def _flag(entry: Mapping[str, Any], key: str, default: bool) -> bool:  # noqa: FBT001 - a value, not a switch
    value = entry.get(key, default)
    if not isinstance(value, bool):
        raise _wrong(key, f"is {value!r}", "true or false")
    return value


def _choice(entry: Mapping[str, Any], key: str, default: str | None, allowed: tuple[str, ...]) -> str | None:
    value: str | None = entry.get(key, default)
    if key in entry and value not in allowed:
        raise _wrong(key, f"is {value!r}", ", ".join(allowed))
    return value


def _whole(entry: Mapping[str, Any], key: str, default: int | None, low: int, high: int) -> int | None:
    value: int | None = entry.get(key, default)
    if key in entry and (not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high):
        raise _wrong(key, f"is {value!r}", f"a whole number of seconds from {low} to {high}")
    return value


def _kwargs(entry: Mapping[str, Any], default: Mapping[str, Any]) -> Mapping[str, Any]:
    value = entry.get("kwargs", default)
    if not isinstance(value, dict):
        raise _wrong("kwargs", f"is {value!r}", "an object")
    return value


def _wrong(key: str, what: str, allowed: str) -> Invalid:
    return Invalid("bad_schedule", f"{key} {what}; allowed: {allowed}".strip(), key=key, allowed=allowed)
