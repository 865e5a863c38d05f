"""How near a run came to a rulebook's limits, and whether its trades kept to bans. Worked by hand.

The signal bar's range is 200 points: 10,000 at 1 % are 0.50 lots bought at 10110; a stop at 9910 loses 100.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.backtest.account_days import account_days
from backend.backtest.model import Job, Result
from backend.backtest.nearest import nearest
from backend.backtest.page import report_page
from backend.backtest.provenance import provenance
from backend.backtest.report import build_report
from backend.backtest.ruling import ruled, run_of, verdict
from backend.backtest.running import run_backtest
from backend.risk.challenge import ChallengeState
from backend.risk.rulebook import Rulebook, tightened
from tests.fakes.backtests import MONDAY, table
from tests.golden.backtest.hand import CALM, SIGNAL, START
from tests.golden.backtest.test_paths_and_accounts import with_calendar
from tests.unit.backtest.test_kernel_equals_reference import SATURDAY, market, times
from tests.unit.backtest.test_rulebook_runs import FRIDAY, LOSS, WIN, book, rulebooks, told, under


def judged(rulebook: Rulebook, job: Job, traded_under: Rulebook | None = None) -> dict[str, Any]:
    """What a rulebook says of a run that another one, or none, was in force in."""
    result = run_backtest(replace(job, limits=tightened(job.limits, traded_under)))
    found = ruled(replace(job, limits=tightened(job.limits, rulebook)), result)
    assert found is not None
    return found


# --- the nearest approach


def test_the_nearest_approach_is_told_in_money_and_as_a_share_of_what_was_allowed() -> None:
    # +200.00, then 0.51 lots lose 102.00 of 10,200: from 10,000 the day was at its lowest as the first trade
    # floated at 10050, (10050 − 10110) × 0.50; of the high it lost 102.00
    rules = book(daily_loss={"limit": 0.05, "of": "initial"}, drawdown={"limit": 0.10, "kind": "trailing"})
    _, found = told(under(rules, table([START, SIGNAL, WIN, SIGNAL, LOSS, CALM])))
    day = {"limit": 0.05, "lost": "30.00", "allowed": "500.00", "used": 0.06, "day": "2026-03-02"}
    high = {"limit": 0.1, "lost": "102.00", "allowed": "1020.00", "used": 0.1, "day": "2026-03-02"}
    assert found["nearest"] == {"daily_loss": day, "drawdown": high}


def test_of_several_days_the_nearest_counts_and_a_day_without_a_loss_is_none() -> None:
    moments = [MONDAY + timedelta(hours=h) for h in range(4)]
    moments += [MONDAY + timedelta(days=1, hours=h) for h in range(3)]
    rules = book(daily_loss={"limit": 0.02}, drawdown={"limit": 0.10, "kind": "static"})
    rows = [START, CALM, CALM, CALM, SIGNAL, LOSS, CALM]
    _, found = told(under(rules, table(rows, times=moments)))
    assert found["nearest"]["daily_loss"] == {
        "limit": 0.02,
        "lost": "100.00",
        "allowed": "200.00",
        "used": 0.5,
        "day": "2026-03-03",
    }
    _, calm = told(under(rules, table([CALM] * 7, times=moments)))
    assert (calm["nearest"]["drawdown"]["lost"], calm["nearest"]["drawdown"]["day"]) == ("0.00", None)


@pytest.mark.parametrize(("passed", "used"), [(True, 0.049), (False, 0.98)])
def test_what_follows_the_decision_does_not_count(passed: bool, used: float) -> None:
    moments = [MONDAY + timedelta(hours=h) for h in range(4)]
    moments += [MONDAY + timedelta(days=1, hours=h) for h in range(3)]
    rows = [START, SIGNAL, (10100, 10600, 10100, 10100, 9), CALM, SIGNAL, LOSS, CALM]
    target = {"profit_target": 0.02} if passed else {}
    # the first trade floats at 10100, (10100 − 10110) × 0.50 = −5.00 of 102.04; the second day loses 102.00
    # of 104.08
    rules = book(daily_loss={"limit": 0.010204081632653062}, **target)
    _, found = told(under(rules, table(rows, times=moments)))
    assert found["nearest"]["daily_loss"]["used"] == pytest.approx(used, abs=0.0001)


@given(seed=st.integers(0, 2**31), rulebook=rulebooks())
@settings(max_examples=40)
def test_all_of_a_limit_is_used_where_and_only_where_it_is_broken(seed: int, rulebook: Rulebook) -> None:
    job = under(rulebook, table(market(seed, 300), times=times(seed, 300), commission="3.5"))
    result = run_backtest(job)
    days = account_days(run_of(job, result), job.limits.reset_tz)
    found = verdict(rulebook, days, job, result)
    until = found.passed_on if found.breach is None else found.breach.day
    near = nearest(rulebook, days, 10_000.0, digits=2, until=until)
    broken = None if found.breach is None else found.breach.rule
    for rule, one in near.items():
        if rule == broken:
            assert one["used"] >= 1 - 1e-6
            assert one["day"] == found.breach.day.isoformat() if found.breach else False
        elif broken is None:
            assert one["used"] < 1


# --- bans


def weekend_job() -> Job:
    """Bought on a Friday, held to Monday."""
    hours = [FRIDAY + timedelta(hours=h) for h in (18, 19, 20, 21, 22, 23)]
    hours += [FRIDAY + timedelta(days=3, hours=h) for h in range(3)]
    return table([START, SIGNAL, CALM, CALM, CALM, CALM, CALM, CALM, CALM], times=hours)


def test_a_run_of_others_that_held_over_the_weekend_has_broken_the_ban() -> None:
    rules = book(flat_before_weekend=True)
    found = judged(rules, weekend_job())
    # midnight of the server, UTC + 2, is 22:00
    ban = {"judged": 1, "unknown": 0, "broken": 1, "first": "2026-03-06T22:00:00Z"}
    assert found["bans"] == {"flat_before_weekend": ban}
    assert found["state"] == "breached"
    assert found["breach"] == {
        "rule": "flat_before_weekend",
        "day": "2026-03-06",
        "at": "2026-03-06T22:00:00Z",
        "lost": None,
        "allowed": "0",
        "beyond": None,
    }


def test_a_run_under_the_ban_keeps_to_it() -> None:
    rules = book(flat_before_weekend=True)
    found = judged(rules, weekend_job(), traded_under=rules)
    assert (found["bans"]["flat_before_weekend"]["broken"], found["state"]) == (0, "running")


def test_an_entry_around_news_breaks_the_ban_of_a_run_that_did_not_know_it() -> None:
    plain = table([START, SIGNAL, CALM, CALM])
    entered = datetime.fromtimestamp(int(plain.streams[0].bars.time[2]), UTC)
    job = with_calendar(plain, entered + timedelta(minutes=1))
    rules = book(news={"minutes_before": 2, "minutes_after": 2})
    found = judged(rules, job)
    assert (found["breach"]["rule"], found["breach"]["at"]) == ("news", f"{entered:%Y-%m-%dT%H:%M:%SZ}")
    assert judged(rules, job, traded_under=rules)["bans"]["news"]["broken"] == 0
    assert judged(rules, plain)["not_judged"] == ["news: there is no calendar of the past"]


def test_of_two_rules_the_one_that_was_broken_first_counts() -> None:
    # the loss on Monday comes after the weekend
    hours = [FRIDAY + timedelta(hours=h) for h in (21, 22, 23)]
    hours += [FRIDAY + timedelta(days=3, hours=h) for h in range(3)]
    job = table([START, SIGNAL, CALM, LOSS, CALM, CALM], times=hours)
    loss = book(daily_loss={"limit": 0.01, "of": "initial"})
    both = book(daily_loss={"limit": 0.01, "of": "initial"}, flat_before_weekend=True)
    assert judged(loss, job, traded_under=loss)["breach"]["rule"] == "daily_loss"
    assert judged(both, job, traded_under=loss)["breach"]["rule"] == "flat_before_weekend"


@given(seed=st.integers(0, 2**31), bans=st.sampled_from(["entries", "positions"]))
@settings(max_examples=40)
def test_no_run_under_the_bans_breaks_one(seed: int, bans: str) -> None:
    rules = book(flat_before_weekend=True, news={"bans": bans, "minutes_before": 30, "minutes_after": 30})
    # whole weeks: where the usual last bar of a week is missing, what is held stays, and is rightly judged
    hours = [MONDAY + timedelta(hours=hour) for hour in range(24 * 14)]
    whole = [hour for hour in hours if hour.weekday() < SATURDAY]
    plain = table(market(seed, len(whole)), times=whole)
    at = datetime.fromtimestamp(int(plain.streams[0].bars.time[60 + seed % 100]), UTC)
    job = replace(plain, calendar=with_calendar(plain, at + timedelta(minutes=seed % 60)).calendar)
    found = judged(rules, job, traded_under=rules)
    assert all(ban["broken"] == 0 for ban in found["bans"].values()), found["bans"]


# --- the page


def test_the_page_holds_the_verdict_and_the_run_without_the_embargo() -> None:
    rules = book(daily_loss={"limit": 0.01, "of": "initial"})
    job = under(rules, table([START, SIGNAL, LOSS, CALM]))
    result: Result = run_backtest(job)
    report = build_report(job, result, result, provenance(job))
    assert report["rulebook"]["state"] == ChallengeState.BREACHED
    page = report_page(report, job, result).decode()
    for part in (
        'id="rulebook-panel"',
        'id="embargo"',
        '"nearest":{"daily_loss":{"limit":0.01,"lost":"100.00"',
    ):
        assert part in page
