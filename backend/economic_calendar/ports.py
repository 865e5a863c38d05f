"""What the calendar needs from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from backend.economic_calendar.model import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderAnswer:
    """One complete look at a provider.

    Attributes:
        events: Everything that the provider says of the covered time; empty when not modified.
        covered_from: Begin of that time, inclusive, aware UTC.
        covered_to: End of it, exclusive.
        state: The provider's own memory between looks, as JSON values; handed back the next time.
        given_at: When the data was made, where the provider says so, aware UTC; None is now.
        not_modified: What was fetched before is still current.
        problems: Rows left out and extras that did not answer, one sentence each.
    """

    events: tuple[Event, ...] = ()
    covered_from: datetime | None = None
    covered_to: datetime | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    given_at: datetime | None = None
    not_modified: bool = False
    problems: tuple[str, ...] = ()


class CalendarProvider(Protocol):
    """One source of economic events."""

    @property
    def name(self) -> str:
        """The provider's name as in the configuration."""

    def fetch(self, state: Mapping[str, Any], now: datetime) -> ProviderAnswer:
        """Ask once.

        Args:
            state: What the last answer's `state` was; empty when the desk holds nothing of it, and then
                the answer is complete, never "not modified".
            now: Wall time, aware UTC.

        Raises:
            Unavailable: No answer, or one that is not a calendar. Details may name `retry_after` seconds.
            Invalid: The configuration is refused.
        """
