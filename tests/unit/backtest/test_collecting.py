"""From a request to a job: which bars, costs, limits and account a run is given, and what it is told."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.backtest.collecting import Collector
from backend.backtest.model import Stream
from backend.backtest.request import CostChanges, Request, parse_costs, parse_limit_changes
from backend.core.bars import Bars, empty_bars
from backend.core.clock import FixedClock
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe
from backend.market.gaps import Gap
from backend.strategies.files import LoadedStrategies
from backend.strategies.model import Profile
from backend.trading.desk import Mode
from tests.fakes.backtests import QUIET, rows_to_bars, strategy
from tests.fakes.instruments import instrument

D = Decimal
NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOURS = 24 * 60  # bars from 2 April 2026 on


class FakeMarket:
    """Sixty days of hours of two symbols; nothing else is stored."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, Timeframe], Bars] = {
            (symbol, Timeframe.H1): rows_to_bars(
                [(10100, 10150, 10050, 10100, QUIET)] * HOURS,
                start=NOW - timedelta(days=60) + timedelta(hours=3),
                symbol=symbol,
            )
            for symbol in ("EURUSD", "GBPUSD")
        }
        self.missing: list[Gap] = []

    def broker_symbol(self, canonical: str) -> str:
        if canonical not in {"EURUSD", "GBPUSD", "AUDUSD"}:
            raise NotFound("unknown_symbol", f"no {canonical}")
        return canonical

    def history(self, symbol: str, timeframe: Timeframe, days: float) -> Bars:
        bars = self.stored.get((symbol, timeframe), empty_bars(symbol, timeframe))
        since = (NOW - timedelta(days=days)).timestamp()
        return bars[int((bars.time < since).sum()) :]

    def instrument(self, symbol: str) -> Instrument:
        return instrument(symbol)

    def asks(self, symbol: str, bars: Bars) -> None:
        return None

    def gaps(self, symbol: str, timeframe: Timeframe) -> list[Gap]:
        return self.missing


class FakeAccount:
    """An account that says so much, or nothing at all."""

    def __init__(self, **says: Any) -> None:
        self.says = says

    def account(self) -> Any:
        if not self.says:
            raise Unavailable("terminal_down", "the terminal is down")
        return type("Said", (), self.says)


class FakeStrategies:
    def __init__(self, *symbols: str, profiles: Mapping[str, Profile] | None = None) -> None:
        made = strategy()
        traded = made.model_copy(update={"symbol": symbols[0], "symbols": symbols[1:]})
        self.loaded = LoadedStrategies(strategies=(traded,), profiles=profiles or {})

    def load(self) -> LoadedStrategies:
        return self.loaded


SAID = FakeAccount(currency="USD", balance=2_500.0, leverage=30, currency_digits=2, hedging=True)


def collector(tmp_path: Path, market: FakeMarket | None = None, **more: Any) -> Collector:
    known = market or FakeMarket()
    parts: dict[str, Any] = {
        "clock": FixedClock(NOW),
        "config_dir": tmp_path,
        "strategies": FakeStrategies("EURUSD"),
        "symbols": known,
        "market": known,
        "terminal": SAID,
        "source": "the test",
        "warnings": (),
        "check": lambda: None,
    }
    return Collector(**(parts | more))


def only(tmp_path: Path, request: Request, **more: Any) -> Stream:
    (stream,) = collector(tmp_path, **more).job(request).streams
    return stream


def test_the_last_days_are_traded_and_those_before_warm_up(tmp_path: Path) -> None:
    stream = only(tmp_path, Request(strategy="TABLE", days=10))
    assert stream.bars.opened(stream.first) == NOW - timedelta(days=10)
    assert stream.first > 24  # statistics need days before that
    assert stream.bars.opened(-1) == NOW - timedelta(hours=1)
    assert stream.facts["days_missing_at_end"] == 0


def test_a_period_that_ended_knows_nothing_of_what_came_later(tmp_path: Path) -> None:
    begin, end = NOW - timedelta(days=20), NOW - timedelta(days=15)
    stream = only(tmp_path, Request(strategy="TABLE", begin=begin, end=end))
    assert stream.bars.opened(stream.first) == begin
    assert stream.bars.opened(-1) == end - timedelta(hours=1)  # which closes just then


def test_thirty_days_where_nothing_is_said_and_an_end_ahead_is_the_present(tmp_path: Path) -> None:
    stream = only(tmp_path, Request(strategy="TABLE", end=NOW + timedelta(days=400)))
    assert stream.bars.opened(stream.first) == NOW - timedelta(days=30)


def test_days_that_are_not_there_are_counted(tmp_path: Path) -> None:
    market = FakeMarket()
    market.stored["EURUSD", Timeframe.H1] = market.stored["EURUSD", Timeframe.H1][: HOURS - 24 * 9]
    early = NOW - timedelta(days=100)
    facts = only(tmp_path, Request(strategy="TABLE", begin=early), market=market).facts
    assert facts["days_missing_at_end"] == 9
    assert facts["days_missing_at_start"] >= 40


def test_gaps_count_within_the_traded_bars_alone(tmp_path: Path) -> None:
    market = FakeMarket()

    def gap(days: int, count: int) -> Gap:
        start = NOW - timedelta(days=days)
        return Gap(start=start, end=start + timedelta(hours=count), count=count)

    market.missing = [gap(25, 3), gap(5, 2), gap(3, 4)]
    facts = only(tmp_path, Request(strategy="TABLE", days=10), market=market).facts
    assert (facts["gaps"], facts["missing_bars"]) == (2, 6)


def test_every_symbol_of_the_strategy_or_those_that_are_named(tmp_path: Path) -> None:
    two = FakeStrategies("EURUSD", "GBPUSD")
    job = collector(tmp_path, strategies=two).job(Request(strategy="TABLE"))
    assert [stream.bars.symbol for stream in job.streams] == ["EURUSD", "GBPUSD"]
    named = collector(tmp_path, strategies=two).job(Request(strategy="TABLE", symbols=("GBPUSD",)))
    assert [stream.bars.symbol for stream in named.streams] == ["GBPUSD"]


def test_costs_come_from_the_request_else_the_profile_else_the_desk_and_the_unknown_is_said(
    tmp_path: Path,
) -> None:
    plain = only(tmp_path, Request(strategy="TABLE")).costs
    assert (plain.commission_per_lot, plain.slippage_points) == (D(0), D(1))
    assert plain.spread_points == (10,) * 168
    assert any("commission is not known" in warning for warning in plain.warnings)
    profile = Profile(symbol="EURUSD", commission_per_lot=3.5, slippage_points=2)
    known = FakeStrategies("EURUSD", profiles={"EURUSD": profile})
    stated = only(tmp_path, Request(strategy="TABLE"), strategies=known).costs
    assert (stated.commission_per_lot, stated.slippage_points) == (D("3.5"), D(2))
    assert stated.warnings == ()
    changes = CostChanges(commission_per_lot=D(0), spread_points=(7,) * 168)
    asked = only(tmp_path, Request(strategy="TABLE", costs=changes), strategies=known).costs
    assert (asked.commission_per_lot, asked.slippage_points, asked.spread_points[5]) == (D(0), D(2), 7)
    assert asked.warnings == ()


def test_the_account_is_the_terminals_or_said_to_be_assumed(tmp_path: Path) -> None:
    job = collector(tmp_path).job(Request(strategy="TABLE"))
    assert (job.account.balance, job.account.leverage) == (D(2500), 30)
    down = collector(tmp_path, terminal=FakeAccount()).job(Request(strategy="TABLE"))
    assert (down.account.balance, down.account.currency) == (D(10_000), "USD")
    assert "the terminal is down" in down.streams[0].costs.warnings[0]
    empty = FakeAccount(currency="USD", balance=0.0, leverage=30, currency_digits=2, hedging=True)
    poor = collector(tmp_path, terminal=empty).job(Request(strategy="TABLE"))
    assert poor.account.balance == 10_000
    assert "holds 0" in poor.streams[0].costs.warnings[0]
    told = collector(tmp_path, terminal=empty).job(Request(strategy="TABLE", balance=D(700)))
    assert (told.account.balance, told.account.leverage) == (D(700), 30)


def test_mode_risk_and_limits_of_the_request_count(tmp_path: Path) -> None:
    (tmp_path / "risk.json").write_text('{"mode": "autonomous", "risk_fraction": 0.01}')
    request = Request(
        strategy="TABLE",
        mode=Mode.OBSERVE,
        risk=0.03,
        changed_limits={"daily_loss.limit": 0.2, "max_positions": 4},
    )
    job = collector(tmp_path).job(request)
    assert (job.limits.mode, job.limits.risk_fraction, job.limits.max_positions) == (Mode.OBSERVE, 0.03, 4)
    assert (job.limits.daily_loss.limit, job.limits.daily_loss.of) == (0.2, "reference")
    assert job.streams[0].strategy.strategy.max_risk_pct == 0.03
    plain = collector(tmp_path).job(Request(strategy="TABLE"))
    assert plain.limits.mode is Mode.AUTONOMOUS


def test_too_few_bars_are_counted(tmp_path: Path) -> None:
    market = FakeMarket()
    market.stored.clear()
    with pytest.raises(Invalid, match="there are 0 before that and 0 within") as refused:
        collector(tmp_path, market).job(Request(strategy="TABLE"))
    assert refused.value.code == "too_few_bars"
    assert refused.value.details["available"] == 0


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(strategy="NONE"), "unknown_strategy"),
        (Request(strategy="TABLE", symbols=("GBPUSD",)), "strategy_not_of_symbol"),
        (Request(strategy="TABLE", symbols=("XXXYYY",)), "unknown_symbol"),
        (Request(strategy="TABLE", days=0), "bad_days"),
        (Request(strategy="TABLE", days=3651), "bad_days"),
        (Request(strategy="TABLE", days=True), "bad_days"),
        (Request(strategy="TABLE", days=3, begin=NOW), "bad_period"),
        (Request(strategy="TABLE", begin=NOW), "bad_period"),
        (Request(strategy="TABLE", balance=D(-1)), "bad_balance"),
        (Request(strategy="TABLE", balance=D("NaN")), "bad_balance"),
        (Request(strategy="TABLE", changed_limits={"nonsense": 1}), "bad_risk_limits"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, request_: Request, code: str) -> None:
    with pytest.raises((Invalid, NotFound)) as refused:
        collector(tmp_path).job(request_)
    assert refused.value.code == code


def test_finer_bars_tell_the_usual_spread_only_where_they_reach_back(tmp_path: Path) -> None:
    market = FakeMarket()
    hours = market.stored["EURUSD", Timeframe.H1]
    assert only(tmp_path, Request(strategy="TABLE"), market=market).spread_bars is None
    quarter = [(10100, 10150, 10050, 10100, QUIET)] * 400
    for start, known in ((hours.opened(0), True), (NOW - timedelta(days=4), False)):
        for timeframe in (Timeframe.M1, Timeframe.M5, Timeframe.M15):
            market.stored["EURUSD", timeframe] = rows_to_bars(
                quarter, start=start + timedelta(hours=3), timeframe=timeframe
            )
        found = only(tmp_path, Request(strategy="TABLE"), market=market).spread_bars
        assert (found is not None) is known


def test_costs_of_text_and_file(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_text('{"spread_points": ' + str([3] * 168) + "}")
    assert parse_costs([str(file), "commission_per_lot=2.25"]) == CostChanges(
        commission_per_lot=D("2.25"), spread_points=(3,) * 168
    )
    for bad in ("[1]", '{"fees": 1}', "{", '{"spread_points": [1, 2]}', '{"slippage_points": true}'):
        file.write_text(bad)
        with pytest.raises(Invalid) as refused:
            parse_costs([str(file)])
        assert refused.value.code == "bad_costs"


def test_limits_of_text_are_numbers_where_they_look_like_numbers() -> None:
    assert parse_limit_changes(["drawdown.limit=0.5", "mode=observe", "ai_enabled=false"]) == {
        "drawdown.limit": 0.5,
        "mode": "observe",
        "ai_enabled": False,
    }
    with pytest.raises(Invalid):
        parse_limit_changes(["=3"])
