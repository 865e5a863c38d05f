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
MOST_OF_ONE: Final = 20
_LONGEST_AGENT: Final = 200


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
        rows = [row for row in self._kept.rows().values() if row.expires_at > now]
        found = [row for row in rows if user is None or row.user == user]
        return tuple(sorted(found, key=lambda row: row.made_at, reverse=True))

    def find(self, session_id: str, now: datetime) -> Session | None:
        """The session of that id, if it lives."""
        row = self._kept.rows().get(session_id)
        return row if row is not None and row.expires_at > now else None

    def begin(self, user: str, now: datetime, *, address: str, agent: str) -> tuple[Session, str]:
        """A new session, and the secret that renews it. A user's oldest ends where there are too many."""
        secret = self._random()
        made = Session(
            id=self._random(),
            user=user,
            made_at=now,
            renewed_at=now,
            expires_at=now + IDLE,
            secret=fingerprint(secret),
            before="",
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
        fresh = self._random()
        came: list[tuple[Renewal, Session | None]] = [(Renewal.UNKNOWN, None)]

        def put(rows: dict[str, Session]) -> None:
            row = rows.get(session_id)
            if row is None or row.expires_at <= now:
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
            elif row.before and same(row.before, secret):
                if now - row.renewed_at <= TOGETHER:
                    came[0] = Renewal.JUST_RENEWED, row
                else:
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


def _sweep(rows: dict[str, Session], now: datetime) -> None:
    for key in [key for key, row in rows.items() if row.expires_at <= now]:
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
        address=str(row["address"]),
        agent=str(row["agent"]),
    )


def _written(session: Session) -> dict[str, Any]:
    shown = session.shown() | {"secret": session.secret, "before": session.before}
    del shown["id"]
    return shown
