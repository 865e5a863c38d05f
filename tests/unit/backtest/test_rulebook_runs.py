"""A backtest under a rulebook: what it changes in a run, and what the report says of it. Worked by hand.

The signal bar's range is 200 points: 10,000 at 1 % are 0.50 lots, a stop loses 100, a target wins 200.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.backtest.account_days import account_days
from backend.backtest.model import Job, Result
from backend.backtest.monte_carlo import DAILY_LOSS, DRAWDOWN, PASSED, RUNNING, play
from backend.backtest.provenance import provenance
from backend.backtest.report import build_report
from backend.backtest.ruling import ruled, run_of, verdict
from backend.backtest.running import run_backtest
from backend.risk.challenge import ChallengeState
from backend.risk.rulebook import Rulebook, parse_rulebook, tightened
from backend.trading.reasons import Reason
from tests.fakes.backtests import MONDAY, QUIET, WIDE_OPEN, Row, table
from tests.golden.backtest.hand import CALM, SIGNAL, START
from tests.golden.backtest.test_paths_and_accounts import with_calendar
from tests.unit.backtest.test_kernel_equals_reference import market, times
from tests.unit.backtest.test_through_the_terminal import assert_same, random_job

LOSS: Row = (10100, 10150, 9800, 9900, QUIET)
"""A buy at 10110 with its stop at 9910 loses 100.00."""
GAP: Row = (9700, 9750, 9600, 9700, QUIET)
"""The same leaves at its open: 205.00 are lost."""
WIN: Row = (10100, 10600, 10050, 10100, QUIET)
"""The same with its target at 10510 wins 200.00."""
FRIDAY = datetime(2026, 3, 6, tzinfo=UTC)


def book(**rules: Any) -> Rulebook:
    return parse_rulebook({"name": "test", **rules})


def under(rulebook: Rulebook | None, job: Job) -> Job:
    return replace(job, limits=tightened(job.limits, rulebook))


def told(job: Job) -> tuple[Result, dict[str, Any]]:
    result = run_backtest(job)
    found = ruled(job, result)
    assert found is not None
    return result, found


# --- the day's loss


@pytest.mark.parametrize(
    ("limit", "state", "refusals"),
    [
        (0.0101, "running", {"daily_loss": 1}),  # a second trade could lose too much
        (0.01, "breached", {"halted": 1}),  # 100.00 are the limit itself
    ],
)
def test_the_day_s_loss_refuses_and_halts(limit: float, state: str, refusals: dict[str, int]) -> None:
    rules = book(daily_loss={"limit": limit, "of": "initial"})
    _, found = told(under(rules, table([START, SIGNAL, LOSS, SIGNAL, CALM])))
    result = run_backtest(under(rules, table([START, SIGNAL, LOSS, SIGNAL, CALM])))
    assert (found["state"], result.refusals, len(result.trades)) == (state, refusals, 1)
    assert len(run_backtest(table([START, SIGNAL, LOSS, SIGNAL, CALM])).trades) == 2


def test_a_breach_says_which_rule_when_and_by_how_much() -> None:
    rules = book(daily_loss={"limit": 0.011, "of": "initial"}, drawdown={"limit": 0.5})
    _, found = told(under(rules, table([START, SIGNAL, CALM, GAP, CALM])))
    assert found["breach"] == {
        "rule": "daily_loss",
        "day": "2026-03-02",
        "at": "2026-03-02T02:00:00Z",  # the bar of 03:00 to 04:00 on the server, UTC + 2, closes
        "lost": "205.00",
        "allowed": "110.00",
        "beyond": "95.00",
    }


def test_the_stricter_of_desk_and_rulebook_holds_whichever_it_is() -> None:
    rows = [START, SIGNAL, LOSS, SIGNAL, CALM]
    for own, rule in ((0.01, 0.5), (0.5, 0.01)):
        limits = WIDE_OPEN.model_copy(
            update={"daily_loss": WIDE_OPEN.daily_loss.model_copy(update={"limit": own})}
        )
        rules = book(daily_loss={"limit": rule, "of": "initial"})
        result, found = told(under(rules, table(rows, limits=limits)))
        assert result.refusals == {"halted": 1}
        # where the desk's own limit halts, the rulebook is not broken
        assert found["state"] == ("running" if own < rule else "breached")


# --- a day across a change of the clocks


@pytest.mark.parametrize(
    ("monday", "days", "broke_on"),
    [
        # Summer time: 22:00 UTC is midnight in Prague, so the second loss is the next day's.
        (datetime(2026, 10, 19, tzinfo=UTC), [("2026-10-19", "-100.00"), ("2026-10-20", "-98.00")], None),
        # From 25 October on it is 23:00 there, and both losses are of one day: 198 of 10,000.
        (datetime(2026, 10, 26, tzinfo=UTC), [("2026-10-26", "-198.00")], "2026-10-26"),
    ],
)
def test_the_reset_zone_s_midnight_moves_with_its_clock(
    monday: datetime, days: list[tuple[str, str]], broke_on: str | None
) -> None:
    # New York keeps summer time in both weeks, so the server is at UTC + 3 and its clock cannot tell.
    hours = [18, 19, 20, 23, 24, 25]  # of the server; 25 is 22:00 UTC
    rows = [START, SIGNAL, LOSS, CALM, SIGNAL, LOSS]  # of 9,900 1 % are 0.49 lots, which lose 98
    zone = "Europe/Prague"
    rules = book(daily_loss={"limit": 0.0198, "of": "initial", "reset_from": "balance", "reset_tz": zone})
    job = under(rules, table(rows, times=[monday + timedelta(hours=hour) for hour in hours]))
    result, found = told(job)
    assert [str(trade.net) for trade in result.trades] == ["-100.00", "-98.00"]
    told_days = account_days(run_of(job, result), zone).exact(2)
    assert [(str(one.day), str(one.booked)) for one in told_days] == days
    assert (found["profit"], found["breach"] and found["breach"]["day"]) == ("-198.00", broke_on)
    assert broke_on is None or (found["breach"]["lost"], found["breach"]["beyond"]) == ("198.00", "0.00")


# --- the drawdown


@pytest.mark.parametrize(
    ("drawdown", "state"),
    [
        ({"limit": 0.0101, "kind": "static"}, "running"),
        ({"limit": 0.01, "kind": "static"}, "running"),  # 98 below 10,200 is above the beginning
        ({"limit": 0.01, "kind": "trailing"}, "breached"),  # 102 of 10,200
        ({"limit": 0.0101, "kind": "trailing"}, "running"),
        ({"limit": 0.0102, "kind": "trailing", "of": "initial"}, "breached"),  # 102 of 10,000
        ({"limit": 0.0103, "kind": "trailing", "of": "initial"}, "running"),
        (
            {"limit": 0.01, "kind": "trailing", "lock_at_initial": True},
            "running",
        ),  # the floor stays at 10,000
        ({"limit": 0.01, "kind": "trailing", "of": "initial", "lock_at_initial": True}, "running"),
        ({"limit": 0.01, "kind": "trailing_end_of_day"}, "running"),  # no day has ended
    ],
)
def test_each_kind_of_drawdown(drawdown: dict[str, Any], state: str) -> None:
    # 10,200 after the first trade; 1 % of it are 0.51 lots, which lose 102.00
    _, found = told(under(book(drawdown=drawdown), table([START, SIGNAL, WIN, SIGNAL, LOSS, CALM])))
    assert found["state"] == state


def test_the_end_of_a_day_raises_the_floor() -> None:
    rows = [START, SIGNAL, WIN, SIGNAL, LOSS, SIGNAL, CALM]
    rules = book(drawdown={"limit": 0.0099, "kind": "trailing_end_of_day"})
    job = under(rules, table(rows, start=MONDAY.replace(hour=21)))  # midnight after the win
    result, found = told(job)
    assert (found["breach"]["rule"], result.refusals) == ("drawdown", {"halted": 1})


def test_a_drawdown_counts_from_what_the_rulebook_begins_with() -> None:
    rows = [START, SIGNAL, LOSS, SIGNAL, CALM]
    rules = book(initial_balance=20_000, drawdown={"limit": 0.5, "kind": "static"})
    result, found = told(under(rules, table(rows)))  # 10,000 are half of it already
    assert (found["breach"]["rule"], found["breach"]["allowed"]) == ("drawdown", "10000.00")
    assert len(result.trades) <= 1


# --- news and weekend


def test_the_rulebook_s_news_ban_holds_beside_the_strategy_s_own_embargo() -> None:
    rules = book(news={"minutes_before": 2, "minutes_after": 5})
    plain = table([START, SIGNAL, CALM])
    close = datetime.fromtimestamp(int(plain.streams[0].bars.time[2]), UTC)
    for minutes, refused in ((-6, False), (-5, False), (-4, True), (2, True), (3, False)):
        job = under(rules, with_calendar(plain, close + timedelta(minutes=minutes)))
        assert (run_backtest(job).refusals == {"news_embargo": 1}) == refused, minutes
    _, found = told(under(rules, plain))
    assert found["not_judged"] == ["news: there is no calendar of the past"]


def test_a_position_leaves_at_the_open_of_the_bar_in_which_banned_news_begin() -> None:
    rows = [START, SIGNAL, CALM, CALM, CALM, CALM]
    plain = table(rows)
    opened = datetime.fromtimestamp(int(plain.streams[0].bars.time[4]), UTC)
    at = opened + timedelta(minutes=30)
    held = run_backtest(under(book(news={"bans": "entries"}), with_calendar(plain, at)))
    assert [trade.exit_reason for trade in held.trades] == [Reason.END]
    flat = run_backtest(under(book(news={"bans": "positions"}), with_calendar(plain, at)))
    assert [(trade.exit_reason, trade.exit_time) for trade in flat.trades] == [
        (Reason.EXIT_RULE, int(opened.timestamp()))
    ]


def test_no_entry_is_made_on_the_bar_in_which_banned_news_begin() -> None:
    plain = table([START, SIGNAL, CALM, CALM])
    within = datetime.fromtimestamp(int(plain.streams[0].bars.time[2]), UTC) + timedelta(minutes=20)
    banned = run_backtest(under(book(news={"bans": "positions"}), with_calendar(plain, within)))
    assert banned.refusals == {"news_embargo": 1}
    assert len(run_backtest(under(book(news={"bans": "entries"}), with_calendar(plain, within))).trades) == 1


def test_nothing_is_held_over_the_weekend_whatever_the_strategy_says() -> None:
    hours = [*range(20, 24), *range(72, 75)]  # two weeks, so that the week's last bar is known
    weeks = [FRIDAY - timedelta(days=7), FRIDAY]
    times_ = [week + timedelta(hours=hour) for week in weeks for hour in hours]
    rows = [START, *[CALM] * 6, SIGNAL, *[CALM] * 6]
    plain = table(rows, times=times_)
    assert [trade.exit_reason for trade in run_backtest(plain).trades] == [Reason.END]
    flat = run_backtest(under(book(flat_before_weekend=True), plain))
    (trade,) = flat.trades
    assert trade.exit_reason is Reason.WEEKEND
    assert datetime.fromtimestamp(trade.exit_time, UTC) == datetime(2026, 3, 6, 21, tzinfo=UTC)


# --- the target


def won_twice(**rules: Any) -> dict[str, Any]:
    """+200 on Monday, +204 on Tuesday."""
    first, second = MONDAY, MONDAY + timedelta(days=1)
    rows = [START, SIGNAL, WIN, CALM, SIGNAL, WIN, CALM]
    moments = [first + timedelta(hours=h) for h in range(4)] + [second + timedelta(hours=h) for h in range(3)]
    return told(under(book(**rules), table(rows, times=moments)))[1]


@pytest.mark.parametrize(
    ("rules", "state", "passed_on"),
    [
        ({"profit_target": 0.02}, "passed", "2026-03-02"),  # 200 are the target itself
        ({"profit_target": 0.0201}, "passed", "2026-03-03"),
        ({"profit_target": 0.0404}, "passed", "2026-03-03"),
        ({"profit_target": 0.0405}, "running", None),
        ({"profit_target": 0.02, "min_trading_days": 2}, "passed", "2026-03-03"),
        ({"profit_target": 0.02, "min_trading_days": 3}, "running", None),
        ({"profit_target": 0.02, "consistency": 0.505}, "passed", "2026-03-03"),  # 204 of 404 are 0.50495
        ({"profit_target": 0.02, "consistency": 0.504}, "running", None),
        ({"profit_target": 0.0201, "max_days": 2}, "passed", "2026-03-03"),
        ({"profit_target": 0.0201, "max_days": 1}, "breached", None),
        ({}, "running", None),
    ],
)
def test_target_days_and_consistency(rules: dict[str, Any], state: str, passed_on: str | None) -> None:
    found = won_twice(**rules)
    assert (found["state"], found["passed_on"]) == (state, passed_on)


def test_the_figures_are_exact() -> None:
    found = won_twice(profit_target=0.10)
    assert (found["profit"], found["target"], found["progress"]) == ("404.00", "1000.0", 0.404)
    assert (found["trading_days"], found["days"]) == (2, 2)
    assert found["best_day"] == {"day": "2026-03-03", "profit": "204.00"}
    assert found["best_day_share"] == pytest.approx(204 / 404, abs=1e-6)


def test_what_follows_a_passed_day_breaks_nothing() -> None:
    moments = [MONDAY + timedelta(hours=h) for h in range(4)]
    moments += [MONDAY + timedelta(days=1, hours=h) for h in range(3)]
    rows = [START, SIGNAL, WIN, CALM, SIGNAL, LOSS, CALM]
    rules = book(profit_target=0.02, drawdown={"limit": 0.005, "kind": "trailing"})
    _, found = told(under(rules, table(rows, times=moments)))
    assert (found["state"], found["profit"], found["breach"]) == ("passed", "200.00", None)


# --- the report


def test_a_report_without_a_rulebook_knows_none() -> None:
    job = table([START, SIGNAL, WIN, CALM])
    result = run_backtest(job)
    report = build_report(job, result, result, provenance(job))
    assert "rulebook" not in report
    assert "rulebook" not in report["limits"]
    ruled_job = under(book(profit_target=0.1), job)
    other = build_report(ruled_job, result, result, provenance(ruled_job))
    assert other["limits"]["rulebook"]["profit_target"] == 0.1
    assert other["id"] != report["id"]


# --- against the live code, and the drawn days against the run


@st.composite
def rulebooks(draw: st.DrawFn) -> Rulebook:
    day = {
        "limit": draw(st.sampled_from([0.005, 0.01, 0.02])),
        "of": draw(st.sampled_from(["reference", "initial"])),
        "reset_from": draw(st.sampled_from(["balance", "equity", "higher"])),
        "reset_tz": draw(st.sampled_from([None, "Europe/Prague", "America/New_York"])),
    }
    drawdown = {
        "limit": draw(st.sampled_from([0.01, 0.02, 0.05])),
        "kind": draw(st.sampled_from(["static", "trailing", "trailing_end_of_day"])),
        "of": draw(st.sampled_from(["high", "initial"])),
        "lock_at_initial": draw(st.booleans()),
    }
    return book(
        profit_target=draw(st.sampled_from([None, 0.01, 0.05])),
        daily_loss=draw(st.sampled_from([None, day])),
        drawdown=draw(st.sampled_from([None, drawdown])),
        min_trading_days=draw(st.integers(0, 5)),
        consistency=draw(st.sampled_from([None, 0.3, 0.6])),
    )


@given(seed=st.integers(0, 2**32 - 1), rulebook=rulebooks())
@settings(max_examples=20)
def test_the_live_code_over_the_simulated_terminal_trades_the_same(seed: int, rulebook: Rulebook) -> None:
    assert_same(under(rulebook, random_job(seed)))


@given(seed=st.integers(0, 2**31), rulebook=rulebooks(), commission=st.sampled_from(["0", "3.5"]))
def test_the_run_s_own_days_in_their_order_end_as_the_run_does(
    seed: int, rulebook: Rulebook, commission: str
) -> None:
    job = under(rulebook, table(market(seed, 300), times=times(seed, 300), commission=commission))
    result = run_backtest(job)
    days = account_days(run_of(job, result), job.limits.reset_tz)
    found = verdict(rulebook, days, job, result)
    assert days.booked.sum() == pytest.approx(float(result.balance) - 10_000)
    played = play(rulebook, days, np.arange(len(days))[None, :], 10_000.0)
    outcome = int(played.outcome[0])
    decided = None if outcome == RUNNING else days.exact(2)[int(played.day[0]) - 1].day
    if outcome == PASSED:
        assert (found.state, found.passed_on) == (ChallengeState.PASSED, decided)
    elif outcome in {DAILY_LOSS, DRAWDOWN}:
        assert found.breach is not None
        assert (found.state, found.breach.day) == (ChallengeState.BREACHED, decided)
    else:
        assert found.state == ChallengeState.RUNNING
