"""Changing strategy files: whole or not at all, by one writer at a time, and never losing what was there."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from backend.core.clock import Clock, iso
from backend.core.errors import Conflict, Invalid, NotFound
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.storage import atomic, names
from backend.storage.encoding import encode
from backend.storage.files import FileStorage
from backend.strategies.fields import id_fault
from backend.strategies.files import read_document
from backend.strategies.model import Strategy
from backend.strategies.validation import Problem, parse_strategy, unacceptable
from backend.strategies.versions import Version, Versions, etag_of, names_content

BY_HAND: Final = "file"
_LOCK: Final = "strategies/write"
_WAIT_SECONDS: Final = 30.0

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A strategy as it stands in its file now, and the tag that the next writer must show."""

    strategy: Strategy
    etag: str


class StrategyRepository:
    """The one writer of ``strategies/*.json``.

    Every content that a save puts into a file is kept as a version, and so is what was edited by hand
    since, before it is saved over. Every change is recorded in the journal.

    Args:
        root: The folder ``config/ai``.
        storage: Files below ``data/``.
        journal: The record of changes.
        clock: Tells wall time.
        accept: As in `parse_strategy`.
    """

    def __init__(
        self,
        root: Path,
        storage: FileStorage,
        journal: Journal,
        clock: Clock,
        *,
        accept: Callable[[Strategy], None] | None = None,
    ) -> None:
        self._root = root
        self._storage = storage
        self._versions = Versions(storage, clock)
        self._journal = journal
        self._clock = clock
        self._accept = accept

    # Reading

    def source(self, strategy_id: str) -> tuple[bytes, str]:
        """The file's bytes as they are, valid or not, and their tag.

        Raises:
            NotFound: Code ``unknown_strategy``.
        """
        data = self._read(strategy_id)
        if data is None:
            raise _unknown(strategy_id)
        return data, etag_of(data)

    def validate(self, data: bytes) -> Strategy:
        """The strategy that a document states, without saving it; `Invalid` with problems otherwise."""
        return self._parse(_document(data), None)

    def problems_of(self, strategy: Strategy) -> list[Problem]:
        """Why a valid strategy can never act under the desk's limits; empty where it can."""
        return [] if self._accept is None else [*unacceptable(strategy, self._accept)]

    def versions(self, strategy_id: str) -> list[Version]:
        """Every version, the newest first; those of a deleted strategy too.

        Raises:
            NotFound: Code ``unknown_strategy``: there neither is nor was one.
        """
        found = [] if id_fault(strategy_id) is not None else self._versions.of(strategy_id)
        if not found and self._read(strategy_id) is None:
            raise _unknown(strategy_id)
        return found[::-1]

    def version(self, strategy_id: str, number: int) -> tuple[Version, bytes]:
        """One version and its content, byte for byte.

        Raises:
            NotFound: There is no such version, or it is the deletion.
        """
        for version in self.versions(strategy_id):
            if version.version == number and version.etag is not None:
                return version, self._versions.content(strategy_id, number)
        raise NotFound("unknown_version", f"strategy {strategy_id!r} has no content of version {number}")

    # Writing

    def create(self, data: bytes, *, actor: str) -> Saved:
        """A new file.

        Raises:
            Invalid: Code ``bad_strategy`` with `problems`.
            Conflict: Code ``strategy_exists``, also where an id differs only in case.
        """
        return self._create(_document(data), actor, "create")

    def replace(self, strategy_id: str, data: bytes, *, if_match: str, actor: str) -> Saved:
        """New content for a file, which may be one that is broken.

        Args:
            strategy_id: Which.
            data: The whole document.
            if_match: Tag of the content that this one was made from; ``*`` for any.
            actor: Who does it.

        Raises:
            NotFound: Code ``unknown_strategy``.
            Invalid: Code ``bad_strategy`` with `problems`.
            Conflict: Code ``strategy_changed``: somebody saved another content meanwhile.
        """
        document = _document(data)
        with self._writing(strategy_id, if_match) as before:
            with contextlib.suppress(Invalid):
                kept = _document(before)
                for name in ("created_at", "created_by"):
                    if name in kept and document.get(name) is None:
                        document[name] = kept[name]
            return self._save(strategy_id, document, actor, "replace")

    def set_enabled(
        self, strategy_id: str, *, enabled: bool | None = None, if_match: str = "*", actor: str
    ) -> Saved:
        """Switch a strategy on or off; to the other of both if None. Errors as in `replace`."""
        with self._writing(strategy_id, if_match) as before:
            document = _document(before)
            wanted = not document.get("enabled", True) if enabled is None else enabled
            action = "enable" if wanted else "disable"
            return self._save(strategy_id, {**document, "enabled": wanted}, actor, action)

    def duplicate(
        self, strategy_id: str, new_id: str, *, name: str | None, enabled: bool, actor: str
    ) -> Saved:
        """A copy under another id. Errors as in `create`."""
        data, _ = self.source(strategy_id)
        document = _document(data)
        for field in ("created_at", "created_by"):
            document.pop(field, None)
        document |= {"id": new_id, "enabled": enabled}
        if name is not None:
            document["name"] = name
        return self._create(document, actor, "duplicate")

    def delete(self, strategy_id: str, *, if_match: str = "*", actor: str) -> None:
        """Remove a file; its versions stay. Errors as in `replace`."""
        with self._writing(strategy_id, if_match):
            path = self._path(strategy_id)
            with atomic.refusals(path):
                atomic.while_in_use(path.unlink)
            self._keep(strategy_id, None, actor, "delete")

    # Inside

    def _create(self, document: Document, actor: str, action: str) -> Saved:
        strategy = self._parse(document, None)
        document = {**document, "created_at": document.get("created_at") or iso(self._clock.wall())}
        document["created_by"] = document.get("created_by") or actor
        with self._storage.lock(_LOCK, _WAIT_SECONDS):
            taken = {path.stem.casefold() for path in (self._root / "strategies").glob("*.json")}
            if strategy.id.casefold() in taken:
                raise Conflict(
                    "strategy_exists",
                    f"there is a strategy {strategy.id!r} already (ids that differ only in case are the same "
                    "file on some systems); choose another id, or replace that one",
                    strategy=strategy.id,
                )
            return self._save(strategy.id, document, actor, action)

    @contextlib.contextmanager
    def _writing(self, strategy_id: str, if_match: str) -> Iterator[bytes]:
        """Hold the lock; give the present content, which is kept as a version if it is not one yet."""
        with self._storage.lock(_LOCK, _WAIT_SECONDS):
            data, etag = self.source(strategy_id)
            if not names_content(if_match, etag):
                raise Conflict(
                    "strategy_changed",
                    f"strategy {strategy_id} was changed by somebody else; read it again, then save",
                    strategy=strategy_id,
                    etag=etag,
                )
            known = self._versions.of(strategy_id)
            if not known or known[-1].etag != etag:
                self._keep(strategy_id, data, BY_HAND, "edit")
            yield data

    def _save(self, strategy_id: str, document: Mapping[str, Any], actor: str, action: str) -> Saved:
        document = {**document, "updated_at": iso(self._clock.wall())}
        strategy = self._parse(document, strategy_id)
        data = encode(document, where=f"strategies/{strategy_id}.json", pretty=True)
        path = self._path(strategy_id)
        atomic.make_folder(path.parent, fsync=self._storage.fsync)
        atomic.replace_file(path, data, mode=None, fsync=self._storage.fsync)
        self._keep(strategy_id, data, actor, action)
        return Saved(strategy=strategy, etag=etag_of(data))

    def _keep(self, strategy_id: str, data: bytes | None, by: str, action: str) -> None:
        version = self._versions.keep(strategy_id, data, by=by, action=action)
        told = {"what": "strategy", "strategy": strategy_id, **asdict(version)}
        self._journal.append(Kind.SETTINGS_CHANGE, told, actor=by)

    def _parse(self, document: Mapping[str, Any], strategy_id: str | None) -> Strategy:
        return parse_strategy(dict(document), stem=strategy_id, accept=self._accept)

    def _read(self, strategy_id: str) -> bytes | None:
        if id_fault(strategy_id) is not None:
            return None
        path = self._path(strategy_id)
        if path.name != f"{strategy_id}.json":  # another's file, where case does not count
            return None
        try:
            return atomic.read_file(path)
        except FileNotFoundError:
            return None

    def _path(self, strategy_id: str) -> Path:
        return names.inside(str(self._root.resolve()), f"strategies/{strategy_id}.json")


def _document(data: bytes) -> Document:
    try:
        document = read_document(data)
    except Invalid as error:
        raise _no_document(error.message) from error
    if not isinstance(document, dict):
        raise _no_document("a strategy is a JSON object")
    return document


def _no_document(reason: str) -> Invalid:
    return Invalid("bad_strategy", reason, problems=[{"pointer": "", "reason": reason}])


def _unknown(strategy_id: str) -> NotFound:
    shown = strategy_id[:64].encode(errors="replace").decode()
    return NotFound("unknown_strategy", f"there is no strategy {shown!r}", strategy=shown)
