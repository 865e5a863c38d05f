"""What a run's news embargo changed, told by the same run without it. Each cent is worked by hand.

The signal bar's range is 200 points: 10,000 at 1 % are 0.50 lots, a stop loses 100, a target wins 200. A
release at a signal's close keeps that signal out, its pause being half an hour on both sides.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.backtest.child import Order, compute
from backend.backtest.model import Job
from backend.risk.rulebook import parse_rulebook, tightened
from tests.fakes.backtests import QUIET, Row, table
from tests.golden.backtest.hand import CALM, SIGNAL, START
from tests.golden.backtest.test_paths_and_accounts import with_calendar

LOSS: Row = (10100, 10150, 9800, 9900, QUIET)
WIN: Row = (10100, 10600, 10050, 10100, QUIET)
HALF_AN_HOUR = {"news_embargo_minutes": 30}


def closes(job: Job, bar: int) -> datetime:
    return datetime.fromtimestamp(int(job.streams[0].bars.time[bar + 1]), UTC)


def told(job: Job, root: Path) -> dict[str, Any]:
    """The report as a child process writes it."""
    report: dict[str, Any] = json.loads((root / compute(Order(job=job, root=root))["path"][5:]).read_text())
    return report


def test_a_trade_that_was_kept_out_and_what_it_would_have_brought(tmp_path: Path) -> None:
    # With it: the loss alone, 0.50 lots of 10,000. Without: 200.00, then
    # 1 % of 10,200 are 0.51 lots: −102.00.
    job = table([START, SIGNAL, WIN, CALM, SIGNAL, LOSS, CALM], rules=HALF_AN_HOUR)
    report = told(with_calendar(job, closes(job, 1)), tmp_path)
    assert report["news_embargo"] == {
        "rules": [{"high": [30.0, 30.0]}],
        "closes": 6,
        "closes_known": 6,
        "trades_with": 1,
        "trades_without": 2,
        "trades_kept_out": 1,
        "net_kept_out": 200.0,
        "trades_instead": 0,
        "net_instead": 0.0,
        "net_of_both_with": -100.0,
        "net_of_both_without": -102.0,
        "net_with": -100.0,
        "net_without": 98.0,
        "net_change": -198.0,
    }
    assert report["metrics"]["net_profit"] == -100.0
    assert "news_embargo" not in report["undefined"]


def test_a_trade_that_came_instead(tmp_path: Path) -> None:
    # Without it the first signal buys at 10110 and wins 200.00 as the price leaps; the second finds the place
    # taken. With it the second buys after the leap, at 10310 with its stop at 10110, and the last bar opens
    # beyond that: (10100 − 10310) × 0.50.
    leap: Row = (10300, 10520, 10290, 10300, QUIET)
    job = table([START, SIGNAL, SIGNAL, leap, CALM], rules=HALF_AN_HOUR)
    found = told(with_calendar(job, closes(job, 1)), tmp_path)["news_embargo"]
    assert (found["trades_kept_out"], found["net_kept_out"]) == (1, 200.0)
    assert (found["trades_instead"], found["net_instead"]) == (1, -105.0)
    assert (found["net_with"], found["net_without"], found["net_change"]) == (-105.0, 200.0, -305.0)
    assert (found["net_of_both_with"], found["net_of_both_without"]) == (0.0, 0.0)


def test_a_position_that_a_rulebook_takes_out_before_the_news_is_in_both_runs(tmp_path: Path) -> None:
    # It leaves at the open of the bar in which the ban begins, (10100 − 10110) × 0.50, and else at its stop.
    job = table([START, SIGNAL, CALM, LOSS, CALM])
    rules = parse_rulebook({"name": "test", "news": {"bans": "positions"}})
    job = replace(job, limits=tightened(job.limits, rules))
    at = closes(job, 2) + timedelta(minutes=30)
    found = told(with_rulebook_calendar(job, at), tmp_path)["news_embargo"]
    assert (found["trades_kept_out"], found["trades_instead"]) == (0, 0)
    assert (found["net_of_both_with"], found["net_of_both_without"]) == (-5.0, -100.0)
    assert (found["net_with"], found["net_without"], found["net_change"]) == (-5.0, -100.0, 95.0)


def with_rulebook_calendar(job: Job, at: datetime) -> Job:
    """`with_calendar` copies plain limits; a rulebook's stay."""
    return replace(job, calendar=with_calendar(job, at).calendar)


def test_an_embargo_that_met_nothing_changed_nothing(tmp_path: Path) -> None:
    job = table([START, SIGNAL, WIN, CALM], rules=HALF_AN_HOUR)
    found = told(with_calendar(job, closes(job, 1) + timedelta(days=9)), tmp_path)["news_embargo"]
    assert (found["trades_kept_out"], found["net_change"], found["net_without"]) == (0, 0.0, 200.0)


@pytest.mark.parametrize(
    ("minutes", "calendar", "reason"),
    [
        (0, "march", "no news embargo is in force"),
        (30, None, "there is no calendar of the past"),
        (30, "another year", "the calendar speaks of no close of the run"),
    ],
)
def test_what_nobody_knows_is_said_with_its_reason(
    tmp_path: Path, minutes: int, calendar: str | None, reason: str
) -> None:
    job = table([START, SIGNAL, WIN, CALM], rules={"news_embargo_minutes": minutes})
    if calendar is not None:
        job = with_calendar(job, closes(job, 1))
    if calendar == "another year":
        years = timedelta(days=730)
        view = job.calendar
        assert view.covered_from is not None
        assert view.covered_to is not None
        moved = replace(view, covered_from=view.covered_from + years, covered_to=view.covered_to + years)
        job = replace(job, calendar=moved)
    report = told(job, tmp_path)
    assert (report["news_embargo"], report["undefined"]["news_embargo"]) == (None, reason)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    job = table([START, SIGNAL, WIN, CALM, SIGNAL, LOSS, CALM], rules=HALF_AN_HOUR)
    job = with_calendar(job, closes(job, 1))
    written = []
    for name in ("a", "b"):
        done = compute(Order(job=job, root=tmp_path / name))
        written.append((tmp_path / name / done["path"][5:]).read_bytes())
    assert written[0] == written[1]
