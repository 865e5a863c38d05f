"""A calendar provider that answers what a test tells it to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backend.core.errors import DeskError
from backend.economic_calendar.ports import ProviderAnswer


class FakeCalendarProvider:
    """Gives the same answer, or raises the same error, until told otherwise."""

    def __init__(self, answer: ProviderAnswer | DeskError, name: str = "fake") -> None:
        self.name = name
        self.answer = answer
        self.asked: list[tuple[Mapping[str, Any], datetime]] = []

    def fetch(self, state: Mapping[str, Any], now: datetime) -> ProviderAnswer:
        self.asked.append((state, now))
        if isinstance(self.answer, DeskError):
            raise self.answer
        return self.answer
