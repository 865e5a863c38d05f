"""The orders of a simulated desk: real gate, real book, the simulated market, and faults where wanted."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.mt5.dealer import Dealer
from backend.orders.managing import Manager
from backend.orders.ruling import ManagerParts
from backend.orders.service import OrderService
from backend.orders.tickets import market_atr
from backend.orders.trades import TradeLog
from backend.simulator.account import SimulatedAccount
from backend.simulator.build import build_simulated_terminal
from backend.simulator.faults import Faults
from backend.simulator.terms import BrokerTerms
from backend.storage.files import FileStorage
from tests.fakes.broker_rows import MAGIC
from tests.fakes.desk import ROOT, SERVER, MovedClock, SimulatedDesk, simulated_desk
from tests.fakes.remembered import remembered_market

WEDNESDAY = datetime.fromisoformat("2026-03-04T10:00:05+00:00")


class LiveOrders:
    """A desk and what asks its broker."""

    def __init__(
        self,
        data: Path,
        *,
        at: datetime = WEDNESDAY,
        faults: Faults | None = None,
        account: SimulatedAccount | None = None,
        symbols: Mapping[str, Mapping[str, Any]] | None = None,
        config: Path = ROOT / "config",
        replay: Path | None = None,
        storage: FileStorage | None = None,
        kept: bool = False,
    ) -> None:
        """`kept`: the broker's account is kept in the same folder, and outlives this process."""
        clock = MovedClock(at)
        terms = BrokerTerms(
            account=account or SimulatedAccount(), symbols=symbols or {}, faults=faults or Faults()
        )
        storage = storage or FileStorage(data, fsync=False)
        terminal = build_simulated_terminal(
            seed=7,
            replay=replay,
            server_clock=SERVER,
            now=clock.now,
            terms=terms,
            storage=storage if kept else None,
            market=remembered_market(7) if replay is None else None,
        )
        self.desk: SimulatedDesk = simulated_desk(
            data, at, clock=clock, api=terminal, config=config, storage=storage
        )
        desk = self.desk
        self.dealer = Dealer(terminal, desk.symbols, SERVER)
        self.orders = OrderService(
            storage=desk.storage,
            clock=clock,
            server_clock=SERVER,
            journal=desk.journal,
            book=desk.book,
            judge=desk.judge,
            control=desk.control,
            terminal=desk.client,
            dealer=self.dealer,
            magic=MAGIC,
            pause=lambda seconds: clock.move(seconds=seconds),
            profile=lambda symbol: desk.strategies.load().profile(symbol),
            atr=market_atr(desk.market),
        )

    def manager(self, home: FileStorage) -> Manager:
        """What manages its positions, with the trades' files below `home`."""
        desk = self.desk
        return Manager(
            ManagerParts(
                storage=desk.storage,
                book=desk.book,
                journal=desk.journal,
                clock=desk.clock,
                server_clock=SERVER,
                terminal=desk.client,
                dealer=self.dealer,
                market=desk.market,
                strategies=desk.strategies,
                calendar=desk.calendar,
                positions=self.orders.positions,
                waiting=self.orders.waiting,
                follower=self.orders.follower,
                trades=TradeLog(home),
                limits=desk.control.limits,
                magic=MAGIC,
            )
        )
