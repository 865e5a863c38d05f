"""`mt5ui up --json`: one line of JSON when the desk is ready, for the program that started it."""

import os
import threading
import time

from backend.cli.desk_client import DeskClient, left_by_supervisor
from backend.cli.output import print_json
from backend.config import Settings
from backend.core.errors import DeskError

LOOK_EVERY = 0.3
PATIENCE = 120.0


def announce_when_ready(settings: Settings) -> None:
    """Look from a thread of its own until the desk is ready, then say so once."""
    threading.Thread(target=_look, args=(settings,), name="announce", daemon=True).start()


def _look(settings: Settings) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        if left_by_supervisor(settings).get("pid") != os.getpid():
            continue  # the file of another desk, or none yet
        with DeskClient(settings) as desk:
            try:
                ready = desk.get("/readyz")
            except DeskError:
                continue
            if ready["ready"]:
                print_json({"state": "ready", "api": desk.url})
                return
