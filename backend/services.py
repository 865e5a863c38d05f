"""The composition root: the one place that chooses adapters and puts the desk's parts together.

Parts are built on first use, so that a process carries only what it needs.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property, lru_cache, partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from backend.config import Settings, TerminalKind, settings
from backend.core.clock import Clock, FixedClock, SystemClock, parse_iso
from backend.core.errors import NotFound, Unavailable
from backend.storage.files import FileStorage

if TYPE_CHECKING:
    from pathlib import Path

    from backend.adapters.calendars import Means
    from backend.adapters.connector_client import ConnectorAddress, ConnectorClock, ConnectorLink
    from backend.adapters.connector_kind import ConnectorKind
    from backend.adapters.fetch import HttpFetcher
    from backend.backtest.monte_carlo import Draws
    from backend.backtest.parity.service import ParityService
    from backend.backtest.service import BacktestService
    from backend.control.account import DeskAccount
    from backend.control.challenge import ChallengeDesk
    from backend.control.desk import Control
    from backend.control.watch import Watch
    from backend.core.timeframes import Timeframe
    from backend.economic_calendar.service import CalendarService
    from backend.history.incoming import Incoming
    from backend.history.pieces import Choices
    from backend.history.service import HistoryService
    from backend.ideas.acting import IdeaDesk
    from backend.ideas.book import IdeaBook
    from backend.ideas.decisions import DecisionService
    from backend.ideas.embargoes import Embargoes
    from backend.ideas.live import LiveJudge
    from backend.ideas.service import IdeaService
    from backend.jobs.host_locks import HostLocks
    from backend.jobs.service import Jobs
    from backend.journal.journal import Journal
    from backend.maintenance.health import HealthCheck
    from backend.maintenance.retention import Maintenance
    from backend.market.service import MarketService
    from backend.market.store import MarketStore
    from backend.market.symbol_file import SymbolFile
    from backend.mt5.api import Mt5Api
    from backend.mt5.client import MT5Client
    from backend.mt5.dealer import Dealer
    from backend.mt5.server_time import ServerClock
    from backend.news.reader import NewsReader
    from backend.news.service import NewsService
    from backend.orders.managing import Manager
    from backend.orders.service import OrderService
    from backend.queries.service import Queries
    from backend.risk.rulebook import Rulebook
    from backend.services_settings import SettingsDesks
    from backend.simulator.file_history import FileHistory
    from backend.storage.secrets import SecretStore
    from backend.strategies.files import StrategyFiles
    from backend.strategies.repository import StrategyRepository
    from backend.users.management import Management
    from backend.users.passwords import Argon2Hasher
    from backend.users.service import Door

SEND_IDEA = "backend.tasks.trading_tasks.send_idea"
CONNECTOR_FILE = "connector.json"
IMPORT_SECONDS = 1800.0
BEAT_FILE = "task_runs/beat.json"
SIGNING_KEY = "sessions"
TERMINAL_PASSWORD = "terminal.password"  # noqa: S105 - a name
SECRET_NAMES = (TERMINAL_PASSWORD, "calendar.finnhub", "calendar.fmp", "calendar.tradingeconomics")
CURRENT_LOGS = ("app.log", "api.log", "beat.log", "connector.log", "worker-*.log")


class Services:
    """The parts of one process, each built once. Attributes are read only.

    Args:
        settings: Of this process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self._settings

    # Time and files

    @cached_property
    def clock(self) -> Clock:
        """Desk time: wall time, or in a replay that of the connector."""
        return SystemClock() if self._settings.replay is None else self.connector_clock

    @property
    def clock_control(self) -> "ConnectorClock | None":
        """What moves the clock of a replay; None on a live desk."""
        return None if self._settings.replay is None else self.connector_clock

    @cached_property
    def server_clock(self) -> "ServerClock":
        """The broker's clock."""
        from backend.mt5.server_time import ServerClock

        return ServerClock.parse(self._settings.server_clock)

    @cached_property
    def storage(self) -> FileStorage:
        """Files below ``data/``."""
        return FileStorage(self._settings.data_dir, hosts=self._hosts)

    @cached_property
    def home(self) -> FileStorage:
        """Files below the desk's folder, logs included."""
        return FileStorage(self._settings.home, hosts=self._hosts)

    @cached_property
    def _hosts(self) -> "HostLocks | None":
        from backend.jobs.host_locks import host_locks

        return host_locks(self._settings)

    # The terminal, through the connector

    @cached_property
    def terminal(self) -> "MT5Client":
        """The terminal in UTC, canonical symbols and exact numbers."""
        from backend.adapters.connector_client import ConnectorApi
        from backend.mt5.client import MT5Client

        return MT5Client(ConnectorApi(self.connector_link), self.symbols, self.server_clock)

    @cached_property
    def dealer(self) -> "Dealer":
        """The trading side of the same terminal."""
        from backend.mt5.dealer import Dealer

        return Dealer(self.terminal.api, self.symbols, self.server_clock)

    @cached_property
    def connector_link(self) -> "ConnectorLink":
        """The way to the connector; closing it ends its connections."""
        from backend.adapters.connector_client import ConnectorLink

        return ConnectorLink(self._find_connector)

    @cached_property
    def connector_clock(self) -> "ConnectorClock":
        """The clock of the connector's host, and of a replay."""
        from backend.adapters.connector_client import ConnectorClock

        return ConnectorClock(self.connector_link)

    def _find_connector(self) -> "ConnectorAddress":
        from backend.adapters.connector_client import ConnectorAddress

        current = self._settings
        if current.connector_url is not None:
            token = current.connector_token.get_secret_value() if current.connector_token else ""
            return ConnectorAddress(current.connector_url, token)
        try:
            record = FileStorage(current.run_dir).read_json(CONNECTOR_FILE)
        except NotFound as error:
            raise Unavailable(
                "no_connector",
                "No MT5 connector runs in this folder. `python3 run.py` starts one with the desk, "
                "`python -m backend.connector` starts one alone, MT5UI_CONNECTOR_URL names one elsewhere.",
            ) from error
        return ConnectorAddress.from_record(record)

    # Configuration that users edit

    @cached_property
    def symbols(self) -> "SymbolFile":
        """The symbol map."""
        from backend.market.symbol_file import SymbolFile

        return SymbolFile(self._settings.config_dir / "symbol_map.csv")

    @cached_property
    def strategies(self) -> "StrategyFiles":
        """Strategies and profiles."""
        from backend.strategies.files import StrategyFiles

        return StrategyFiles(self._settings.config_dir / "ai")

    @cached_property
    def strategy_repository(self) -> "StrategyRepository":
        """Changes strategy files."""
        from backend.strategies.repository import StrategyRepository

        folder = self._settings.config_dir / "ai"
        return StrategyRepository(folder, self.storage, self.journal, self.clock, accept=self.control.accept)

    # Who may do what

    @property
    def why_sign_in(self) -> str | None:
        """Why whoever asks must sign in; None on this machine's own desk with the simulated terminal."""
        if (why := self._settings.why_sign_in) is not None:
            return why
        kind = self._connector_kind.real()
        return f"its connector says that the terminal is {kind}, which may hold real money" if kind else None

    @cached_property
    def _connector_kind(self) -> "ConnectorKind":
        from backend.adapters.connector_kind import ConnectorKind

        return ConnectorKind(self.connector_link)

    @cached_property
    def door(self) -> "Door":
        """Who comes in: users, sessions, tokens."""
        from backend.users.directory import Directory
        from backend.users.security_log import SecurityLog
        from backend.users.service import Door
        from backend.users.signing import Signer

        clock = SystemClock()
        return Door(
            directory=Directory(FileStorage(self._settings.config_dir)),
            data=self.storage,
            log=SecurityLog(self.journal, clock),
            clock=clock,
            hasher=self._hasher,
            signer=Signer(lambda: self.secrets.get_or_put(SIGNING_KEY, random_secret)),
            random=random_secret,
        )

    @cached_property
    def management(self) -> "Management":
        """Changes of users and tokens."""
        from backend.users.management import Management

        return Management(self.door, self._hasher, SystemClock())

    @cached_property
    def _hasher(self) -> "Argon2Hasher":
        from backend.users.passwords import Argon2Hasher

        return Argon2Hasher()

    # What the market says

    @cached_property
    def market_store(self) -> "MarketStore":
        """Closed bars."""
        from backend.market.store import MarketStore

        return MarketStore(self.storage, self.server_clock, clock=self.clock)

    @cached_property
    def market(self) -> "MarketService":
        """Quotes, bars and specifications."""
        from backend.market.service import MarketService

        return MarketService(self.terminal, self.market_store, self.storage, self.symbols, self.clock)

    @cached_property
    def history(self) -> "HistoryService":
        """Imported and collected bars: files in and out, and what they are worth."""
        from backend.history.service import HistoryService
        from backend.market.symbols import canonical_of
        from backend.simulator.replay_specs import usual_price

        return HistoryService(
            self.storage,
            self.market_store,
            self.server_clock,
            SystemClock(),
            canonical=partial(canonical_of, self.symbols),
            usual=usual_price,
        )

    @cached_property
    def incoming(self) -> "Incoming":
        """Files that wait to be imported."""
        from backend.history.incoming import Incoming

        return Incoming(self.storage, SystemClock())

    def import_history(self, file: str, choices: "Choices", *, dry_run: bool) -> dict[str, Any]:
        """Import what waits under that name, in a process of its own.

        Raises:
            DeskError: As `Importer.run`; nothing was imported then.
        """
        from backend.backtest.process import run_in_child
        from backend.history.work import ImportWork
        from backend.jobs.context import check, progress, seconds_left
        from backend.simulator.replay_specs import usual_price

        source = self.incoming.path(file)
        work = ImportWork(
            source=source,
            choices=choices,
            folder=self.history.folder,
            symbol_map=self._settings.config_dir / "symbol_map.csv",
            server_clock=self._settings.server_clock,
            usual=usual_price,
            dry_run=dry_run,
        )
        left = seconds_left()
        deadline = IMPORT_SECONDS if left is None else left
        done = run_in_child(work, check=check, progress=progress, deadline=deadline, what="import")
        if not dry_run:
            self.incoming.done(source)
        return done

    def fetch_history(self, symbol: str, timeframe: str, since: str) -> dict[str, Any]:
        """Fill the desk's bars from the terminal; tells how far it is and stops where its job is to end."""
        from backend.core.timeframes import Timeframe
        from backend.jobs.context import check, progress
        from backend.market.topping import toward

        frame, begin = Timeframe.parse(timeframe), parse_iso(since)

        def told(done: int, total: int, _: str) -> None:
            check()
            progress(done, total)

        return self.market.filled(symbol, frame, since=begin, progress=toward(begin, told))

    @cached_property
    def queries(self) -> "Queries":
        """Questions in SQL over the files."""
        from backend.queries.service import Queries

        return Queries(self.home, lambda: self.history.files())  # noqa: PLW0108 - needs the symbol map

    @cached_property
    def _fetcher(self) -> "HttpFetcher":
        from backend.adapters.fetch import HttpFetcher

        return HttpFetcher(self.clock, allow_private=self._settings.allow_private_addresses)

    @cached_property
    def secrets(self) -> "SecretStore":
        """Keys and passwords, encrypted."""
        return secret_store(self._settings, self.storage)

    @cached_property
    def calendar(self) -> "CalendarService":
        """The economic calendar."""
        from backend.adapters.calendars import calendar_source
        from backend.economic_calendar.service import CalendarService

        source = calendar_source(self._settings.config_dir / "api_integrations.json", self._calendar_means)
        return CalendarService(source, self.storage, self.clock, jitter=random.SystemRandom().random)

    @cached_property
    def _calendar_means(self) -> "Means":
        from backend.services_settings import calendar_means

        ask, clock = self.terminal.common_folder, self.clock
        return calendar_means(self._settings, self._fetcher, self.secrets, ask, clock, self.server_clock)

    @cached_property
    def settings_desks(self) -> "SettingsDesks":
        """What the settings pages show, change and try."""
        from backend.services_settings import SettingsDesks

        return SettingsDesks(self, self._calendar_means, TERMINAL_PASSWORD)

    @cached_property
    def embargoes(self) -> "Embargoes":
        """When news will pause entries."""
        from backend.ideas.embargoes import Embargoes

        return Embargoes(
            strategies=self.strategies,
            symbols=self.symbols,
            instrument=self.market.instrument,
            limits=self.control.limits,
            calendar=self.calendar,
        )

    @cached_property
    def news(self) -> "NewsService":
        """Collects the news."""
        from backend.adapters.feeds import FeedparserReader
        from backend.news.service import NewsService

        return NewsService(
            self._settings.config_dir,
            self.storage,
            self._fetcher,
            FeedparserReader(),
            self.clock,
            self.market.currencies,
        )

    @cached_property
    def news_reader(self) -> "NewsReader":
        """The news that was collected."""
        from backend.news.reader import NewsReader

        return NewsReader(self._settings.config_dir, self.storage, self.clock)

    # Decisions

    @cached_property
    def journal(self) -> "Journal":
        """The record of decisions."""
        from backend.journal.journal import Journal

        return Journal(self.storage, self.clock)

    @cached_property
    def decisions(self) -> "DecisionService":
        """What was decided."""
        from backend.ideas.decisions import DecisionService

        return DecisionService(self.storage, self.journal, self.market_store)

    def weigh_refusals(self, *, since: datetime | None = None) -> dict[str, Any]:
        """Compute what refused ideas would have earned; see `backend.backtest.weighing`."""
        from backend.backtest.weighing import weigh_refusals
        from backend.jobs.context import check, progress

        rule = self._settings.server_clock
        return weigh_refusals(self.storage, self.clock, rule, since=since, check=check, progress=progress)

    @cached_property
    def control(self) -> "Control":
        """Mode, limits and halts: one state for all processes."""
        from backend.control.desk import Control

        return Control(self._settings.config_dir, self.storage, self.journal, self.clock)

    @cached_property
    def account(self) -> "DeskAccount":
        """The account as decisions see it, with what is kept on record of its money."""
        from backend.accounts.service import MoneyRecords
        from backend.control.account import DeskAccount
        from backend.control.past_worth import PastWorth

        worth = PastWorth(self.market, self.terminal)
        records = MoneyRecords(self.storage, self.terminal, self.dealer, self.clock, self.server_clock, worth)
        return DeskAccount(
            records,
            self.terminal,
            self.dealer,
            self.market.instrument,
            self.control.limits,
            magic=self._settings.magic,
            owners=self.idea_book.owners,
            first_stops=self.idea_book.first_stops,
        )

    @cached_property
    def ideas(self) -> "IdeaService":
        """From closed bars to decisions and trade ideas."""
        from backend.ideas.service import IdeaService
        from backend.jobs.context import pause

        return IdeaService(
            storage=self.storage,
            clock=self.clock,
            control=self.control,
            strategies=self.strategies,
            symbols=self.symbols,
            market=self.market,
            account=self.account,
            server_clock=self.server_clock,
            calendar=self.calendar,
            journal=self.journal,
            book=self.idea_book,
            judge=self.idea_judge,
            acts=self.idea_desk,
            pause=pause,
        )

    @cached_property
    def idea_book(self) -> "IdeaBook":
        """Every change of every trade idea."""
        from backend.ideas.book import IdeaBook

        return IdeaBook(self.storage, self.journal, self.clock)

    @cached_property
    def idea_judge(self) -> "LiveJudge":
        """Ideas judged at current prices."""
        from backend.ideas.live import LiveJudge

        return LiveJudge(
            book=self.idea_book,
            journal=self.journal,
            market=self.market,
            server_clock=self.server_clock,
            clock=self.clock,
            calendar=self.calendar,
            control=self.control,
            account=self.account.state,
        )

    @cached_property
    def orders(self) -> "OrderService":
        """What asks the broker."""
        from backend.jobs.context import pause
        from backend.orders.service import OrderService
        from backend.orders.tickets import market_atr

        return OrderService(
            storage=self.storage,
            clock=self.clock,
            server_clock=self.server_clock,
            journal=self.journal,
            book=self.idea_book,
            judge=self.idea_judge,
            control=self.control,
            terminal=self.terminal,
            dealer=self.dealer,
            magic=self._settings.magic,
            pause=pause,
            profile=lambda symbol: self.strategies.load().profile(symbol),
            atr=market_atr(self.market),
        )

    @cached_property
    def watch(self) -> "Watch":
        """The account against the day's loss and the drawdown."""
        from backend.control.state import HaltKind
        from backend.control.watch import ACTOR, Watch

        def end(kind: HaltKind, reason: str, close: bool) -> dict[str, Any]:  # noqa: FBT001 - a port
            kill = self.orders.kill
            return kill.pull(close=close, all_=False, actor=ACTOR, reason=reason, kind=kind)

        return Watch(self.account, self.control, self.storage, self.clock, end)

    @cached_property
    def challenge(self) -> "ChallengeDesk":
        """How the challenge of the rulebook in force stands."""
        from backend.control.challenge import ChallengeDesk

        return ChallengeDesk(
            self.account,
            self.dealer,
            self.control.limits,
            self.storage,
            self.clock,
            self.server_clock,
            calendar=self.calendar.over,
            instrument=self.market.instrument,
        )

    def chances(self, run_id: str, rulebook: "Rulebook", draws: "Draws | None" = None) -> dict[str, Any]:
        """A rulebook's chances over a kept backtest; see `backend.backtest.stored_run`."""
        from backend.backtest.stored_run import chances

        return chances(self.storage, run_id, rulebook, zone=self.control.limits().reset_tz, draws=draws)

    @cached_property
    def manager(self) -> "Manager":
        """Keeps what is open by its strategy's rules."""
        from backend.orders.managing import Manager
        from backend.orders.ruling import ManagerParts
        from backend.orders.trades import TradeLog

        return Manager(
            ManagerParts(
                storage=self.storage,
                book=self.idea_book,
                journal=self.journal,
                clock=self.clock,
                server_clock=self.server_clock,
                terminal=self.terminal,
                dealer=self.dealer,
                market=self.market,
                strategies=self.strategies,
                calendar=self.calendar,
                positions=self.orders.positions,
                waiting=self.orders.waiting,
                follower=self.orders.follower,
                trades=TradeLog(self.home),
                limits=self.control.limits,
                magic=self._settings.magic,
            )
        )

    @cached_property
    def idea_desk(self) -> "IdeaDesk":
        """What may be done with trade ideas."""
        from backend.ideas.acting import IdeaDesk

        return IdeaDesk(
            book=self.idea_book,
            judge=self.idea_judge,
            clock=self.clock,
            send=self._send_idea,
            cancel_order=self.orders.cancel_idea,
        )

    def _send_idea(self, idea_id: str) -> str:
        # In the name of whoever approved it: under it the order goes on record.
        return self.jobs.submit(SEND_IDEA, {"idea_id": idea_id}, actor=self.idea_book.approver(idea_id))

    @cached_property
    def backtests(self) -> "BacktestService":
        """Backtests over the stored history."""
        from backend.backtest.service import BacktestService
        from backend.jobs.context import check, progress

        return BacktestService(
            storage=self.storage,
            clock=self.clock,
            config_dir=self._settings.config_dir,
            strategies=self.strategies,
            symbols=self.symbols,
            market=self.market,
            terminal=self.terminal,
            check=check,
            progress=progress,
            calendar=self.calendar.over,
        )

    @cached_property
    def parity(self) -> "ParityService":
        """Live days beside the same days as backtests."""
        from backend.backtest.parity.service import ParityService
        from backend.jobs.context import check, progress

        return ParityService(
            storage=self.storage,
            clock=self.clock,
            server_clock=self.server_clock,
            dealer=self.dealer,
            terminal=self.terminal,
            check=check,
            progress=progress,
        )

    def file_history(self, folder: "Path", symbols: Sequence[str], timeframe: "Timeframe") -> "FileHistory":
        """The prices recorded in a folder; see `FileHistory`."""
        from backend.simulator.file_history import FileHistory

        return FileHistory(folder, self.server_clock, symbols=symbols, timeframe=timeframe)

    def file_backtests(self, files: "FileHistory") -> "BacktestService":
        """Backtests over recorded prices."""
        from backend.backtest.service import BacktestService

        return BacktestService(
            storage=self.storage,
            clock=FixedClock(files.end),
            config_dir=self._settings.config_dir,
            strategies=self.strategies,
            symbols=files,
            market=files,
            terminal=files,
            source=f"files in {files.folder.name}",
            warnings=(
                "The specification, its swap too, is the simulated broker's of today: files hold none.",
            ),
            calendar=self.calendar.over,
        )

    # Work and upkeep

    @cached_property
    def jobs(self) -> "Jobs":
        """The job service."""
        from backend.jobs.app import desk_jobs

        return desk_jobs()

    @cached_property
    def maintenance(self) -> "Maintenance":
        """Retention and tidy CSV files."""
        from backend.jobs.context import check
        from backend.maintenance.retention import Maintenance

        return Maintenance(self.home, self.clock, current_logs=CURRENT_LOGS, check=check)

    @cached_property
    def health(self) -> "HealthCheck":
        """Is the desk well?"""
        from backend.jobs import broker
        from backend.maintenance.health import HealthCheck

        return HealthCheck(
            terminal=self._terminal_works,
            broker=lambda: broker.check(broker.resolve(self._settings)),
            workers=lambda: {worker.name: worker.updated_at for worker in self.jobs.workers()},
            deaf=lambda: [worker.name for worker in self.jobs.workers() if worker.state == "deaf"],
            beat=self._beat_seen,
            storage=self.home,
            clock=self.clock,
        )

    def _terminal_works(self) -> None:
        status = self.terminal.terminal()
        if not status.connected:
            raise Unavailable(
                "terminal_offline",
                f"the terminal {status.name} answers, but has no connection to its trade server",
            )

    def _beat_seen(self) -> datetime | None:
        report = self.storage.read_json_or(BEAT_FILE, None)
        return None if report is None else parse_iso(report["updated_at"])


def secret_store(current: Settings, data: FileStorage) -> "SecretStore":
    """Keys and passwords, encrypted; their key where the settings say."""
    from backend.storage.secrets import SecretStore

    ring = None
    if current.secret_keyring:
        from backend.adapters.system_keyring import SystemKeyring

        ring = SystemKeyring(str(current.home))
    key = current.secret_key.get_secret_value() if current.secret_key is not None else None
    return SecretStore(data, current.config_dir / "secret.key", key, ring)


def random_secret() -> str:
    """32 random bytes as text, without an underscore, which parts a token."""
    return token_hex(32)


def build_services(current: Settings) -> Services:
    """The parts for these settings."""
    return Services(current)


@lru_cache(maxsize=1)
def services() -> Services:
    """The parts of this process."""
    return build_services(settings())


def build_terminal(current: Settings, *, now: Callable[[], datetime]) -> "Mt5Api":
    """The terminal that the settings name; only the connector asks for it.

    Args:
        current: The settings.
        now: Desk time, for terminals that have no clock of their own.
    """
    if current.terminal is TerminalKind.SIMULATED:
        from backend.mt5.server_time import ServerClock
        from backend.simulator.build import build_simulated_terminal
        from backend.simulator.terms import TERMS_FILE, read_terms

        return build_simulated_terminal(
            seed=current.seed,
            replay=current.replay,
            server_clock=ServerClock.parse(current.server_clock),
            now=now,
            terms=read_terms(FileStorage(current.config_dir).read_json_or(TERMS_FILE, {})),
            storage=FileStorage(current.data_dir),
        )
    password = _terminal_password(current)
    if current.terminal is TerminalKind.NATIVE:
        from backend.adapters.native_terminal import NativeTerminal

        return NativeTerminal(
            path=str(current.terminal_path) if current.terminal_path else None,
            login=current.terminal_login,
            password=password,
            server=current.terminal_server or "",
        )
    from backend.adapters.bridge_terminal import BridgeTerminal

    return BridgeTerminal(
        current.bridge_host,
        current.bridge_port,
        allow_remote=current.bridge_allow_remote,
        login=current.terminal_login,
        password=password,
        server=current.terminal_server or "",
        path=str(current.terminal_path) if current.terminal_path else None,
    )


def _terminal_password(current: Settings) -> str:
    """The environment's, else the one that is kept encrypted, else none: the terminal may know its own."""
    if current.terminal_password is not None:
        return current.terminal_password.get_secret_value()
    kept = secret_store(current, FileStorage(current.data_dir))
    return kept.get(TERMINAL_PASSWORD) if TERMINAL_PASSWORD in kept.names() else ""
