"""A desk in one process over the simulated market: real parts, a clock that a test moves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.accounts.service import MoneyRecords
from backend.control.account import DeskAccount
from backend.control.desk import Control
from backend.control.past_worth import PastWorth
from backend.core.clock import require_utc
from backend.economic_calendar.model import CalendarView
from backend.ideas.acting import IdeaDesk
from backend.ideas.book import IdeaBook
from backend.ideas.live import LiveJudge
from backend.ideas.service import IdeaService
from backend.journal.journal import Journal
from backend.market.service import MarketService
from backend.market.store import MarketStore
from backend.market.symbols import SymbolMap
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.server_time import ServerClock
from backend.simulator.build import build_simulated_terminal
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles
from tests.fakes.broker_rows import MAGIC
from tests.fakes.remembered import remembered_market

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SERVER = ServerClock.parse("America/New_York+7")


class MovedClock:
    """Both times are what the test says."""

    def __init__(self, at: datetime) -> None:
        self.at = require_utc(at)

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


class QuietCalendar:
    """A calendar that covers everything and holds nothing, unless a test says otherwise."""

    def __init__(self) -> None:
        self.view: CalendarView | None = None
        self.instead: Callable[[datetime], CalendarView] | None = None

    def as_of(self, now: datetime) -> CalendarView:
        if self.instead is not None:
            return self.instead(now)
        if self.view is not None:
            return self.view
        return CalendarView(
            known=True,
            provider="test",
            fetched_at=now,
            age=timedelta(0),
            covered_from=now - timedelta(days=7),
            covered_to=now + timedelta(days=7),
        )


@dataclass(kw_only=True)
class SimulatedDesk:
    """The parts, each replaceable.

    Attributes:
        sent: Ids of ideas that were given to the sender.
    """

    clock: MovedClock
    storage: FileStorage
    symbols: SymbolMap
    strategies: StrategyFiles
    client: MT5Client
    market: MarketService
    calendar: QuietCalendar
    journal: Journal
    control: Control
    account: DeskAccount
    ideas: IdeaService
    book: IdeaBook
    judge: LiveJudge
    acts: IdeaDesk
    sent: list[str]


def simulated_desk(
    data: Path,
    at: datetime,
    *,
    config: Path = ROOT / "config",
    seed: int = 7,
    storage: FileStorage | None = None,
    clock: MovedClock | None = None,
    api: Any = None,
) -> SimulatedDesk:
    """A desk whose files stand in `data`; another one on the same folder is another process."""
    clock = clock or MovedClock(at)
    storage = storage or FileStorage(data, fsync=False)
    symbols = SymbolMap.load(config / "symbol_map.csv")
    terminal = api or build_simulated_terminal(
        seed=seed, replay=None, server_clock=SERVER, now=clock.now, market=remembered_market(seed)
    )
    terminal.initialize()
    client = MT5Client(terminal, symbols, SERVER)
    market = MarketService(client, MarketStore(storage, SERVER, clock=clock), storage, symbols, clock)
    strategies = StrategyFiles(config / "ai")
    calendar = QuietCalendar()
    journal = Journal(storage, clock)
    control = Control(config, storage, journal, clock)
    book = IdeaBook(storage, journal, clock)
    sent: list[str] = []
    dealer = Dealer(terminal, symbols, SERVER)
    records = MoneyRecords(storage, client, dealer, clock, SERVER, PastWorth(market, client))
    account = DeskAccount(
        records, client, dealer, market.instrument, control.limits, magic=MAGIC, owners=book.owners
    )

    judge = LiveJudge(
        book=book,
        journal=journal,
        market=market,
        server_clock=SERVER,
        clock=clock,
        calendar=calendar,
        control=control,
        account=account.state,
    )
    acts = IdeaDesk(book=book, judge=judge, clock=clock, send=sent.append)
    ideas = IdeaService(
        storage=storage,
        clock=clock,
        control=control,
        strategies=strategies,
        symbols=symbols,
        market=market,
        account=account,
        server_clock=SERVER,
        calendar=calendar,
        journal=journal,
        book=book,
        judge=judge,
        acts=acts,
        pause=lambda seconds: clock.move(seconds=seconds),
    )
    return SimulatedDesk(
        clock=clock,
        storage=storage,
        symbols=symbols,
        strategies=strategies,
        client=client,
        market=market,
        calendar=calendar,
        journal=journal,
        control=control,
        account=account,
        ideas=ideas,
        book=book,
        judge=judge,
        acts=acts,
        sent=sent,
    )
