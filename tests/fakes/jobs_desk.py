"""Desks for acceptance tests: real processes in a folder of their own, with Redis or in memory."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, Self

from backend.config import Settings, load_settings
from backend.core.clock import SystemClock
from backend.core.errors import DeskError, from_dict
from backend.jobs.app import build_app
from backend.jobs.broker import BrokerAddress, resolve
from backend.jobs.private_redis import PrivateRedis, find_server, start_private_redis, stop_private_redis
from backend.jobs.publisher import CeleryPublisher
from backend.jobs.runtime import Runtime, build_runtime
from backend.jobs.views import JobView

ROOT = Path(__file__).resolve().parents[2]
APP = "tests.fakes.probe_tasks"
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "SYSTEMROOT", "VIRTUAL_ENV")


class JobsDesk:
    """A folder with processes of a desk; everything it started ends with it."""

    def __init__(self, home: Path, mode: str, **environment: str) -> None:
        self.home = home
        self.mode = mode
        self.app = APP  # whose tasks the workers know
        self.environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self.environment |= {"MT5UI_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.environment |= environment
        self.children: list[subprocess.Popen[str]] = []
        self.redis: PrivateRedis | None = None
        self._runtime: Runtime | None = None
        self._embedded: subprocess.Popen[str] | None = None
        self._logs: list[IO[str]] = []
        if mode == "memory":
            self.environment["MT5UI_BROKER"] = "memory"

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.home)

    def __enter__(self) -> Self:
        if self.mode == "redis":
            self.start_redis()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        if self.redis is not None and self.redis.process.poll() is None:
            stop_private_redis(self.redis, self.settings.run_dir)
        if self._runtime is not None:
            self._runtime.stopping.set()
            self._runtime.ledger.close()
            self._runtime.leases.close()
            self._runtime.locks.close()
        for log in self._logs:
            log.close()

    def start_redis(self, again: BrokerAddress | None = None) -> None:
        server = find_server()
        assert server is not None, "no Redis on this machine"
        self.redis = start_private_redis(self.settings, server, again=again)

    def kill_redis(self) -> BrokerAddress:
        assert self.redis is not None
        self.redis.process.kill()
        self.redis.process.wait(5)
        return self.redis.address

    @property
    def runtime(self) -> Runtime:
        if self._runtime is None:
            from tests.fakes import probe_tasks

            assert probe_tasks.NAME
            address = resolve(self.settings)
            publisher = CeleryPublisher(build_app(address))
            self._runtime = build_runtime(
                self.settings, SystemClock(), publisher, role="test", broker_url=address.url
            )
        return self._runtime

    def start_worker(self, *options: str, name: str = "w1", pool: str = "threads") -> subprocess.Popen[str]:
        """A worker process; in memory, the process that is the whole desk."""
        if self.mode == "memory":
            return self._start_embedded()
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            self.app,
            "worker",
            "-n",
            f"{name}@%h",
            "--loglevel",
            "info",
        ]
        child = self._start(
            [*command, "--pool", pool, "--without-gossip", "--without-mingle", *options], name
        )
        self.until(lambda: any(w.name.startswith(f"{name}@") and w.pid == child.pid for w in self.workers()))
        return child

    def start_beat(self, name: str = "beat") -> subprocess.Popen[str]:
        return self._start([sys.executable, "-m", "celery", "-A", APP, "beat", "--loglevel", "info"], name)

    def start_api(self) -> int:
        """The API as the supervisor starts it; gives its port once it answers."""
        port = free_port()
        options = ["--no-access-log", "--port", str(port)]
        child = self._start([sys.executable, "-m", "uvicorn", "backend.app:app", *options], "api")
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                assert child.poll() is None, self.log()
                assert time.monotonic() < end, self.log()
                time.sleep(0.05)
            else:
                return port

    def start_connector(self) -> dict[str, Any]:
        """The connector over the simulated terminal; gives its address and token."""
        child = self._start([sys.executable, "-m", "backend.connector"], "connector")
        file = self.home / "data/run/connector.json"
        self.until(lambda: file.exists() or child.poll() is not None)
        record: dict[str, Any] = json.loads(file.read_text())
        return record

    def start_load(self, *arguments: str) -> subprocess.Popen[str]:
        """A process of the benchmarks' load, spoken to over its pipes."""
        return self._start(
            [sys.executable, "-m", "tests.benchmarks.enqueue_load", *arguments], "load", talk=True
        )

    def submit(self, task: str, **kwargs: Any) -> str:
        if self._embedded is None:
            return self.runtime.jobs.submit(task, kwargs, actor="test")
        assert self._embedded.stdin is not None
        assert self._embedded.stdout is not None
        self._embedded.stdin.write(json.dumps({"task": task, "kwargs": kwargs}) + "\n")
        self._embedded.stdin.flush()
        answer: dict[str, Any] = json.loads(self._embedded.stdout.readline())
        if "id" not in answer:
            raise from_dict(answer)
        return str(answer["id"])

    def workers(self) -> Any:
        return self.runtime.jobs.workers()

    def wait(self, job_id: str, timeout: float = 20.0) -> JobView:
        job = self.runtime.jobs.wait(job_id, timeout)
        assert job.terminal, f"{job}\n{self.log()}"
        return job

    def until(self, ready: Any, timeout: float = 20.0, job_id: str | None = None) -> None:
        end = time.monotonic() + timeout
        while not ready():
            told = "" if job_id is None else self.runtime.jobs.get(job_id).timeline
            assert time.monotonic() < end, f"did not happen within {timeout} s\n{told}\n{self.log()}"
            time.sleep(0.03)

    def kill(self, child: subprocess.Popen[str]) -> None:
        child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        child.wait(10)
        if child is self._embedded:
            self._embedded = None

    def log(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in self.home.glob("*.out")
        )

    def _start_embedded(self) -> subprocess.Popen[str]:
        child = self._start([sys.executable, "-m", "tests.fakes.embedded_desk"], "desk", talk=True)
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready", self.log()
        self._embedded = child
        return child

    def _start(self, command: list[str], name: str, *, talk: bool = False) -> subprocess.Popen[str]:
        log = (self.home / f"{name}-{len(self.children)}.out").open("w", encoding="utf-8")
        self._logs.append(log)
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talk else log,
            stderr=log,
            text=True,
        )
        self.children.append(child)
        return child


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


__all__ = ["ROOT", "DeskError", "JobsDesk", "free_port"]
