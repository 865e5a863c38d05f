"""The orders of a simulated desk: real gate, real book, the simulated market, and faults where wanted."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.mt5.dealer import Dealer
from backend.orders.service import OrderService
from backend.simulator.account import SimulatedAccount
from backend.simulator.build import build_simulated_terminal
from backend.simulator.faults import Faults
from backend.simulator.terms import BrokerTerms
from tests.fakes.broker_rows import MAGIC
from tests.fakes.desk import ROOT, SERVER, MovedClock, SimulatedDesk, simulated_desk

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
    ) -> None:
        clock = MovedClock(at)
        terms = BrokerTerms(
            account=account or SimulatedAccount(), symbols=symbols or {}, faults=faults or Faults()
        )
        terminal = build_simulated_terminal(
            seed=7, replay=None, server_clock=SERVER, now=clock.now, terms=terms
        )
        self.desk: SimulatedDesk = simulated_desk(data, at, clock=clock, api=terminal, config=config)
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
        )
