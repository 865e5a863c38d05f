"""Processes by their ids: when one began, whether it is still that one, and its end."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil

SAME_START = 1.0  # seconds by which two readings of one process's start may differ


def kill_tree(pid: int) -> None:
    """Kill a process and its descendants; one that is already gone is fine."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def wait_until_gone(pid: int, patience: float = 5.0) -> None:
    """Wait until a killed process has let go of all it held, at most `patience` seconds.

    Its parent may not have asked yet how it ended; until its last thread is gone, its ports are taken.
    """
    deadline = time.monotonic() + patience
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)


def started_at(pid: int) -> float | None:
    """When the operating system says that process began, which tells it from a later one of that id."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_that_process(child: Mapping[str, Any]) -> bool:
    """Whether a child that a supervisor wrote down still runs, and is not a later one of its id."""
    began = started_at(int(child["pid"]))
    return began is not None and abs(began - float(child["process_started"])) < SAME_START


def own_start() -> tuple[int, float]:
    """This process's id and start time."""
    return os.getpid(), float(psutil.Process().create_time())
