"""What excludes other hosts, without a Redis: it can be away, held by another, or lost."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from backend.core.errors import Unavailable
from backend.storage.fence import Held


class FakeHosts:
    """Remembers what was asked for; `lost` takes every lock from its holder."""

    def __init__(self) -> None:
        self.asked: list[Path] = []
        self.away = False
        self.lost = False

    @contextlib.contextmanager
    def hold(self, path: Path, timeout: float) -> Iterator[Held]:
        if self.away:
            raise Unavailable("broker_unavailable", "the broker keeps no locks")
        self.asked.append(path)
        yield lambda: not self.lost
