"""A settings file as it is now, and every change of it on record."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from backend.core.errors import Conflict, Invalid
from backend.journal.journal import Journal
from backend.journal.record import Kind, Record
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage
from backend.strategies.versions import etag_of, names_content

LOCK_SECONDS = 10.0

Value = TypeVar("Value", bound=BaseModel | None)


class SettingsFile(Generic[Value]):
    """Reads a settings file again when it changed.

    Args:
        path: The file.
        name: What messages call it, such as ``config/risk.json``.
        parse: Makes the value of JSON values; `Invalid` where they are wrong.
        absent: What an absent file means.
        code: Of the error where it cannot be read.
        read: Makes JSON values of the file's bytes; ValueError says what is wrong with them.
        write: Makes the file's bytes of JSON values and of the bytes that are there, None without a file.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        parse: Callable[[Any], Value],
        absent: Value,
        code: str,
        read: Callable[[bytes], Any] = decode,
        write: Callable[[Any, bytes | None], bytes] | None = None,
    ) -> None:
        self.path = path
        self.name = name
        self.absent = absent
        self._parse = parse
        self._code = code
        self._read = read
        self._write = write
        self._version: tuple[int, int, int] | None = None
        self._value = absent

    def value(self) -> Value:
        """What the file says now; `Invalid` names file and key where it is wrong."""
        try:
            status = self.path.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version != self._version:
                self._value = self.parse(self._decoded())
                self._version = version
        except FileNotFoundError:
            if self._version is not None:
                self._version, self._value = None, self.absent
        return self._value

    def parse(self, data: Any) -> Value:
        """The value of JSON values; `Invalid` where they are wrong."""
        return self._parse(data)

    def raw(self) -> Any:
        """What the file says, without the defaults; None where there is no file."""
        try:
            return self._decoded()
        except FileNotFoundError:
            return None

    def etag(self) -> str:
        """The tag of what the file says; of an absent one, that of nothing."""
        return etag_of(self._bytes() or b"")

    def encoded(self, values: Mapping[str, Any]) -> bytes:
        """The file's bytes with these values in it."""
        if self._write is None:
            return encode(values, where=self.name, pretty=True)
        return self._write(values, self._bytes())

    def _bytes(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def _decoded(self) -> Any:
        try:
            return self._read(self.path.read_bytes())
        except ValueError as error:
            reason = f"{self.name}: it is not JSON: {error}"
            raise Invalid(self._code, reason, file=self.name, key="") from error


class SettingsJournal(Generic[Value]):
    """Changes a settings file, each change in the journal before it is in the file. Safe between processes.

    A file below ``data/`` keeps the settings that the journal knows of, so that an edit by hand is seen as
    one, and a change that a killed process recorded without making it is made.

    Args:
        file: The settings.
        storage: Files below ``data/``.
        journal: Takes the changes.
        known: Name of the file that keeps what is known.
        key: Its key that holds the settings.
        first: What counts as known where nothing is kept yet.
        kinds: The kinds of record that a change may have.
        kind_of: The kind of a change, from before and after as JSON values.
    """

    def __init__(
        self,
        file: SettingsFile[Value],
        storage: FileStorage,
        journal: Journal,
        *,
        known: str,
        key: str,
        first: Callable[[], Value],
        kinds: tuple[Kind, ...] = (Kind.SETTINGS_CHANGE,),
        kind_of: Callable[[Mapping[str, Any], Mapping[str, Any]], Kind] = lambda _, __: Kind.SETTINGS_CHANGE,
    ) -> None:
        self._file = file
        self._config = FileStorage(file.path.parent)
        self._storage = storage
        self._journal = journal
        self._known = known
        self._key = key
        self._first = first
        self._kinds = kinds
        self._kind_of = kind_of

    def change(
        self,
        change: Callable[[Any], Mapping[str, Any] | None],
        *,
        actor: str,
        reason: str,
        if_match: str = "*",
    ) -> Value:
        """Put what `change` makes of the file's values into it; None removes the file.

        Raises:
            Invalid: The settings would be wrong as a whole; nothing is changed then.
            Conflict: ``settings_changed``: the file is not the one with the tag `if_match`.
        """
        with self._storage.lock(self._known, LOCK_SECONDS):
            self._caught_up()
            if not names_content(if_match, self._file.etag()):
                raise Conflict(
                    "settings_changed",
                    f"{self._file.name} was changed by somebody else; read it again, then save",
                    etag=self._file.etag(),
                )
            written = change(self._file.raw())
            value = self._file.absent if written is None else self._file.parse(written)
            before = self._file.value()
            if value != before:
                self._make(self._record(before, value, written, actor=actor, reason=reason), written)
        return value

    def catch_up(self) -> None:
        """Make what was recorded and not made, and record what was edited by hand."""
        with self._storage.lock(self._known, LOCK_SECONDS):
            self._caught_up()

    # Inside; the caller holds the lock.

    def _caught_up(self) -> None:
        known = self._storage.read_json_or(self._known, None)
        last = self._last_change()
        if last is not None and (known is None or last.seq > known["seq"]):
            if known is not None and _stated(self._file.value()) == known[self._key]:
                self._make(last, last.payload["written"])  # recorded by a process that was killed then
                return
            known = {"seq": last.seq, self._key: last.payload["after"]}
            self._storage.write_json(self._known, known)
        now = self._file.value()
        if known is None:
            known = {"seq": 0, self._key: _stated(self._first())}
            self._storage.write_json(self._known, known)
        if _stated(now) != known[self._key]:
            stated = known[self._key]
            before = self._file.absent if stated is None else self._file.parse(stated)
            reason = f"{self._file.name} was edited"
            record = self._record(before, now, self._file.raw(), actor="file", reason=reason)
            self._storage.write_json(self._known, {"seq": record.seq, self._key: record.payload["after"]})

    def _record(
        self, before: Value, after: Value, written: Mapping[str, Any] | None, *, actor: str, reason: str
    ) -> Record:
        old, new = _stated(before), _stated(after)
        had, has = old or {}, new or {}
        payload = {
            "file": self._file.name,
            "reason": reason,
            "by": actor,
            "changes": {
                key: [had.get(key), has.get(key)] for key in {**had, **has} if had.get(key) != has.get(key)
            },
            "after": new,
            "written": None if written is None else dict(written),
        }
        return self._journal.append(self._kind_of(had, has), payload, actor=actor)

    def _make(self, record: Record, written: Mapping[str, Any] | None) -> None:
        if written is None:
            self._config.delete(self._file.path.name)
        else:
            self._config.write_bytes(self._file.path.name, self._file.encoded(written))
        self._storage.write_json(self._known, {"seq": record.seq, self._key: record.payload["after"]})

    def _last_change(self) -> Record | None:
        found = (
            next(
                (
                    each
                    for each in self._journal.newest(kind=kind)
                    if each.payload.get("file") == self._file.name
                ),
                None,
            )
            for kind in self._kinds
        )
        return max((each for each in found if each is not None), key=lambda each: each.seq, default=None)


def _stated(value: BaseModel | None) -> dict[str, Any] | None:
    return None if value is None else value.model_dump(mode="json")


def merged(value: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values with a merge patch (RFC 7396) on them: null takes a key away."""
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        elif isinstance(change, Mapping):
            result[key] = merged(result.get(key), change)
        else:
            result[key] = change
    return result
