"""A first start compiles the backtest engine in the background, so that the first backtest need not wait."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_PATIENCE = 2.0
_NICEST = 19


@contextmanager
def compiled_meanwhile(environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Compile what is not compiled yet, with less right to the processor than anything else.

    A failure stands in the log; a backtest then compiles for itself.

    Args:
        environment: Of the desk's processes.
        log: Takes what the compiler says.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "backend.backtest.warming", "--attached"],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    try:
        with suppress(psutil.Error):  # it may have ended already
            _after_all_others(psutil.Process(child.pid))
        yield
    finally:
        if child.stdin is not None:
            child.stdin.close()
        child.terminate()
        try:
            child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _after_all_others(process: psutil.Process) -> None:
    if sys.platform == "win32":
        process.nice(psutil.IDLE_PRIORITY_CLASS)
    else:
        process.nice(_NICEST)
