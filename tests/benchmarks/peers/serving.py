"""An engine in a process of its own: for each line it reads, it does the work once and says how long it took.

Making the data frame is not counted, nor is starting the process and importing; what comes after, from the
frame in memory to trades and equity, is.
"""

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.work import Columns, load

Prepared = Callable[[], Mapping[str, Any]]
"""The work, ready to be done once; what it gives is told beside the time: at least ``trades``."""


def serve(packages: tuple[str, ...], works: Mapping[str, Callable[[Columns], Prepared]]) -> None:
    """Answer the orders on standard input until it ends.

    Args:
        packages: Whose versions are told first.
        works: By name: makes the engine's own data from columns and gives the work.
    """
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever an engine prints is not an answer

    def say(answer: Mapping[str, Any]) -> None:
        print(json.dumps(answer), file=channel, flush=True)

    say({"versions": {name: version(name) for name in packages}, "works": list(works)})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            say(_timed(works[order["work"]](load(Path(order["data"]), order["bars"]))))
        except Exception as error:  # noqa: BLE001 - told to who asked
            traceback.print_exc()
            say({"error": f"{type(error).__name__}: {error}"})


def _timed(work: Prepared) -> dict[str, Any]:
    gc.collect()
    began, used = time.perf_counter(), time.process_time()
    told = work()
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        **told,
    }
