"""A process on a host of its own, of a desk whose hosts share a folder and a Redis.

Started with ``python -m tests.fakes.host_children ROOT URL LASTS HOST WHAT``; says on its standard output
what it does, and waits for a line on its standard input where it is told to.
"""

import sys
import time
from pathlib import Path
from typing import Any

from backend.core.clock import SystemClock
from backend.core.errors import DeskError
from backend.jobs.host_locks import HostLocks
from backend.jobs.leases_redis import RedisLeases
from backend.storage.files import FileStorage
from tests.fakes.other_host import host_apart
from tests.fakes.storage_children import tell

ROUNDS = 40
PREFIX = "t:file:"


def storage(root: Path, url: str, lasts: float) -> FileStorage:
    """The shared folder, locked between hosts by a Redis."""
    locks = HostLocks(
        lambda: RedisLeases(url, PREFIX, SystemClock(), patience=0.5, lasts=lasts, puts_back=False),
        root,
        renew_every=lasts / 5,
    )
    return FileStorage(root, hosts=locks)


def count(desk: FileStorage, host: str) -> None:
    """Add one and append one, slowly enough that whoever is not kept out is overwritten."""

    def add(value: int) -> int:
        time.sleep(0.001)
        return value + 1

    tell("ready")
    sys.stdin.readline()
    for n in range(ROUNDS):
        desk.update_json("ideas/count.json", add, 0)
        desk.append_jsonl("journal/log.jsonl", [{"host": host, "n": n, "text": "x" * 200}])


def hold(desk: FileStorage, host: str) -> None:
    """Hold a lock until told to go on, then change what it guards."""
    try:
        with desk.lock("ideas/one", 5.0):
            tell("held")
            sys.stdin.readline()
            desk.write_json("ideas/one.json", host)
    except DeskError as error:
        tell(error.code)
    else:
        tell("written")


def change(desk: FileStorage, host: str) -> None:
    """Stand still between reading and writing, and between a lock and what is written under it."""

    def slowly(value: Any) -> Any:
        tell("read")
        sys.stdin.readline()
        return f"{value} and {host}"

    try:
        desk.update_json("ideas/one.json", slowly, "nothing")
    except DeskError as error:
        tell(error.code)
    else:
        tell("written")


if __name__ == "__main__":
    root, url, lasts, host, what = sys.argv[1:]
    host_apart(host)
    {"count": count, "hold": hold, "change": change}[what](storage(Path(root), url, float(lasts)), host)
