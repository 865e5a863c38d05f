"""``logs/app.log``: one file for all processes, rotated without any of them holding it open."""

import contextlib
import logging
import os
import time
from logging import Handler, LogRecord
from pathlib import Path

from backend.core.errors import DeskError
from backend.storage.locks import hold

FILE = "app.log"
LARGEST = 5 * 1024 * 1024
KEPT = 5
ROTATION_WAIT = 1.0


class AppLogHandler(Handler):
    """Appends each record with one write, so lines of different processes never mix.

    The file is opened for each record: any process may rotate it at any time, on Windows too, where
    an open file cannot be renamed.

    Args:
        folder: The desk's ``logs``.
        process: What this process is: api, worker, beat ...
    """

    def __init__(self, folder: Path, process: str) -> None:
        super().__init__()
        self._path = folder / FILE
        folder.mkdir(parents=True, exist_ok=True)
        form = logging.Formatter(
            f"%(asctime)s.%(msecs)03dZ %(levelname)s {process}[%(process)d] %(name)s: %(message)s",
            datefmt="%Y-%m-%dT%H:%M:%S",
        )
        form.converter = time.gmtime
        self.setFormatter(form)

    def emit(self, record: LogRecord) -> None:
        """Write one record; a disk that refuses is not worth the work that is being logged."""
        try:
            line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line)
                full = os.fstat(descriptor).st_size > LARGEST
            finally:
                os.close(descriptor)
            if full:
                self._rotate()
        except OSError:
            self.handleError(record)

    def _rotate(self) -> None:
        # Windows refuses while another process writes; the next record tries again.
        refused = contextlib.suppress(DeskError, FileNotFoundError, PermissionError)
        with refused, hold(self._path, ROTATION_WAIT):
            if self._path.stat().st_size <= LARGEST:
                return
            for number in range(KEPT - 1, 0, -1):
                older = self._path.with_name(f"{FILE}.{number}")
                if older.exists():
                    older.replace(self._path.with_name(f"{FILE}.{number + 1}"))
            self._path.replace(self._path.with_name(f"{FILE}.1"))


def log_to_file(folder: Path, process: str, *, level: int | str = logging.INFO) -> AppLogHandler:
    """Send what this process logs to ``app.log`` too; once, however often it is called."""
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, AppLogHandler):
            return handler
    handler = AppLogHandler(folder, process)
    root.addHandler(handler)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each look at the terminal
    if (
        root.level > logging.getLevelNamesMapping().get(str(level), logging.INFO)
        or root.level == logging.NOTSET
    ):
        root.setLevel(level)
    return handler
