"""``python -m backend.connector``: the process that owns the terminal.

It tells where it is in ``data/run/connector.json`` (for this user's eyes only) and takes that back when
it ends.
"""

import argparse
import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import uvicorn

from backend.config import Settings, TerminalKind, settings
from backend.connector.app import create_connector
from backend.connector.owner import EXIT_STUCK
from backend.connector.replay import DeskClock
from backend.core import masking
from backend.core.clock import iso
from backend.core.errors import DeskError, Unavailable
from backend.mt5.api import Mt5Api
from backend.services import build_terminal
from backend.storage.files import FileStorage

CONNECTOR_FILE = "connector.json"
_EXIT_REFUSED = 2
_ANSWER_SECONDS = 0.3  # between the answer that names a stuck call and the end of the process


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m backend.connector", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; loopback by default")
    parser.add_argument("--port", type=int, default=0, help="port to bind; 0 takes a free one")
    options = parser.parse_args(arguments)
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave)
    try:
        return _serve(settings(), options.host, options.port)
    except DeskError as error:
        sys.stderr.write(f"{error.message}\n")
        return _EXIT_REFUSED


def _serve(current: Settings, host: str, port: int) -> int:
    run_files = FileStorage(current.run_dir)
    clock = DeskClock()
    terminal = build_terminal(current, now=clock.now)
    kind = "replay" if _replay(terminal, current, clock, run_files) else current.terminal.value
    token = current.connector_token.get_secret_value() if current.connector_token else ""
    token = masking.remember(token or secrets.token_urlsafe(32))
    native = current.terminal is TerminalKind.NATIVE
    app = create_connector(
        terminal,
        token=token,
        clock=clock,
        kind=kind,
        host=host,
        on_stuck=None if current.terminal is TerminalKind.SIMULATED else _end_soon,
        holds_interpreter=native,
    )
    with _bound(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        record = {
            "url": f"http://{address}:{listener.getsockname()[1]}",
            "token": token,
            "pid": os.getpid(),
            "started_at": iso(clock.wall()),
            "terminal": kind,
        }
        run_files.write_json(CONNECTOR_FILE, record, mode=0o600)
        try:
            config = uvicorn.Config(
                app,
                access_log=False,
                log_level=current.log_level.lower(),
                timeout_graceful_shutdown=1,
                timeout_keep_alive=75,
                ws="none",
            )
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            _forget(run_files, record)
    return 0


def _replay(terminal: Mt5Api, current: Settings, clock: DeskClock, run_files: FileStorage) -> bool:
    """Let the clock follow the files that the terminal plays, if it does."""
    if current.replay is None or current.terminal is not TerminalKind.SIMULATED:
        return False
    market: Any = getattr(terminal, "market", None)
    clock.play(market, run_files, identity=str(current.replay), speed=current.speed)
    return True


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's delay off (44 ms a call) only where it is.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if sys.platform != "win32":  # there it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise Unavailable(
                "port_taken",
                f"The connector cannot listen on {host} port {port}: {error.strerror}",
                host=host,
                port=port,
            ) from error
        listener.listen()  # who reads where it is may call at once, and waits until it serves
        yield listener


def _forget(run_files: FileStorage, record: dict[str, Any]) -> None:
    """Take the file away, unless it already belongs to a connector that came after."""
    with contextlib.suppress(DeskError), run_files.lock(CONNECTOR_FILE, 1.0):
        if run_files.read_json_or(CONNECTOR_FILE, {}).get("token") == record["token"]:
            run_files.delete(CONNECTOR_FILE)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """End in order: the server, having closed, hands the signal on to this."""
    sys.exit(0)


def _end_soon(what: str) -> None:
    """End the process although a thread of it hangs; its supervisor starts it again."""
    sys.stderr.write(f"The terminal hangs in {what}; the connector ends so that it is started again.\n")
    sys.stderr.flush()
    timer = threading.Timer(_ANSWER_SECONDS, os._exit, args=(EXIT_STUCK,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main())
