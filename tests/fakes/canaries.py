"""Finds planted secrets in what was written and sent, however they are written there."""

import re
from collections.abc import Mapping
from pathlib import Path


def core(secret: str) -> str:
    """The longest part of a secret that no way of writing it changes; plant ones of which it is long."""
    parts: list[str] = re.findall("[A-Za-z0-9]+", secret)
    return max(parts, key=len)


def leaks(planted: Mapping[str, str], places: Mapping[str, str | bytes]) -> set[tuple[str, str]]:
    """Which secret stands where."""
    texts = {place: text if isinstance(text, bytes) else text.encode() for place, text in places.items()}
    return {
        (what, place)
        for what, secret in planted.items()
        for place, text in texts.items()
        if core(secret).encode() in text
    }


def written_below(folder: Path) -> dict[str, bytes]:
    """Every file, by its path from there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    }
