"""One process that the supervisor owns: started, watched, restarted with backoff, ended."""

import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.core.errors import DeskError
from backend.supervisor.processes import kill_tree

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 30.0
HEALTHY_AFTER = 60.0
RETIRE_PATIENCE = 15.0
KEPT_LINES = 12
LOG_BYTES = 5_000_000
LOG_COPIES = 3


class Child:
    """A command that should always be running.

    Its output goes to a rotated log file; the last lines are kept for the person who watches.

    Args:
        name: What people and other parts call it.
        command: What to run.
        environment: All of its environment.
        log: Where its output goes.
        hears: Its standard input is open for as long as this process lives; otherwise it is empty.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        hears: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self.restarts = 0
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._command = list(command)
        self._environment = dict(environment)
        self._stdin = subprocess.PIPE if hears else subprocess.DEVNULL
        self._process: subprocess.Popen[Any] | None = None
        self._reader: threading.Thread | None = None
        self._started_at = 0.0
        self._not_before = 0.0
        self._backoff = FIRST_BACKOFF
        self._kill_at = float("inf")

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process in a group of its own, so that Ctrl-C reaches only the supervisor."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=self._stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._started_at = time.monotonic()
        self._reader = threading.Thread(target=self._keep_output, name=f"log-{self.name}", daemon=True)
        self._reader.start()

    def died(self) -> int | None:
        """The exit code of a process that should be running; None while it runs or waits to restart."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None:
            if time.monotonic() > self._kill_at:
                self.kill()
            if time.monotonic() - self._started_at > HEALTHY_AFTER:
                self._backoff = FIRST_BACKOFF
            return None
        if self._reader is not None:
            self._reader.join(timeout=1.0)
        self._close_stdin()
        self._process = None
        self._kill_at = float("inf")
        self._not_before = time.monotonic() + self._backoff
        return code

    @property
    def restart_in(self) -> float:
        """Seconds until a dead process may be started again."""
        return max(0.0, self._not_before - time.monotonic())

    def restart_if_due(self) -> bool:
        """Start a dead process again once its backoff has passed; says whether it did."""
        if self._process is not None or self.restart_in > 0:
            return False
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        self.restarts += 1
        try:
            self.start()
        except (OSError, DeskError) as error:
            self.last_lines.append(str(error))
            self._not_before = time.monotonic() + self._backoff
            return False
        return True

    def ask_to_end(self) -> None:
        """Ask politely: SIGTERM, on Windows Ctrl-Break."""
        if self._process is None or self._process.poll() is not None:
            return
        with suppress(OSError):
            if sys.platform == "win32":
                self._process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                self._process.terminate()

    def retire(self) -> None:
        """Ask it to end, so that it is started again; one that does not is killed after a while."""
        self.ask_to_end()
        self._kill_at = min(self._kill_at, time.monotonic() + RETIRE_PATIENCE)

    def wait(self, deadline: float) -> bool:
        """Wait until it has ended or `deadline` (time.monotonic) passes; says whether it has ended."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it and everything it started, now."""
        if self._process is not None and self._process.poll() is None:
            kill_tree(self._process.pid)
            self._process.wait(timeout=5.0)

    def close(self) -> None:
        """Let the log be written to its end."""
        if self._reader is not None:
            self._reader.join(timeout=1.0)
        self._close_stdin()

    def _close_stdin(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _keep_output(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        handler = logging.handlers.RotatingFileHandler(
            self.log, maxBytes=LOG_BYTES, backupCount=LOG_COPIES, encoding="utf-8", delay=True
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
        with process.stdout:
            for line in process.stdout:
                text = line.rstrip()
                self.last_lines.append(text)
                handler.emit(logging.LogRecord(self.name, logging.INFO, "", 0, text, None, None))
        handler.close()
