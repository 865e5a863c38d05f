"""What the routes need of the desk's services."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from backend.backtest.monte_carlo import Draws
from backend.config import Settings
from backend.control.account import DeskAccount
from backend.control.desk import Control
from backend.core.bars import Bars
from backend.core.clock import Clock
from backend.core.problems import Problem
from backend.core.timeframes import Timeframe
from backend.economic_calendar.model import CalendarView, Event
from backend.jobs.service import Jobs
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.journal.record import Record
from backend.market.symbols import SymbolRow
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
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
    """Closed bars as they are stored."""

    def bars(
        self, symbol: str, timeframe: Timeframe, *, count: int | None = None, until: datetime | None = None
    ) -> Bars:
        """Bars that had closed by `until` (now if absent), the latest `count`; asks nobody."""


class Ideas(Protocol):
    """The trade ideas."""

    def list(self) -> Sequence[Mapping[str, Any]]:
        """Every idea, the newest first."""

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
    """The news."""

    def latest(self) -> dict[str, Any]:
        """The newest articles with their age; `NotFound` while there are none."""


class Challenge(Protocol):
    """The challenge of the rulebook in force."""

    def standing(self) -> Mapping[str, Any]:
        """How it stands; see `backend.control.challenge.ChallengeDesk`."""


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
    def news(self) -> News:
        """The news."""

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
