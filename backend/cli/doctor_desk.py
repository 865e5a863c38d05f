"""The doctor's looks at a running desk: broker, terminal, workers, jobs, data, clocks."""

from collections.abc import Iterator
from typing import Any, Final

from backend.cli.desk_client import DeskClient
from backend.cli.findings import Finding, fail, good, warn
from backend.cli.output import clip, span
from backend.core.clock import SystemClock, age_seconds, parse_iso

MOST_DRIFT: Final = 2.0
_MENDS: Final = {
    "broker": "Look at data/broker/redis.log, or at your own Redis; see REDIS_CELERY_SETUP_GUIDE.md",
    "terminal": "Look at logs/connector.log; is the terminal running, logged in and connected?",
    "storage": "Make room on the disk, and give your user the right to write in data/",
}


def parts(page: dict[str, Any]) -> Iterator[Finding]:
    """What `/api/status` says of broker, terminal, storage, processes, workers and jobs."""
    for check in page["checks"]:
        if check["ok"]:
            yield good(check["name"], check["detail"])
        else:
            yield fail(check["name"], check["detail"], _MENDS.get(check["name"], ""))
    for process in page["processes"] or ():
        if not process["alive"]:
            yield fail(process["name"], f"process {process['pid']} is gone", "The supervisor restarts it")
    yield from _workers(page["workers"])
    jobs = page["jobs"]
    if jobs["dead_letters"]:
        yield warn(
            "jobs",
            f"{jobs['dead_letters']} dead letters",
            "Look at them: mt5ui tasks list --status dead",
        )
    else:
        yield good("jobs", f"{jobs['succeeded']} succeeded and {jobs['failed']} failed in 24 h")


def last_error(desk: DeskClient, task: str) -> str:
    """Why the newest run of a task did not succeed; empty if it did, or never ran."""
    newest = desk.get("/api/tasks", task=task, limit=1)["items"]
    problem = newest[0]["error"] if newest else None
    return clip(problem["message"]) if problem else ""


def clocks(desk: DeskClient) -> Iterator[Finding]:
    """API, workers, broker and terminal against each other; more than 2 s is too much."""
    before = SystemClock().wall()
    clocks = desk.get("/api/clocks")
    api = parse_iso(clocks["api"])
    # The API read its clock at some instant of the request, which begins with `before`.
    ahead = min(age_seconds(before, api), 0.0) or max(0.0, age_seconds(SystemClock().wall(), api))
    yield drift("clock of the API", ahead, "this command's")
    if clocks["broker"] is not None:
        yield drift("clock of the broker", age_seconds(api, parse_iso(clocks["broker"])), "the API's")
    for worker, seconds in clocks["workers"].items():
        if seconds > MOST_DRIFT:
            yield drift(f"clock of {worker}", seconds, "the API's")
    terminal = clocks["terminal"]
    if terminal is None:
        yield warn("clock of the terminal", clocks["terminal_reason"], _MENDS["terminal"])
    elif terminal["verdict"] == "differs":
        yield fail("clock of the terminal", terminal["reason"], "Correct MT5UI_SERVER_CLOCK")
    else:
        yield good("clock of the terminal", f"{terminal['verdict']}: {terminal['reason']}")


def _workers(workers: list[dict[str, Any]]) -> Iterator[Finding]:
    if not workers:
        yield fail("workers", "none has reported within the last hour", "Start the desk again: mt5ui up")
    for worker in workers:
        said = f"{worker['state']}, reported {span(worker['age'])} ago"
        if worker["state"] in {"alive", "stopping"}:
            yield good(f"worker {worker['name']}", said)
        else:
            yield fail(f"worker {worker['name']}", said, "Look at logs/worker-*.log, or start it again")


def drift(name: str, seconds: float, against: str) -> Finding:
    """A clock that lies `seconds` ahead of another one; more than 2 s is too much."""
    said = f"{abs(seconds):.2f} s {'ahead of' if seconds > 0 else 'behind'} {against}"
    if abs(seconds) > MOST_DRIFT:
        return fail(name, said, "Set that machine's clock by NTP")
    return good(name, said)
