"""Bars as Parquet, and a bounded memory of what was decoded.

A file carries UTC and server time as timestamps, so that any tool opens it with the right types.
"""

import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from backend.core.bars import COLUMNS, INTEGER_COLUMNS, Bars
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe

_TIMES = ("time", "server_time")
_ROW_BYTES = 8 * len(COLUMNS)

FileState = tuple[int, int, int]
"""What changes when a file is replaced: modification time in ns, size, inode."""


def encode(bars: Bars) -> bytes:
    """The bars as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name in COLUMNS:
        values = getattr(bars, name)
        if name in _TIMES:
            kind = pa.timestamp("ms", tz="UTC" if name == "time" else None)
            columns[name] = pa.array(values.astype("datetime64[s]"), type=kind)
        else:
            columns[name] = pa.array(values)
    table = pa.table(columns).replace_schema_metadata(
        {"symbol": bars.symbol, "timeframe": str(bars.timeframe)}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(data: bytes, *, symbol: str, timeframe: Timeframe, where: str) -> Bars:
    """Bars of a Parquet file.

    Raises:
        Invalid: Code ``corrupt_file``: it is not Parquet, not of these columns, or out of order.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(columns=list(COLUMNS), use_threads=False)
        columns = {}
        for name in COLUMNS:
            column = table.column(name).combine_chunks()
            if column.null_count:
                raise Invalid("corrupt_file", f"{where}: column {name} has empty cells")
            values = column.to_numpy(zero_copy_only=False)
            if name in _TIMES:
                if not pa.types.is_timestamp(column.type):
                    raise Invalid("corrupt_file", f"{where}: column {name} holds {column.type}, not times")
                values = values.astype("datetime64[s]")
            columns[name] = _frozen(
                values.astype(np.int64 if name in INTEGER_COLUMNS else np.float64, copy=True)
            )
    except (pa.ArrowException, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise Invalid("corrupt_file", f"{where} is no Parquet file of bars: {error}") from error
    try:
        return Bars(symbol=symbol, timeframe=timeframe, **columns)
    except Invalid as error:
        raise Invalid("corrupt_file", f"{where}: {error.message}") from error


def _frozen(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)  # shared by everyone who reads the cache
    return values


class DecodedFiles:
    """Decoded files by path, forgotten when the file changes, the least used first above a bound.

    Args:
        limit_bytes: How much may be remembered.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._entries: OrderedDict[Path, tuple[FileState, Bars]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How much is remembered."""
        return self._bytes

    def get(self, path: Path, state: FileState) -> Bars | None:
        """The bars of the file if they were decoded in that state."""
        with self._lock:
            entry = self._entries.get(path)
            if entry is None or entry[0] != state:
                return None
            self._entries.move_to_end(path)
            return entry[1]

    def put(self, path: Path, state: FileState, bars: Bars) -> None:
        """Remember the bars of the file in that state."""
        size = len(bars) * _ROW_BYTES
        with self._lock:
            self._forget(path)
            if size > self._limit:
                return
            self._entries[path] = (state, bars)
            self._bytes += size
            while self._bytes > self._limit:
                self._forget(next(iter(self._entries)))

    def _forget(self, path: Path) -> None:
        entry = self._entries.pop(path, None)
        if entry is not None:
            self._bytes -= len(entry[1]) * _ROW_BYTES


def state_of(path: Path) -> FileState | None:
    """What the file looks like now; None if it does not exist."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
