"""What is wrong with one entry of a configuration file, while the rest of it goes on."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One entry that was left out.

    Attributes:
        file: The file's name as the user knows it, such as ``config/rss_feeds.json``.
        pointer: JSON pointer (or row and column) of the entry; empty for the file as a whole.
        reason: What is wrong, and what is allowed.
    """

    file: str
    pointer: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """The problem as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.file}{' ' + self.pointer if self.pointer else ''}: {self.reason}"
