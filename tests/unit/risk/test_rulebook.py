"""Rulebook files, the limits under one, and how a challenge stands: each rule at its boundary."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from backend.core.errors import Invalid, NotFound
from backend.economic_calendar.embargo import NO_EMBARGO, EmbargoRule
from backend.economic_calendar.model import Impact
from backend.risk.challenge import AccountDay, Breach, challenge
from backend.risk.limits import DailyLoss, Drawdown, RiskLimits, parse_limits
from backend.risk.presets import PRESETS, preset
from backend.risk.rulebook import (
    Rulebook,
    limits_of_record,
    parse_rulebook,
    rulebook_of,
    tightened,
)
from backend.risk.rules import DeskRules
from backend.trading.desk import Circumstances, DeskState, Purpose
from tests.unit.risk.test_gate import ACCOUNT, PROPOSAL

D = Decimal
WIDE = RiskLimits(daily_loss=DailyLoss(limit=1.0), drawdown=Drawdown(limit=1.0, kind="static"))


def book(**rules: Any) -> Rulebook:
    return parse_rulebook({"name": "test", **rules})


# --- the file


@pytest.mark.parametrize(
    ("data", "key", "words"),
    [
        ({}, "name", "required"),
        ({"name": ""}, "name", "at least 1 character"),
        ({"name": "x", "profit_target": 10}, "profit_target", "less than or equal to 1"),
        ({"name": "x", "profit_target": -0.1}, "profit_target", "greater than 0"),
        ({"name": "x", "target": 0.1}, "target", "unknown key; known are name"),
        ({"name": "x", "daily_loss": {"limit": 0}}, "daily_loss.limit", "greater than 0"),
        ({"name": "x", "daily_loss": {"target": 0.1}}, "daily_loss.target", "known are limit, of"),
        ({"name": "x", "daily_loss": {"reset_tz": "Mars/Base"}}, "daily_loss.reset_tz", "no time zone"),
        ({"name": "x", "drawdown": {"kind": "sliding"}}, "drawdown.kind", "'static', 'trailing'"),
        ({"name": "x", "drawdown": {"off": "high"}}, "drawdown.off", "known are limit, kind"),
        ({"name": "x", "news": {"minutes_before": -1}}, "news.minutes_before", "greater than or equal to 0"),
        ({"name": "x", "news": {"impacts": []}}, "news.impacts", "at least 1 item"),
        ({"name": "x", "news": {"bans": "trades"}}, "news.bans", "'entries' or 'positions'"),
        ({"name": "x", "flat_before_weekend": "yes"}, "flat_before_weekend", "boolean"),
        ({"name": "x", "min_trading_days": 1.5}, "min_trading_days", "integer"),
        ({"name": "x", "min_trading_days": 5, "max_days": 4}, "", "nobody could pass"),
        ({"name": "x", "risk_fraction": 1}, "risk_fraction", "Did you mean percent"),
        ({"name": "x", "initial_balance": 0}, "initial_balance", "greater than 0"),
        ([], "", "no JSON object"),
    ],
)
def test_a_wrong_value_names_file_key_and_what_is_allowed(data: Any, key: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_rulebook(data)
    assert caught.value.code == "bad_rulebook"
    assert caught.value.details["file"] == "config/prop_rulebook.json"
    assert caught.value.details["key"] == key
    assert words in caught.value.message


def test_the_zone_of_the_desk_s_own_day_is_checked_too() -> None:
    with pytest.raises(Invalid, match=r"config/risk.json: daily_loss.reset_tz: 'Mars/Base' is no time zone"):
        parse_limits({"daily_loss": {"reset_tz": "Mars/Base"}})


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_named_after_themselves(name: str) -> None:
    one = preset(name)
    assert one.name == name
    assert parse_rulebook(one.model_dump(mode="json")) == one
    assert parse_rulebook(one.model_dump(mode="json", exclude_defaults=True)) == one


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(NotFound, match="two-step-1"):
        preset("three-step")


# --- limits under a rulebook


def test_without_a_rulebook_nothing_changes() -> None:
    assert tightened(WIDE, None) is WIDE
    assert "rulebook" not in WIDE.model_dump()


@pytest.mark.parametrize(("own", "rule", "expected"), [(0.01, 0.02, 0.01), (0.02, 0.01, 0.01)])
def test_single_numbers_are_the_smaller_of_both(own: float, rule: float, expected: float) -> None:
    limits = tightened(
        RiskLimits(risk_fraction=own, open_risk_limit=own * 2, max_positions=int(own * 100)),
        book(risk_fraction=rule, open_risk_limit=rule * 2, max_positions=int(rule * 100)),
    )
    found = (limits.risk_fraction, limits.open_risk_limit, limits.max_positions)
    assert found == (expected, expected * 2, int(expected * 100))


def test_limits_in_force_can_be_read_back_from_a_record() -> None:
    limits = tightened(RiskLimits(), preset("instant"))
    again = limits_of_record(limits.model_dump(mode="json"))
    assert again == limits
    assert rulebook_of(again) == preset("instant")
    assert limits_of_record(RiskLimits().model_dump(mode="json")) == RiskLimits()


def test_another_rulebook_replaces_the_one_before() -> None:
    once = tightened(RiskLimits(), preset("instant"))
    assert rulebook_of(tightened(once, preset("one-step"))) == preset("one-step")


def test_the_rulebook_s_day_is_the_account_s_day() -> None:
    own = RiskLimits(daily_loss=DailyLoss(reset_tz="Asia/Tokyo"))
    assert tightened(own, book(daily_loss={"reset_tz": "Europe/Prague"})).reset_tz == "Europe/Prague"
    assert tightened(own, book(daily_loss={"limit": 0.05})).reset_tz is None  # the broker's, as it says
    assert tightened(own, book()).reset_tz == "Asia/Tokyo"


def test_pauses_and_bans() -> None:
    news = {"minutes_before": 2, "minutes_after": 5, "impacts": ["high", "medium"]}
    ban = EmbargoRule.of(2, 5, (Impact.HIGH, Impact.MEDIUM))
    own = EmbargoRule.of(30)
    entries = tightened(WIDE, book(news=news))
    together = DeskRules(entries).embargo(own).as_dict()
    assert together == {"high": [30, 30], "medium": [2, 5]}
    assert (entries.flat_at_news, entries.flat_before_weekend) == (NO_EMBARGO, False)
    positions = tightened(WIDE, book(news={**news, "bans": "positions"}, flat_before_weekend=True))
    assert (positions.flat_at_news, positions.flat_before_weekend) == (ban, True)
    assert (DeskRules(WIDE).embargo(own), WIDE.flat_at_news) == (own, NO_EMBARGO)


# --- the gate under a rulebook


def refusals(rulebook: Rulebook, limits: RiskLimits = WIDE, **account: Any) -> dict[str, float | None]:
    given = replace(ACCOUNT, **{"rule_reference": D(10_000), "rule_peak": D(10_000), **account})
    verdict = DeskRules(tightened(limits, rulebook)).judge(
        PROPOSAL, given, DeskState(), Circumstances(), purpose=Purpose.DESK
    )
    return {refusal.check: refusal.bound for refusal in verdict.refusals}


@pytest.mark.parametrize(
    ("day", "account", "refused"),
    [
        # 100 are at risk with the new trade
        ({"limit": 0.05, "of": "initial"}, {"equity": D(9_600)}, False),  # 400 + 100 are the limit
        ({"limit": 0.05, "of": "initial"}, {"equity": D("9599.99")}, True),
        ({"limit": 0.05}, {"equity": D(10_000), "rule_reference": D(10_400)}, False),  # 500 of 10,400
        ({"limit": 0.05}, {"equity": D("9979.99"), "rule_reference": D(10_400)}, True),
    ],
)
def test_the_rulebook_s_day_s_loss(day: dict[str, Any], account: dict[str, Any], refused: bool) -> None:
    assert ("daily_loss" in refusals(book(daily_loss=day), **account)) is refused


def test_the_nearer_of_two_day_limits_measures() -> None:
    own = RiskLimits(daily_loss=DailyLoss(limit=0.04), drawdown=Drawdown(limit=1.0, kind="static"))
    rules = book(daily_loss={"limit": 0.05, "of": "initial"})
    # the desk's reference is 10,000, the rulebook's 10,300: 400 and 500 may be lost, 350 and 650 are
    found = refusals(rules, own, equity=D(9_650), rule_reference=D(10_300))
    assert found == {"daily_loss": 0.05}
    found = refusals(rules, own, equity=D(9_650))
    assert found == {"daily_loss": 0.04}


@pytest.mark.parametrize(
    ("drawdown", "peak", "last_good"),
    [
        ({"limit": 0.10, "kind": "static"}, 12_000, "9000.01"),
        ({"limit": 0.10, "kind": "trailing"}, 12_000, "10800.01"),
        ({"limit": 0.10, "kind": "trailing", "of": "initial"}, 12_000, "11000.01"),
        ({"limit": 0.10, "kind": "trailing", "lock_at_initial": True}, 12_000, "10000.01"),
        ({"limit": 0.10, "kind": "trailing", "of": "initial", "lock_at_initial": True}, 12_000, "10000.01"),
        ({"limit": 0.10, "kind": "trailing", "of": "initial", "lock_at_initial": True}, 10_500, "9500.01"),
    ],
)
def test_the_rulebook_s_drawdown(drawdown: dict[str, Any], peak: int, last_good: str) -> None:
    rules = book(drawdown=drawdown)
    good, cent = D(last_good), D("0.01")
    assert "drawdown" not in refusals(rules, equity=good, rule_peak=D(peak))
    assert "drawdown" in refusals(rules, equity=good - cent, rule_peak=D(peak))


def test_a_stated_initial_balance_is_what_shares_are_of() -> None:
    rules = book(initial_balance=20_000, drawdown={"limit": 0.10, "kind": "static"})
    assert "drawdown" in refusals(rules, equity=D(18_000), rule_peak=D(20_000))
    assert "drawdown" not in refusals(rules, equity=D("18000.01"), rule_peak=D(20_000))


def test_the_most_positions() -> None:
    assert "positions_total" not in refusals(book(max_positions=1))
    trades = tightened(WIDE, book(max_positions=1))
    assert trades.max_positions == 1


# --- the challenge, worked by hand


FIRST = date(2026, 3, 2)


def day(number: int, booked: str, opened: int = 1) -> AccountDay:
    return AccountDay(day=date(2026, 3, 1 + number), booked=D(booked), opened=opened)


def stands(rulebook: Rulebook, *days: AccountDay, today: int, ended: bool = False, **more: Any) -> Any:
    return challenge(
        rulebook, D(10_000), days, began=FIRST, today=date(2026, 3, 1 + today), ended=ended, **more
    )


def test_a_challenge_to_the_cent() -> None:
    rules = book(profit_target=0.08, min_trading_days=3, consistency=0.45)
    so_far = (day(1, "350.25"), day(2, "-50.10"), day(3, "399.85"))
    found = stands(rules, *so_far, today=4)
    assert (found.profit, found.target, found.days, found.trading_days) == (D("700.00"), D(800), 4, 3)
    assert found.state == "running"
    assert found.best_day == day(3, "399.85")
    reached = stands(rules, *so_far, day(4, "100.00"), today=5)
    # 800.00 are the target; 399.85 of them are 49.98 %, and 45 % are allowed
    assert (reached.state, reached.best_day_share) == ("running", D("0.4998125"))
    # 888.56 × 45 % are 399.852: just enough; 888.55 is just not
    assert stands(rules, *so_far, day(4, "188.55"), today=5).state == "running"
    passed = stands(rules, *so_far, day(4, "188.56"), day(5, "-500.00"), today=6)
    assert (passed.state, passed.passed_on, passed.profit) == ("passed", date(2026, 3, 5), D("888.56"))


def test_a_day_that_is_not_over_passes_nothing() -> None:
    rules = book(profit_target=0.01)
    assert stands(rules, day(1, "100"), today=1).state == "running"
    assert stands(rules, day(1, "100"), today=1, ended=True).state == "passed"
    assert stands(rules, day(1, "100"), today=2).passed_on == FIRST


def test_days_without_an_entry_are_no_trading_days() -> None:
    rules = book(profit_target=0.01, min_trading_days=2)
    assert stands(rules, day(1, "100"), day(2, "-5.00", opened=0), today=3).state == "running"
    assert stands(rules, day(1, "100"), day(2, "0.00"), today=3).state == "passed"


def test_too_late_is_told_with_its_day() -> None:
    rules = book(profit_target=0.05, max_days=3)
    assert stands(rules, today=3).state == "running"
    late = stands(rules, day(3, "100"), today=4)
    assert (late.state, late.breach.rule, late.breach.day) == ("breached", "max_days", date(2026, 3, 4))
    assert late.profit == D(100)


def test_a_breach_counts_unless_it_was_passed_before() -> None:
    rules = book(profit_target=0.01)
    broke = Breach(rule="drawdown", day=date(2026, 3, 3), lost=D(1100), allowed=D(1000), at="x")
    assert stands(rules, day(1, "50"), day(2, "60"), today=9, breach=broke).state == "breached"
    assert stands(rules, day(1, "100"), today=9, breach=broke).state == "passed"
    assert broke.as_dict()["beyond"] == "100"


def test_what_is_unknown_is_none_and_not_zero() -> None:
    found = stands(book(), day(1, "-10"), today=1).as_dict()
    assert (found["target"], found["progress"], found["best_day"], found["best_day_share"]) == (None,) * 4


def test_profit_that_no_day_tells_is_carried() -> None:
    rules = book(profit_target=0.10, initial_balance=9_000)
    found = stands(rules, day(1, "10"), today=1, carried=D(1_000))
    assert (found.profit, found.target, found.initial) == (D(1_010), D(900), D(9_000))
