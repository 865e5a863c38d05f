"""Secrets that this process has used are hidden in whatever it logs, answers and keeps of errors.

Nothing of the desk puts one there on purpose; this is for the words of others: a provider that repeats the
address it was asked with, a library that shows its arguments.
"""

import html
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

MASK: Final = "••••"
SHORTEST: Final = 8
"""A shorter one would hide ordinary words too."""

_ESCAPE: Final = re.compile("%[0-9A-F]{2}")
_RESERVED: Final = (re.compile(rb"[^A-Za-z0-9_.~-]"), re.compile(rb"[^A-Za-z0-9_.~/-]"))
"""What is escaped in an address, in its query and in its path."""

_guard = threading.Lock()
_known: tuple[str, ...] = ()


def remember(secret: str) -> str:
    """From now on hide this secret; returns it."""
    global _known  # noqa: PLW0603 - what a process has used is one thing, wherever it says something
    if len(secret) >= SHORTEST and secret not in _known:
        with _guard:
            _known = tuple(sorted({*_known, *_forms(secret)}, key=len, reverse=True))
    return secret


def hide(text: str) -> str:
    """The text with every remembered secret in it masked."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def hide_in(value: Any) -> Any:
    """A JSON value with the remembered secrets in its texts masked."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {hide_in(key): hide_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        hidden = [hide_in(item) for item in value]
        return hidden if isinstance(value, list) else tuple(hidden)
    return value


def install() -> None:
    """Hide them in everything that is logged, and in the traceback of whatever ends this process or a thread.

    Where somebody has put another hook for threads and finalizers in place, it stays.
    """
    logging.setLogRecordFactory(_Record)
    sys.excepthook = _last_words
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _last_words_of_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _words_of_finalizer


class _Record(logging.LogRecord):
    """A record of which no handler sees a secret."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        if self.exc_info and self.exc_info[0] is not None:  # formatters take it from here
            self.exc_text = hide("".join(traceback.format_exception(*self.exc_info)).rstrip("\n"))

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        return hide(super().getMessage())


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(hide("".join(traceback.format_exception(kind, error, trace))))


def _last_words_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit:
        return
    name = ended.thread.name if ended.thread is not None else "?"
    trace = traceback.format_exception(ended.exc_type, ended.exc_value, ended.exc_traceback)
    sys.stderr.write(hide(f"Exception in thread {name}:\n{''.join(trace)}"))


def _words_of_finalizer(ignored: "sys.UnraisableHookArgs") -> None:
    trace = traceback.format_exception(ignored.exc_type, ignored.exc_value, ignored.exc_traceback)
    what = f"{ignored.err_msg or 'Exception ignored in'}: {ignored.object!r}"
    sys.stderr.write(hide(f"{what}\n{''.join(trace)}"))


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(found[0])


def _forms(secret: str) -> set[str]:
    """As it is, as it stands in an address or a page, and as Python or JSON write it."""
    # Not by urllib, which the decisions, whose errors are masked too, may not know.
    raw = secret.encode("utf-8", "surrogatepass")
    addresses = {kept.sub(_escaped, raw).decode("ascii") for kept in _RESERVED}
    addresses |= {address.replace("%20", "+") for address in addresses}
    addresses |= {_ESCAPE.sub(lambda found: found[0].lower(), address) for address in addresses}
    return {
        secret,
        *addresses,
        html.escape(secret),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        secret.encode("unicode_escape").decode("ascii"),
    }
