"""What the routes need of the desk's services."""

from typing import Any, Protocol

from backend.config import Settings
from backend.core.clock import Clock
from backend.economic_calendar.service import CalendarService
from backend.jobs.service import Jobs
from backend.journal.journal import Journal
from backend.market.symbol_file import SymbolFile
from backend.market.symbols import SymbolMap
from backend.mt5.client import MT5Client
from backend.news.service import NewsService
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles


class Desk(Protocol):
    """The services of one process, read only."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102 - named by its type
    @property
    def clock(self) -> Clock: ...  # noqa: D102
    @property
    def storage(self) -> FileStorage: ...  # noqa: D102
    @property
    def symbols(self) -> SymbolFile | SymbolMap: ...  # noqa: D102
    @property
    def strategies(self) -> StrategyFiles: ...  # noqa: D102
    @property
    def market(self) -> Any: ...  # noqa: D102
    @property
    def ideas(self) -> Any: ...  # noqa: D102
    @property
    def journal(self) -> Journal: ...  # noqa: D102
    @property
    def calendar(self) -> CalendarService: ...  # noqa: D102
    @property
    def news(self) -> NewsService: ...  # noqa: D102
    @property
    def jobs(self) -> Jobs: ...  # noqa: D102
    @property
    def terminal(self) -> MT5Client: ...  # noqa: D102
