"""Secrets at rest: encrypted with Fernet (AES-128-CBC and HMAC-SHA256), each under its name.

The encrypted values stand below ``data/``; the key stands outside of it, in the environment, in the
system's keyring or in a file of its own. Neither alone tells anything. While a key is changed there are two
of them, the new one first: what is written is for the first, what is read for any.
"""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from backend.core import masking
from backend.core.errors import DeskError, Invalid, NotFound
from backend.storage import atomic
from backend.storage.files import FileStorage

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

FILE = "secrets.json"
KEY_VARIABLE = "MT5UI_SECRET_KEY"
MODE = 0o600

_SHOWN = 4
_LONG_ENOUGH = 16


def masked(secret: str) -> str:
    """A secret as it may be shown: the end of a long one, nothing of a short one."""
    return "••••" + (secret[-_SHOWN:] if len(secret) >= _LONG_ENOUGH else "")


def new_key() -> str:
    """A key: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


class KeyRing(Protocol):
    """The system's keyring, as far as the desk uses it."""

    def read(self) -> str | None:
        """What is kept there; None where nothing is."""

    def write(self, text: str) -> None:
        """Keep this instead."""


class SecretStore:
    """Reads and writes named secrets.

    Args:
        storage: Rooted at the desk's data folder.
        key_file: Where the key stands if neither of the others gives one; made for its owner alone.
        key: The environment's: 32 bytes in URL-safe base64, or several such, with commas between.
        ring: The system's keyring, where it is to hold the key.
    """

    def __init__(
        self, storage: FileStorage, key_file: Path, key: str | None = None, ring: KeyRing | None = None
    ) -> None:
        self._storage = storage
        self._key_file = key_file
        self._key = key
        self._ring = ring

    def names(self) -> tuple[str, ...]:
        """Which secrets there are; needs no key."""
        return tuple(sorted(self._tokens()))

    def get(self, name: str) -> str:
        """The secret of that name.

        Raises:
            NotFound: ``no_secret``: there is none.
            Invalid: ``no_secret_key``, ``bad_secret_key``, ``wrong_secret_key`` or ``bad_secrets``; the
                store is left as it is.
        """
        tokens = self._tokens()
        if name not in tokens:
            raise NotFound("no_secret", f"no secret is kept under {name}", name=name)
        return self._opened(name, tokens[name], self._fernet(made=False))

    def put(self, name: str, value: str) -> None:
        """Keep a secret under a name, in place of the one before.

        Raises:
            Invalid: As `get`: while the secrets there are cannot be read with the present key, none is added.
        """
        with self._storage.lock(FILE, 30):
            tokens = self._tokens()
            fernet = self._fernet(made=not tokens)
            self._all(tokens, fernet)
            self._write(tokens | {name: _sealed(name, value, fernet)})

    def get_or_put(self, name: str, make: Callable[[], str]) -> str:
        """The secret of that name; where there is none, the one that is made now, once for all processes."""
        with self._storage.lock(FILE, 30):
            if name not in self._tokens():
                self.put(name, make())
            return self.get(name)

    def learn(self) -> None:
        """From now on hide everything that is kept, used or not; what cannot be read now is not known."""
        with suppress(DeskError):
            if tokens := self._tokens():
                self._all(tokens, self._fernet(made=False))

    def make_key(self) -> None:
        """Make the key while nothing is kept yet: at a desk's first start."""
        with self._storage.lock(FILE, 30):
            if self._key is None and not self._tokens() and self._kept_key() is None:
                self._keep_key(new_key())

    def rotate(self) -> tuple[str, ...]:
        """Encrypt everything with a new key; returns the names. Killed at any point, all can still be read.

        A key of the environment is changed by its owner, who gives both, the new one first; this then
        encrypts everything for the new one.

        Raises:
            Invalid: As `get`; or ``one_key``: the environment gives one key only.
        """
        with self._storage.lock(FILE, 30):
            tokens = self._tokens()
            fernet = self._fernet(made=not tokens)
            values = self._all(tokens, fernet)
            before = self._kept_key() or ""
            if self._key is not None and len(_listed(before)) == 1:
                raise Invalid(
                    "one_key",
                    f"the key stands in {KEY_VARIABLE}: put a new one before it, with a comma between "
                    "(`mt5ui secret new-key` prints one), rotate, and then take the old one away; nothing "
                    "was changed",
                )
            fresh = _listed(before)[0]
            if self._key is None:
                fresh = new_key()
                self._keep_key(f"{fresh},{before}")
                fernet = self._fernet(made=False)
            self._write({name: _sealed(name, value, fernet) for name, value in values.items()})
            if self._key is None:
                self._keep_key(fresh)
            return tuple(sorted(values))

    def remove(self, name: str) -> bool:
        """Forget a secret; says whether there was one. Needs no key, since nothing is read."""
        with self._storage.lock(FILE, 30):
            tokens = self._tokens()
            if name not in tokens:
                return False
            del tokens[name]
            self._write(tokens)
            return True

    def _write(self, tokens: dict[str, str]) -> None:
        self._storage.write_json(FILE, {"version": 1, "secrets": dict(sorted(tokens.items()))}, mode=MODE)

    def _tokens(self) -> dict[str, str]:
        if not self._storage.exists(FILE):
            return {}
        try:  # not by `read_json`, which sets a corrupt file aside: a store of secrets stays where it is
            document: Any = json.loads(self._storage.read_bytes(FILE))
        except ValueError:
            document = None
        tokens = document.get("secrets") if isinstance(document, dict) else None
        if not isinstance(tokens, dict) or not all(isinstance(token, str) for token in tokens.values()):
            raise Invalid(
                "bad_secrets",
                f"data/{FILE} is not in the desk's form; it was left as it is. Put it back from a copy, or "
                "move it away and give the keys again",
                file=f"data/{FILE}",
            )
        return dict(tokens)

    def _fernet(self, *, made: bool) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet

        text = self._kept_key()
        if text is None and made:
            self._keep_key(new_key())
            text = self._kept_key()
        if text is None:
            raise Invalid(
                "no_secret_key",
                f"data/{FILE} holds secrets, but their key is missing: {self._where} does not have it. Put "
                "the key back, or remove the secrets and give them again; nothing was changed",
                where=self._where,
            )
        try:
            return MultiFernet([Fernet(masking.remember(key)) for key in _listed(text) or [text]])
        except ValueError as error:
            raise Invalid(
                "bad_secret_key",
                f"{self._where} holds no key: 32 bytes in URL-safe base64 are wanted; nothing was changed",
                where=self._where,
            ) from error

    @property
    def _where(self) -> str:
        if self._key is not None:
            return KEY_VARIABLE
        return "the system's keyring" if self._ring is not None else str(self._key_file)

    def _kept_key(self) -> str | None:
        if self._key is not None:
            return self._key
        if self._ring is not None:
            return self._ring.read()
        try:
            return atomic.read_file(self._key_file).decode("ascii", errors="replace").strip()
        except FileNotFoundError:
            return None

    def _keep_key(self, text: str) -> None:
        for key in _listed(text):
            masking.remember(key)
        if self._ring is not None:
            self._ring.write(text)
            return
        atomic.make_folder(self._key_file.parent, fsync=True)
        atomic.replace_file(self._key_file, f"{text}\n".encode(), mode=MODE, fsync=True)

    def _all(self, tokens: Mapping[str, str], fernet: "MultiFernet") -> dict[str, str]:
        return {name: self._opened(name, token, fernet) for name, token in tokens.items()}

    def _opened(self, name: str, token: str, fernet: "MultiFernet") -> str:
        from cryptography.fernet import InvalidToken

        try:
            sealed = json.loads(fernet.decrypt(token.encode()))
            if sealed["name"] == name:
                return masking.remember(str(sealed["value"]))
        except (InvalidToken, ValueError, KeyError, TypeError):
            pass
        raise Invalid(
            "wrong_secret_key",
            f"the secret {name} in data/{FILE} cannot be read with the present key "
            f"({self._where}). Put back the key it was kept with, or remove the secret "
            "and give it again; nothing was changed",
            name=name,
        ) from None


def _sealed(name: str, value: str, fernet: "MultiFernet") -> str:
    return fernet.encrypt(json.dumps({"name": name, "value": value}).encode()).decode()


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
