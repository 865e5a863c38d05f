"""Each check: a case that passes, one that refuses, and the boundary between them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.risk.checks import MASKS, SOFT, TABLE, markdown, table
from backend.risk.gate import Bit, Limit, State, judge
from backend.risk.limits import DailyLoss, Drawdown, RiskLimits
from backend.risk.rules import DeskRules
from backend.trading.account import BY_HAND, AccountState, OpenTrade
from backend.trading.conversion import Conversion
from backend.trading.desk import Circumstances, DeskState, Mode, Purpose
from backend.trading.sides import Side
from backend.trading.verdict import Proposal, Size, Verdict
from tests.fakes.instruments import instrument

D = Decimal
EURUSD = instrument("EURUSD")

ACCOUNT = AccountState(
    currency="USD",
    leverage=100,
    balance=D(10_000),
    equity=D(10_000),
    margin=D(0),
    margin_free=D(10_000),
    day_reference=D(10_000),
    initial_balance=D(10_000),
    peak=D(10_000),
)
SIZE = Size(
    lots=D("0.50"),
    steps=50,
    risk_fraction=D("0.01"),
    risk_money=D(100),
    loss_per_lot=D(200),
    risk_taken=D(100),
    margin=D(550),
    limited_by="risk",
)
PROPOSAL = Proposal(
    instrument=EURUSD,
    side=Side.BUY,
    strategy="S1",
    entry=D("1.10000"),
    stop=D("1.09800"),
    stop_ticks=200,
    target_ticks=400,
    min_rr=2.0,
    atr=0.0013,
    size=SIZE,
    conversion=Conversion(),
    confidence=90.0,
    commission_known=True,
)


def trade(**changes: Any) -> OpenTrade:
    given: dict[str, Any] = {
        "symbol": "GBPUSD",
        "side": Side.BUY,
        "lots": D("0.1"),
        "price": D("1.3"),
        "stop": D("1.29"),
        "strategy": "S9",
    }
    return OpenTrade(**(given | changes))


def ask(
    *,
    proposal: Mapping[str, Any] | None = None,
    account: Mapping[str, Any] | None = None,
    desk: Mapping[str, Any] | None = None,
    around: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    purpose: Purpose = Purpose.DESK,
    reduces: bool = False,
) -> Verdict:
    """The gate on a good trade with these changes."""
    rules = DeskRules(RiskLimits(**(limits or {})))
    return rules.judge(
        replace(PROPOSAL, **(proposal or {})),
        replace(ACCOUNT, **(account or {})),
        DeskState(**(desk or {})),
        Circumstances(**(around or {})),
        purpose=purpose,
        reduces=reduces,
    )


def sized(**changes: Any) -> dict[str, Any]:
    return {"size": replace(SIZE, **changes)}


AUTO = {"mode": Mode.AUTONOMOUS}

# check → (what passes at the boundary, what just refuses, words of the reason)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "ai_enabled": ({"desk": {"ai_enabled": True}}, {"desk": {"ai_enabled": False}}, "switched off"),
    "halted": ({"desk": {"halted": ""}}, {"desk": {"halted": "daily loss"}}, "halted: daily loss"),
    "mode": ({"desk": {"mode": Mode.SUPERVISED}}, {"desk": {"mode": Mode.OBSERVE}}, "observe mode"),
    "conflict": ({"around": {"conflict": False}}, {"around": {"conflict": True}}, "both directions"),
    "confidence": (
        {"proposal": {"confidence": 60.0}},
        {"proposal": {"confidence": 59.9}},
        "59.9 is below 60",
    ),
    "autonomous_confidence": (
        {"desk": AUTO, "proposal": {"confidence": 80.0}},
        {"desk": AUTO, "proposal": {"confidence": 79.9}},
        "79.9 is below the 80",
    ),
    "commission_known": (
        {"desk": AUTO, "proposal": {"commission_known": True}},
        {"desk": AUTO, "proposal": {"commission_known": False}},
        "commission is unknown",
    ),
    "reward_to_risk": (
        {"proposal": {"stop_ticks": 151, "target_ticks": 302}},
        {"proposal": {"stop_ticks": 151, "target_ticks": 301}},
        "is 1.99, 2 is wanted",
    ),
    "volume_minimum": (
        {"proposal": sized(lots=D("0.01"))},
        {"proposal": sized(lots=D(0), refusal="the smallest volume 0.01 lots needs 2.00 of risk")},
        "needs 2.00 of risk",
    ),
    "volume_maximum": (
        {"proposal": {"instrument": instrument(volume_max=D("0.50"))}},
        {"proposal": {"instrument": instrument(volume_max=D("0.49"))}},
        "50 volume steps are more than the symbol's 49",
    ),
    "volume_step": ({"proposal": sized(lots=D("0.29"))}, {"proposal": sized(lots=D("0.295"))}, "no multiple"),
    "symbol_trading": (
        {"proposal": {"instrument": instrument(trade_mode=1)}},
        {"proposal": {"instrument": instrument(trade_mode=2)}},
        "does not take a buy",
    ),
    "symbol_occupied": (
        {"account": {"hedging": False, "trades": (trade(symbol="EURUSD", strategy="S1", side=Side.SELL),)}},
        {"account": {"hedging": False, "trades": (trade(symbol="EURUSD"),)}},
        "taken: S9",
    ),
    "positions_total": (
        {"account": {"trades": (trade(),) * 9}},
        {"account": {"trades": (trade(),) * 10}},
        "trade number 11, 10",
    ),
    "positions_symbol": (
        {"account": {"trades": (trade(symbol="EURUSD"),)}},
        {"account": {"trades": (trade(symbol="EURUSD"),) * 2}},
        "number 3 on EURUSD, 2",
    ),
    "duplicate": (
        {"account": {"trades": (trade(symbol="EURUSD", strategy="S1", side=Side.SELL),)}},
        {"account": {"trades": (trade(symbol="EURUSD", strategy="S1", pending=True),)}},
        "already has a buy of EURUSD",
    ),
    # 0.5 lots at 1.1 are 55 000 USD of EUR: 5.5 × equity
    "exposure": (
        {"limits": {"exposure_cap": 5.5}},
        {"limits": {"exposure_cap": 5.5}, "account": {"exposure": {"EUR": D(1)}}},
        "exposure to EUR would be 5.50",
    ),
    # 1 % new risk beside what is open, 6 % in all
    "open_risk": (
        {"account": {"open_risk": D(500)}, "limits": {"daily_loss": DailyLoss(limit=0.5)}},
        {"account": {"open_risk": D("500.01")}, "limits": {"daily_loss": DailyLoss(limit=0.5)}},
        "of equity, 6.00% is allowed",
    ),
    "margin": (
        {"account": {"margin": D(4450)}},
        {"account": {"margin": D("4450.01")}},
        "50.0% of equity, 50.0% is allowed",
    ),
    # 5 % of 10 000 = lost 300 + open 100 + new 100
    "daily_loss": (
        {"account": {"equity": D(9_700), "open_risk": D(100)}},
        {"account": {"equity": D("9699.99"), "open_risk": D(100)}},
        "could reach 5.00%, 5.00% is allowed",
    ),
    "daily_target": (
        {"account": {"equity": D("10199.99")}, "limits": {"daily_loss": DailyLoss(target=0.02)}},
        {"account": {"equity": D(10_200)}, "limits": {"daily_loss": DailyLoss(target=0.02)}},
        "profit is 2.00%",
    ),
    "drawdown": (
        {"account": {"peak": D(11_000), "equity": D("9900.01")}},
        {"account": {"peak": D(11_000), "equity": D(9_900)}},
        "drawdown is 10.00%, the limit is 10.00%",
    ),
    "cooldown": (
        {"desk": {"bars_since_close": 3}, "proposal": {"cooldown_bars": 3}},
        {"desk": {"bars_since_close": 2}, "proposal": {"cooldown_bars": 3}},
        "ended 2 bars before",
    ),
    "trades_strategy": (
        {"desk": {"entries_today_strategy": 1}, "proposal": {"max_trades_per_day": 2}},
        {"desk": {"entries_today_strategy": 2}, "proposal": {"max_trades_per_day": 2}},
        "entry number 3 today, 2",
    ),
    "trades_day": ({"desk": {"entries_today": 29}}, {"desk": {"entries_today": 30}}, "number 31 today, 30"),
    "session": (
        {"around": {"in_session": True}},
        {"around": {"in_session": False, "sessions": ("London", "NewYork")}},
        "outside the sessions London, NewYork",
    ),
    "market_open": (
        {"around": {"market_open": True}},
        {"around": {"market_open": False, "closed_since": "2026-01-02T21:55:00Z"}},
        "EURUSD is closed since 2026-01-02T21:55:00Z",
    ),
    "news_embargo": ({"around": {"embargo": ""}}, {"around": {"embargo": "blocked for USD CPI"}}, "USD CPI"),
    "calendar_known": (
        {"around": {"calendar_known": False}},
        {
            "around": {"calendar_known": False, "calendar_reason": "none was fetched"},
            "limits": {"embargo_when_calendar_unknown": "block"},
        },
        "none was fetched",
    ),
    "spread": (
        {"around": {"spread_points": 20.0}, "proposal": {"max_spread_points": 20.0}},
        {"around": {"spread_points": 21.0}, "proposal": {"max_spread_points": 20.0}},
        "21.0 points, 20 are allowed",
    ),
    "age": (
        {"around": {"age_seconds": 900.0}},
        {"around": {"age_seconds": 901.0}},
        "901 s old, 900 s",
    ),
    "drift": (
        {"around": {"drift_atr": 0.25}},
        {"around": {"drift_atr": 0.26}},
        "0.26 ATR away",
    ),
    "order_rate": (
        {"desk": {"orders_last_minute": 9}},
        {"desk": {"orders_last_minute": 10}},
        "number 11 within a minute",
    ),
    "weekend": (
        {"around": {"seconds_to_weekend": 3600.0}},
        {"around": {"seconds_to_weekend": 3599.0}},
        "the weekend begins in 60 minutes",
    ),
}


def test_the_good_trade_passes() -> None:
    found = ask()
    assert found.passed, found.refusals
    assert not found.warnings


def test_every_check_has_its_case_and_its_row() -> None:
    assert set(CASES) == {check.key for check in TABLE} == {bit.name.lower() for bit in Bit}
    assert [check.bit for check in TABLE] == [*Bit]
    assert {row["check"] for row in table()} == set(CASES)


@pytest.mark.parametrize("key", CASES)
def test_boundary_passes(key: str) -> None:
    passing, _, _ = CASES[key]
    assert not ask(**passing).refused_by(key)


@pytest.mark.parametrize("key", CASES)
def test_beyond_refuses_alone_and_says_why(key: str) -> None:
    _, refusing, words = CASES[key]
    found = ask(**refusing)
    assert [refusal.check for refusal in found.refusals] == [key]
    assert words in found.refusals[0].reason


@pytest.mark.parametrize("key", CASES)
def test_reducing_risk_is_never_refused(key: str) -> None:
    _, refusing, _ = CASES[key]
    assert ask(**refusing, reduces=True).passed


@pytest.mark.parametrize("key", CASES)
def test_the_backtest_refuses_what_the_desk_refuses(key: str) -> None:
    _, refusing, _ = CASES[key]
    found = ask(**(refusing | {"purpose": Purpose.BACKTEST}))
    assert found.refused_by(key) is (key not in {"ai_enabled", "order_rate"})


@pytest.mark.parametrize("key", CASES)
def test_a_manual_ticket_skips_confidence_age_drift_and_ai_and_nothing_else(key: str) -> None:
    _, refusing, _ = CASES[key]
    skipped = {"ai_enabled", "confidence", "autonomous_confidence", "age", "drift"}
    found = ask(**(refusing | {"purpose": Purpose.MANUAL}))
    sends_itself = {"autonomous_confidence", "commission_known"}  # a person sends a manual ticket
    assert found.refused_by(key) is (key not in skipped | sends_itself)


@pytest.mark.parametrize("purpose", [Purpose.DESK, Purpose.APPROVAL, Purpose.BACKTEST])
@pytest.mark.parametrize("key", ["age", "drift"])
def test_whoever_sends_an_idea_is_held_to_its_age_and_drift(purpose: Purpose, key: str) -> None:
    passing, refusing, _ = CASES[key]
    assert not ask(**passing, purpose=purpose).refused_by(key)
    assert ask(**refusing, purpose=purpose).refused_by(key)


def test_a_manual_ticket_has_no_confidence() -> None:
    assert ask(proposal={"confidence": None, "strategy": None}, purpose=Purpose.MANUAL).passed


def test_what_cannot_be_measured_refuses() -> None:
    numbers = {
        State.CONFIDENCE: Bit.CONFIDENCE,
        State.OPEN_RISK: Bit.OPEN_RISK,
        State.MARGIN: Bit.MARGIN,
        State.DAY_LOSS: Bit.DAILY_LOSS,
        State.DRAWDOWN: Bit.DRAWDOWN,
        State.MARKET_OPEN: Bit.MARKET_OPEN,
        State.DRIFT_ATR: Bit.DRIFT,
        State.EQUITY: Bit.EXPOSURE,
        State.STEPS: Bit.VOLUME_MINIMUM,
        State.SECONDS_TO_WEEKEND: Bit.WEEKEND,
    }
    for state, bit in numbers.items():
        values = [1.0] * len(State)
        values[State.REDUCES] = 0.0
        values[state] = math.nan
        refused = judge(values, [0.0] * len(Limit), (1 << len(Bit)) - 1, [0.0] * len(Bit))
        assert refused >> bit & 1, (state, bit)


def test_an_unknown_market_refuses_and_says_so() -> None:
    found = ask(around={"market_open": None})
    assert found.refused_by("market_open")
    assert "cannot be measured" in found.refusals[0].reason


def test_one_of_our_trades_without_a_stop_makes_open_risk_unknown() -> None:
    found = ask(account={"open_risk": None})
    assert [refusal.check for refusal in found.refusals] == ["open_risk", "daily_loss"]


def test_no_equity_is_no_trade() -> None:
    assert ask(account={"equity": D(0)}).refused_by("margin")


def test_an_unknown_calendar_warns_and_in_autonomous_mode_blocks() -> None:
    unknown = {"calendar_known": False, "calendar_reason": "none was fetched"}
    assert ask(around=unknown).passed
    assert "none was fetched" in ask(around=unknown).warnings[0]
    assert ask(around=unknown, desk=AUTO).refused_by("calendar_known")


def test_an_unknown_spread_refuses_only_where_a_cap_is_set() -> None:
    assert ask(around={"spread_points": None}).passed
    assert ask(around={"spread_points": None}, limits={"max_spread_points": 30.0}).refused_by("spread")
    # the narrower of the desk's and the profile's cap counts
    narrow = {"max_spread_points": 10.0}
    wide = {"max_spread_points": 30.0}
    assert ask(around={"spread_points": 11.0}, limits=wide, proposal=narrow).refused_by("spread")


def test_exposure_counts_only_what_the_trade_adds_to() -> None:
    # Short 200 000 EUR already: a buy makes that smaller, and USD is the account's own currency.
    short = {"exposure": {"EUR": D(-200_000), "USD": D(200_000)}}
    assert ask(account=short, limits={"exposure_cap": 5.0}).passed
    # GBP is far over its cap, but this trade does not touch it.
    assert ask(account={"exposure": {"GBP": D(900_000)}}).passed
    # With nothing exempt the dollars paid count too.
    assert ask(limits={"exposure_cap": 5.0, "exposure_exempt": ()}).refused_by("exposure")


def test_drawdown_kinds() -> None:
    up = {"peak": D(12_000), "equity": D(10_500)}
    assert ask(account=up).refused_by("drawdown")  # 1 500 of 12 000 is 12.5 %
    assert ask(account=up, limits={"drawdown": Drawdown(kind="static")}).passed
    # Locked: the floor rises to the initial balance and no further: 10 000 itself is the limit.
    locked = {"drawdown": Drawdown(lock_at_initial=True)}
    assert ask(account=up, limits=locked).passed
    assert ask(account=up | {"equity": D(10_000)}, limits=locked).refused_by("drawdown")


def test_daily_loss_may_be_a_share_of_the_initial_balance() -> None:
    grown = {"day_reference": D(20_000), "equity": D(19_300), "balance": D(20_000), "peak": D(20_000)}
    assert ask(account=grown).passed  # 700 + 100 of 20 000 is 4 %
    initial = {"daily_loss": DailyLoss(of="initial")}
    assert ask(account=grown, limits=initial).refused_by("daily_loss")  # 8 % of 10 000


def test_on_a_netting_account_a_symbol_belongs_to_one_strategy() -> None:
    def around(trade_of: OpenTrade, *, hedging: bool = False) -> Verdict:
        return ask(account={"trades": (trade_of,), "hedging": hedging})

    taken = trade(symbol="EURUSD", strategy="S9")
    assert around(taken).refused_by("symbol_occupied")
    assert "which is taken: S9" in around(taken).refusals[0].reason
    assert around(replace(taken, pending=True)).refused_by("symbol_occupied")
    assert around(replace(taken, strategy=None)).refused_by("symbol_occupied")
    assert around(taken, hedging=True).passed
    assert around(replace(taken, symbol="GBPUSD")).passed
    assert around(replace(taken, strategy="S1", side=Side.SELL)).passed, "it turns its own position round"


def test_on_a_netting_account_a_ticket_is_kept_off_a_strategys_symbol() -> None:
    """It would change the position and put its own stop in place of the strategy's."""
    for owner, refused in (("S9", True), (BY_HAND, False), (None, False)):
        account = {"trades": (trade(symbol="EURUSD", strategy=owner),), "hedging": False}
        found = ask(account=account, purpose=Purpose.MANUAL, proposal={"strategy": None})
        assert found.refused_by("symbol_occupied") is refused


def test_soft_checks_do_not_block() -> None:
    assert {"confidence", "autonomous_confidence", "commission_known", "reward_to_risk"} == SOFT


def test_the_documented_table_is_the_one_that_runs() -> None:
    page = Path(__file__).parents[3] / "docs" / "risk_gate.md"
    assert markdown() in page.read_text(encoding="utf-8")


def test_masks_have_no_bit_beyond_the_table() -> None:
    assert all(mask < 1 << len(Bit) for mask in MASKS.values())
