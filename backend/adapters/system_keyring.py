"""The system's keyring: of Windows, macOS, and Linux desktops with a Secret Service."""

from typing import Final

from backend.core.errors import Unavailable

SERVICE: Final = "mt5ui"


class SystemKeyring:
    """Holds the key of one desk's secrets; see `backend.storage.secrets.KeyRing`.

    Args:
        desk: Tells this desk from others on the machine.
    """

    def __init__(self, desk: str) -> None:
        self._desk = desk

    def read(self) -> str | None:
        """What is kept there; None where nothing is."""
        import keyring
        from keyring.errors import KeyringError

        try:
            return keyring.get_password(SERVICE, self._desk)
        except KeyringError as error:
            raise _unusable(error) from error

    def write(self, text: str) -> None:
        """Keep this instead."""
        import keyring
        from keyring.errors import KeyringError

        try:
            keyring.set_password(SERVICE, self._desk, text)
        except KeyringError as error:
            raise _unusable(error) from error


def _unusable(error: Exception) -> Unavailable:
    return Unavailable(
        "no_keyring",
        f"MT5UI_SECRET_KEYRING is set, but this machine's keyring cannot be used ({error}). "
        "Unlock it, or unset that; nothing was changed",
    )
