"""``config/users.json``: who there is, with which role, and the hash of their password."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from backend.core.clock import iso, parse_iso
from backend.core.errors import Conflict, Invalid, NotFound
from backend.storage.files import FileStorage
from backend.users.kept import KeptRows
from backend.users.model import Role, good_name

FILE: Final = "users.json"
_HASH: Final = "$argon2id$"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One who may sign in.

    Attributes:
        name: By which they are known everywhere.
        role: What they may do.
        password: Its argon2id hash.
        disabled: Whether they are kept out.
        made_at: Wall time.
        changed_at: When the password was set; wall time.
    """

    name: str
    role: Role
    password: str
    disabled: bool
    made_at: datetime
    changed_at: datetime

    def shown(self) -> dict[str, Any]:
        """Everything but the password's hash, as JSON values."""
        return {
            "name": self.name,
            "role": str(self.role),
            "disabled": self.disabled,
            "made_at": iso(self.made_at),
            "password_set_at": iso(self.changed_at),
        }


class Directory:
    """The users.

    Args:
        config: Files below ``config/``.
    """

    def __init__(self, config: FileStorage) -> None:
        self._kept = KeptRows(config, FILE, what="users", shown=f"config/{FILE}", read=_read, write=_written)

    def all(self) -> tuple[User, ...]:
        """Everybody, by name; `Unavailable` where the file is not in its form."""
        return tuple(user for _, user in sorted(self._kept.rows().items()))

    def find(self, name: str) -> User | None:
        """The user of that name, disabled or not."""
        return self._kept.rows().get(name)

    def get(self, name: str) -> User:
        """The user of that name; `NotFound` if there is none."""
        return _there(self._kept.rows(), name)

    def has_owner(self) -> bool:
        """Whether anybody may act as owner."""
        return _owners(self._kept.rows()) > 0

    def add(
        self, name: str, role: Role, password: str, now: datetime, *, record: Callable[[User], None]
    ) -> User:
        """Add a user with the hash of a password; `Conflict` if there is one of that name.

        It is recorded once nothing speaks against it, and before it is in force.
        """
        user = User(
            name=good_name(name), role=role, password=password, disabled=False, made_at=now, changed_at=now
        )

        def put(rows: dict[str, User]) -> None:
            if name in rows:
                raise Conflict("user_exists", f"there is a user {name} already", name=name)
            rows[name] = user
            record(user)

        self._kept.change(put)
        return user

    def set(self, name: str, *, record: Callable[[User, User], None], **changes: Any) -> User:
        """Change role, password or disabled; recorded, with the user before and after, as by `add`.

        Raises:
            NotFound: There is no such user.
            Conflict: ``last_owner``: nobody would be left who may act as owner.
        """
        after: list[User] = []

        def put(rows: dict[str, User]) -> None:
            before = _there(rows, name)
            rows[name] = dataclasses.replace(before, **changes)
            if _owner(before) and not _owners(rows):
                raise Conflict("last_owner", f"{name} is the last owner; make another one first", name=name)
            if rows[name] != before:
                record(before, rows[name])
            after.append(rows[name])

        self._kept.change(put)
        return after[0]


def require_owner(directory: Directory, why: str | None) -> None:
    """Refuse to open a desk that asks for sign-in, and that nobody could sign in to as owner.

    Args:
        directory: The users; a damaged file is refused in any case.
        why: Why the desk asks for sign-in; None where it does not.

    Raises:
        Invalid: ``no_owner``.
        Unavailable: The file is not in its form.
    """
    if not directory.has_owner() and why is not None:
        raise Invalid(
            "no_owner",
            f"The desk asks for sign-in, because {why}, and there is no owner yet. Make one, and start "
            "again: mt5ui user add NAME --role owner",
        )


def _there(rows: Mapping[str, User], name: str) -> User:
    if name not in rows:
        raise NotFound("unknown_user", "there is no such user")
    return rows[name]


def _owner(user: User) -> bool:
    return user.role is Role.OWNER and not user.disabled


def _owners(rows: Mapping[str, User]) -> int:
    return sum(_owner(user) for user in rows.values())


def _read(name: str, row: Mapping[str, Any]) -> User:
    unknown = set(row) - {"role", "password", "disabled", "made_at", "changed_at"}
    if unknown:
        raise ValueError(f"{name}: there is no {min(unknown)} here")
    if not isinstance(row["disabled"], bool):
        raise TypeError(f"{name}: disabled is true or false")
    if not isinstance(row["password"], str) or not row["password"].startswith(_HASH):
        raise Invalid("bad_hash", f"{name}: the password is not an argon2id hash")
    return User(
        name=good_name(name),
        role=Role(row["role"]),
        password=row["password"],
        disabled=row["disabled"],
        made_at=parse_iso(row["made_at"]),
        changed_at=parse_iso(row["changed_at"]),
    )


def _written(user: User) -> dict[str, Any]:
    return {
        "role": str(user.role),
        "password": user.password,
        "disabled": user.disabled,
        "made_at": iso(user.made_at),
        "changed_at": iso(user.changed_at),
    }
