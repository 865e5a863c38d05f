"""Who may do what: roles, the rights they have, and who is acting."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.core.errors import Invalid

LOCAL: Final = "local"
RESERVED: Final = frozenset(
    {LOCAL, "anonymous", "celery", "desk", "file", "management", "reconcile", "schedule", "watch"}
)
"""Names under which the desk itself acts; nobody else may bear one."""

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_SHORTEST_PASSWORD: Final = 12
_LONGEST_PASSWORD: Final = 256


class Right(StrEnum):
    """What a route asks of whoever calls it."""

    OPEN = "open"
    SELF = "self"
    READ = "read"
    TRADE = "trade"
    OWN = "own"

    @property
    def meaning(self) -> str:
        """In a few words."""
        return _MEANING[self]


_MEANING: Final = {
    Right.OPEN: "anybody, signed in or not",
    Right.SELF: "anybody who is signed in, about themselves",
    Right.READ: "looking at what the desk has and does",
    Right.TRADE: "ideas, orders, tasks, strategies, halting",
    Right.OWN: "settings, limits, users, secrets, lifting a halt",
}


class Role(StrEnum):
    """What a user is, from the least to the most."""

    VIEWER = "viewer"
    TRADER = "trader"
    OWNER = "owner"

    @property
    def rights(self) -> frozenset[Right]:
        """What it may."""
        return _RIGHTS[self]

    def at_most(self, other: "Role") -> "Role":
        """The lesser of both."""
        order = tuple(Role)
        return min(self, other, key=order.index)


_VIEWER: Final = frozenset({Right.OPEN, Right.SELF, Right.READ})
_RIGHTS: Final = {
    Role.VIEWER: _VIEWER,
    Role.TRADER: _VIEWER | {Right.TRADE},
    Role.OWNER: frozenset(Right),
}


class Way(StrEnum):
    """How somebody came in."""

    LOCAL = "local"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word


@dataclass(frozen=True, kw_only=True, slots=True)
class Acting:
    """Who asks.

    Attributes:
        name: The user's; `LOCAL` for this machine where no sign-in is needed.
        role: What counts now: of a token the lesser of its scope and its user's role.
        way: How they came in.
        id: Of the session or the token; empty for `LOCAL`.
    """

    name: str
    role: Role
    way: Way
    id: str = ""

    def may(self, right: Right) -> bool:
        """Whether the role has that right."""
        return right in self.role.rights


HERE: Final = Acting(name=LOCAL, role=Role.OWNER, way=Way.LOCAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why somebody is not let in; says no more than whoever asks may know.

    Attributes:
        code: For programs.
        message: For people.
        wait: Seconds after which trying again may help; None where it does not.
    """

    code: str
    message: str
    wait: float | None = None


def too_often(wait: float) -> Refusal:
    """Somebody tried too often, and has to wait."""
    return Refusal(code="too_many_attempts", message="Too many attempts; wait and try again", wait=wait)


def good_name(name: str) -> str:
    """The name, if a user may bear it; `Invalid` with what is allowed otherwise."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            "bad_user_name",
            "a user's name has 2 to 32 characters: small letters, digits, dot, dash and underscore, and "
            "begins with a letter",
        )
    if name in RESERVED:
        raise Invalid("bad_user_name", f"{name} is a name under which the desk itself acts; choose another")
    return name


def good_password(password: str, name: str) -> str:
    """The password, if it may be one; `Invalid` with what is wrong, and never with the password."""
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise Invalid(
            "bad_password", f"a password has {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters"
        )
    if len(set(password)) < 5 or name in password.lower():  # noqa: PLR2004 - `aaaaaaaaaaaa`, `abababab…`
        raise Invalid(
            "bad_password", "a password has 5 different characters or more, and not the user's name"
        )
    return password
