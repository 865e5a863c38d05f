"""What a refused idea would have earned: by the engine's own fills, worked by hand, and as its backtest."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.backtest.model import AccountSettings, Job, Stream
from backend.backtest.running import run_backtest
from backend.backtest.weighing import Weighing
from backend.backtest.what_if import WhatIf, what_if
from backend.core.bars import Bars
from backend.core.clock import FixedClock, iso
from backend.economic_calendar.model import CalendarView
from backend.evaluation.deciding import Known
from backend.evaluation.engine import AIEngine
from backend.evaluation.statistics import broker_midnight, profile_statistics
from backend.ideas.inputs import input_file
from backend.ideas.replaying import Replayer
from backend.ideas.rows import payload_of
from backend.ideas.why_not import why_not
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.market.store import MarketStore
from backend.risk.limits import RiskLimits
from backend.risk.rules import DeskRules
from backend.storage.files import FileStorage
from backend.strategies.model import Profile, Strategy
from backend.trading.conversion import conversion
from backend.trading.desk import DeskState
from tests.fakes.backtests import LONG, MONDAY, NEW_YORK, QUIET, SHORT, WIDE_OPEN, Row, rows_to_bars, strategy
from tests.fakes.instruments import instrument
from tests.fakes.shipped import ACCOUNT

PROFILE = Profile(symbol="EURUSD", commission_per_lot=3.0, slippage_points=1.0)
LIMITS = WIDE_OPEN.model_copy(update={"risk_fraction": 0.01})

# The signal bar's range is 100 points: the stop is 100 away, the target 200. It closes at 1.10000.
BEFORE: list[Row] = [(10000, 10050, 9950, 10000, QUIET)] * 20 + [(10000, 10050, 9950, 10000, LONG)]


class Desk:
    """One decision on the last of some bars, on record with its inputs; the bars after it in the store."""

    def __init__(self, folder: Path, after: list[Row], chosen: Strategy | None = None, **known: Any) -> None:
        self.strategy = chosen or strategy()
        self.all = rows_to_bars([*BEFORE, *after], spread=10)
        self.end = int(self.all.time[-1]) + 3600
        self.storage = FileStorage(folder, fsync=False)
        self.clock = FixedClock(datetime.fromtimestamp(self.end, MONDAY.tzinfo))
        self.journal = Journal(self.storage, self.clock)
        self.store = MarketStore(self.storage, NEW_YORK, clock=self.clock)
        self.store.append(self.all)
        self.payload = self.decide(self.all[: len(BEFORE)], **known)

    def decide(self, bars: Bars, **known: Any) -> dict[str, Any]:
        now = datetime.fromtimestamp(int(bars.time[-1]) + 3605, MONDAY.tzinfo)
        week = timedelta(days=7)
        calendar = CalendarView(known=True, covered_from=now - week, covered_to=now + week)
        midnight = broker_midnight(int(bars.server_time[-1]))
        seen = Known(
            instrument=instrument(),
            statistics=profile_statistics(bars, 1, midnight),
            account=ACCOUNT,
            calendar=calendar,
            now=now,
            desk=DeskState(ai_enabled=False),
        )
        engine = AIEngine(DeskRules(LIMITS), limits=LIMITS.model_dump(mode="json"))
        made = engine.evaluate(
            strategy=self.strategy, profile=PROFILE, bars=bars, known=replace(seen, **known)
        )
        for hashed, content in made.snapshots.items():
            self.storage.create_json(input_file(hashed), dict(content))
        payload = payload_of(made.decision, newest=True, now=now)
        self.journal.append_many(
            [Entry(kind=Kind.DECISION, payload=payload, key=str(payload["id"]))], actor="test"
        )
        return json.loads(json.dumps(payload))  # type: ignore[no-any-return] # JSON of a mapping

    def ask(self) -> WhatIf:
        source = Replayer(self.storage, self.journal, self.store)
        return what_if(self.payload, source, self.store, self.clock.now())

    def weigh(self) -> dict[str, Any]:
        work = Weighing(root=self.storage.root, server_clock=NEW_YORK.rule, now=self.clock.now())
        return work.run(lambda _done, _all: None)


Make = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda *args, **named: Desk(tmp_path, *args, **named)


def test_a_winner_that_was_refused_cost_its_profit(make: Make) -> None:
    # Bought at the open's ask and a point of slippage: 1.10011; target 200 points above the ask: 1.10210.
    desk = make([(10000, 10050, 9990, 10040, QUIET), (10040, 10250, 10030, 10200, QUIET)])
    assert (desk.payload["action"], desk.payload["signal"]) == ("blocked", "long")
    found = desk.ask()
    assert (found.status, found.final) == ("closed", True)
    assert found.trade is not None
    assert (found.trade["entry_price"], found.trade["exit_price"]) == (1.10011, 1.10210)
    assert (found.trade["exit_reason"], found.trade["currency"]) == ("target", "USD")
    # 1 % of 10,000 is risked: 100 points, 2 of slippage and 6 of commission a lot are 108: 0.92 lots.
    # They gain 199 points: 183.08, and 5.52 of commission go off.
    assert (found.trade["volume"], found.trade["net"]) == (0.92, 177.56)


def test_a_loser_that_was_refused_saved_its_loss(make: Make) -> None:
    found = make([(10000, 10020, 9990, 10000, QUIET), (10000, 10010, 9800, 9820, QUIET)]).ask()
    assert found.trade is not None
    # Stopped at 1.09910, a point worse: 102 points on 0.92 lots are 93.84, and the commission.
    assert (found.trade["exit_reason"], found.trade["net"]) == ("stop", -99.36)


def test_no_check_is_asked(make: Make) -> None:
    # it is night in Tokyo: both the decision and the backtest's own checks refuse it
    asleep = strategy(sessions=["Tokyo"])
    desk = make([(10000, 10050, 9990, 10040, QUIET), (10040, 10250, 10030, 10200, QUIET)], asleep)
    assert {refusal["check"] for refusal in desk.payload["refusals"]} == {"ai_enabled", "session"}
    found = desk.ask()
    assert found.trade is not None
    assert found.trade["net"] == 177.56


def test_what_is_still_open_is_not_known(make: Make) -> None:
    found = make([(10000, 10020, 9990, 10000, QUIET)] * 3).ask()
    assert (found.status, found.final, found.trade) == ("unknown", False, None)
    assert found.reason == "it would still be open"


def test_without_its_bar_it_is_not_known(make: Make) -> None:
    desk = make([(10000, 10020, 9990, 10000, QUIET)])
    desk.store.park("EURUSD", desk.all.timeframe)
    assert desk.ask().reason == "its bar is not in the market store"


def test_before_another_bar_closed_it_is_not_known(make: Make) -> None:
    assert make([]).ask().reason == "no bar closed after it yet"


def test_an_order_that_nobody_reached_costs_nothing(make: Make) -> None:
    waiting = strategy(order={"type": "limit", "offset_atr": 1.0, "expiry_bars": 2})
    after: list[Row] = [(10000, 10020, 9990, 10000, QUIET)] * 2
    assert make(after, waiting).ask().reason == "its order waits"


def test_an_order_that_expired_is_not_filled(make: Make) -> None:
    waiting = strategy(order={"type": "limit", "offset_atr": 1.0, "expiry_bars": 2})
    found = make([(10000, 10020, 9990, 10000, QUIET)] * 4, waiting).ask()
    assert (found.status, found.trade, found.final) == ("not_filled", None, True)


def test_no_volume_is_no_trade(make: Make) -> None:
    poor = replace(ACCOUNT, balance=ACCOUNT.balance / 1000, equity=ACCOUNT.equity / 1000)
    assert make([(10000, 10020, 9990, 10000, QUIET)], account=poor).ask().reason == "no volume"


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_trade_of_the_backtest_that_no_check_refuses(make: Make, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    price = 10000
    for _ in range(120):
        opened, close = price, price + int(rng.integers(-60, 61))
        high, low = (
            max(opened, close) + int(rng.integers(0, 40)),
            min(opened, close) - int(rng.integers(0, 40)),
        )
        rows.append((opened, high, low, close, int(rng.choice([LONG, SHORT, QUIET, 2, 3, 5]))))
        price = close
    kinds: list[dict[str, Any]] = [
        {},
        {"short": True, "on_opposite": "close"},
        {"short": True, "on_opposite": "reverse"},
        {"management": {"breakeven_after_r": 0.5, "trail_atr": 1.5, "time_stop_bars": 9}},
        {"management": {"partial_at_r": 0.5, "partial_fraction": 0.5}},
        {"order": {"type": "stop", "offset_atr": 0.1, "expiry_bars": 5}},
    ]
    desk = make(rows, strategy(**kinds[seed % len(kinds)]))
    found = desk.ask()
    stream = Stream(
        strategy=desk.strategy,
        profile=PROFILE,
        instrument=instrument(),
        bars=desk.all,
        first=len(BEFORE),
        costs=_costs(desk.all),
        conversion=conversion(instrument(), "USD"),
    )
    result = run_backtest(Job(streams=(stream,), account=AccountSettings(), limits=LIMITS))
    closed = int(desk.all.time[len(BEFORE) - 1]) + 3600
    mine = [trade for trade in result.trades if trade.signal_time == closed]
    if found.trade is None:
        assert not mine
    else:
        assert found.trade["net"] == float(sum(trade.net for trade in mine))
        assert found.trade["exit_time"] == iso(datetime.fromtimestamp(mine[-1].exit_time, MONDAY.tzinfo))
        assert found.trade["exit_reason"] == mine[-1].exit_reason


def _costs(bars: Bars) -> Any:
    from backend.backtest.collecting import costs_of
    from backend.backtest.request import CostChanges

    return costs_of(PROFILE, RiskLimits(), bars, CostChanges())


def test_why_not_says_what_each_check_cost_or_saved(make: Make) -> None:
    desk = make([(10000, 10050, 9990, 10040, QUIET), (10040, 10250, 10030, 10200, QUIET)])
    before = why_not(desk.storage, desk.journal, Wanted())
    [check] = before["checks"]
    assert (check["check"], check["decisions"], check["alone"]) == ("ai_enabled", 1, 1)
    assert (check["together"]["net"], check["together"]["known"]) == (None, 0)
    assert sum(check["together"]["unknown"].values()) == 1
    assert desk.weigh() == {"refused": 1, "new": 1, "known": 1, "waiting": 0}
    assert desk.weigh() == {"refused": 1, "new": 0, "known": 1, "waiting": 0}
    after = why_not(desk.storage, desk.journal, Wanted())
    worth = after["checks"][0]["alone_only"]
    assert after["currency"] == "USD"
    assert (worth["cost"], worth["saved"], worth["net"], worth["wins"]) == (177.56, 0.0, 177.56, 1)
    assert why_not(desk.storage, desk.journal, Wanted(signal="short"))["checks"] == []


def test_what_waits_is_asked_again(make: Make) -> None:
    desk = make([(10000, 10020, 9990, 10000, QUIET)])
    assert desk.weigh() == {"refused": 1, "new": 0, "known": 0, "waiting": 1}
    [check] = why_not(desk.storage, desk.journal, Wanted())["checks"]
    assert check["together"]["unknown"] == {"it would still be open": 1}
    later = rows_to_bars([*BEFORE, (10000, 10020, 9990, 10000, QUIET), (10000, 10300, 9990, 10250, QUIET)])
    desk.store.append(later)
    desk.clock = FixedClock(desk.clock.now() + timedelta(hours=1))
    assert desk.weigh() == {"refused": 1, "new": 1, "known": 1, "waiting": 0}
