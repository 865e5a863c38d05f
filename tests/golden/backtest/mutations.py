"""The engine's rules changed one at a time, and the tables that each change must fail: ``mutations.json``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutation:
    """One place changed.

    Attributes:
        file: Source file, from the root of the repository.
        old: Its exact text, which stands there once.
        new: What is there instead.
        kills: The tables that then fail, and no others.
    """

    file: str
    old: str
    new: str
    kills: tuple[str, ...]


_FILE: Final = Path(__file__).with_name("mutations.json")
MUTATIONS: Final = tuple(
    Mutation(file=each["file"], old=each["old"], new=each["new"], kills=tuple(each["kills"]))
    for each in json.loads(_FILE.read_text(encoding="utf-8"))
)
