"""Starts, watches and ends every process of one machine."""

import os
import sys
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.config import Settings, child_environment
from backend.core.clock import SystemClock, iso
from backend.core.errors import Unavailable
from backend.jobs.broker import BrokerAddress, BrokerKind
from backend.jobs.commands import WORKERS, beat_command, worker_command
from backend.jobs.leases import HOST, machine
from backend.storage import locks
from backend.storage.files import FileStorage
from backend.supervisor import broker_child, guards
from backend.supervisor.broker_child import choose_broker
from backend.supervisor.child import Child
from backend.supervisor.compiling import compiled_meanwhile
from backend.supervisor.processes import own_start, started_at
from backend.supervisor.reaper import NAME as REAPER
from backend.supervisor.reaper import reaper_command
from backend.supervisor.workers import WorkerWatch

START_PATIENCE = 60.0
POLITE_SECONDS = 6.0
FIRM_SECONDS = 8.5
WATCH_EVERY = 0.5


def run_desk(settings: Settings, console: Console) -> int:
    """Bring the whole desk up, keep it up, and end it on Ctrl-C or SIGTERM.

    Returns:
        The exit code: 0 after a wished end.

    Raises:
        Conflict: A desk runs in this folder already, or the port is taken.
        NotFound: There is no folder to replay.
        Invalid: The desk asks for sign-in and has no owner.
        Unavailable: The users file is damaged, the folder cannot be written, the broker cannot be used, or a
            part did not start.
    """
    guards.refuse_missing_replay(settings)
    guards.refuse_without_owner(settings)
    guards.prepare_folders(settings)
    with guards.only_desk(settings), guards.stop_signals() as stop:
        # Before the port is tried: what a killed desk left running may hold it.
        ended = guards.end_survivors(FileStorage(settings.run_dir))
        if ended is not None:
            left = f"what it left running was ended: {', '.join(ended)}" if ended else "nothing of it runs"
            console.print(
                f"The desk before this one was killed; {left}. Its jobs go on where they were.",
                soft_wrap=True,
            )
        guards.refuse_taken_port(settings.host, settings.port)
        return Desk(settings, console, stop).run()


class Desk:
    """The processes of one desk and the order in which they start and end."""

    def __init__(self, settings: Settings, console: Console, stop: threading.Event) -> None:
        self._settings = settings
        self._console = console
        self._stop = stop
        self._run_files = FileStorage(settings.run_dir)
        self._clock = SystemClock()
        self._environment = child_environment(settings)
        self._children: list[Child] = []
        self._broker: BrokerAddress | None = None
        self._workers = WorkerWatch(FileStorage(settings.data_dir, clock=self._clock), self._clock)

    def run(self) -> int:
        """Start everything, watch it until asked to stop, end everything."""
        began = time.monotonic()
        try:
            self._start_all()
            self._announce()
            if self._wait_until_ready():
                self._console.print(
                    f"[green]Ready[/green] after {time.monotonic() - began:.0f} s. "
                    f"First prices, decisions and checks follow within seconds. Ctrl-C ends the desk.",
                    soft_wrap=True,
                )
            with compiled_meanwhile(self._environment, self._log("compiling")):
                while not self._stop.wait(WATCH_EVERY):
                    self._watch()
        finally:
            self._end_all()
        return 0

    def _start_all(self) -> None:
        desk_file = self._run_files.path(guards.DESK_FILE)
        self._start(REAPER, reaper_command(desk_file, os.getpid(), broker_child.NAME), hears=True)
        self._broker = self._start_broker()
        self._start("connector", [sys.executable, "-m", "backend.connector"])
        self._wait_for_file(guards.CONNECTOR_FILE, "connector")
        if self._broker.kind is not BrokerKind.MEMORY:
            for plan in WORKERS:
                self._start(f"worker-{plan.name}", worker_command(plan))
            self._start("beat", beat_command())
        api = [
            sys.executable,
            "-m",
            "uvicorn",
            "backend.app:app",
            "--no-access-log",
            "--no-proxy-headers",  # the desk believes those proxies that MT5UI_TRUSTED_PROXIES names
            "--timeout-graceful-shutdown",
            "3",
        ]
        self._start("api", [*api, "--host", self._settings.host, "--port", str(self._settings.port)])

    def _start_broker(self) -> BrokerAddress:
        address, child = choose_broker(self._settings)
        if child is not None:
            self._children.append(child)
            self._remember()
        return address

    def _start(self, name: str, command: list[str], *, hears: bool = False) -> None:
        child = Child(name, command, environment=self._environment, log=self._log(name), hears=hears)
        child.start()
        self._children.append(child)
        self._remember()  # from now on it ends with this process

    def _log(self, name: str) -> Path:
        return self._settings.logs_dir / f"{name}.log"

    def _announce(self) -> None:
        table = Table("part", "process", "where", box=None, pad_edge=False)
        for child in self._children:
            table.add_row(child.name, str(child.pid or "ended"), self._where(child.name))
        if self._broker is not None:
            self._console.print(f"Broker: {broker_child.describe(self._broker)}", soft_wrap=True)
        self._console.print(f"Market: {describe_market(self._settings)}", soft_wrap=True)
        self._console.print(f"Sign-in: {describe_sign_in(self._settings)}", soft_wrap=True)
        self._console.print(table)
        self._console.print(f"Files: {self._settings.data_dir} and {self._settings.logs_dir}", soft_wrap=True)

    def _where(self, name: str) -> str:
        if name == "api":
            return self._api
        if name == "connector":
            return str(self._run_files.read_json_or(guards.CONNECTOR_FILE, {}).get("url", ""))
        return {f"worker-{plan.name}": ",".join(plan.queues) for plan in WORKERS}.get(name, "")

    @property
    def _reached(self) -> str:
        """The host at which this machine reaches the API."""
        return "127.0.0.1" if self._settings.host in {"0.0.0.0", "::"} else self._settings.host  # noqa: S104

    @property
    def _api(self) -> str:
        return f"http://{self._reached}:{self._settings.port}"

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + START_PATIENCE
        while not self._stop.is_set() and time.monotonic() < deadline:
            if self._is_ready():
                return True
            self._watch()
            self._stop.wait(0.2)
        if not self._stop.is_set():
            self._console.print(
                f"[yellow]Not ready after {START_PATIENCE:.0f} s; {self._api}/readyz says why.[/yellow]"
            )
        return False

    def _is_ready(self) -> bool:
        # Asked directly: no proxy of the environment stands between this machine and itself.
        connection = HTTPConnection(self._reached, self._settings.port, timeout=2.0)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _wait_for_file(self, name: str, child_name: str) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while not self._run_files.exists(name):
            child = next(child for child in self._children if child.name == child_name)
            if (code := child.died()) is not None or time.monotonic() > deadline:
                lines = "\n".join(f"    {line}" for line in child.last_lines)
                happened = f"ended with code {code}" if code is not None else "did not answer"
                raise Unavailable(
                    "part_not_started", f"The {child_name} {happened}:\n{lines}", part=child_name
                )
            if self._stop.wait(0.05):
                return

    def _watch(self) -> None:
        changed = False
        ailing = self._workers.ailing(child.pid for child in self._children if child.pid is not None)
        for child in self._children:
            if (reason := ailing.get(child.pid or 0)) is not None:
                self._console.print(f"{child.name} {reason}; it is ended and started again")
                child.retire()
        for child in self._children:
            if (code := child.died()) is not None:
                lines = "\n".join(f"    {line}" for line in child.last_lines)
                self._console.print(
                    f"[red]{child.name} ended with code {code}[/red]; "
                    f"again in {child.restart_in:.0f} s. Its last lines ({child.log}):\n{escape(lines)}",
                    soft_wrap=True,
                )
                changed = True
            elif child.restart_if_due():
                self._console.print(f"{child.name} started again as process {child.pid}")
                changed = True
        if changed:
            self._remember()

    def _remember(self) -> None:
        pid, since = own_start()
        self._run_files.write_json(
            guards.DESK_FILE,
            {
                "pid": pid,
                "process_started": since,
                "started_at": iso(self._clock.wall()),
                "host": HOST,
                "machine": machine(),
                "home": str(self._settings.home),
                "api": self._api,
                "broker": self._broker.describe() if self._broker else None,
                "children": [
                    {"name": child.name, "pid": child.pid, "process_started": started_at(child.pid)}
                    for child in self._children
                    if child.pid is not None
                ],
            },
        )

    def _end_all(self) -> None:
        if not self._children:
            return  # nothing was started: the reason is the one thing to say
        self._console.print("Ending the desk ...")
        asked = time.monotonic()
        last = [child for child in self._children if child.name in {broker_child.NAME, REAPER}]
        others = [child for child in self._children if child not in last]
        for child in reversed(others):
            child.ask_to_end()
        for child in others:
            if not child.wait(asked + POLITE_SECONDS):
                child.kill()
        for child in reversed(last):  # until all have ended the reaper would end them
            child.ask_to_end()
            if not child.wait(asked + FIRM_SECONDS):
                child.kill()
        for child in self._children:
            child.close()
        for name in guards.RUN_FILES:
            self._run_files.delete(name)
        for folder in (self._settings.data_dir, self._settings.logs_dir):
            locks.sweep(folder)
        self._console.print(f"Ended after {time.monotonic() - asked:.1f} s.")


def describe_market(settings: Settings) -> str:
    """One line for the person who starts the desk: what the prices are."""
    if settings.replay is not None:
        return f"replay of {settings.replay} at up to {settings.speed:g} times real speed"
    if settings.terminal.value == "simulated":
        return f"SIMULATED terminal, seed {settings.seed}: no real prices, no real money"
    return f"{settings.terminal.value} terminal"


def describe_sign_in(settings: Settings) -> str:
    """One line for the person who starts the desk: who may come in."""
    if settings.why_sign_in is None:
        return "not needed: whoever uses this machine may do everything; no real money is here"
    return f"needed, because {settings.why_sign_in}"
