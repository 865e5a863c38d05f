"""An importer on an empty folder."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.core.bars import Bars
from backend.core.clock import FixedClock
from backend.core.timeframes import Timeframe
from backend.history.importing import Importer, look
from backend.history.pieces import Choices
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage

RULE = "America/New_York+7"
NOW = datetime(2026, 6, 10, 14, 0, tzinfo=UTC)
NO_CHOICE = Choices()


def importer_at(folder: Path, *, rule: str = RULE, now: datetime = NOW) -> Importer:
    return Importer(
        FileStorage(folder, fsync=False),
        ServerClock.parse(rule),
        FixedClock(now),
        canonical={"EURUSD.PRO": "EURUSD"}.get,
        usual={"GBPUSD": 1.25, "XAUUSD": 2000.0}.get,
    )


def import_into(folder: Path, *files: Path, choices: Choices = NO_CHOICE) -> list[dict[str, Any]]:
    return importer_at(folder).run(look(files), choices)


def stored(folder: Path, symbol: str = "EURUSD", frame: Timeframe = Timeframe.M1) -> Bars:
    return importer_at(folder).bids.bars(symbol, frame)


def stored_asks(folder: Path, symbol: str = "EURUSD", frame: Timeframe = Timeframe.M1) -> Bars:
    return importer_at(folder).asks.bars(symbol, frame)


def everything(folder: Path) -> dict[str, bytes]:
    """All that is in the history but for reports and lock files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] in {"bid", "ask"}
        and ".locks" not in path.parts
    }
