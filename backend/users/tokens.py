"""Tokens for programs: scoped, expiring, shown once, kept as fingerprints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from backend.core.clock import iso, parse_iso
from backend.core.errors import Conflict, Invalid
from backend.storage.files import FileStorage
from backend.users.kept import KeptRows
from backend.users.model import Role
from backend.users.signing import fingerprint, same

FILE: Final = "access/tokens.json"
LONGEST: Final = timedelta(days=365)
MOST_OF_ONE: Final = 50
_PREFIX: Final = "mt5ui"
_LONGEST_LABEL: Final = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """One program's way in. All times are wall time.

    Attributes:
        id: Stands in the token itself; not secret.
        user: As whom the program acts.
        label: What it is for.
        scope: The most it may.
        made_at: When it was made.
        expires_at: When it ends.
        secret: Fingerprint of its secret part.
    """

    id: str
    user: str
    label: str
    scope: Role
    made_at: datetime
    expires_at: datetime
    secret: str

    def shown(self) -> dict[str, Any]:
        """Everything but the fingerprint, as JSON values."""
        return {
            "id": self.id,
            "user": self.user,
            "label": self.label,
            "scope": str(self.scope),
            "made_at": iso(self.made_at),
            "expires_at": iso(self.expires_at),
        }


class Tokens:
    """The tokens of every user.

    Args:
        data: Files below ``data/``.
        random: Makes a secret that nobody can guess.
    """

    def __init__(self, data: FileStorage, random: Callable[[], str]) -> None:
        self._random = random
        self._kept = KeptRows(data, FILE, what="tokens", shown=f"data/{FILE}", read=_read, write=_written)

    def all(self, now: datetime, user: str | None = None) -> tuple[Token, ...]:
        """Those that are valid, of one user or of all, the newest first."""
        rows = [row for row in self._kept.rows().values() if row.expires_at > now]
        found = [row for row in rows if user is None or row.user == user]
        return tuple(sorted(found, key=lambda row: row.made_at, reverse=True))

    def make(
        self, user: str, scope: Role, now: datetime, *, label: str, lasts: timedelta
    ) -> tuple[Token, str]:
        """A new token, and its text, which is kept nowhere.

        Raises:
            Invalid: It would have no label, or last too long or not at all.
            Conflict: The user has too many.
        """
        if not label.strip() or len(label) > _LONGEST_LABEL:
            raise Invalid("bad_label", f"say what the token is for in 1 to {_LONGEST_LABEL} characters")
        if not timedelta(0) < lasts <= LONGEST:
            raise Invalid("bad_lifetime", f"a token lasts up to {LONGEST.days} days")
        secret = self._random()
        token = Token(
            id=fingerprint(self._random())[:16],
            user=user,
            label=label.strip(),
            scope=scope,
            made_at=now,
            expires_at=now + lasts,
            secret=fingerprint(secret),
        )

        def put(rows: dict[str, Token]) -> None:
            for key in [key for key, row in rows.items() if row.expires_at <= now]:
                del rows[key]
            if sum(row.user == user for row in rows.values()) >= MOST_OF_ONE:
                raise Conflict("too_many_tokens", f"{user} has {MOST_OF_ONE} tokens already; revoke one")
            rows[token.id] = token

        self._kept.change(put)
        return token, f"{_PREFIX}_{token.id}_{secret}"

    def find(self, text: str, now: datetime) -> Token | None:
        """The token of that text, if it is valid."""
        prefix, _, rest = text.partition("_")
        token_id, _, secret = rest.partition("_")
        row = self._kept.rows().get(token_id)
        whole = same(fingerprint("") if row is None else row.secret, secret)
        if prefix != _PREFIX or row is None or not whole or row.expires_at <= now:
            return None
        return row

    def revoke(self, wanted: Callable[[Token], bool]) -> tuple[Token, ...]:
        """End those that are wanted; returns them."""
        ended: list[Token] = []

        def put(rows: dict[str, Token]) -> None:
            ended.extend(row for row in rows.values() if wanted(row))
            for row in ended:
                del rows[row.id]

        self._kept.change(put)
        return tuple(ended)


def _read(token_id: str, row: Mapping[str, Any]) -> Token:
    return Token(
        id=token_id,
        user=str(row["user"]),
        label=str(row["label"]),
        scope=Role(row["scope"]),
        made_at=parse_iso(row["made_at"]),
        expires_at=parse_iso(row["expires_at"]),
        secret=str(row["secret"]),
    )


def _written(token: Token) -> dict[str, Any]:
    shown = token.shown() | {"secret": token.secret}
    del shown["id"]
    return shown
