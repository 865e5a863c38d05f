"""What the routes need of the desk's services."""

from typing import Any, Protocol

from backend.config import Settings
from backend.core.clock import Clock
from backend.jobs.service import Jobs


class Desk(Protocol):
    """The services of one process, read only."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102 - named by its type
    @property
    def clock(self) -> Clock: ...  # noqa: D102
    @property
    def storage(self) -> Any: ...  # noqa: D102
    @property
    def symbols(self) -> Any: ...  # noqa: D102
    @property
    def strategies(self) -> Any: ...  # noqa: D102
    @property
    def market(self) -> Any: ...  # noqa: D102
    @property
    def ideas(self) -> Any: ...  # noqa: D102
    @property
    def journal(self) -> Any: ...  # noqa: D102
    @property
    def calendar(self) -> Any: ...  # noqa: D102
    @property
    def news(self) -> Any: ...  # noqa: D102
    @property
    def jobs(self) -> Jobs: ...  # noqa: D102
    @property
    def terminal(self) -> Any: ...  # noqa: D102
