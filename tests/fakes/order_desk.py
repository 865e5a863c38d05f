"""The orders' parts over a terminal of which a test sets time, prices and faults."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.market.symbols import SymbolMap, SymbolRow
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.server_time import ServerClock
from backend.orders.asking import Asking
from backend.orders.closing import PositionChanges
from backend.orders.owning import Owner
from backend.orders.waiting import OrderChanges
from backend.simulator.account import SimulatedAccount
from backend.simulator.faults import Fault, Faults
from backend.storage.files import FileStorage
from tests.fakes.broker_rows import MAGIC
from tests.fakes.scripted_market import NAMES, Stage

UTC_CLOCK = ServerClock.parse("UTC")


class FakeSwitch:
    """Remembers why the desk was paused."""

    def __init__(self) -> None:
        self.pauses: list[str] = []

    def pause(self, reason: str, *, actor: str) -> None:
        self.pauses.append(reason)


class OrderDesk:
    """Everything that asks the broker, over a `Stage`; requests to the broker are kept in `sent`."""

    def __init__(
        self,
        data: Path,
        *,
        script: Mapping[int, Fault] | None = None,
        account: SimulatedAccount | None = None,
        symbols: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        faults = Faults(script=script or {}, slow_seconds=0.0)
        self.stage = Stage(account, faults=faults, symbols=symbols)
        self.storage = FileStorage(data, fsync=False)
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

    def now(self) -> datetime:
        return self.stage.now

    def wall(self) -> datetime:
        return self.stage.now

    def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.stage.go(seconds=seconds)

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
