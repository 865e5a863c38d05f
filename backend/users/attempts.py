"""How often somebody may try to sign in: each failure beyond a few makes the next one wait longer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from backend.core.clock import iso, parse_iso
from backend.storage.files import FileStorage
from backend.users.kept import KeptRows
from backend.users.signing import fingerprint

FILE: Final = "access/attempts.json"
FREE: Final = 5
"""Failures that cost nothing."""
LONGEST: Final = timedelta(minutes=15)
FORGOTTEN: Final = timedelta(hours=1)
MOST: Final = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Tries:
    """How often it failed, and when last."""

    failures: int
    last: datetime

    @property
    def again_at(self) -> datetime:
        """When the next try is looked at: after 2, 4, 8 … seconds, at most `LONGEST`."""
        beyond = self.failures - FREE
        wait = timedelta(seconds=2 ** min(beyond + 1, 20)) if beyond >= 0 else timedelta(0)
        return self.last + min(wait, LONGEST)


class Attempts:
    """Failures by address and by user, or by user and known browser.

    A try is counted before the password is compared, so that many at once do not all pass, and taken
    back where it succeeds. One that comes too early is refused uncounted: nobody who only goes on trying
    makes anybody wait longer than `LONGEST`.

    Args:
        data: Files below ``data/``.
    """

    def __init__(self, data: FileStorage) -> None:
        self._kept = KeptRows(data, FILE, what="attempts", shown=f"data/{FILE}", read=_read, write=_written)

    def begin(self, keys: Sequence[str], now: datetime) -> float | None:
        """Count a try under each key; seconds to wait, and nothing counted, where one comes too early."""
        names = [_name(key) for key in keys]
        waits: list[float] = []

        def put(rows: dict[str, Tries]) -> None:
            for name in [name for name, row in rows.items() if now - row.last > FORGOTTEN]:
                del rows[name]
            for name in names:  # from before the clock was set back: nobody waits for that time to come again
                if name in rows and rows[name].last > now:
                    rows[name] = replace(rows[name], last=now)
            early = [rows[name].again_at for name in names if name in rows and rows[name].again_at > now]
            if early:
                waits.append((max(early) - now).total_seconds())
                return
            for name in names:
                before = rows[name].failures if name in rows else 0
                rows[name] = Tries(failures=before + 1, last=now)
            least_first = sorted(rows, key=lambda name: (rows[name].failures, rows[name].last))
            for name in least_first[: max(0, len(rows) - MOST)]:
                del rows[name]

        self._kept.change(put)
        return waits[0] if waits else None

    def passed(self, cleared: str, *taken_back: str) -> None:
        """A try succeeded: nothing counts any more under one key, and this try not under the others."""
        forgotten, lessened = _name(cleared), [_name(key) for key in taken_back]

        def put(rows: dict[str, Tries]) -> None:
            rows.pop(forgotten, None)
            for name in lessened:
                row = rows.get(name)
                if row is not None:
                    rows[name] = Tries(failures=max(row.failures - 1, 0), last=row.last)

        self._kept.change(put)

    def forget(self, key: str) -> None:
        """Nothing counts any more under this key."""

        def put(rows: dict[str, Tries]) -> None:
            rows.pop(_name(key), None)

        self._kept.change(put)


def _name(key: str) -> str:
    return fingerprint(key)[:32]


def _read(_: str, row: Mapping[str, Any]) -> Tries:
    return Tries(failures=int(row["failures"]), last=parse_iso(row["last"]))


def _written(tries: Tries) -> dict[str, Any]:
    return {"failures": tries.failures, "last": iso(tries.last)}
