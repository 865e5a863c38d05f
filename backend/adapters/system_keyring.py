"""The system's keyring: of Windows, macOS, and Linux desktops with a Secret Service."""

import queue
import threading
from collections.abc import Callable
from typing import Final

from backend.core.errors import Unavailable

SERVICE: Final = "mt5ui"
PATIENCE: Final = 20.0
"""Seconds: enough for a person to type a password, and less than others wait for the store's lock."""


class SystemKeyring:
    """Holds the key of one desk's secrets; see `backend.storage.secrets.KeyRing`.

    A service that is there and says nothing would keep whoever asks for ever, so it is asked in a thread
    of its own, which nobody waits for when the process ends; while it hangs, nobody asks again.

    Args:
        desk: Tells this desk from others on the machine.
        patience: Seconds to wait for it, and for the person it may ask.
    """

    def __init__(self, desk: str, *, patience: float = PATIENCE) -> None:
        self._desk = desk
        self._patience = patience
        self._asking: threading.Thread | None = None
        self._turn = threading.Lock()

    def read(self) -> str | None:
        """What is kept there; None where nothing is."""
        import keyring

        return self._asked(lambda: keyring.get_password(SERVICE, self._desk))

    def write(self, text: str) -> None:
        """Keep this instead."""
        import keyring

        def put() -> str | None:
            keyring.set_password(SERVICE, self._desk, text)
            return keyring.get_password(SERVICE, self._desk)

        if self._asked(put) != text:
            raise _unusable("it did not keep what it was given", "Choose another one")

    def _asked(self, ask: Callable[[], str | None]) -> str | None:
        from keyring.errors import NoKeyringError

        answers: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(ask())
            except Exception as error:  # noqa: BLE001 - a backend lets through whatever its own library raises
                answers.put(error)

        with self._turn:
            if self._asking is not None and self._asking.is_alive():
                raise _unusable("it still does not answer what it was asked before", "Unlock it")
            self._asking = threading.Thread(target=work, name="keyring", daemon=True)
            self._asking.start()
            try:
                answer = answers.get(timeout=self._patience)
            except queue.Empty:
                why = f"it did not answer within {self._patience:g} seconds"
                raise _unusable(why, "Unlock it") from None
            self._asking.join()
        if isinstance(answer, Exception):
            if isinstance(answer, NoKeyringError):
                raise _unusable("there is none", "Start one (on Linux a Secret Service)") from answer
            raise _unusable(str(answer) or type(answer).__name__, "Unlock it") from answer
        return answer


def _unusable(why: str, what_to_do: str) -> Unavailable:
    return Unavailable(
        "no_keyring",
        f"MT5UI_SECRET_KEYRING is set, but this machine's keyring cannot be used ({why}). "
        f"{what_to_do}, or unset that; nothing was changed",
    )
