"""Which names may stand on a disk, on every system the desk runs on."""

import hashlib
import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from backend.core.errors import Invalid

LONGEST_PART = 200  # bytes; leaves room for what temporary files and locks add, below the usual 255
LONGEST_NAME = 1000
LONGEST_SAFE = 120

_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f<>:\"|?*\\\ud800-\udfff]")
_EMPTY = "%"
_HASHED = "%-"


def safe_name(text: str) -> str:
    """One safe path component for any symbol or id; different texts give different names.

    Plain names (letters, digits, ``_``, ``-``, inner ``.``) stay as they are; everything else is
    written as ``%XX`` of its UTF-8 bytes. A text that would be longer than 120 characters keeps its
    beginning and ends in a SHA-256. Names differ as strings; two texts that differ only in the case
    of their letters meet on a file system that ignores case.
    """
    if not text:
        return _EMPTY
    name = quote(text, safe="", errors="surrogatepass").replace("~", "%7E")
    if name[0] == "." or _is_reserved(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if name[-1] == ".":
        name = f"{name[:-1]}%2E"
    if len(name) > LONGEST_SAFE:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        head = re.sub(r"%.?$", "", name[: LONGEST_SAFE - len(_HASHED) - len(digest)])
        name = f"{head}{_HASHED}{digest}"
    return name


def text_of(name: str) -> str | None:
    """The text whose `safe_name` this is, or None if it was too long to be kept in its name."""
    if name == _EMPTY:
        return ""
    if _HASHED in name:
        return None
    return unquote(name, errors="surrogatepass")


def check_name(name: str) -> list[str]:
    """The parts of a relative name that is safe on every system.

    Raises:
        Invalid: Code ``unsafe_path``, saying what about the name is refused.
    """
    if not name:
        raise _unsafe(name, "it is empty")
    if len(name) > LONGEST_NAME:
        raise _unsafe(name, f"it is longer than {LONGEST_NAME} characters")
    parts = name.split("/")
    for part in parts:
        reason = _fault(part)
        if reason is not None:
            raise _unsafe(name, reason)
    return parts


def inside(root: str, name: str) -> Path:
    """The absolute path of `name` under `root`, links followed; `root` is already real.

    Raises:
        Invalid: Code ``unsafe_path`` if the name is refused or a link on the way leads out.
    """
    parts = check_name(name)
    joined = os.path.join(root, *parts)  # noqa: PTH118 - one string join on a hot path
    if _is_plain(root, parts):
        return Path(joined)
    try:
        real = os.path.realpath(joined)
    except (OSError, ValueError) as error:
        raise _unsafe(name, str(error)) from error
    if real != joined and not real.startswith(root.rstrip(os.sep) + os.sep):
        raise _unsafe(name, "a link on its way leads out of the folder")
    return Path(real)


def _is_plain(root: str, parts: list[str]) -> bool:
    """Whether no link lies on the way below `root`: looking costs less than following."""
    if os.name == "nt":
        return False  # a name has several spellings there, and a link several kinds
    path = root
    try:
        for part in parts:
            path = f"{path}/{part}"
            if stat.S_ISLNK(os.lstat(path).st_mode):
                return False
    except FileNotFoundError:
        return True  # nor is there anything below it
    except (OSError, ValueError):
        return False
    return True


def _is_reserved(part: str) -> bool:
    return _RESERVED.fullmatch(part.split(".", 1)[0].rstrip(" ")) is not None


@lru_cache(maxsize=4096)  # the same few names, thousands of times
def _fault(part: str) -> str | None:
    reason = None
    if part in {"", ".", ".."}:
        reason = f"it has {part!r} as a part"
    elif (forbidden := _FORBIDDEN.search(part)) is not None:
        reason = f"it contains {forbidden[0]!r}"
    elif part[-1] in ". ":
        reason = "a part ends in a dot or a space"
    elif _is_reserved(part):
        reason = f"{part!r} is a device name on Windows"
    elif len(part.encode(errors="surrogatepass")) > LONGEST_PART:
        reason = f"a part is longer than {LONGEST_PART} bytes"
    return reason


def _unsafe(name: str, reason: str) -> Invalid:
    shown = name[:200].encode(errors="replace").decode()
    return Invalid("unsafe_path", f"{shown!r} is refused as a file name: {reason}", name=shown)
