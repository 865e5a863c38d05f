"""A live day over the simulated market beside the same day as a backtest: pairs, causes, no cent left."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.backtest.parity.kept import audited_day, audited_days, file_of
from backend.backtest.parity.live import sent_of
from backend.backtest.parity.service import ParityService
from backend.core.bars import COLUMNS, Bars
from backend.core.clock import FixedClock
from backend.core.errors import Invalid, NotFound
from backend.core.timeframes import Timeframe
from backend.ideas.judging import Judged, Prices
from backend.ideas.lifecycle import Status
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.mt5.dealer import Dealer
from backend.mt5.orders import Deal
from backend.mt5.words import DealEntry, DealType, Reason
from backend.orders.asking import Asking
from backend.orders.parts import SendParts
from backend.orders.sending import Sender
from backend.simulator.build import build_simulated_terminal
from backend.storage.files import FileStorage
from backend.trading.desk import Purpose
from tests.fakes import backtests
from tests.fakes.desk import ROOT, SERVER, MovedClock, SimulatedDesk, simulated_desk
from tests.fakes.order_desk import FakeSwitch

assert backtests.LONG  # its import has the engine compiled

DAY = "2026-03-04"  # a Wednesday
MORNING = datetime(2026, 3, 4, 10, 0, 5, tzinfo=UTC)  # 12:00:05 at the broker
MAGIC = 7


def noon(name: str, direction: str = "long", **rules: Any) -> dict[str, Any]:
    """A strategy that signals on one bar a day: that of 11:00 at the broker."""
    return {
        "id": name,
        "symbol": "EURUSD",
        "timeframe": "H1",
        "conditions": {"entry": ["hour == 11"]},
        "strategy": {"direction": direction, "news_embargo_minutes": 0, **rules},
    }


@dataclass(kw_only=True)
class Live:
    """A desk that sends, over a market that goes on by itself."""

    desk: SimulatedDesk
    dealer: Dealer
    sender: Sender

    def go(self, **by: float) -> None:
        """Let time pass; the desk decides each hour."""
        end = self.desk.clock.at + timedelta(**by)
        while self.desk.clock.at < end:
            hour = self.desk.clock.at.replace(minute=0, second=5) + timedelta(hours=1)
            self.desk.clock.at = min(end, hour)
            self.dealer.orders()
            if self.desk.clock.at == hour:
                self.desk.ideas.evaluate_all(trigger="test")
                self.desk.market.top_up("EURUSD", Timeframe.M1, min_bars=60)

    def approve(self, actor: str = "anna") -> dict[str, Any]:
        [idea] = self.desk.book.find(Status.PENDING_APPROVAL)
        self.desk.acts.approve(str(idea["id"]), actor=actor)
        self.sender.send(str(idea["id"]), actor="desk")
        return self.desk.book.get(str(idea["id"]))

    def service(self) -> ParityService:
        return ParityService(
            storage=self.desk.storage,
            clock=self.desk.clock,
            server_clock=SERVER,
            dealer=self.dealer,
            terminal=self.desk.client,
        )

    def audit(self, day: str = DAY) -> dict[str, Any]:
        return self.service().work(day).compared()


def live_desk(folder: Path, *strategies: Mapping[str, Any], **limits: Any) -> Live:
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    for path in (config / "ai" / "strategies").iterdir():
        path.unlink()
    for one in strategies:
        (config / "ai" / "strategies" / f"{one['id']}.json").write_text(json.dumps(one), encoding="utf-8")
    if limits:
        (config / "risk.json").write_text(json.dumps(limits), encoding="utf-8")
    clock = MovedClock(MORNING - timedelta(hours=1))
    terminal: Any = build_simulated_terminal(seed=7, replay=None, server_clock=SERVER, now=clock.now)
    desk = simulated_desk(folder / "data", clock.at, config=config, clock=clock, api=terminal)
    dealer = Dealer(terminal, desk.symbols, SERVER)
    switch = FakeSwitch()
    asking = Asking(desk.journal, dealer, clock, switch, lambda seconds: clock.move(seconds=seconds))

    class Judge:
        def judge(self, idea: Mapping[str, Any]) -> tuple[Judged, Prices]:
            market = desk.judge.market(str(idea["symbol"]))
            return desk.judge.judge(idea, purpose=Purpose.APPROVAL, market=market), market.prices

    parts = SendParts(
        book=desk.book,
        asking=asking,
        dealer=dealer,
        judge=Judge(),
        switch=switch,
        clock=clock,
        server_clock=SERVER,
        lock=desk.storage.lock,
        magic=MAGIC,
    )
    made = Live(desk=desk, dealer=dealer, sender=Sender(parts))
    made.desk.ideas.evaluate_all(trigger="test")
    made.go(hours=1)
    return made


def adds_up(page: Mapping[str, Any]) -> None:
    """To the cent: each pair, and the whole."""
    gap = Decimal(page["live_net"]) - Decimal(page["twin_net"])
    assert Decimal(page["gap"]) == gap
    assert sum(Decimal(money) for money in page["causes"].values()) == gap
    for pair in page["pairs"]:
        nets = [Decimal(pair[side]["net"]) if pair[side] else Decimal(0) for side in ("live", "twin")]
        assert Decimal(pair["gap"]) == nets[0] - nets[1]
        assert sum((Decimal(money) for money in pair["causes"].values()), Decimal(0)) == Decimal(pair["gap"])


def test_a_trade_that_a_person_approved_late_is_beside_its_twin(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    live.go(minutes=7)
    idea = live.approve()
    assert idea["status"] == "open"
    live.go(hours=11)
    page = live.audit()
    adds_up(page)
    assert (page["live_trades"], page["twin_trades"], page["paired"]) == (1, 1, 1)
    [pair] = page["pairs"]
    assert (pair["strategy"], pair["signal_time"]) == ("NOON", "2026-03-04T10:00:00Z")
    assert pair["idea_id"] == idea["id"]
    assert not page["complete"]
    assert Decimal(page["causes"]["latency"]) == 0
    assert pair["causes"]["commission"] == pair["twin"]["commission"]  # the simulated broker takes none


def test_what_the_desk_approves_itself_is_late_by_itself(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    live.go(minutes=7)
    live.approve(actor="desk")
    live.go(hours=11)
    page = live.audit()
    adds_up(page)
    assert Decimal(page["causes"]["human_delay"]) == 0
    assert Decimal(page["causes"]["latency"]) != 0


def test_an_idea_that_nobody_approved_is_a_twin_alone(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    live.desk.acts.reject(
        str(live.desk.book.find(Status.PENDING_APPROVAL)[0]["id"]), actor="anna", why="not today"
    )
    live.go(hours=11)
    page = live.audit()
    adds_up(page)
    [pair] = page["pairs"]
    assert (pair["live"], list(pair["causes"])) == (None, ["human_delay"])
    assert pair["why"] == "nobody approved it in time: rejected by anna: not today"
    assert page["live_net"] == "0.00"


def test_what_the_gate_refused_live_alone_is_the_gates(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    [record] = live.desk.journal.decisions(Wanted(idea=True), limit=1)
    # the same decision, had another program's position filled the account's exposure
    changed = dict(record.payload) | {
        "idea_id": None,
        "action": "blocked",
        "refusals": [{"check": "exposure", "reason": "too much", "blocks": True}],
    }
    other = tmp_path / "other"
    shutil.copytree(live.desk.storage.root, other)
    for name in ("decisions_20260304.jsonl", "last.json", "index"):
        path = other / "decisions" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in (other / "trade_ideas").glob("*.json"):
        path.unlink()
    live.go(hours=11)
    shutil.rmtree(other / "history")
    shutil.copytree(live.desk.storage.root / "history", other / "history")
    storage = FileStorage(other, fsync=False)
    Journal(storage, FixedClock(MORNING)).append(Kind.DECISION, changed, actor="test", key=str(changed["id"]))
    work = replace(live.service().work(DAY), root=other, deals=())
    page = work.compared()
    adds_up(page)
    [pair] = page["pairs"]
    assert (list(pair["causes"]), pair["why"]) == (["gate"], "refused live: exposure")


def test_a_signal_that_the_corrected_bars_do_not_give_is_signal(tmp_path: Path) -> None:
    strategy = noon("NOON")
    strategy["conditions"] = {"entry": ["hour == 11 and volume > 0"]}
    live = live_desk(tmp_path, strategy)
    live.approve()
    live.go(hours=11)
    store = live.desk.market.store
    bar = store.bars("EURUSD", Timeframe.H1, since=MORNING - timedelta(hours=1, seconds=5))[:1]
    columns = {name: getattr(bar, name).copy() for name in COLUMNS} | {"volume": bar.volume * 0}
    store.append(Bars(symbol="EURUSD", timeframe=Timeframe.H1, **columns), revise=True)
    page = live.audit()
    adds_up(page)
    [pair] = page["pairs"]
    assert (pair["twin"], list(pair["causes"])) == (None, ["signal"])
    assert pair["why"] == "the stored bars do not give the signal that was decided on"


def test_a_position_is_audited_whole_on_the_day_its_last_part_closed(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    idea = live.approve()
    position = int(idea["position"]["id"])
    [deal] = live.dealer.deals_of_position(position)
    sell = replace(deal, type=DealType.SELL, entry=DealEntry.OUT, comment="", reason=Reason.CLIENT)
    half, rest = Decimal("0.1"), deal.volume - Decimal("0.1")
    first = replace(sell, ticket=900, volume=half, time=deal.time + timedelta(hours=2), profit=Decimal(3))
    last = replace(sell, ticket=901, volume=rest, time=deal.time + timedelta(hours=26), profit=Decimal(-4))
    live.go(hours=30)

    class Broker:
        def deals(self, since: datetime, until: datetime | None = None) -> list[Deal]:
            return [
                one for one in (deal, first, last) if since <= one.time and one.time < (until or one.time)
            ]

        def deals_of_position(self, position_id: int) -> list[Deal]:
            return [deal, first, last]

    service = ParityService(
        storage=live.desk.storage,
        clock=live.desk.clock,
        server_clock=SERVER,
        dealer=Broker(),
        terminal=live.desk.client,
    )
    assert service.work(DAY).deals == ()
    page = service.work("2026-03-05").compared()
    adds_up(page)
    assert page["live_net"] == "-1.00"
    mine = [pair for pair in page["pairs"] if pair["live"] is not None]
    assert {pair["signal_time"] for pair in mine} == {"2026-03-04T10:00:00Z"}
    # the noon of the day itself: an idea that nobody approved
    others = [pair for pair in page["pairs"] if pair["live"] is None and pair["signal_time"] > "2026-03-05"]
    assert all(list(pair["causes"]) == ["human_delay"] for pair in others)


def test_a_strategy_that_cannot_be_run_again_is_data(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    live.approve()
    live.go(hours=11)
    live.desk.market.store.park("EURUSD", Timeframe.H1)
    page = live.audit()
    adds_up(page)
    [pair] = page["pairs"]
    assert (list(pair["causes"]), pair["twin"]) == (["data"], None)
    assert "NOON on EURUSD was not run" in page["notes"][0]


def step(action: str, status: str, by: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "status": status, "by": by, "changes": {}, "details": {}} | more


SEND = step(
    "send",
    "sending",
    "desk",
    changes={"entry": [1.1003, 1.1005]},
    details={"levels": {"entry": 1.1005, "tick_size": 1e-05, "spread_ticks": 12}},
)


@pytest.mark.parametrize(
    ("before", "approved"),
    [
        (step("approve", "approved", "anna", changes={"entry": [1.1001, 1.1003]}), "1.1003"),
        (step("approve", "approved", "anna"), "1.1003"),  # the price was that of the proposal
    ],
)
def test_the_price_at_approval_is_found_in_the_steps(before: dict[str, Any], approved: str) -> None:
    refused = step("approve", "pending_approval", "anna", changes={})
    history = [step("propose", "pending_approval", "desk"), refused, before, SEND]
    idea = {"order_type": "market", "entry": 1.1005, "history": history}
    found = sent_of(idea)
    assert found is not None
    assert (found.asked, found.approved) == (Decimal("1.1005"), Decimal(approved))
    assert (found.spread, found.by_person) == (Decimal("0.00012"), True)
    assert sent_of(idea | {"order_type": "limit"}) is None
    assert sent_of(idea | {"history": history[:-1]}) is None
    by_desk = sent_of(idea | {"history": [history[0], step("approve", "approved", "desk"), SEND]})
    assert by_desk is not None
    assert not by_desk.by_person


def test_two_strategies_of_one_symbol_are_told_apart(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"), noon("NOON_TOO", "short"))
    for idea in live.desk.book.find(Status.PENDING_APPROVAL):
        live.desk.acts.approve(str(idea["id"]), actor="anna")
        live.sender.send(str(idea["id"]), actor="desk")
    live.go(hours=11)
    page = live.audit()
    adds_up(page)
    assert {(pair["strategy"], pair["live"]["side"], pair["twin"]["side"]) for pair in page["pairs"]} == {
        ("NOON", "buy", "buy"),
        ("NOON_TOO", "sell", "sell"),
    }


def test_trades_of_others_are_named_and_not_compared(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    work = live.service().work(DAY)
    stranger = Deal(
        ticket=90,
        order=91,
        position_id=92,
        symbol="EURUSD",
        broker_symbol="EURUSD",
        type=DealType.BUY,
        entry=DealEntry.IN,
        volume=Decimal("0.1"),
        price=Decimal("1.1"),
        commission=Decimal(0),
        swap=Decimal(0),
        profit=Decimal(0),
        fee=Decimal(0),
        magic=0,
        comment="",
        reason=Reason.CLIENT,
        time=MORNING,
    )
    out = replace(stranger, ticket=93, type=DealType.SELL, entry=DealEntry.OUT, profit=Decimal(5))
    page = replace(work, deals=(stranger, out)).compared()
    adds_up(page)
    assert [row["why"] for row in page["excluded"]] == ["it is no idea of this desk"]


def test_a_day_without_decisions_says_so(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    page = live.audit("2026-03-03")
    assert (page["pairs"], page["gap"], page["complete"]) == ([], "0.00", True)
    assert page["notes"] == ["No strategy decided anything that day."]


def test_days_are_kept_and_listed(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    service, storage = live.service(), live.desk.storage
    with pytest.raises(NotFound, match="POST /api/parity"):
        audited_day(storage, DAY)
    storage.write_json(file_of(DAY), service.work(DAY).compared())
    assert audited_day(storage, DAY)["day"] == DAY
    [row] = audited_days(storage)
    assert (row["day"], "pairs" in row) == (DAY, False)
    for day in ("2026-03-05", "yesterday"):
        with pytest.raises(Invalid, match="2026"):
            service.work(day)


@pytest.mark.full
def test_it_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    live = live_desk(tmp_path, noon("NOON"))
    live.approve()
    live.go(hours=11)
    page = live.service().audit(DAY)
    adds_up(page)
    assert page == audited_day(live.desk.storage, DAY)
