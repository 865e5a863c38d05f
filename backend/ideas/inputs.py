"""What a decision was computed from, bars aside: JSON files that are named by the hash of their content."""

from typing import Any

from backend.core.errors import DeskError
from backend.evaluation.decision import content_hash
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage

INPUTS = "decisions/inputs"
NAMES = ("account", "calendar", "instrument", "strategy", "profile", "desk", "statistics", "limits")
"""What a decision refers to by hash."""


def input_file(hashed: str) -> str:
    """Name of the file that holds an input."""
    return f"{INPUTS}/{FileStorage.safe_name(hashed)}.json"


def input_of(storage: FileStorage, hashed: str) -> tuple[Any, str | None]:
    """The content of an input, None where it cannot be read, and why it is not the one that was written.

    The file stays as it is, also where it is damaged.

    Args:
        storage: Files below ``data/``.
        hashed: The hash by which a decision refers to it.
    """
    try:
        data = storage.read_bytes(input_file(hashed))
        content = decode(data)
    except ValueError:
        return None, "it is not JSON"
    except DeskError as error:
        return None, "it is gone" if error.code == "no_such_file" else error.message
    if content_hash(content) != hashed:
        return content, "its content does not match its hash"
    if encode(content, where=hashed, pretty=True) != data:
        return content, "its bytes are not those that were written"
    return content, None
