"""Secrets that this process has used are hidden in whatever it writes or says.

Nothing of the desk puts one there on purpose; this is for the messages of others: a provider that repeats the
address it was asked with, a library that shows its arguments.
"""

import threading
from typing import Any, Final

MASK: Final = "••••"
SHORTEST: Final = 6
"""A shorter one would hide ordinary words, and is none worth the name."""

_guard = threading.Lock()
_known: tuple[str, ...] = ()


def remember(secret: str) -> str:
    """From now on hide this secret; returns it."""
    global _known  # noqa: PLW0603 - what a process has used is one thing, wherever it says something
    if len(secret) >= SHORTEST and secret not in _known:
        with _guard:
            longest_first = sorted({*_known, *_forms(secret)}, key=len, reverse=True)
            _known = tuple(longest_first)
    return secret


def hide(text: str) -> str:
    """The text with every remembered secret in it masked."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def hide_in(value: Any) -> Any:
    """A JSON value with the remembered secrets in its texts masked."""
    if not _known:
        return value
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide_in(key): hide_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_in(item) for item in value]
    return value


def _forms(secret: str) -> set[str]:
    """As it is, as it stands in an address, and as Python or JSON write it."""
    from urllib.parse import quote, quote_plus

    escaped = secret.encode("unicode_escape").decode("ascii")
    return {secret, quote(secret, safe=""), quote_plus(secret), escaped}
