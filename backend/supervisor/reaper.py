"""Ends a desk whose supervisor is gone, killed or not: its standard input ends with the supervisor.

One small process hears of it for all parts, as a Redis cannot be taught to, and only from outside can
they be ended in their order: workers give their jobs back before the broker goes.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from backend.supervisor.processes import is_that_process, kill_tree, wait_until_gone

NAME = "reaper"
POLITE_SECONDS = 5.0
BROKER_SECONDS = 2.0


def reaper_command(desk_file: Path, supervisor: int, broker: str) -> list[str]:
    """The command line.

    Args:
        desk_file: Where the supervisor keeps the list of its children.
        supervisor: Its process id: a list that another one wrote is not touched.
        broker: The name of the child that ends last.
    """
    return [sys.executable, "-m", "backend.supervisor.reaper", str(desk_file), str(supervisor), broker]


def end_children(desk_file: Path, supervisor: int, broker: str) -> None:
    """End what that supervisor started, as `reaper_command` says; returns within 8 s.

    The files stay: the next start reads from them that this desk was killed.
    """
    children = list(_left(desk_file, supervisor))
    _end([pid for name, pid in children if name not in {broker, NAME}], POLITE_SECONDS)
    _end([pid for name, pid in children if name == broker], BROKER_SECONDS)


def _left(desk_file: Path, supervisor: int) -> Iterator[tuple[str, int]]:
    try:
        desk: Mapping[str, Any] = json.loads(desk_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # it ended in order, or the next start has ended them
    if desk.get("pid") != supervisor:
        return
    for child in desk["children"]:
        if is_that_process(child):
            yield child["name"], child["pid"]


def _end(pids: Sequence[int], patience: float) -> None:
    deadline = time.monotonic() + patience
    if sys.platform != "win32":  # where nobody can be asked but by the console that started it
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).terminate()
        for pid in pids:
            wait_until_gone(pid, max(0.0, deadline - time.monotonic()))
    for pid in pids:
        kill_tree(pid)


def main(arguments: Sequence[str]) -> None:
    """Wait for the end of standard input, then end the desk."""
    desk_file, supervisor, broker = arguments
    sys.stdin.buffer.read()
    end_children(Path(desk_file), int(supervisor), broker)


if __name__ == "__main__":
    main(sys.argv[1:])
