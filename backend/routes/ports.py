"""What the routes need of the desk's services."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from backend.backtest.monte_carlo import Draws
from backend.config import Settings
from backend.control.account import DeskAccount
from backend.control.desk import Control
from backend.control.feeds import FeedDesk
from backend.control.integrations import Integrations
from backend.control.symbol_rows import SymbolDesk
from backend.core.bars import Bars
from backend.core.clock import Clock
from backend.core.problems import Problem
from backend.core.timeframes import Timeframe
from backend.economic_calendar.model import CalendarView, Event
from backend.history.incoming import Incoming
from backend.history.service import Kept, Series
from backend.ideas.lifecycle import Status
from backend.ideas.lines import Filter
from backend.jobs.schedule_desk import ScheduleDesk
from backend.jobs.service import Jobs
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.journal.record import Record
from backend.market.specifications import DatedInstrument
from backend.market.symbols import SymbolRow
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.news.listing import NewsPage
from backend.news.listing import Wanted as WantedNews
from backend.orders.service import OrderService
from backend.risk.rulebook import Rulebook
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles
from backend.strategies.repository import StrategyRepository
from backend.users.management import Management
from backend.users.service import Door


class Symbols(Protocol):
    """The symbol map."""

    @property
    def problems(self) -> Sequence[Mapping[str, Any]]:
        """Rows that are left out, with file, line, key and reason."""

    def enabled(self) -> tuple[str, ...]:
        """Canonical symbols that the desk collects and evaluates."""

    def row(self, canonical: str) -> SymbolRow:
        """The row of a canonical symbol; `NotFound` if the map has none."""


class StoredBars(Protocol):
    """Closed bars as they are stored, and how symbols are traded."""

    def chart(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        count: int,
        until: datetime | None = None,
        since: datetime | None = None,
    ) -> tuple[Bars, Timeframe]:
        """The same; where none are stored made of shorter ones, and of which."""

    def dated_instrument(self, symbol: str) -> DatedInstrument:
        """The specification, and when it was stated."""

    def bars(
        self, symbol: str, timeframe: Timeframe, *, count: int | None = None, until: datetime | None = None
    ) -> Bars:
        """Bars that had closed by `until` (now if absent), the latest `count`; asks nobody."""


class Ideas(Protocol):
    """The trade ideas."""

    def page(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """The newest that are wanted, and the next page's cursor; `Invalid` for a cursor that is none."""

    def counts(self, wanted: Filter) -> Mapping[Status, int]:
        """How many there are of each status, by the rest of the filter."""

    def pending(self) -> Sequence[Mapping[str, Any]]:
        """Those that wait for approval, the newest first."""

    def get(self, idea_id: str) -> Mapping[str, Any]:
        """One idea; `NotFound` if there is none."""

    def problems(self) -> Sequence[Problem]:
        """Idea files that cannot be read."""


class Decisions(Protocol):
    """What was decided, from the journal."""

    def page(self, wanted: Wanted, *, cursor: str | None, limit: int) -> tuple[Sequence[Record], str | None]:
        """The newest that are wanted, and the next page's cursor."""

    def statistics(self, wanted: Wanted) -> Mapping[str, Any]:
        """How many there are, by what they are."""

    def why_not(self, wanted: Wanted) -> Mapping[str, Any]:
        """Which check refused most, and what it cost or saved."""

    def get(self, decision_id: str) -> Record:
        """One decision; `NotFound` if there is none."""

    def inputs(self, decision_id: str) -> Mapping[str, Any]:
        """All that a decision was computed from."""

    def replay(self, decision_id: str) -> Mapping[str, Any]:
        """The decision computed again."""


class IdeaActs(Protocol):
    """What a person does with a trade idea; see `backend.ideas.acting.IdeaDesk`."""

    def approve(
        self, idea_id: str, *, actor: str, overrides: Mapping[str, float | None] | None = None, why: str = ""
    ) -> Mapping[str, Any]:
        """Approve it and have it sent."""

    def modify(
        self,
        idea_id: str,
        *,
        actor: str,
        overrides: Mapping[str, float | None] | None = None,
        notes: str | None = None,
        why: str = "",
    ) -> Mapping[str, Any]:
        """Change it while it waits."""

    def reject(self, idea_id: str, *, actor: str, why: str) -> Mapping[str, Any]:
        """Say no."""

    def cancel(self, idea_id: str, *, actor: str, why: str = "") -> Mapping[str, Any]:
        """Withdraw it."""

    def preview(self, idea_id: str, overrides: Mapping[str, float | None] | None = None) -> Mapping[str, Any]:
        """What approving now would lead to."""


class Calendar(Protocol):
    """The economic calendar."""

    def as_of(self, now: datetime) -> CalendarView:
        """What was known at that moment."""

    def between(self, begin: datetime, end: datetime, as_of: datetime) -> Sequence[Event]:
        """Every event of a time as it was known at that moment."""


class Embargoes(Protocol):
    """When news will pause entries."""

    def ahead(self, now: datetime, *, symbol: str | None = None, reach: timedelta) -> Mapping[str, Any]:
        """Pauses that are on or begin within `reach`."""


class News(Protocol):
    """The news that was collected."""

    def page(self, wanted: WantedNews, *, cursor: str | None = None, limit: int = 100) -> NewsPage:
        """Articles, the newest first, and how each feed does."""


class Challenge(Protocol):
    """The challenge of the rulebook in force."""

    def standing(self) -> Mapping[str, Any]:
        """How it stands; see `backend.control.challenge.ChallengeDesk`."""


class History(Protocol):
    """What is kept of the past; see `backend.history.service.HistoryService`."""

    @property
    def folder(self) -> Path:
        """Where the imported history is."""

    def series(
        self, symbol: str | None = None, timeframe: Timeframe | None = None, kept: Kept | None = None
    ) -> Sequence[Series]:
        """What is kept; `NotFound` if nothing of that is."""

    def check(self, series: Series) -> Mapping[str, Any]:
        """What a series is worth."""

    def reports(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """What the newest imports did, in short."""

    def report(self, name: str) -> Mapping[str, Any]:
        """The whole report of an import; `NotFound` if there is none."""


class SettingsDesks(Protocol):
    """What the settings pages show, change and try."""

    @property
    def integrations(self) -> Integrations:
        """Calendar providers, terminal, broker."""

    @property
    def feeds(self) -> FeedDesk:
        """News feeds."""

    @property
    def symbols(self) -> SymbolDesk:
        """The symbol map."""

    @property
    def schedules(self) -> ScheduleDesk:
        """When things are done."""


class Desk(Protocol):
    """The services of one process, read only."""

    @property
    def settings(self) -> Settings:
        """The settings of this process."""

    @property
    def clock(self) -> Clock:
        """Desk and wall time."""

    @property
    def storage(self) -> FileStorage:
        """Files below ``data/``."""

    @property
    def symbols(self) -> Symbols:
        """The symbol map."""

    @property
    def strategies(self) -> StrategyFiles:
        """Strategies and profiles."""

    @property
    def strategy_repository(self) -> StrategyRepository:
        """Changes strategy files."""

    @property
    def market(self) -> StoredBars:
        """Stored bars."""

    @property
    def history(self) -> History:
        """Imported and collected bars."""

    @property
    def incoming(self) -> Incoming:
        """Files that wait to be imported."""

    @property
    def ideas(self) -> Ideas:
        """Trade ideas."""

    @property
    def control(self) -> Control:
        """Mode, limits and halts."""

    @property
    def challenge(self) -> Challenge:
        """How the challenge of the rulebook in force stands."""

    def chances(self, run_id: str, rulebook: Rulebook, draws: Draws | None = None) -> Mapping[str, Any]:
        """A rulebook's chances over a kept backtest; `NotFound` if there is none."""

    @property
    def account(self) -> DeskAccount:
        """The account, with what is kept on record of its money."""

    @property
    def orders(self) -> OrderService:
        """What asks the broker."""

    @property
    def idea_desk(self) -> IdeaActs:
        """What may be done with trade ideas."""

    @property
    def journal(self) -> Journal:
        """The record of decisions."""

    @property
    def decisions(self) -> Decisions:
        """What was decided."""

    @property
    def calendar(self) -> Calendar:
        """The economic calendar."""

    @property
    def embargoes(self) -> Embargoes:
        """When news will pause entries."""

    @property
    def news_reader(self) -> News:
        """The news that was collected."""

    @property
    def jobs(self) -> Jobs:
        """The job service."""

    @property
    def terminal(self) -> MT5Client:
        """The terminal, through the connector."""

    @property
    def why_sign_in(self) -> str | None:
        """Why whoever asks must sign in; None where nobody must."""

    @property
    def door(self) -> Door:
        """Who comes in."""

    @property
    def management(self) -> Management:
        """Changes of users and tokens."""

    @property
    def dealer(self) -> Dealer:
        """The trading side of the terminal."""

    @property
    def settings_desks(self) -> SettingsDesks:
        """What the settings pages show, change and try."""
