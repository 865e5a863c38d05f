"""What must hold before a desk may start, and what is held while it runs."""

import errno
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from backend.config import Settings
from backend.core.errors import Conflict, NotFound, Unavailable
from backend.storage.files import FileStorage
from backend.supervisor.processes import is_that_process, kill_tree, wait_until_gone
from backend.users.directory import Directory, require_owner

DESK_FILE = "desk.json"
CONNECTOR_FILE = "connector.json"
BROKER_FILE = "broker.json"
REPLAY_FILE = "replay.json"
READY_FILE = "ready.json"
LOCAL_TOKEN_FILE = "local_token.json"  # noqa: S105 - a file's name
RUN_FILES = (CONNECTOR_FILE, BROKER_FILE, DESK_FILE, REPLAY_FILE, READY_FILE, LOCAL_TOKEN_FILE)


def prepare_folders(settings: Settings) -> None:
    """Make the folders that the desk writes.

    Raises:
        Unavailable: One of them cannot be written, and which.
    """
    for folder in (settings.data_dir, settings.logs_dir, settings.run_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise Unavailable(
                "folder_not_writable",
                f"The desk cannot write in {folder}: {error.strerror}. "
                f"Give your user the right to, or name another folder in MT5UI_HOME.",
                folder=str(folder),
            ) from error


@contextmanager
def only_desk(settings: Settings) -> Iterator[None]:
    """Hold the folder's lock; the operating system frees it if this process is killed.

    Raises:
        Conflict: Another desk holds it.
    """
    path = settings.run_dir / "desk.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        other: dict[str, Any] = FileStorage(settings.run_dir).read_json_or(DESK_FILE, {})
        raise Conflict(
            "desk_already_runs",
            f"A desk already runs in {settings.home} (process {other.get('pid', 'unknown')}, "
            f"{other.get('api', 'still starting')}). End it there with Ctrl-C, or use another MT5UI_HOME.",
        ) from error
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            path.unlink()


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed console window sets."""
    stop = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    wanted = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, ask) for number in wanted}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse_taken_port(host: str, port: int) -> None:
    """Refuse to start when somebody listens there, or nobody can.

    Raises:
        Conflict: The port is taken.
        Unavailable: This machine has no such address, or does not let the user listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Unavailable(
                    "cannot_listen",
                    f"The API cannot listen at {host}, port {port}: {error.strerror}. "
                    f"Correct MT5UI_HOST or MT5UI_PORT, or --host and --port.",
                    host=host,
                    port=port,
                ) from error
            raise Conflict(
                "port_taken",
                f"Port {port} on {host} is taken by another program ({error.strerror}). "
                f"Choose another: python3 run.py --port {port + 1}",
                port=port,
            ) from error


def refuse_without_owner(settings: Settings) -> None:
    """Refuse to start a desk that asks for sign-in before anybody could sign in as owner.

    Raises:
        Invalid: There is no owner.
        Unavailable: The users file is not in its form.
    """
    require_owner(Directory(FileStorage(settings.config_dir)), settings.why_sign_in)


def refuse_missing_replay(settings: Settings) -> None:
    """Refuse to start a replay of a folder that is not there.

    Raises:
        NotFound: There is no such folder.
    """
    if settings.replay is not None and not settings.replay.is_dir():
        raise NotFound(
            "no_replay_folder",
            f"There is no folder {settings.replay} to replay. Correct --replay, or MT5UI_REPLAY.",
            folder=str(settings.replay),
        )


def end_survivors(run_files: FileStorage) -> list[str] | None:
    """End what a killed supervisor of this folder left running, and forget its addresses.

    Returns:
        What was ended: part and process; None where the desk before ended in order.
    """
    left: dict[str, Any] | None = run_files.read_json_or(DESK_FILE, None)
    ended = []
    for child in (left or {}).get("children", []):
        if is_that_process(child):
            kill_tree(int(child["pid"]))
            wait_until_gone(int(child["pid"]))  # what it listened on is free only then
            ended.append(f"{child['name']} ({child['pid']})")
    for name in RUN_FILES:
        run_files.delete(name)
    return ended if left is not None else None
