"""The index on disk, so that a process need not read the whole journal to start.

``data/decisions/index/{YYYYmm}.npz`` covers the days of one month as far as they were read. It can be deleted
at any time: it is made again from the journal, which alone counts.
"""

import contextlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.core.errors import DeskError
from backend.journal.columns import DECISIONS, PLACES, REFUSALS, FileColumns, Growing, Rows, Vocabulary
from backend.journal.ends import FOLDER, day_of
from backend.storage import atomic
from backend.storage.encoding import decode
from backend.storage.files import FileStorage

INDEX: Final = f"{FOLDER}/index"
_SHAPE: Final = 1
"""Raised when the columns change; a side file of another shape is not read."""


def month_of(name: str) -> str:
    """The month of a journal's file, ``YYYYmm``."""
    return day_of(name)[:6]


def save(storage: FileStorage, month: str, files: Sequence[FileColumns], words: Vocabulary) -> None:
    """Write the side file of a month; where the disk refuses there is none, and nothing is lost."""
    header = {
        "shape": _SHAPE,
        "words": words.words[1:],
        "files": [{"name": file.name, "upto": file.upto} for file in files],
    }
    arrays: dict[str, Rows] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
    for number, file in enumerate(files):
        arrays |= {
            f"places{number}": file.places.array,
            f"decisions{number}": file.decisions.array,
            f"refusals{number}": file.refusals.array,
        }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    with contextlib.suppress(DeskError):
        folder = storage.path(INDEX)
        atomic.make_folder(folder, fsync=False)
        atomic.replace_file(folder / f"{month}.npz", buffer.getvalue(), mode=None, fsync=False)
        for file in files:
            file.saved = file.upto


def load(storage: FileStorage, month: str, words: Vocabulary) -> dict[str, FileColumns]:
    """What the side file of a month says of files that are still as they were then, by name."""
    path = storage.path(f"{INDEX}/{month}.npz")
    try:
        with np.load(io.BytesIO(atomic.read_file(path)), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            if header["shape"] != _SHAPE:
                return {}
            numbers = np.array([0, *(words.number(word) for word in header["words"])], np.uint32)
            made = [
                _file(described, number, arrays, numbers) for number, described in enumerate(header["files"])
            ]
    except FileNotFoundError:
        return {}
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile):
        return {}
    return {file.name: file for file in made if _fits(storage.path(file.name), file)}


def _file(described: dict[str, Any], number: int, arrays: Any, numbers: Rows) -> FileColumns:
    parts = {}
    for name, dtype, coded in (
        ("places", PLACES, ("kind",)),
        ("decisions", DECISIONS, ("strategy", "symbol", "timeframe", "action", "signal")),
        ("refusals", REFUSALS, ("check",)),
    ):
        rows = arrays[f"{name}{number}"]
        if rows.dtype != dtype:
            raise ValueError(f"{name} has other columns")
        for column in coded:
            rows[column] = numbers[rows[column]]
        parts[name] = Growing(dtype, rows)
    upto = int(described["upto"])
    return FileColumns(name=str(described["name"]), upto=upto, saved=upto, **parts)


def _fits(path: Path, file: FileColumns) -> bool:
    """Whether the last record that the columns speak of stands where they say, and ends where they end."""
    if not len(file.places):
        return False
    last = file.places.array[-1]
    offset, length = int(last["offset"]), int(last["length"])
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            line = stream.read(length + 1)
        ended = line.removesuffix(b"\n")
        return file.upto in {offset + length, offset + length + 1} and decode(ended)["seq"] == last["seq"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
