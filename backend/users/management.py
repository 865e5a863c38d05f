"""Changes of users and tokens: what is refused, what else ends with them, and what goes on record."""

from datetime import timedelta

from backend.core.clock import Clock
from backend.core.errors import Invalid, NotFound
from backend.users.directory import User
from backend.users.model import Acting, Refusal, Role, good_name, good_password, too_often
from backend.users.passwords import Hasher
from backend.users.security_log import Happened
from backend.users.service import Door, user_key
from backend.users.tokens import Token


class Management:
    """What owners, and users themselves, may change.

    Args:
        door: Sessions, tokens, the log.
        hasher: Of passwords.
        clock: Tells wall time.
    """

    def __init__(self, door: Door, hasher: Hasher, clock: Clock) -> None:
        self._door = door
        self._hasher = hasher
        self._clock = clock

    def add(self, name: str, role: Role, password: str, *, actor: str) -> User:
        """Add a user; the first one is an owner.

        Raises:
            Conflict: There is one of that name.
            Invalid: Name or password will not do, or nobody would be owner.
        """
        directory = self._door.directory
        good_password(password, good_name(name))
        if role is not Role.OWNER and not directory.has_owner():
            raise Invalid("owner_first", "the first user is an owner: --role owner")
        return directory.add(
            name,
            role,
            self._hasher.hash(password),
            self._clock.wall(),
            record=lambda user: self._note(Happened.USER_ADDED, actor, user, role=str(role)),
        )

    def set_password(self, name: str, password: str, *, actor: str, keep: str = "") -> None:
        """Give a user another password; their sessions end, but for the one to keep."""
        good_password(password, name)
        self._door.directory.get(name)
        self._door.directory.set(
            name,
            password=self._hasher.hash(password),
            changed_at=self._clock.wall(),
            record=lambda _, user: self._note(Happened.PASSWORD_CHANGED, actor, user),
        )
        self._door.attempts.forget(user_key(name))
        self._door.end_sessions(name, actor=actor, but=keep)

    def change_own(self, acting: Acting, old: str, new: str, *, address: str) -> Refusal | None:
        """Give oneself another password, knowing the present one; guessing that waits like sign-in does."""
        key = f"password {acting.name}"
        wait = self._door.attempts.begin((key,), self._clock.wall())
        if wait is not None:
            return too_often(wait)
        user = self._door.directory.get(acting.name)
        if not self._hasher.matches(user.password, old):
            log = self._door.log
            log.note(Happened.ACCESS_REFUSED, actor=acting.name, address=address, why="password")
            return Refusal(code="wrong_password", message="The present password is another one")
        self._door.attempts.forget(key)
        self.set_password(acting.name, new, actor=acting.name, keep=acting.id)
        return None

    def set_role(self, name: str, role: Role, *, actor: str) -> User:
        """Give a user another role, in force with their next request."""

        def record(before: User, user: User) -> None:
            self._note(Happened.ROLE_CHANGED, actor, user, before=str(before.role), after=str(role))

        return self._door.directory.set(name, role=role, record=record)

    def set_disabled(self, name: str, *, disabled: bool, actor: str) -> User:
        """Keep a user out, or let them in again. Sessions and tokens of one who is kept out end."""
        what = Happened.USER_DISABLED if disabled else Happened.USER_ENABLED
        user = self._door.directory.set(
            name, disabled=disabled, record=lambda _, user: self._note(what, actor, user)
        )
        if disabled:
            self._door.end_sessions(name, actor=actor)
            self._told(self._door.tokens.revoke(lambda row: row.user == name), actor)
        return user

    def unlock(self, name: str, *, actor: str) -> None:
        """Let a user try again at once after too many failures."""
        self._door.directory.get(name)
        self._door.attempts.forget(user_key(name))
        self._door.log.note(Happened.USER_UNLOCKED, actor=actor, user=name)

    def make_token(
        self, user: str, scope: Role, *, label: str, lasts: timedelta, actor: str
    ) -> tuple[Token, str]:
        """A token for a program of a user, and its text.

        Raises:
            Invalid: Its scope is more than the user's role, or see `Tokens.make`.
            NotFound: There is no such user.
        """
        if scope.at_most(self._door.directory.get(user).role) is not scope:
            raise Invalid("scope_too_wide", f"a token of {user} cannot have the scope {scope}")
        token, text = self._door.tokens.make(user, scope, self._clock.wall(), label=label, lasts=lasts)
        told = {"user": user, "token": token.id, "scope": str(scope), "label": token.label}
        self._door.log.note(Happened.TOKEN_MADE, actor=actor, **told)
        return token, text

    def revoke_token(self, token_id: str, *, actor: str, user: str | None = None) -> None:
        """End a token, of a user or of anybody; `NotFound` if there is none."""
        ended = self._door.tokens.revoke(
            lambda row: row.id == token_id and (user is None or row.user == user)
        )
        if not ended:
            raise NotFound("unknown_token", "there is no such token")
        self._told(ended, actor)

    def _told(self, ended: tuple[Token, ...], actor: str) -> None:
        for token in ended:
            self._door.log.note(Happened.TOKEN_REVOKED, actor=actor, user=token.user, token=token.id)

    def _note(self, happened: Happened, actor: str, user: User, **told: str) -> None:
        self._door.log.note(happened, actor=actor, user=user.name, **told)
