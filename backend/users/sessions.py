"""Sessions: who is signed in, kept on the desk so that ending one ends it at once and everywhere."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from backend.core.clock import iso, parse_iso
from backend.storage.files import FileStorage
from backend.users.kept import KeptRows
from backend.users.signing import fingerprint, same

FILE: Final = "access/sessions.json"
IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=14)
TOGETHER: Final = timedelta(seconds=10)
"""Two windows of a browser may renew with the same secret within this time; later it was stolen."""
SLACK: Final = timedelta(minutes=5)
"""So far a clock may be set back without ending a session; one that began later than that is not believed."""
MOST_OF_ONE: Final = 20
_LONGEST_AGENT: Final = 200
_FINGERPRINTS: Final = ("secret", "before", "family")


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One browser that is signed in. All times are wall time.

    Attributes:
        id: Known to the browser.
        user: Whose it is.
        made_at: When they signed in.
        renewed_at: When the secret was last changed.
        expires_at: When it ends unless it is renewed.
        secret: Fingerprint of what renews it.
        before: Fingerprint of what renewed it last; empty where it never was.
        family: Fingerprint of what all of its secrets begin with, by which an older one is known.
        address: Where they signed in from.
        agent: What their browser called itself.
    """

    id: str
    user: str
    made_at: datetime
    renewed_at: datetime
    expires_at: datetime
    secret: str
    before: str
    family: str
    address: str
    agent: str

    def shown(self) -> dict[str, Any]:
        """Everything but the fingerprints, as JSON values."""
        names = ("id", "user", "address", "agent")
        times = ("made_at", "renewed_at", "expires_at")
        return {name: getattr(self, name) for name in names} | {
            name: iso(getattr(self, name)) for name in times
        }


class Renewal(StrEnum):
    """What came of asking for a renewal."""

    RENEWED = "renewed"
    JUST_RENEWED = "just_renewed"
    STOLEN = "stolen"
    UNKNOWN = "unknown"


class Sessions:
    """The sessions of every user.

    Args:
        data: Files below ``data/``.
        random: Makes a secret that nobody can guess.
    """

    def __init__(self, data: FileStorage, random: Callable[[], str]) -> None:
        self._random = random
        self._kept = KeptRows(data, FILE, what="sessions", shown=f"data/{FILE}", read=_read, write=_written)

    def all(self, now: datetime, user: str | None = None) -> tuple[Session, ...]:
        """Those that live, of one user or of all, the newest first."""
        rows = [row for row in self._kept.rows().values() if _lives(row, now)]
        found = [row for row in rows if user is None or row.user == user]
        return tuple(sorted(found, key=lambda row: row.made_at, reverse=True))

    def find(self, session_id: str, now: datetime) -> Session | None:
        """The session of that id, if it lives."""
        row = self._kept.rows().get(session_id)
        return row if row is not None and _lives(row, now) else None

    def begin(self, user: str, now: datetime, *, address: str, agent: str) -> tuple[Session, str]:
        """A new session, and the secret that renews it. A user's oldest ends where there are too many."""
        family = self._random()
        secret = f"{family}.{self._random()}"
        made = Session(
            id=self._random(),
            user=user,
            made_at=now,
            renewed_at=now,
            expires_at=now + IDLE,
            secret=fingerprint(secret),
            before="",
            family=fingerprint(family),
            address=address,
            agent=agent[:_LONGEST_AGENT],
        )

        def put(rows: dict[str, Session]) -> None:
            _sweep(rows, now)
            mine = sorted((row for row in rows.values() if row.user == user), key=lambda row: row.renewed_at)
            for old in mine[: max(0, len(mine) - MOST_OF_ONE + 1)]:
                del rows[old.id]
            rows[made.id] = made

        self._kept.change(put)
        return made, secret

    def renew(self, session_id: str, secret: str, now: datetime) -> tuple[Renewal, Session | None, str]:
        """Change a session's secret; one that was used before is a stolen one, and ends the session.

        Returns:
            What came of it, the session concerned, and the new secret where it was renewed.
        """
        family = secret.partition(".")[0]
        fresh = f"{family}.{self._random()}"
        came: list[tuple[Renewal, Session | None]] = [(Renewal.UNKNOWN, None)]

        def put(rows: dict[str, Session]) -> None:
            row = rows.get(session_id)
            if row is None or not _lives(row, now):
                return
            if same(row.secret, secret):
                rows[session_id] = dataclasses.replace(
                    row,
                    renewed_at=now,
                    expires_at=min(now + IDLE, row.made_at + LONGEST),
                    secret=fingerprint(fresh),
                    before=row.secret,
                )
                came[0] = Renewal.RENEWED, rows[session_id]
            elif same(row.before, secret) and abs(now - row.renewed_at) <= TOGETHER:
                came[0] = Renewal.JUST_RENEWED, row
            elif same(row.family, family) or same(row.before, secret):
                del rows[session_id]
                came[0] = Renewal.STOLEN, row

        self._kept.change(put)
        renewal, session = came[0]
        return renewal, session, fresh if renewal is Renewal.RENEWED else ""

    def end(self, wanted: Callable[[Session], bool]) -> tuple[Session, ...]:
        """End those that are wanted; returns them."""
        ended: list[Session] = []

        def put(rows: dict[str, Session]) -> None:
            ended.extend(row for row in rows.values() if wanted(row))
            for row in ended:
                del rows[row.id]

        self._kept.change(put)
        return tuple(ended)


def _lives(row: Session, now: datetime) -> bool:
    return row.expires_at > now and max(row.made_at, row.renewed_at) <= now + SLACK


def _sweep(rows: dict[str, Session], now: datetime) -> None:
    for key in [key for key, row in rows.items() if not _lives(row, now)]:
        del rows[key]


def _read(session_id: str, row: Mapping[str, Any]) -> Session:
    return Session(
        id=session_id,
        user=str(row["user"]),
        made_at=parse_iso(row["made_at"]),
        renewed_at=parse_iso(row["renewed_at"]),
        expires_at=parse_iso(row["expires_at"]),
        secret=str(row["secret"]),
        before=str(row["before"]),
        family=str(row.get("family", "")),  # of one that began before there were any: nothing has it
        address=str(row["address"]),
        agent=str(row["agent"]),
    )


def _written(session: Session) -> dict[str, Any]:
    shown = session.shown() | {name: getattr(session, name) for name in _FINGERPRINTS}
    del shown["id"]
    return shown
