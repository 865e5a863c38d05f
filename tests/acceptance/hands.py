"""Commands as a person types them, each in a window of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from backend.core.trust import authorities
from backend.supervisor.processes import kill_tree
from tests.acceptance.clones import ROOT


class Hand:
    """A command as a person types it, its output kept in a file."""

    def __init__(self, command: list[str], *, cwd: Path, env: dict[str, str], log: Path) -> None:
        self.log = log
        self.command = command
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(shutil.which(command[0], path=env["PATH"])), *command[1:]],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            if sys.platform == "win32":
                kill_tree(self.process.pid)
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def said(self, text: str, timeout: float = 30.0) -> None:
        until(lambda: text in self.output, timeout, f"{self.command} says {text!r}", lambda: self.output)

    def survivors(self) -> list[int]:
        """Processes of its window that still run."""
        return [pid for pid in psutil.pids() if _group(pid) == self.process.pid]

    def interrupt(self) -> float:
        """Ctrl-C in its window, which every process there gets; the seconds until it has ended."""
        began = time.monotonic()
        if sys.platform == "win32":
            self.process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(15)
        return time.monotonic() - began


def _group(pid: int) -> int | None:
    if sys.platform != "win32":
        with suppress(ProcessLookupError):
            return os.getpgid(pid)
    return None


def until(
    condition: Callable[[], Any], timeout: float, what: str, told: Callable[[], str] = lambda: ""
) -> Any:
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}\n{told()}"
        time.sleep(0.05)
    return value


def answer(method: str, url: str, **given: Any) -> httpx.Response | None:
    try:
        return httpx.request(method, url, timeout=5, verify=authorities(url), **given)
    except httpx.TransportError:
        return None


class Place:
    """A desk's folder and a Redis, named in the environment as the guide says."""

    def __init__(self, home: Path, redis_url: str, old: list[str]) -> None:
        self.home = home
        self.old = old
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("CELERY_")}
        self.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), self.env.get("PATH", "")])
        self.env |= {
            "MT5UI_HOME": str(home),
            "REDIS_URL": redis_url,
            "MT5UI_ALLOW_PRIVATE_ADDRESSES": "true",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, name: str, command: list[str], cwd: Path = ROOT) -> Hand:
        return Hand(command, cwd=cwd, env=self.env, log=self.home.parent / f"{name}.txt")

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.home.glob(pattern))


def ends_by_ctrl_c(hand: Hand) -> None:
    assert hand.interrupt() < 10, hand.output[-3000:]
    assert "Traceback" not in hand.output


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
