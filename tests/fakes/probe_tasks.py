"""A Celery app with tasks for tests alone: ``celery -A tests.fakes.probe_tasks worker``."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from backend.celery_app import app, desk_task, runtimes
from backend.core.errors import Invalid, Unavailable
from backend.jobs import agent
from backend.jobs.context import check
from backend.jobs.spec import RetryPolicy
from tests.fakes.deaf import lose_consumers
from tests.fakes.other_host import ClockOff, another_host

app.conf.include = ("tests.fakes.probe_tasks",)
if "PROBE_VISIBILITY" in os.environ:
    app.conf.broker_transport_options["visibility_timeout"] = int(os.environ["PROBE_VISIBILITY"])
if "PROBE_CANARY" in os.environ:
    agent.CANARY_EVERY = float(os.environ["PROBE_CANARY"])
if "PROBE_REPORT" in os.environ:
    agent.STEP = agent.REPORT_EVERY = float(os.environ["PROBE_REPORT"])
if "PROBE_WINDOWS" in os.environ:
    app.IS_WINDOWS = True
if "PROBE_CLOCK" in os.environ:
    runtimes.clock_source = lambda: ClockOff(float(os.environ["PROBE_CLOCK"]))
if "PROBE_HOST" in os.environ:
    another_host(os.environ["PROBE_HOST"])
if "PROBE_LOSES_CONSUMER" in os.environ:
    lose_consumers()

NAME = "tests.fakes.probe_tasks"


@desk_task(queue="maintenance")
def echo(text: str = "hello") -> dict[str, Any]:
    """Give it back."""
    return {"text": text}


@desk_task(queue="data_collection")
def note(path: str, text: str = "x") -> dict[str, Any]:
    """Append one line."""
    _append(path, text)
    return {"text": text}


@desk_task(queue="ai_evaluation", deadline=60)
def slow(path: str, milliseconds: int) -> dict[str, Any]:
    """Say that it began, take that long in small steps, say that it ended."""
    _append(path, f"begin {os.getpid()}")
    end = time.monotonic() + milliseconds / 1000
    while time.monotonic() < end:
        check()
        time.sleep(0.02)
    _append(path, f"end {os.getpid()}")
    return {"took": milliseconds}


@desk_task(queue="ai_evaluation", deadline=60)
def dull(path: str, milliseconds: int) -> dict[str, Any]:
    """As slow, but deaf between begin and end."""
    _append(path, f"begin {os.getpid()}")
    time.sleep(milliseconds / 1000)
    _append(path, f"end {os.getpid()}")
    return {"took": milliseconds}


@desk_task(queue="ai_evaluation")
def poison(path: str) -> dict[str, Any]:
    """Take the worker with it."""
    _append(path, f"begin {os.getpid()}")
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return {}


@desk_task(queue="orders", once=True)
def send(path: str, milliseconds: int) -> dict[str, Any]:
    """Do what nobody can take back, slowly."""
    _append(path, f"begin {os.getpid()}")
    time.sleep(milliseconds / 1000)
    _append(path, f"end {os.getpid()}")
    return {"took": milliseconds}


@desk_task(queue="maintenance", retry=RetryPolicy(tries=3, first_delay=0.2, longest_delay=1.0))
def flaky(path: str, failures: int) -> dict[str, Any]:
    """Unavailable so many times, then well."""
    _append(path, "try")
    if len(Path(path).read_text().splitlines()) <= failures:
        raise Unavailable("terminal_down", "the terminal is down", last_error=-10004)
    return {"tries": len(Path(path).read_text().splitlines())}


@desk_task(queue="maintenance")
def invalid() -> dict[str, Any]:
    """Refuse."""
    raise Invalid("bad_thing", "the thing is bad", file="a.json", key="/b")


@desk_task(queue="maintenance", bounds={"days_to_keep": (1, 3650)})
def bounded(days_to_keep: int = 30) -> dict[str, Any]:
    """Take a bounded number."""
    return {"days": days_to_keep}


@desk_task(queue="maintenance", deadline=0.2)
def endless() -> dict[str, Any]:
    """Only the deadline ends it."""
    while True:
        check()
        time.sleep(0.01)


def _append(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
