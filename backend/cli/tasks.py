"""`mt5ui tasks`: list, run, history."""

import re
from typing import Annotated, Any, Final

import typer

from backend.cli.desk_client import DeskClient
from backend.cli.jobs import finish, queued
from backend.cli.output import ago, clip, console, lines, print_json, short, span, state, table
from backend.config import load_settings
from backend.core.clock import SystemClock
from backend.core.errors import Invalid, NotFound
from backend.jobs.views import JobState

app = typer.Typer(help="Jobs: what runs, what ran, and running one.", no_args_is_help=True)

ENDPOINTS: Final = {
    "evaluate_all_strategies": "ai/evaluate-all",
    "evaluate_single_symbol": "ai/evaluate-symbol",
    "backtest_strategy": "ai/backtest",
    "collect_market_data": "data/collect-market-data",
    "update_economic_calendar": "data/update-calendar",
    "collect_rss_news": "data/collect-news",
    "update_symbol_info": "data/update-symbols",
    "cleanup_old_logs": "maintenance/cleanup-logs",
    "cleanup_cache": "maintenance/cleanup-cache",
    "archive_old_trades": "maintenance/archive-trades",
    "system_health_check": "maintenance/health-check",
    "optimize_csv_files": "maintenance/optimize-csv",
}
_JOB_ID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}")
_WORDS: Final = {"true": True, "false": False}
_INTEGER: Final = re.compile(r"-?[0-9]{1,15}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]


@app.command("list")
def list_tasks(
    *,
    task: Annotated[str | None, typer.Option(help="Only this task.")] = None,
    status: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """Jobs, the newest first."""
    with DeskClient(load_settings()) as desk:
        page = desk.get("/api/tasks", task=task, status=status and status.value, queue=queue, limit=limit)
    _show_jobs(page, as_json=as_json)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="Name of a task or of a schedule.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Such as symbol=EURUSD days=90 dry_run=true.")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the result.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait.")] = 600.0,
    as_json: Json = False,
) -> None:
    """Queue a task now."""
    body = dict(_argument(text) for text in arguments or [])
    with DeskClient(load_settings()) as desk:
        answer = _start(desk, name, body)
        if wait:
            finish(desk, answer["task_id"], timeout=timeout, as_json=as_json)
        else:
            queued(answer, as_json=as_json)


@app.command()
def history(
    what: Annotated[str | None, typer.Argument(help="A job's id, or a task's name.")] = None,
    *,
    window: Annotated[str, typer.Option(help="Of the summary: 90s, 15m, 24h, 7d.")] = "24h",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many jobs of a task.")] = 20,
    as_json: Json = False,
) -> None:
    """One job step by step, a task's jobs, or how every task did."""
    with DeskClient(load_settings()) as desk:
        if what is None:
            _show_summary(desk.get("/api/tasks/summary", window=window), as_json=as_json)
        elif _JOB_ID.fullmatch(what):
            _show_job(desk.get(f"/api/tasks/{what}"), as_json=as_json)
        else:
            page = desk.get("/api/tasks", task=what, limit=limit)
            if not page["items"] and short(what) not in ENDPOINTS:
                raise _unknown_task(desk, what)
            _show_jobs(page, as_json=as_json)


def _start(desk: DeskClient, name: str, body: dict[str, Any]) -> Any:
    path = ENDPOINTS.get(short(name))
    if path is not None:
        return desk.post(f"/api/celery/tasks/{path}", body)
    if name not in _schedules(desk):
        raise _unknown_task(desk, name)
    if body:
        raise Invalid("no_arguments", f"The schedule {name} runs with its own arguments; leave them out")
    return desk.post(f"/api/schedules/{name}/trigger")


def _schedules(desk: DeskClient) -> list[str]:
    return [one["name"] for one in desk.get("/api/schedules")["schedules"]]


def _unknown_task(desk: DeskClient, name: str) -> NotFound:
    return NotFound(
        "unknown_task",
        f"There is no task or schedule {name!r}. Tasks: {', '.join(ENDPOINTS)}. "
        f"Schedules: {', '.join(_schedules(desk))}.",
    )


def _argument(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise Invalid("bad_argument", f"{text!r} is not NAME=VALUE, such as symbol=EURUSD")
    if _INTEGER.fullmatch(value):
        return name, int(value)
    return name, float(value) if _NUMBER.fullmatch(value) else _WORDS.get(value, value)


def _show_jobs(page: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(page)
        return
    now = SystemClock().wall()
    out = console()
    if not page["items"]:
        out.print("There are no such jobs.")
        return
    rows = [
        (
            job["id"],
            short(job["task"]),
            state(job["state"]),
            ago(job["queued_at"], now),
            span(job["lateness"]),
            span(job["duration"]),
        )
        for job in page["items"]
    ]
    columns = ("id", "task", "state", "queued", "late", "took")
    out.print(table(columns, rows, cut=columns[1:]))
    for job in page["items"]:
        if job["error"] is not None:
            why = f"{short(job['task'])} {job['state']}: {clip(job['error']['message'])}"
            out.print(f"\n{job['id']}\n  {why}", style="red", markup=False)
    if page["next_cursor"] is not None:
        out.print("There are more; see --limit", style="dim")


def _show_job(job: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    out = console()
    shown = ("task", "queue", "actor", "schedule", "kwargs", "attempts", "retries", "redeliveries", "worker")
    out.print(table(("job", job["id"]), [("state", state(job["state"]))]))
    out.print(table(("", ""), [(name, job[name]) for name in shown]))
    steps = [(step["at"], step["kind"], step["worker"], step["details"]) for step in job["timeline"]]
    out.print("", table(("at", "step", "worker", ""), steps))
    if job["result"] is not None:
        out.print("\nresult")
        for line in lines(job["result"]):
            out.print(line, markup=False)
    if job["error"] is not None:
        out.print(f"\n{job['error']['code']}: {job['error']['message']}", style="red", markup=False)


def _show_summary(summary: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    now = SystemClock().wall()
    rows = [
        (
            short(one["task"]),
            one["counts"],
            span(one["duration_p50"]),
            span(one["duration_p95"]),
            span(one["lateness_p95"]),
            ago(one["last_success_at"], now),
            ago(one["last_failure_at"], now),
        )
        for one in summary["tasks"]
    ]
    columns = ("task", "jobs", "p50", "p95", "late p95", "success", "failure")
    console().print(table(columns, rows))
