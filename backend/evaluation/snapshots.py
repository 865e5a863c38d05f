"""What a decision was computed from, by content hash, so that it can be computed again. Pure."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backend.core.bars import COLUMNS, INTEGER_COLUMNS, Bars
from backend.core.clock import iso
from backend.economic_calendar.model import CalendarView
from backend.evaluation.decision import content_hash

_COLUMNS = tuple((name, np.dtype("<i8" if name in INTEGER_COLUMNS else "<f8")) for name in COLUMNS)


class Snapshots:
    """Hashes of inputs, computed once while the same object is given again; not their keeper.

    Inputs are frozen objects, many decisions of one run share them, and a calendar is not small.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[object, str, dict[str, Any]]] = {}

    def take(
        self, kind: str, value: object, content: Callable[[], Mapping[str, Any]]
    ) -> tuple[str, dict[str, Any]]:
        """Hash and content of one input.

        Args:
            kind: Which input it is.
            value: The object, compared by identity.
            content: Gives its JSON values.
        """
        known = self._last.get(kind)
        if known is not None and known[0] is value:
            return known[1], known[2]
        stated = dict(content())
        hashed = content_hash(stated)
        self._last[kind] = (value, hashed, stated)
        return hashed, stated


def calendar_content(view: CalendarView) -> dict[str, Any]:
    """A calendar view without its age, which follows from the time of asking."""
    stated = view.as_dict()
    stated.pop("age_seconds")
    return stated


def bars_reference(bars: Bars) -> dict[str, Any]:
    """Which bars they were: timeframe, first and last open, count, SHA-256 over the columns."""
    digest = hashlib.sha256()
    for name, dtype in _COLUMNS:
        digest.update(np.ascontiguousarray(getattr(bars, name), dtype=dtype).data)
    return {
        "timeframe": str(bars.timeframe),
        "count": len(bars),
        "first": iso(bars.opened(0)) if len(bars) else None,
        "last": iso(bars.opened(-1)) if len(bars) else None,
        "hash": digest.hexdigest(),
    }
