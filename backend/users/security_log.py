"""What concerns sign-in, rights and secrets, in the journal."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from backend.core.clock import Clock
from backend.journal.journal import Journal
from backend.journal.record import Kind

ONCE_IN: Final = timedelta(minutes=1)
_REMEMBERED: Final = 1000


class Happened(StrEnum):
    """What can be in the log."""

    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNED_OUT = "signed_out"
    SECRET_REUSED = "secret_reused"  # noqa: S105 - a word
    ACCESS_REFUSED = "access_refused"
    USER_ADDED = "user_added"
    ROLE_CHANGED = "role_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a word
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    USER_UNLOCKED = "user_unlocked"
    TOKEN_MADE = "token_made"  # noqa: S105 - a word
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a word
    SECRET_KEPT = "secret_kept"  # noqa: S105 - a word
    SECRET_REMOVED = "secret_removed"  # noqa: S105 - a word
    SECRETS_ROTATED = "secrets_rotated"


class SecurityLog:
    """Writes to the journal; refusals that strangers can cause at will are written once a minute each.

    Args:
        journal: Where it stands.
        clock: Tells wall time.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._mutex = threading.Lock()
        self._told: dict[tuple[Any, ...], datetime] = {}

    def note(self, happened: Happened, *, actor: str, **payload: Any) -> None:
        """Record one event."""
        self._journal.append(Kind.SECURITY, {"event": str(happened), **payload}, actor=actor)

    def note_once(self, happened: Happened, *, actor: str, **payload: Any) -> None:
        """Record a refusal, unless the same was recorded within the last minute."""
        key = (happened, actor, *sorted(payload.items()))
        now = self._clock.wall()
        with self._mutex:
            for old in [old for old, at in self._told.items() if abs(now - at) >= ONCE_IN]:
                del self._told[old]
            if key in self._told or len(self._told) >= _REMEMBERED:
                return
            self._told[key] = now
        self.note(happened, actor=actor, **payload)

    def newest(self, *, before: int | None, limit: int) -> list[Mapping[str, Any]]:
        """The newest events, with `seq` < `before`."""
        found: list[Mapping[str, Any]] = []
        for record in self._journal.newest(kind=Kind.SECURITY, before=before):
            if len(found) >= limit:
                break
            found.append({"seq": record.seq, "at": record.at_wall, "actor": record.actor, **record.payload})
        return found
