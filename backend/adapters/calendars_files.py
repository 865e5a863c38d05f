"""Calendar providers that are a file: what MetaTrader's terminal exports, and a person's own CSV."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.core.clock import from_epoch, iso, parse_iso
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.economic_calendar.ports import ProviderAnswer
from backend.economic_calendar.reading import read_calendar_file
from backend.economic_calendar.shapes import MQL5, Clocks


class FileProvider:
    """`CalendarProvider` over one file.

    Args:
        name: ``mql5`` or ``csv``.
        path: The file.
        clocks: What it cannot say of its times.
    """

    def __init__(self, name: str, path: Path, clocks: Clocks) -> None:
        self.name = name
        self._path = path
        self._clocks = clocks

    def fetch(self, state: Mapping[str, Any], now: datetime) -> ProviderAnswer:
        """Read the file if it has changed; see `CalendarProvider`."""
        try:
            status = self._path.stat()
        except OSError as error:
            raise self._missing() from error
        signature = [status.st_mtime_ns, status.st_size]
        if state.get("file") == signature:
            return ProviderAnswer(not_modified=True, state=state, given_at=_given_at(state))
        try:
            read = read_calendar_file(self._path, self._clocks)
        except NotFound as error:
            raise self._missing() from error
        except Invalid as error:
            raise Unavailable(
                error.code, f"{error.message}; what was held before stays", **error.details
            ) from error
        if read.shape != self.name:
            raise Unavailable(
                "calendar_unexpected",
                f"{self._path} is a calendar of {read.shape}, not of {self.name}; what was held before stays",
            )
        # MetaTrader's file is as old as its export; a person's own file is true until it is changed.
        made = read.written_at or from_epoch(status.st_mtime)
        given_at = min(made, now) if self.name == MQL5 else None
        start, end = read.span
        return ProviderAnswer(
            events=read.events,
            covered_from=start,
            covered_to=end,
            state={"file": signature, "given_at": iso(given_at) if given_at else None},
            given_at=given_at,
            problems=tuple(
                f"{count} rows of {country} were left out: no currency is known for it"
                for country, count in sorted(read.left_out.items())
            ),
        )

    def _missing(self) -> Unavailable:
        write = (
            "run the script MT5UI_CalendarExport in the terminal"
            if self.name == MQL5
            else "put your calendar there, or name another file in config/api_integrations.json"
        )
        return Unavailable(
            "calendar_file_missing", f"{self._path} cannot be read; {write}", file=str(self._path)
        )


def _given_at(state: Mapping[str, Any]) -> datetime | None:
    text = state.get("given_at")
    return parse_iso(text) if isinstance(text, str) else None
