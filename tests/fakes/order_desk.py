"""The orders' parts over a terminal of which a test sets time, prices and faults."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.core.clock import iso
from backend.evaluation.levels import Levels
from backend.ideas.book import IdeaBook
from backend.ideas.judging import Judged, Prices, Wanted, anchored, level_faults, passed_by
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.market.symbols import SymbolMap, SymbolRow
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.server_time import ServerClock
from backend.orders.asking import Asking
from backend.orders.closing import PositionChanges
from backend.orders.following import Follower
from backend.orders.kill import KillSwitch
from backend.orders.looking import Looker
from backend.orders.owning import Owner
from backend.orders.parts import SendParts
from backend.orders.recovery import Recovery
from backend.orders.sending import Sender
from backend.orders.service import OrderService
from backend.orders.waiting import OrderChanges
from backend.simulator.account import SimulatedAccount
from backend.simulator.faults import Fault, Faults
from backend.simulator.statefile import BookFile
from backend.storage.files import FileStorage
from backend.strategies.model import OrderType, Profile
from backend.trading.conversion import conversion
from backend.trading.desk import Circumstances
from backend.trading.sides import Side
from backend.trading.terms import Terms
from backend.trading.verdict import Proposal, Refusal, Size
from tests.fakes.broker_rows import MAGIC
from tests.fakes.scripted_market import NAMES, Stage

UTC_CLOCK = ServerClock.parse("UTC")


class FakeSwitch:
    """Remembers why the desk was paused, and is halted when a test says so."""

    def __init__(self) -> None:
        self.pauses: list[str] = []
        self.halt_reason = ""

    def pause(self, reason: str, *, actor: str) -> None:
        self.pauses.append(reason)

    def halted(self) -> str:
        return self.halt_reason

    def paused(self) -> str:
        return self.pauses[-1] if self.pauses else ""

    def halt(self, reason: str, *, actor: str, kind: HaltKind) -> None:
        self.halt_reason = reason


class FakeJudge:
    """Anchors levels as the real one does; every volume passes unless a test refuses."""

    def __init__(self, client: MT5Client) -> None:
        self._client = client
        self.refuse = ""
        self.calls = 0

    def judge(self, idea: Mapping[str, Any]) -> tuple[Judged, Prices]:
        self.calls += 1
        instrument, quote = self._client.instrument(idea["symbol"]), self._client.quote(idea["symbol"])
        prices = Prices(bid=instrument.ticks(float(quote.bid)), ask=instrument.ticks(float(quote.ask)))
        side, kind = Side(idea["side"]), OrderType(idea["order_type"])
        levels = Levels(
            side=side,
            reference=instrument.ticks(idea["reference"]),
            offset=idea["offset_ticks"],
            spread=prices.spread,
            stop=idea["stop_ticks"],
            target=idea["target_ticks"],
            widened=False,
            minimum=0,
            instrument=instrument,
        )
        wanted = Wanted(
            levels=levels,
            type=kind,
            atr=0.001,
            half=False,
            score=80.0,
            around=Circumstances(),
            closed=quote.time,
            terms=Terms(strategy=None, min_rr=0.0, risk_fraction=0.01, risk_cap=0.05),
        )
        levels = anchored(wanted, prices)
        reached = passed_by(levels, kind, prices)
        faults = level_faults(levels, wanted, prices, reached=reached)
        if self.refuse:
            faults += (Refusal(check="test", reason=self.refuse),)
        lots = Decimal(repr(idea["volume"]))
        zero = Decimal(0)
        size = Size(
            lots=lots,
            steps=int(lots / instrument.volume_step),
            risk_fraction=zero,
            risk_money=zero,
            loss_per_lot=zero,
            risk_taken=zero,
            margin=zero,
            limited_by="risk",
        )
        proposal = Proposal(
            instrument=instrument,
            side=side,
            strategy=None,
            entry=levels.entry_price,
            stop=levels.stop_price,
            stop_ticks=levels.stop,
            target_ticks=levels.target,
            min_rr=0.0,
            atr=0.001,
            size=size,
            conversion=conversion(instrument, instrument.currency_profit),
            confidence=80.0,
        )
        judged = Judged(
            levels=levels, type=kind, passed_by=reached, faults=faults, proposal=proposal, verdict=None
        )
        return judged, prices


class OrderDesk:
    """Everything that asks the broker, over a `Stage`; requests to the broker are kept in `sent`."""

    def __init__(
        self,
        data: Path,
        *,
        script: Mapping[int, Fault] | None = None,
        account: SimulatedAccount | None = None,
        symbols: Mapping[str, Mapping[str, Any]] | None = None,
        faults: Faults | None = None,
        storage: FileStorage | None = None,
        kept: bool = False,
    ) -> None:
        """`kept`: the broker's account is kept in the same folder, and outlives this process."""
        faults = faults or Faults(script=script or {}, slow_seconds=0.0)
        self.storage = storage or FileStorage(data, fsync=False)
        file = BookFile(self.storage, "simulator/book.jsonl") if kept else None
        self.stage = Stage(account, faults=faults, symbols=symbols, file=file)
        self.journal = Journal(self.storage, self)
        names = SymbolMap(rows=tuple(SymbolRow(canonical=n, broker_symbol=n, enabled=True) for n in NAMES))
        self.waited: list[float] = []
        self.sent: list[dict[str, Any]] = []
        api: Any = Watched(self.stage.api, self.sent)
        self.client = MT5Client(api, names, UTC_CLOCK)
        self.dealer = Dealer(api, names, UTC_CLOCK)
        self.switch = FakeSwitch()
        self.asking = Asking(self.journal, self.dealer, self, self.switch, self.pause)
        owner = Owner(magic=MAGIC, idea_of=lambda number: None, clock=self)
        self.positions = PositionChanges(self.asking, self.dealer, self.client, owner)
        self.waiting = OrderChanges(self.asking, self.dealer, self.client, owner)
        self.book = IdeaBook(self.storage, self.journal, self)
        self.judge = FakeJudge(self.client)
        self.parts = SendParts(
            book=self.book,
            asking=self.asking,
            dealer=self.dealer,
            judge=self.judge,
            switch=self.switch,
            clock=self,
            server_clock=UTC_CLOCK,
            lock=self.storage.lock,
            magic=MAGIC,
        )
        self.sender = Sender(self.parts)
        self.looker = Looker(self.dealer, self.client, self.book, self.journal)
        self.follower = Follower(self.book, self.looker, self.waiting, self, self.pause)
        self.recovery = Recovery(
            self.parts, self.journal, self.client, self.sender, self.follower, self.looker, self.pause
        )

    def now(self) -> datetime:
        return self.stage.now

    def wall(self) -> datetime:
        return self.stage.now

    def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.stage.go(seconds=seconds)

    def service(self, config: Path, *, judge: Any = None) -> OrderService:
        """The same parts as a process of a desk has them; halts are the real ones."""
        self.control = Control(config, self.storage, self.journal, self)
        return OrderService(
            storage=self.storage,
            clock=self,
            server_clock=UTC_CLOCK,
            journal=self.journal,
            book=self.book,
            judge=judge,
            control=self.control,
            terminal=self.client,
            dealer=self.dealer,
            magic=MAGIC,
            pause=self.pause,
            profile=lambda symbol: Profile(symbol=symbol),
            atr=lambda symbol, timeframe: None,
        )

    def idea(self, name: str = "i-1", **fields: Any) -> str:
        """An approved idea: a market buy of 0.1 lots, 100 ticks to the stop and 200 to the target."""
        base: dict[str, Any] = {
            "id": name,
            "symbol": "EURUSD",
            "status": "approved",
            "origin": "strategy",
            "created_at": iso(self.now()),
            "expires_at": iso(self.now() + timedelta(minutes=15)),
            "strategy_id": "s",
            "timeframe": "M15",
            "side": "buy",
            "order_type": "market",
            "expiry_bars": None,
            "reference": 1.1002,
            "offset_ticks": 0,
            "stop_ticks": 100,
            "target_ticks": 200,
            "volume": 0.1,
            "entry": 1.1002,
            "stop": 1.0992,
            "target": 1.1022,
        }
        self.book.create(base | fields, actor="test")
        return name

    def send(self, name: str = "i-1") -> dict[str, Any]:
        """The idea after it was sent."""
        self.sender.send(name, actor="test")
        return self.book.get(name)

    def open(self, kind: int = 0, volume: float = 1.0, **more: Any) -> int:
        """A position of ours with a stop; its ticket."""
        stop = {"sl": 1.09} if kind == 0 else {"sl": 1.11}
        return int(self.stage.deal(kind, volume, **{"magic": MAGIC, **stop, **more}).order)

    def pend(self, kind: int, price: float, **more: Any) -> int:
        """A pending order of ours with a stop; its ticket."""
        stop = {"sl": price - 0.01} if kind in {2, 4} else {"sl": price + 0.01}
        return int(self.stage.pend(kind, price, **{"magic": MAGIC, **stop, **more}).order)

    def journalled(self) -> list[tuple[str, str]]:
        """(kind of record, intent) of every order record, oldest first."""
        kinds = {Kind.ORDER_INTENT, Kind.ORDER_OUTCOME}
        found = [record for record in self.journal.newest() if record.kind in kinds]
        return [(str(record.kind), str(record.key)) for record in reversed(found)]


def kill_switch(desk: OrderDesk, **changes: Any) -> KillSwitch:
    """The desk's kill switch, with parts changed."""
    parts: dict[str, Any] = {
        "halts": desk.switch,
        "asking": desk.asking,
        "journal": desk.journal,
        "dealer": desk.dealer,
        "terminal": desk.client,
        "positions": desk.positions,
        "waiting": desk.waiting,
        "lock": desk.storage.lock,
        "magic": desk.parts.magic,
        "after": desk.recovery.settle,
    }
    return KillSwitch(**parts | changes)


class Watched:
    """Passes everything on, and keeps the requests that were sent."""

    def __init__(self, api: Any, sent: list[dict[str, Any]]) -> None:
        self._api = api
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def order_send(self, request: dict[str, Any]) -> Any:
        self._sent.append(request)
        return self._api.order_send(request)
