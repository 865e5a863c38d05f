"""A real desk for acceptance tests: started as a user starts it, spoken to over HTTP and files."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.core.trust import authorities
from tests.acceptance.clones import ROOT

READY = "Ready after"
PLAIN = authorities("http:")


class DeskProcess:
    """`run.py` in a child process, with its output as it comes."""

    def __init__(
        self, *, home: Path, port: int, env: dict[str, str], cwd: Path, run: Path, arguments: list[str]
    ) -> None:
        self.home = home
        self.broker = env.get("MT5UI_BROKER", "auto")
        self.url = f"http://127.0.0.1:{port}"
        self.headers: dict[str, str] = {}  # of each request
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, str(run), "--port", str(port), *arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line.rstrip())
                self._new.put(line.rstrip())
        self._new.put(None)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, text: str, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._new.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line with {text!r} within {timeout} s:\n{self.output}") from None
            if line is None:
                raise AssertionError(f"the desk ended before a line with {text!r}:\n{self.output}")
            if text in line:
                return line

    def wait_until(self, condition: Callable[[], Any], timeout: float, what: str) -> Any:
        deadline = time.monotonic() + timeout
        while True:
            if value := condition():
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout} s: {what}\n{self.output}\n{self.logs()}")
            time.sleep(0.1)

    def logs(self, count: int = 15) -> str:
        parts = []
        for log in sorted((self.home / "logs").glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
            parts.append(f"--- {log.name}\n" + "\n".join(lines))
        return "\n".join(parts)

    def file(self, name: str) -> Any:
        """A JSON file under data/, or None while it is not there; `name` may hold wildcards."""
        found = sorted((self.home / "data").glob(name))
        return json.loads(found[0].read_bytes()) if found else None

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        asked = parameters or None  # an empty one drops what `path` asks
        return httpx.get(self.url + path, params=asked, headers=self.headers, verify=PLAIN, timeout=10)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        given = {} if body is None else {"json": body}
        return httpx.post(self.url + path, headers=self.headers, verify=PLAIN, timeout=10, **given)

    def ended(self, task_id: str, timeout: float = 60) -> dict[str, Any]:
        """The status of a task once it has ended."""

        def look() -> dict[str, Any] | None:
            answer = self.get(f"/api/celery/tasks/{task_id}/status")
            assert answer.status_code == 200, answer.text
            body: dict[str, Any] = answer.json()
            return body if body["status"] in {"success", "failure", "revoked"} else None

        result: dict[str, Any] = self.wait_until(look, timeout, f"task {task_id} has ended")
        return result

    def children(self) -> dict[str, int]:
        return {child["name"]: child["pid"] for child in self.file("run/desk.json")["children"]}

    def workers(self) -> list[str]:
        return list(self.get("/api/celery/tasks/stats").json()["stats"])

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, patience: float = 10.0) -> float:
        """Ask it to end as SIGTERM does; returns how many seconds that took."""
        began = time.monotonic()
        if self.process.poll() is None:
            if sys.platform == "win32":
                self.process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                self.process.terminate()
        self.process.wait(timeout=patience)
        return time.monotonic() - began

    def destroy(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self.process.poll() is None:
            survivors = self.processes()
            self.process.kill()
            self.process.wait(timeout=5)
            for process in survivors:
                if process.is_running():
                    process.kill()


def start_desk(
    home: Path,
    port: int,
    env: dict[str, str],
    *arguments: str,
    cwd: Path | None = None,
    run: Path | None = None,
) -> DeskProcess:
    return DeskProcess(
        home=home,
        port=port,
        env=env,
        cwd=cwd or home,
        run=run or ROOT / "run.py",
        arguments=list(arguments),
    )


def kill(pid: int) -> None:
    """End a process as the out-of-memory killer would."""
    if sys.platform == "win32":
        psutil.Process(pid).kill()
    else:
        os.kill(pid, signal.SIGKILL)
