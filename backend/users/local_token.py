"""The token by which this machine's user speaks to a desk that asks for sign-in: a file for them alone."""

import json
from collections.abc import Callable
from typing import Final

from backend.core import masking
from backend.core.errors import NotFound
from backend.storage.files import FileState, FileStorage
from backend.users.signing import fingerprint, same

FILE: Final = "run/local_token.json"
MODE: Final = 0o600


class LocalToken:
    """Whoever may read it may as well edit the users file, so it gives an owner's rights, as `local`.

    Args:
        data: Files below ``data/``.
        random: Makes a secret that nobody can guess.
    """

    def __init__(self, data: FileStorage, random: Callable[[], str]) -> None:
        self._data = data
        self._random = random
        self._known: tuple[FileState, str] | None = None

    def make(self) -> None:
        """Make it, if another process of this desk did not."""
        self._data.create_json(FILE, {"token": f"local_{self._random()}"}, mode=MODE)

    def text(self) -> str:
        """The token; empty where there is none."""
        try:
            state = self._data.state(FILE)
            if self._known is None or self._known[0] != state:
                self._known = state, masking.remember(str(json.loads(self._data.read_bytes(FILE))["token"]))
        except (NotFound, ValueError, KeyError, TypeError):
            return ""
        return self._known[1]

    def is_it(self, text: str) -> bool:
        """Whether that is the token; in constant time."""
        mine = self.text()
        return same(fingerprint(mine), text) and bool(mine)
