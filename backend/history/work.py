"""An import as work for a process of its own; ended at any moment, all of it is stored or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.clock import SystemClock
from backend.history.importing import Importer, look
from backend.history.pieces import Choices
from backend.market.symbols import SymbolMap, canonical_of
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportWork:
    """What to import.

    Attributes:
        source: A file or a folder of files.
        choices: What only a person can know.
        folder: The imported history.
        symbol_map: File of the symbol map.
        server_clock: Rule of the broker's clock.
        usual: Where a symbol trades, roughly.
        dry_run: Only look what would come in.
    """

    source: Path
    choices: Choices
    folder: Path
    symbol_map: Path
    server_clock: str
    usual: Callable[[str], float | None]
    dry_run: bool = False

    def run(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Import, and give what came in; the whole reports are in their files."""
        symbols = SymbolMap.load(self.symbol_map)
        importer = Importer(
            FileStorage(self.folder),
            ServerClock.parse(self.server_clock),
            SystemClock(),
            canonical=lambda written: canonical_of(symbols, written),
            usual=self.usual,
        )
        looked = look([self.source])
        pages = importer.run(
            looked, self.choices, progress=lambda done, total, _: progress(done, total), dry_run=self.dry_run
        )
        return {
            "stored": not self.dry_run,
            "ignored": len(looked.ignored),
            "series": [in_short(page) | ({} if page["stored"] else {"report": None}) for page in pages],
        }


def in_short(page: dict[str, Any]) -> dict[str, Any]:
    """A report without what only its file needs to tell."""
    kept = ("symbol", "timeframe", "made_at", "file_count", "duplicates", "mended", "notes", "bid", "ask")
    short = {name: page[name] for name in kept if name in page}
    quality = {name: page["quality"][name] for name in ("verdict", "trust")}
    return {"report": Path(page["report"]).stem, **short, **quality}
