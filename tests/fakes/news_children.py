"""A process that collects news and is killed before its n-th write; started with ``python -m``."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.adapters.feeds import FeedparserReader
from backend.adapters.fetch import HttpFetcher
from backend.news.service import NewsService
from backend.storage.files import FileStorage
from tests.fakes.news_desk import Hands


class Mortal(FileStorage):
    """Storage whose process dies as by kill -9 before its n-th write."""

    def __init__(self, root: Path, writes: int) -> None:
        super().__init__(root)
        self._left = writes

    def write_json(self, *given: Any, **named: Any) -> None:
        self._or_die(lambda: super(Mortal, self).write_json(*given, **named))

    def append_jsonl(self, *given: Any, **named: Any) -> int:
        return int(self._or_die(lambda: super(Mortal, self).append_jsonl(*given, **named)))

    def _or_die(self, write: Callable[[], Any]) -> Any:
        if self._left == 0:
            os._exit(9)
        self._left -= 1
        return write()


if __name__ == "__main__":
    home, count = Path(sys.argv[1]), int(sys.argv[2])
    clock = Hands()
    fetcher = HttpFetcher(clock, allow_private=True)
    NewsService(home / "config", Mortal(home / "data", count), fetcher, FeedparserReader(), clock).collect()
