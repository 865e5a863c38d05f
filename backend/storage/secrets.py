"""Secrets at rest: encrypted with Fernet (AES-128-CBC and HMAC-SHA256), each under its name.

The encrypted values stand below ``data/``; the key stands outside of it, in the environment or in a file
of its own. Neither alone tells anything.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.core.errors import Invalid, NotFound
from backend.storage import atomic
from backend.storage.files import FileStorage

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

FILE = "secrets.json"
KEY_VARIABLE = "MT5UI_SECRET_KEY"
MODE = 0o600

_SHOWN = 4
_LONG_ENOUGH = 16


def masked(secret: str) -> str:
    """A secret as it may be shown: the end of a long one, nothing of a short one."""
    return "••••" + (secret[-_SHOWN:] if len(secret) >= _LONG_ENOUGH else "")


class SecretStore:
    """Reads and writes named secrets.

    Args:
        storage: Rooted at the desk's data folder.
        key_file: Where the key stands if the environment gives none; made at first need, for its owner alone.
        key: The environment's, 32 bytes in URL-safe base64.
    """

    def __init__(self, storage: FileStorage, key_file: Path, key: str | None = None) -> None:
        self._storage = storage
        self._key_file = key_file
        self._key = key

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
            for other, token in tokens.items():
                self._opened(other, token, fernet)
            sealed = fernet.encrypt(json.dumps({"name": name, "value": value}).encode())
            self._write(tokens | {name: sealed.decode()})

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

    def _fernet(self, *, made: bool) -> "Fernet":
        from cryptography.fernet import Fernet

        key, where = self._key, KEY_VARIABLE
        if key is None:
            where = str(self._key_file)
            if made:
                atomic.make_folder(self._key_file.parent, fsync=True)
                atomic.create_file(self._key_file, Fernet.generate_key() + b"\n", mode=MODE, fsync=True)
            try:
                key = atomic.read_file(self._key_file).decode("ascii", errors="replace").strip()
            except FileNotFoundError as error:
                raise Invalid(
                    "no_secret_key",
                    f"data/{FILE} holds secrets, but their key is missing: neither {KEY_VARIABLE} nor "
                    f"{self._key_file} has it. Put the key back, or remove the secrets and give them again; "
                    "nothing was changed",
                    file=str(self._key_file),
                ) from error
        try:
            return Fernet(key)
        except ValueError as error:
            raise Invalid(
                "bad_secret_key",
                f"{where} holds no key: 32 bytes in URL-safe base64 are wanted; nothing was changed",
                where=where,
            ) from error

    def _opened(self, name: str, token: str, fernet: "Fernet") -> str:
        from cryptography.fernet import InvalidToken

        try:
            sealed = json.loads(fernet.decrypt(token.encode()))
            if sealed["name"] == name:
                return str(sealed["value"])
        except (InvalidToken, ValueError, KeyError, TypeError):
            pass
        raise Invalid(
            "wrong_secret_key",
            f"the secret {name} in data/{FILE} cannot be read with the present key "
            f"({KEY_VARIABLE} or {self._key_file}). Put back the key it was kept with, or remove the secret "
            "and give it again; nothing was changed",
            name=name,
        ) from None
