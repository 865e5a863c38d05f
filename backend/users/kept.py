"""Files that say who may do what: read once a change, written under their lock, and never taken for empty."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from backend.core.errors import Invalid, NotFound, Unavailable
from backend.storage.files import FileState, FileStorage

LOCK_SECONDS: Final = 30.0
MODE: Final = 0o600

T = TypeVar("T")


class KeptRows(Generic[T]):
    """Rows by their key in one JSON file: ``{"version": 1, "<what>": {key: row}}``.

    Any number of processes may have one on the same file; each sees what the others changed at once.
    A file that is not in this form is refused, and left as it is.

    Args:
        storage: Of the file.
        name: Of the file.
        what: What the rows are.
        shown: The file as a person knows it.
        read: Makes a row of its key and JSON values; what is wrong is a `KeyError`, `TypeError`,
            `ValueError` or `Invalid`.
        write: The row as JSON values.
    """

    def __init__(
        self,
        storage: FileStorage,
        name: str,
        *,
        what: str,
        shown: str,
        read: Callable[[str, Mapping[str, Any]], T],
        write: Callable[[T], dict[str, Any]],
    ) -> None:
        self._storage = storage
        self._name = name
        self._what = what
        self._shown = shown
        self._read = read
        self._write = write
        self._known: tuple[FileState, dict[str, T]] | None = None

    def rows(self) -> dict[str, T]:
        """Every row; the caller changes nothing in it.

        Raises:
            Unavailable: ``desk_shut``: the file is not in its form.
        """
        try:
            state = self._storage.state(self._name)
        except NotFound:
            return {}
        known = self._known
        if known is None or known[0] != state:  # a newer file under an older state is read again
            known = self._known = state, self._parsed()
        return known[1]

    def change(self, fn: Callable[[dict[str, T]], None]) -> None:
        """Let `fn` change the rows while nobody else can; what it raises leaves the file as it was."""
        with self._storage.lock(self._name, LOCK_SECONDS):
            rows = dict(self._parsed())
            before = dict(rows)
            fn(rows)
            if rows == before:
                return
            written = {key: self._write(row) for key, row in sorted(rows.items())}
            self._storage.write_json(self._name, {"version": 1, self._what: written}, mode=MODE)

    def _parsed(self) -> dict[str, T]:
        try:  # not by `read_json`, which sets a corrupt file aside: then nobody would be known
            document = json.loads(self._storage.read_bytes(self._name))
        except NotFound:
            return {}
        except (ValueError, RecursionError) as error:
            raise self._bad(str(error)) from error
        try:
            rows: Mapping[str, Any] = document[self._what]
            made = {key: self._read(key, row) for key, row in rows.items()}
            version = document["version"]
        except Invalid as error:
            raise self._bad(error.message) from error
        except KeyError as error:
            raise self._bad(f"{error} is missing") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise self._bad(str(error)) from error
        if version != 1:
            raise self._bad("its version is not 1")
        return made

    def _bad(self, why: str) -> Unavailable:
        return Unavailable(
            "desk_shut",
            f"{self._shown} is not in the desk's form, so the desk stays shut; it was left as it is. Put it "
            f"back from a copy, or mend it: {why[:200]}",
            file=self._shown,
        )
