"""Files of ``config/`` that are edited entry by entry, each change on record; see `SettingsJournal`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import RootModel

from backend.control.kept import SettingsFile, SettingsJournal
from backend.journal.journal import Journal
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage


class Entries(RootModel[dict[str, Any]]):
    """What a file says by key, right or wrong: a file with a wrong entry can be mended entry by entry."""


def entries_file(
    path: Path,
    *,
    name: str,
    code: str,
    read: Callable[[bytes], Any],
    write: Callable[[Any, bytes | None], bytes] | None = None,
) -> SettingsFile[Entries]:
    """A file of entries; an absent one has none."""
    return SettingsFile(
        path, name=name, parse=Entries.model_validate, absent=Entries({}), code=code, read=read, write=write
    )


def entries_journal(
    file: SettingsFile[Entries], storage: FileStorage, journal: Journal
) -> SettingsJournal[Entries]:
    """What changes a file of entries."""
    known = f"control/{file.path.stem}.json"
    return SettingsJournal(file, storage, journal, known=known, key="entries", first=file.value)


def json_object(data: bytes) -> dict[str, Any]:
    """A JSON object of a file; ValueError where it holds something else."""
    document = decode(data)
    if not isinstance(document, dict):
        raise ValueError("it holds no JSON object")  # noqa: TRY004 - of what a file holds
    return document


def with_section(section: str, values: Mapping[str, Any], present: bytes | None, where: str) -> bytes:
    """The bytes of a JSON file with other values in one section of it; the others stay."""
    document = {} if present is None else json_object(present)
    return encode({**document, section: dict(values)}, where=where, pretty=True)
