"""The day's loss and the drawdown of the kernel and of the live desk, on one sequence of one account.

The compiled kernel trades a random market bar by bar; what its account came to is shown to the real
`MoneyRecords` and the real `Watch` as a broker's: the worst of each bar, its close, and each midnight of the
day's zone. Both keep their own references and peaks, and have to say the same of every close.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.accounts.resets import resets
from backend.accounts.service import MoneyRecords
from backend.backtest.compiling import compiled
from backend.backtest.kernel import loop
from backend.backtest.kernel.limits import day_used, drawdown_used
from backend.backtest.model import Job, Reading, Result
from backend.backtest.running import run_tables
from backend.backtest.tables import Tables, tables
from backend.control.account import DeskAccount
from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.control.watch import Watch
from backend.core.clock import from_epoch
from backend.journal.journal import Journal
from backend.mt5.account import Account, AccountKind, Position
from backend.mt5.orders import Deal
from backend.mt5.words import DealType
from backend.risk.numbers import Measured, day_losses, drawdowns, tightest
from backend.storage.files import FileStorage
from tests.fakes import broker_rows
from tests.fakes.backtests import NEW_YORK, WIDE_OPEN, table
from tests.fakes.desk import MovedClock
from tests.unit.backtest.test_kernel_equals_reference import market

HOUR = 3600
ZONES = [None, "Europe/Prague", "America/New_York", "Asia/Tokyo"]
CHANGES = [
    datetime(2026, 3, 5, tzinfo=UTC),
    datetime(2026, 3, 26, tzinfo=UTC),
    datetime(2026, 10, 29, tzinfo=UTC),
]
"""A little before the clocks change: in New York, in Prague, in New York."""


@dataclass
class Broker:
    """The account as a broker shows it."""

    balance: Decimal
    equity: float
    booked: list[Deal] = field(default_factory=list)

    def book(self, amount: Decimal, at: datetime, kind: DealType = DealType.SELL) -> None:
        number = len(self.booked) + 1
        symbol = {"symbol": ""} if kind is DealType.BALANCE else {}
        self.booked.append(
            broker_rows.deal(number, number, type=kind, profit=amount, time=at, price=None, **symbol)
        )

    def account(self) -> Account:
        return Account(
            login=7,
            name="",
            server="Broker-Demo",
            company="",
            kind=AccountKind.DEMO,
            currency="USD",
            currency_digits=2,
            leverage=100,
            hedging=True,
            balance=float(self.balance),
            equity=self.equity,
            credit=0.0,
            profit=self.equity - float(self.balance),
            margin=0.0,
            margin_free=self.equity,
            margin_level=None,
            margin_call=50.0,
            margin_stop_out=30.0,
            trade_allowed=True,
            trade_expert=True,
        )

    def positions(self) -> tuple[Position, ...]:
        return ()

    def orders(self) -> tuple[Any, ...]:
        return ()

    def deals(self, since: datetime, until: datetime | None = None) -> tuple[Deal, ...]:
        return tuple(deal for deal in self.booked if deal.time >= since)

    def deals_of_position(self, position_id: int) -> tuple[Deal, ...]:
        return tuple(deal for deal in self.booked if deal.position_id == position_id)


class Live:
    """The live desk's eyes on that account."""

    def __init__(self, root: Path, limits: Mapping[str, Any], rulebook: Mapping[str, Any] | None) -> None:
        config = root / "config"
        config.mkdir()
        (config / "risk.json").write_text(json.dumps(limits), encoding="utf-8")
        if rulebook is not None:
            (config / "prop_rulebook.json").write_text(json.dumps(rulebook), encoding="utf-8")
        self.clock = MovedClock(CHANGES[0])
        self.storage = FileStorage(root / "data", fsync=False)
        self.control = Control(config, self.storage, Journal(self.storage, self.clock), self.clock)
        self.broker = Broker(balance=Decimal(10_000), equity=10_000.0)
        self.records = MoneyRecords(
            self.storage, self.broker, self.broker, self.clock, NEW_YORK, lambda held, at: Decimal(0)
        )
        self.desk = DeskAccount(
            self.records, self.broker, self.broker, self._no_symbol, self.control.limits, magic=1
        )
        self.watch = Watch(self.desk, self.control, self.storage, self.clock, self._end)

    def begin(self, at: datetime) -> None:
        self.clock.at = at
        self.broker.book(Decimal(10_000), at - timedelta(days=400), DealType.BALANCE)
        self.watch.look()

    def midnight(self, at: datetime) -> None:
        """The day begins anew, and a person resumes what the day's loss halted."""
        self.clock.at = at
        state = self.control.state()
        if state.of(HaltKind.DAILY_LOSS) and not state.of(HaltKind.DRAWDOWN):
            self.control.resume("another day", actor="ann")
        self.desk.standing()

    def look(self, at: datetime, equity: float) -> None:
        self.clock.at, self.broker.equity = at, equity
        self.watch.look()

    def halted(self, kind: HaltKind) -> bool:
        return self.control.state().of(kind) is not None

    def _end(self, kind: HaltKind, reason: str, close: bool) -> Mapping[str, Any]:
        self.control.halt(kind, reason, actor="watch")
        return {"orders_left": [], "positions_left": []}

    def _no_symbol(self, symbol: str) -> Any:
        raise AssertionError(symbol)


def unrefused(job: Job) -> Tables:
    """The job as the kernel takes it, its gate refusing nothing: what is lost goes on beyond each limit."""
    made = tables(job, Reading.WORST)
    made.desk[0]["blocking"] = 0
    return made


def bar_by_bar(job: Job) -> Iterator[Any]:
    """The kernel's own record of the desk after each bar."""
    made = unrefused(job)
    given_ = (
        made.feed,
        made.signals,
        made.usual,
        made.lanes,
        made.desk,
        made.resets,
        made.trades,
        made.curve,
    )
    compiled(loop.first_decisions)(made.feed, made.signals, made.usual, made.lanes, made.desk)
    desk = made.desk.view(np.recarray)[0]
    for bar in range(int(made.lanes[0]["first"]), int(made.lanes[0]["end"])):
        compiled(loop.advance_one)(*given_, bar, bar + 1)
        yield desk


def same(mine: Measured, kernel: tuple[float, float, float]) -> None:
    assert (float(mine.lost), float(mine.of), mine.limit) == pytest.approx(kernel, abs=1e-6)


def hours(seed: int, start: datetime, count: int) -> list[datetime]:
    """Server hours with holes of up to four days."""
    steps = np.random.default_rng(seed).choice([1, 1, 1, 1, 1, 2, 7, 50, 96], size=count)
    return [start + timedelta(hours=int(passed)) for passed in np.cumsum(steps)]


@st.composite
def allowed(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The desk's limits and perhaps a rulebook's."""
    shares = st.sampled_from([0.004, 0.01, 0.02])
    kinds = st.sampled_from(["static", "trailing", "trailing_end_of_day"])
    day = {
        "limit": draw(shares),
        "of": draw(st.sampled_from(["reference", "initial"])),
        "reset_from": draw(st.sampled_from(["balance", "equity", "higher"])),
        "reset_tz": draw(st.sampled_from(ZONES)),
    }
    drawdown = {
        "limit": draw(st.sampled_from([0.01, 0.03, 0.5])),
        "kind": draw(kinds),
        "lock_at_initial": draw(st.booleans()),
    }
    limits = WIDE_OPEN.model_dump(mode="json") | {"daily_loss": day, "drawdown": drawdown}
    if not draw(st.booleans()):
        return limits, None
    ruled = {
        "name": "test",
        "daily_loss": draw(
            st.sampled_from([None, {**day, "limit": 0.006, "reset_from": "higher", "of": "initial"}])
        ),
        "drawdown": {
            "limit": draw(st.sampled_from([0.008, 0.02])),
            "kind": draw(kinds),
            "of": draw(st.sampled_from(["high", "initial"])),
            "lock_at_initial": draw(st.booleans()),
        },
    }
    return limits, ruled


@given(
    seed=st.integers(0, 2**31),
    start=st.sampled_from(CHANGES),
    given_limits=allowed(),
    commission=st.sampled_from(["0", "3.5"]),
)
@settings(max_examples=8)
def test_the_same_day_s_loss_the_same_drawdown_and_the_same_halts(
    seed: int, start: datetime, given_limits: tuple[dict[str, Any], dict[str, Any] | None], commission: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live = Live(Path(folder), *given_limits)
        limits = live.control.limits()
        count = 120
        job = table(market(seed, count), times=hours(seed, start, count), commission=commission)
        job = replace(job, limits=limits)
        result = run_tables(job, unrefused(job))
        bars = job.streams[0].bars
        live.begin(bars.opened(0))
        passed, earned = bars.opened(0), Decimal(0)
        for bar, desk in enumerate(bar_by_bar(job)):
            opened = bars.opened(bar + 1)
            for moment in resets(passed, opened, limits.reset_tz, NEW_YORK):
                live.midnight(moment)
            passed = opened
            booked = Decimal(int(desk.balance)).scaleb(-2) - 10_000
            if booked != earned:
                live.broker.book(booked - earned, opened + timedelta(seconds=1))
                live.broker.balance, earned = 10_000 + booked, booked
            live.look(opened + timedelta(minutes=30), float(min(result.worst[bar], result.equity[bar])))
            live.look(opened + timedelta(seconds=HOUR - 1), float(result.equity[bar]))
            state, _ = live.desk.standing()
            same(tightest(day_losses(state, limits)), day_used(desk, float(desk.equity)))
            same(tightest(drawdowns(state, limits)), drawdown_used(desk, float(desk.equity)))
            halts = [live.halted(kind) for kind in (HaltKind.DAILY_LOSS, HaltKind.DRAWDOWN)]
            if not desk.halted:  # a drawdown that halted is for a person, and so is the day's loss with it
                assert halts == [bool(desk.halted_day), False], bars.opened(bar + 1)
            else:
                assert halts[1]
        check_breach(live, result)


def check_breach(live: Live, result: Result) -> None:
    """What first broke the rulebook is noted alike."""
    noted = live.storage.read_json_or("control/challenge.json", {}).get("breach")
    if result.broke is None:
        assert noted is None
        return
    assert noted["rule"] == result.broke.rule
    assert float(noted["lost"]) == pytest.approx(result.broke.lost, abs=1e-6)
    assert datetime.fromisoformat(noted["at"]) < from_epoch(result.broke.at)
