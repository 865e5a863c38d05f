"""Who comes in, and how: signing in, renewing, tokens, and what ends with what."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from backend.core.clock import Clock
from backend.core.errors import NotFound
from backend.storage.files import FileStorage
from backend.users.attempts import Attempts
from backend.users.directory import Directory, require_owner
from backend.users.local_token import LocalToken
from backend.users.model import HERE, Acting, Refusal, Way, too_often
from backend.users.passwords import Hasher
from backend.users.security_log import Happened, SecurityLog
from backend.users.sessions import LONGEST, Renewal, Session, Sessions
from backend.users.signing import Signer, Use
from backend.users.tokens import Token, Tokens

ACCESS_LASTS: Final = timedelta(minutes=10)
DEVICE_LASTS: Final = timedelta(days=180)
NOBODY: Final = "anonymous"

_WRONG: Final = Refusal(code="sign_in_refused", message="Name or password is wrong")
_ENDED: Final = Refusal(code="session_ended", message="This session has ended; sign in again")
_JUST_RENEWED: Final = Refusal(
    code="just_renewed", message="Another window renewed this session a moment ago; its cookies hold"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """Somebody is in.

    Attributes:
        acting: Who.
        access: JWT, for `ACCESS_LASTS`.
        refresh: What renews it, once.
        device: By which their browser is known for longer; empty where it is not told anew.
        lasts: How long the session lasts unless it is renewed.
    """

    acting: Acting
    access: str
    refresh: str
    device: str
    lasts: timedelta


class Door:
    """Lets in, and keeps out.

    Args:
        directory: The users.
        data: Files below ``data/``.
        log: The security log.
        clock: Tells wall time.
        hasher: Of passwords.
        signer: Of what a browser keeps.
        random: Makes a secret that nobody can guess.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        data: FileStorage,
        log: SecurityLog,
        clock: Clock,
        hasher: Hasher,
        signer: Signer,
        random: Callable[[], str],
    ) -> None:
        self.directory = directory
        self.sessions = Sessions(data, random)
        self.tokens = Tokens(data, random)
        self.attempts = Attempts(data)
        self.local = LocalToken(data, random)
        self.log = log
        self._clock = clock
        self._hasher = hasher
        self._signer = signer
        self._random = random

    def open(self, why: str | None) -> None:
        """See to it that the right people can come in, before anybody asks.

        Args:
            why: Why this desk asks for sign-in; None where it does not.

        Raises:
            Invalid: There is no owner where one is needed, or no key.
            Unavailable: The users file is not in its form.
        """
        require_owner(self.directory, why)
        if why is not None:
            self._signer.check()
            self.local.make()

    def now(self) -> datetime:
        """Wall time."""
        return self._clock.wall()

    def sign_in(
        self, name: str, password: str, *, address: str, agent: str, device: str
    ) -> SignedIn | Refusal:
        """Let a user in with their password.

        Whether there is such a user, whether they are disabled and whether the password is wrong makes no
        difference to the answer, nor to the time that it takes.

        Args:
            name: As given.
            password: As given.
            address: Where the request comes from.
            agent: What the browser calls itself.
            device: The note of a browser that signed in before, or "".
        """
        now = self._clock.wall()
        noted = self._signer.read(Use.DEVICE, device, now) if device else None
        known = noted is not None and noted[0] == name
        counted = (
            (f"device {noted[1]} {name}",)
            if noted is not None and known
            else (user_key(name), f"address {_network(address)}")
        )
        wait = self.attempts.begin(counted, now)
        user = self.directory.find(name)
        shown = NOBODY if user is None else user.name
        if wait is not None:
            told = {"user": shown, "address": address, "why": "too often"}
            self.log.note_once(Happened.SIGN_IN_REFUSED, actor=NOBODY, **told)
            return too_often(wait)
        right = self._hasher.matches(None if user is None else user.password, password)
        if user is None or user.disabled or not right:
            why = "unknown" if user is None else "disabled" if user.disabled else "password"
            self.log.note(Happened.SIGN_IN_REFUSED, actor=NOBODY, user=shown, address=address, why=why)
            return _WRONG
        session, secret = self.sessions.begin(user.name, now, address=address, agent=agent)
        again = self.directory.find(name)
        if again is None or again.disabled or again.password != user.password:
            # Changed meanwhile: what changed it ended the sessions that were there before this one.
            self.sessions.end(lambda row: row.id == session.id)
            self.log.note(Happened.SIGN_IN_REFUSED, actor=NOBODY, user=shown, address=address, why="changed")
            return _WRONG
        self.attempts.passed(*counted)
        self.log.note(Happened.SIGNED_IN, actor=user.name, session=session.id[:8], address=address)
        note = (
            ""
            if known
            else self._signer.sign(Use.DEVICE, user.name, self._random(), expires_at=now + DEVICE_LASTS)
        )
        acting = Acting(name=user.name, role=user.role, way=Way.SESSION, id=session.id)
        return self._signed_in(acting, session, secret, device=note)

    def renew(self, refresh: str, *, address: str) -> SignedIn | Refusal:
        """A new access note for a session, and a new secret in place of the one given."""
        now = self._clock.wall()
        session_id, _, secret = refresh.partition(".")
        renewal, session, fresh = self.sessions.renew(session_id, secret, now)
        if renewal is Renewal.STOLEN and session is not None:
            self.log.note(Happened.SECRET_REUSED, actor=session.user, session=session.id[:8], address=address)
        if renewal is Renewal.JUST_RENEWED:
            return _JUST_RENEWED
        if renewal is not Renewal.RENEWED or session is None:
            return _ENDED
        user = self.directory.find(session.user)
        if user is None or user.disabled:
            return _ENDED
        acting = Acting(name=user.name, role=user.role, way=Way.SESSION, id=session.id)
        return self._signed_in(acting, session, fresh, device="")

    def by_session(self, access: str) -> Acting | None:
        """Who an access note lets in: its session lives, and its user is not disabled."""
        now = self._clock.wall()
        noted = self._signer.read(Use.ACCESS, access, now)
        session = None if noted is None else self.sessions.find(noted[1], now)
        if noted is None or session is None or session.user != noted[0]:
            return None
        user = self.directory.find(session.user)
        if user is None or user.disabled:
            return None
        return Acting(name=user.name, role=user.role, way=Way.SESSION, id=session.id)

    def by_token(self, text: str, *, here: bool) -> Acting | None:
        """Whom a bearer token lets in; that of this machine only from this machine."""
        if self.local.is_it(text):
            return HERE if here else None
        token = self.tokens.find(text, self._clock.wall())
        user = None if token is None else self.directory.find(token.user)
        if token is None or user is None or user.disabled:
            return None
        return Acting(name=user.name, role=token.scope.at_most(user.role), way=Way.TOKEN, id=token.id)

    def still_in(self, acting: Acting) -> Acting | None:
        """The same person now: None once their session or token ended, or they were disabled."""
        now = self._clock.wall()
        if acting.way is Way.LOCAL:
            return acting
        user = self.directory.find(acting.name)
        if user is None or user.disabled:
            return None
        if acting.way is Way.SESSION:
            lives: Session | Token | None = self.sessions.find(acting.id, now)
        else:
            lives = next((row for row in self.tokens.all(now, acting.name) if row.id == acting.id), None)
        role = user.role if not isinstance(lives, Token) else lives.scope.at_most(user.role)
        return None if lives is None else Acting(name=user.name, role=role, way=acting.way, id=acting.id)

    def sign_out(self, acting: Acting) -> None:
        """End the session by which somebody came in."""
        for session in self.sessions.end(lambda row: row.id == acting.id):
            self.log.note(Happened.SIGNED_OUT, actor=acting.name, session=session.id[:8])

    def end_session(self, session_id: str, *, actor: str, user: str | None) -> None:
        """End a session, of a user or of anybody; `NotFound` if there is none."""
        ended = self.sessions.end(lambda row: row.id == session_id and (user is None or row.user == user))
        if not ended:
            raise NotFound("unknown_session", "there is no such session")
        for session in ended:
            self.log.note(Happened.SIGNED_OUT, actor=actor, user=session.user, session=session.id[:8])

    def end_sessions(self, user: str, *, actor: str, but: str = "") -> int:
        """End every session of a user, but one; returns how many."""
        ended = self.sessions.end(lambda row: row.user == user and row.id != but)
        for session in ended:
            self.log.note(Happened.SIGNED_OUT, actor=actor, user=user, session=session.id[:8])
        return len(ended)

    def _signed_in(self, acting: Acting, session: Session, secret: str, *, device: str) -> SignedIn:
        now = self._clock.wall()
        expires = min(now + ACCESS_LASTS, session.made_at + LONGEST)
        return SignedIn(
            acting=acting,
            access=self._signer.sign(Use.ACCESS, acting.name, session.id, expires_at=expires),
            refresh=f"{session.id}.{secret}",
            device=device,
            lasts=session.expires_at - now,
        )


def user_key(name: str) -> str:
    """Under which the tries of a user's unknown browsers are counted."""
    return f"user {name}"


def _network(address: str) -> str:
    """An address as it is counted: of IPv6 the network, since one house has all addresses in it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:  # noqa: PLR2004 - the protocol's
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
