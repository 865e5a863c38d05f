"""A limit that is reached halts the desk once, and ends what the limits say. Worked by hand.

10,000 to begin with; a lot of EURUSD moves 10 a pip and is bought at 1.1002.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.accounts.service import MoneyRecords
from backend.control.account import DeskAccount
from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.control.watch import Watch
from backend.core.errors import Unavailable
from backend.mt5.words import DealType
from tests.fakes.broker_rows import MAGIC
from tests.fakes.order_desk import UTC_CLOCK, OrderDesk, kill_switch

BUY, BUY_LIMIT = 0, 2
BEGINNING = datetime(1971, 1, 1, tzinfo=UTC)
LOOSE = {"daily_loss": {"limit": 0.05}, "drawdown": {"limit": 0.5, "kind": "static"}}
TIGHT_DRAWDOWN = {"daily_loss": {"limit": 1.0}, "drawdown": {"limit": 0.1, "kind": "static"}}


class Desk(OrderDesk):
    """With a watch that pulls the real kill switch."""

    def __init__(self, data: Path, limits: Mapping[str, Any]) -> None:
        super().__init__(data / "data")
        config = data / "config"
        config.mkdir()
        (config / "risk.json").write_text(json.dumps(limits), encoding="utf-8")
        self.control = Control(config, self.storage, self.journal, self)
        self.records = MoneyRecords(
            self.storage, self.client, self.dealer, self, UTC_CLOCK, lambda held, at: None
        )
        self.ends: list[tuple[HaltKind, bool]] = []
        self.watch = self.another()
        self.watch.look()

    def another(self) -> Watch:
        """As another process has it."""
        account = DeskAccount(
            self.records,
            self.client,
            self.dealer,
            self.client.instrument,
            self.control.limits,
            magic=MAGIC,
        )
        return Watch(account, self.control, self.storage, self, self.end)

    def end(self, kind: HaltKind, reason: str, close: bool) -> Mapping[str, Any]:
        self.ends.append((kind, close))
        self.control.halt(kind, reason, actor="watch")
        return kill_switch(self).pull(close=close, all_=False, actor="watch", reason=reason, kind=kind)

    def halts(self) -> list[HaltKind]:
        return [halt.kind for halt in self.control.state().halts]


@pytest.fixture
def make(tmp_path: Path) -> Any:
    return lambda limits: Desk(tmp_path, limits)


def test_a_loss_below_the_limit_halts_nothing_and_one_that_reaches_it_does(make: Any) -> None:
    desk = make(LOOSE)
    desk.open(BUY, 1.0, sl=0.9)
    desk.pend(BUY_LIMIT, 1.0300)
    desk.stage.price(1.0953)  # 490 lost
    assert desk.watch.look()["ended"] == {}
    assert desk.halts() == []
    desk.stage.price(1.0952)  # 500: the limit itself
    ended = desk.watch.look()["ended"]["daily_loss"]
    assert desk.halts() == [HaltKind.DAILY_LOSS]
    assert (
        "the day's loss is 500.00 USD, 5.00% of 10000.00; the limit is 5.00%" in desk.control.state().reason
    )
    assert len(ended["cancelled"]) == 1
    assert ended["closed"] == []
    assert desk.stage.api.positions_total() == 1  # halting closes nothing unless it is asked for


def test_a_balance_that_no_deal_explains_yet_halts_nothing_before_it_is_explained(make: Any) -> None:
    desk = make(LOOSE | {"on_breach": "halt_and_close"})
    desk.open(BUY, 1.0, sl=0.9)
    dealer, history = desk.dealer, desk.dealer.deals
    account = desk.client.account
    # 2,000 are withdrawn: the balance shows it, the history does not yet
    desk.client.account = lambda: replace(
        account(), balance=account().balance - 2000, equity=account().equity - 2000
    )
    looked = desk.watch.look()
    assert (looked["ended"], desk.halts()) == ({}, [])
    assert "no deal explains" in looked["waits"]
    funding = history(BEGINNING)[0]
    withdrawal = replace(funding, ticket=10**9, type=DealType.BALANCE, profit=Decimal(-2000), time=desk.now())
    dealer.deals = lambda since, until=None: (*history(since, until), withdrawal)
    desk.stage.go(seconds=10)
    assert desk.watch.look()["ended"] == {}
    assert desk.halts() == []
    dealer.deals = history  # and what nothing explains for a minute is a loss
    desk.client.account = lambda: replace(
        account(), balance=account().balance - 3000, equity=account().equity - 3000
    )
    desk.watch.look()
    desk.stage.go(seconds=61)
    desk.watch.look()
    assert desk.halts() == [HaltKind.DAILY_LOSS]


def test_what_is_ours_is_closed_if_so_configured_and_what_is_not_is_left(make: Any) -> None:
    desk = make(LOOSE | {"on_breach": "halt_and_close"})
    desk.open(BUY, 1.0, sl=0.9)
    other = desk.stage.deal(BUY, 1.0, magic=77).order
    desk.stage.price(1.0972)  # 300 each
    desk.watch.look()
    assert [one.ticket for one in desk.stage.api.positions_get()] == [other]
    assert desk.halts() == [HaltKind.DAILY_LOSS]


def test_it_is_halted_once_whoever_looks_and_not_again_the_same_day_after_a_person_resumed(make: Any) -> None:
    desk = make(LOOSE)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0940)
    for _ in range(3):
        desk.watch.look()
        desk.another().look()
    assert desk.ends == [(HaltKind.DAILY_LOSS, False)]
    desk.control.resume("I take it from here", actor="local")
    desk.stage.go(minutes=5)
    desk.watch.look()
    assert desk.halts() == []


def test_another_day_s_loss_halts_again(make: Any) -> None:
    desk = make(LOOSE)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0940)
    desk.watch.look()
    desk.control.resume("a new day", actor="local")
    desk.stage.price(1.0941, seconds=(timedelta(days=1) - timedelta(hours=9)).total_seconds())
    desk.watch.look()
    # The day began anew, but from the balance, which what floats is still 610 below: that is this day's loss.
    assert desk.ends == [(HaltKind.DAILY_LOSS, False)] * 2
    assert desk.halts() == [HaltKind.DAILY_LOSS]


def test_a_drawdown_halts_again_only_after_it_was_back_within_its_limit(make: Any) -> None:
    desk = make(TIGHT_DRAWDOWN)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0902)  # 1,000
    desk.watch.look()
    assert desk.halts() == [HaltKind.DRAWDOWN]
    desk.control.resume("seen", actor="local")
    desk.stage.price(1.0890)
    desk.watch.look()
    assert desk.halts() == []
    desk.stage.price(1.0950)
    desk.watch.look()
    desk.stage.price(1.0901)
    desk.watch.look()
    assert desk.halts() == [HaltKind.DRAWDOWN]


def test_what_could_not_be_ended_is_tried_again_each_minute(make: Any) -> None:
    desk = make(LOOSE | {"on_breach": "halt_and_close"})
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0940)
    desk.stage.market.closed.add("EURUSD")
    desk.watch.look()
    assert desk.stage.api.positions_total() == 1
    desk.stage.go(seconds=30)
    desk.watch.look()
    assert len(desk.ends) == 1
    desk.stage.market.closed.clear()
    desk.stage.price(1.0940, seconds=31)
    desk.watch.look()
    assert desk.stage.api.positions_total() == 0
    assert len(desk.ends) == 2


def test_a_terminal_that_fails_while_it_is_ended_leaves_the_desk_halted_and_is_asked_again(make: Any) -> None:
    desk = make(LOOSE)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0940)
    real = desk.end

    def fails(kind: HaltKind, reason: str, close: bool) -> Mapping[str, Any]:
        desk.control.halt(kind, reason, actor="watch")
        raise Unavailable("terminal_offline", "no connection")

    desk.end = fails
    desk.another().look()
    assert desk.halts() == [HaltKind.DAILY_LOSS]
    desk.end = real
    desk.stage.go(seconds=61)
    desk.another().look()
    assert desk.ends == [(HaltKind.DAILY_LOSS, False)]
