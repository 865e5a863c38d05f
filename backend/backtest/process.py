"""Runs a job in a child process that can be killed: heavy libraries come and go with it."""

import contextlib
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import orjson

from backend.backtest.child import HEAD_BYTES, Work
from backend.core.errors import Unavailable, from_dict

_CODE_ROOT = Path(__file__).resolve().parents[2]
_LOOK_SECONDS = 0.1
_END_SECONDS = 5.0
_SHOWN_CHARACTERS = 2000


def run_in_child(
    order: Work,
    *,
    check: Callable[[], None],
    progress: Callable[[int, int], None] | None,
    deadline: float,
    what: str = "backtest",
) -> dict[str, Any]:
    """Do in a child process what an order says; gives what it answers.

    Args:
        order: What to do.
        check: Called ten times a second; what it raises ends the child and goes on.
        progress: Told what is done and how much there is in all.
        deadline: Seconds after which the child is ended.
        what: The work in a word.

    Raises:
        DeskError: What the child raised.
        Unavailable: Code ``backtest_timeout``, or of other work, after the deadline.
        RuntimeError: The child died, with the end of what it said.
    """
    ends = time.monotonic() + deadline
    with subprocess.Popen(
        [sys.executable, "-m", "backend.backtest"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=_CODE_ROOT,
    ) as child:
        try:
            return _converse(child, order, check=check, progress=progress, ends=ends, what=what)
        finally:
            child.kill()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            child.wait(_END_SECONDS)


def _converse(
    child: subprocess.Popen[bytes],
    order: Work,
    *,
    check: Callable[[], None],
    progress: Callable[[int, int], None] | None,
    ends: float,
    what: str,
) -> dict[str, Any]:
    lines: queue.Queue[bytes | None] = queue.Queue()
    errors: list[bytes] = []
    threads = [
        threading.Thread(target=_feed, args=(child.stdin, pickle.dumps(order)), daemon=True),
        threading.Thread(target=_read, args=(child.stdout, lines), daemon=True),
        threading.Thread(target=_collect, args=(child.stderr, errors), daemon=True),
    ]
    for thread in threads:
        thread.start()
    while True:
        check()
        if time.monotonic() > ends:
            raise Unavailable(f"{what}_timeout", f"the {what} took longer than it may and was ended")
        try:
            line = lines.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            threads[2].join(_END_SECONDS)
            said = b"".join(errors).decode(errors="replace")[-_SHOWN_CHARACTERS:]
            raise RuntimeError(f"the {what}'s process ended without a result: {said.strip() or 'no words'}")
        message = orjson.loads(line)
        if "error" in message:
            raise from_dict(message["error"])
        if "done" in message:
            done: dict[str, Any] = message["done"]
            return done
        if progress is not None:
            progress(*message["progress"])


def _feed(stream: IO[bytes] | None, payload: bytes) -> None:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):  # a child that died says why on its own
            stream.write(len(payload).to_bytes(HEAD_BYTES, "big") + payload)
            stream.flush()


def _read(stream: IO[bytes] | None, lines: "queue.Queue[bytes | None]") -> None:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                lines.put(line)
    lines.put(None)


def _collect(stream: IO[bytes] | None, errors: list[bytes]) -> None:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            errors.append(stream.read())
