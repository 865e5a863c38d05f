"""The desk's limits as their file is now, the engine made from them, and every change of them on record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.core.errors import Invalid, NotFound
from backend.evaluation.confidence import reachable
from backend.evaluation.engine import AIEngine
from backend.journal.journal import Journal
from backend.journal.record import Kind, Record
from backend.risk.limits import FILE, RiskLimits, parse_limits
from backend.risk.rules import DeskRules
from backend.storage.encoding import decode
from backend.storage.files import FileStorage
from backend.strategies.model import Strategy

KNOWN = "control/limits.json"
LOCK_SECONDS = 10.0


class LimitsFile:
    """Reads ``config/risk.json`` again when it changed; an absent file is the defaults.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._limits = RiskLimits()
        self._engine: AIEngine | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def limits(self) -> RiskLimits:
        """The limits in force.

        Raises:
            Invalid: The file is wrong, naming key and what is allowed. Nothing is decided without limits.
        """
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version != self._version:
                self._limits, self._engine = _read(self._path), None
                self._version = version
        except FileNotFoundError:
            if self._version is not None:
                self._version, self._limits, self._engine = None, RiskLimits(), None
        return self._limits

    def engine(self) -> AIEngine:
        """An engine with these limits; `Invalid` as above."""
        limits = self.limits()
        if self._engine is None:
            self._engine = AIEngine(DeskRules(limits), limits=limits.model_dump(mode="json"))
        return self._engine

    def accept(self, strategy: Strategy) -> None:
        """Refuse a strategy that can never reach a configured threshold, as `Invalid`."""
        limits = self.limits()
        reachable(strategy, limits.weights, limits.thresholds)


class LimitsJournal:
    """Changes the limits, each change in the journal before it is in the file. Safe between processes.

    ``data/control/limits.json`` keeps the limits that the journal knows of, so that an edit by hand is seen
    as one, and a change that a killed process recorded without making it is made.

    Args:
        file: The limits.
        storage: Files below ``data/``.
        journal: Takes the changes.
    """

    def __init__(self, file: LimitsFile, storage: FileStorage, journal: Journal) -> None:
        self._file = file
        self._config = FileStorage(file.path.parent)
        self._storage = storage
        self._journal = journal

    def change(self, patch: Mapping[str, Any], *, actor: str, reason: str) -> RiskLimits:
        """Merge a patch (RFC 7396) into the file; `Invalid` if the limits would be wrong as a whole."""
        with self._storage.lock(KNOWN, LOCK_SECONDS):
            self._caught_up()
            written = _merged(self._raw(), patch)
            limits, before = parse_limits(written), self._file.limits()
            if limits != before:
                self._make(self._record(before, limits, written, actor=actor, reason=reason), written)
        return limits

    def catch_up(self) -> None:
        """Make what was recorded and not made, and record what was edited by hand."""
        with self._storage.lock(KNOWN, LOCK_SECONDS):
            self._caught_up()

    # Inside; the caller holds the lock.

    def _caught_up(self) -> None:
        known = self._storage.read_json_or(KNOWN, None)
        last = self._last_change()
        if last is not None and (known is None or last.seq > known["seq"]):
            made = last.payload["after"]
            if known is not None and self._stated() == known["limits"]:
                self._make(last, last.payload["written"])  # recorded by a process that was killed then
                return
            known = {"seq": last.seq, "limits": made}
            self._storage.write_json(KNOWN, known)
        now = self._file.limits()
        if known is None:
            self._storage.write_json(KNOWN, {"seq": 0, "limits": now.model_dump(mode="json")})
        elif now.model_dump(mode="json") != known["limits"]:
            before = parse_limits(known["limits"], file=f"data/{KNOWN}")
            record = self._record(before, now, self._raw(), actor="file", reason=f"{FILE} was edited")
            self._storage.write_json(KNOWN, {"seq": record.seq, "limits": record.payload["after"]})

    def _record(
        self, before: RiskLimits, after: RiskLimits, written: Mapping[str, Any], *, actor: str, reason: str
    ) -> Record:
        kind = Kind.SETTINGS_CHANGE if before.mode is after.mode else Kind.MODE_CHANGE
        old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
        payload = {
            "file": FILE,
            "reason": reason,
            "by": actor,
            "changes": {key: [old[key], new[key]] for key in new if old[key] != new[key]},
            "after": new,
            "written": dict(written),
        }
        return self._journal.append(kind, payload, actor=actor)

    def _make(self, record: Record, written: Mapping[str, Any]) -> None:
        self._config.write_json(self._file.path.name, dict(written))
        self._storage.write_json(KNOWN, {"seq": record.seq, "limits": record.payload["after"]})

    def _last_change(self) -> Record | None:
        found = (
            next((each for each in self._journal.newest(kind=kind) if each.payload.get("file") == FILE), None)
            for kind in (Kind.SETTINGS_CHANGE, Kind.MODE_CHANGE)
        )
        return max((each for each in found if each is not None), key=lambda each: each.seq, default=None)

    def _raw(self) -> dict[str, Any]:
        """What the file says, without the defaults."""
        try:
            return dict(decode(self._config.read_bytes(self._file.path.name)))
        except NotFound:
            return {}

    def _stated(self) -> dict[str, Any]:
        return self._file.limits().model_dump(mode="json")


def _merged(value: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(value) if isinstance(value, Mapping) else {}
    for key, change in patch.items():
        if change is None:
            merged.pop(key, None)
        elif isinstance(change, Mapping):
            merged[key] = _merged(merged.get(key), change)
        else:
            merged[key] = change
    return merged


def _read(path: Path) -> RiskLimits:
    try:
        data = decode(path.read_bytes())
    except ValueError as error:
        raise Invalid("bad_risk_limits", f"{FILE}: it is not JSON: {error}", file=FILE, key="") from error
    return parse_limits(data)
