"""The doctor's looks at files: is the configuration right, and how old are the last results."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from backend.cli.findings import Finding, fail, good, warn
from backend.cli.output import span
from backend.config import Settings
from backend.core.clock import SystemClock, age_seconds, parse_iso
from backend.core.errors import DeskError
from backend.economic_calendar.config import CalendarConfig
from backend.jobs.schedules import load_schedules
from backend.market.symbols import SymbolMap
from backend.news.config import load_feeds
from backend.strategies.files import StrategyFiles

RESULTS: Final = (
    ("economic calendar", "update_economic_calendar", "cache/economic_calendar.json", 6 * 3600),
    ("news", "collect_rss_news", "cache/rss_news.json", 3600),
)


def configuration(settings: Settings) -> Iterator[Finding]:
    """Each configuration file: what is wrong names file, key and reason; the rest of it is used."""
    folder = settings.config_dir
    yield from _file("symbols", lambda: _symbols(settings))
    yield from _file("strategies", lambda: _strategies(settings))
    yield from _file("schedules", lambda: _schedules(settings))
    yield from _file("feeds", lambda: _feeds(settings))
    yield from _file("calendar", lambda: _calendar(CalendarConfig.load(folder / "api_integrations.json")))


def last_results(settings: Settings, last_error: Callable[[str], str]) -> Iterator[Finding]:
    """When calendar and news were last fetched.

    Args:
        settings: Of the desk.
        last_error: Why a task's newest run failed; empty where it did not, or nobody knows.
    """
    now = SystemClock().wall()
    for name, task, file, patience in RESULTS:
        try:
            document = json.loads((settings.data_dir / file).read_text(encoding="utf-8"))
            fetched = parse_iso(document["fetched_at"])
        except FileNotFoundError:
            why = last_error(task)
            said = f"never fetched; the last try failed: {why}" if why else "never fetched"
            yield warn(name, said, "It is fetched while the desk runs and has a network")
            continue
        except (OSError, ValueError, KeyError, TypeError, DeskError) as error:
            yield fail(name, f"data/{file} cannot be read: {error}", "The next fetch writes it anew")
            continue
        age = age_seconds(fetched, now)
        said = f"fetched {span(age)} ago"
        problem = document.get("error")
        if problem:
            yield warn(name, f"{said}; the last look failed: {problem}", "It is tried again by itself")
        elif age > patience:
            yield warn(name, said, "It is fetched while the desk runs and has a network")
        else:
            yield good(name, said)


def _file(name: str, look: Callable[[], tuple[str, list[Any]]]) -> Iterator[Finding]:
    try:
        said, problems = look()
    except DeskError as error:
        yield fail(name, error.message, "Correct the file")
        return
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        yield warn(name, f"{said}; {_problem(problems[0])}{more}", "Correct the entry; the rest is used")
    else:
        yield good(name, said)


def _problem(problem: Any) -> str:
    if isinstance(problem, DeskError):
        return problem.message
    if isinstance(problem, dict):
        return " ".join(str(value) for value in problem.values() if value != "")
    if isinstance(problem, tuple):
        return " ".join(str(value) for value in problem if value != "")
    return str(problem)


def _symbols(settings: Settings) -> tuple[str, list[Any]]:
    symbols = SymbolMap.load(settings.config_dir / "symbol_map.csv")
    return f"{len(symbols.enabled())} of {len(symbols.rows)} enabled", list(symbols.problems)


def _strategies(settings: Settings) -> tuple[str, list[Any]]:
    loaded = StrategyFiles(settings.config_dir / "ai").load()
    enabled = sum(strategy.enabled for strategy in loaded.strategies)
    return f"{enabled} of {len(loaded.strategies)} enabled", list(loaded.problems)


def _schedules(settings: Settings) -> tuple[str, list[Any]]:
    loaded = load_schedules(settings.config_dir)
    return f"{len(loaded.schedules)} schedules", list(loaded.problems)


def _feeds(settings: Settings) -> tuple[str, list[Any]]:
    feeds = load_feeds(settings.config_dir / "rss_feeds.json")
    return f"{len(feeds.enabled)} of {len(feeds.feeds)} enabled", list(feeds.problems)


def _calendar(config: CalendarConfig) -> tuple[str, list[Any]]:
    return f"provider {config.provider}", []
