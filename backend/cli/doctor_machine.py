"""The doctor's looks at this machine: Python, packages, folders, disk, port, broker, terminal."""

import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from backend.cli.findings import Finding, fail, good, warn
from backend.config import BrokerChoice, Settings, TerminalKind
from backend.core.errors import DeskError
from backend.jobs import broker as brokers
from backend.jobs.private_redis import find_server

OLDEST: Final = (3, 11)
NEEDED: Final = ("celery", "redis", "fastapi", "uvicorn", "pyarrow", "talib", "feedparser", "orjson")
DISK_WARN: Final = 2_000_000_000
DISK_FAIL: Final = 200_000_000
GUIDE: Final = "REDIS_CELERY_SETUP_GUIDE.md"


def python() -> Iterator[Finding]:
    """The interpreter."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < OLDEST:
        yield fail("python", version, "Install Python 3.11 or newer")
    else:
        yield good("python", f"{version} at {sys.executable}")


def packages() -> Iterator[Finding]:
    """What must be installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        yield fail("packages", f"missing: {', '.join(missing)}", "Run: python3 run.py setup")
    else:
        yield good("packages", "all are installed")


def folders(settings: Settings) -> Iterator[Finding]:
    """Whether config can be read and data and logs can be written."""
    if not os.access(settings.config_dir, os.R_OK | os.X_OK):
        yield fail(
            "config",
            f"{settings.config_dir} cannot be read",
            "Copy config/ from the repository, or set MT5UI_HOME to the desk's folder",
        )
    for name, folder in (("data", settings.data_dir), ("logs", settings.logs_dir)):
        reason = _not_writable(folder)
        if reason:
            yield fail(name, f"{folder}: {reason}", "Give your user the right to write there")
        else:
            yield good(name, f"{folder} can be written")


def disk(settings: Settings) -> Iterator[Finding]:
    """Free space where the data stands."""
    free = shutil.disk_usage(_existing(settings.data_dir)).free
    said = f"{free / 1e9:.1f} GB free"
    if free < DISK_FAIL:
        yield fail("disk", said, "Make room: below 0.2 GB nothing is safe")
    elif free < DISK_WARN:
        yield warn("disk", said, "Make room soon; `mt5ui tasks run cleanup_cache` frees some")
    else:
        yield good("disk", said)


def port(settings: Settings, *, running: str | None) -> Iterator[Finding]:
    """Whether the API's port is the desk's, or free.

    Args:
        settings: Of this folder.
        running: The address of the desk that answers, which may have been started on another port.
    """
    if running is not None:
        yield good("port", f"{urlsplit(running).netloc} belongs to the running desk")
        return
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            yield fail(
                "port", f"{where}: {error.strerror}", "Choose another: mt5ui up --port, or MT5UI_PORT in .env"
            )
            return
    yield good("port", f"{where} is free")


def broker(settings: Settings) -> Iterator[Finding]:
    """The broker that a desk started now would use."""
    try:
        address = brokers.resolve(settings)
        version = brokers.check(address)
    except DeskError as error:
        yield fail("broker", error.message, f"See {GUIDE}; leave REDIS_URL empty for the bundled broker")
        return
    if address.kind is not brokers.BrokerKind.MEMORY:
        yield good("broker", f"Redis {version}, {address.describe()}")
    elif settings.broker is BrokerChoice.MEMORY:
        yield good("broker", "in memory, as MT5UI_BROKER asks for")
    elif (server := find_server()) is not None:
        yield good("broker", f"none runs; the desk starts its own from {server}")
    else:
        yield warn("broker", "in memory: one process only", f"A Redis lets the desk grow; see {GUIDE}")


def terminal(settings: Settings) -> Iterator[Finding]:
    """The terminal that a desk started now would use."""
    kind = settings.terminal
    if settings.replay is not None:
        if settings.replay.is_dir():
            yield good("terminal", f"a replay of {settings.replay}")
        else:
            yield fail("terminal", f"{settings.replay} is no folder", "Correct MT5UI_REPLAY")
    elif kind is TerminalKind.SIMULATED:
        yield good("terminal", "simulated; it starts with the desk")
    elif kind is TerminalKind.NATIVE and sys.platform != "win32":
        yield fail(
            "terminal",
            "MT5UI_TERMINAL=native works on Windows only",
            "Use MT5UI_TERMINAL=bridge with MetaTrader 5 under Wine, or simulated",
        )
    elif kind is TerminalKind.NATIVE and importlib.util.find_spec("MetaTrader5") is None:
        yield fail("terminal", "the MetaTrader5 package is missing", "Run: python3 run.py setup")
    elif kind is TerminalKind.BRIDGE:
        yield from _bridge(settings)
    else:
        yield good("terminal", f"{kind}; it is asked once the desk runs")


def _bridge(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.bridge_host}:{settings.bridge_port}"
    try:
        socket.create_connection((settings.bridge_host, settings.bridge_port), timeout=2).close()
    except OSError as error:
        yield fail(
            "terminal",
            f"nobody answers at the bridge {where}: {error}",
            "Start the RPyC server beside the terminal; see MT5UI_BRIDGE_HOST and MT5UI_BRIDGE_PORT",
        )
    else:
        yield good("terminal", f"the bridge {where} accepts connections")


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def _not_writable(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            return ""
    except OSError as error:
        return error.strerror or str(error)
