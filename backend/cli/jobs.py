"""Waiting for a job, and telling how it went."""

import time
from contextlib import nullcontext
from typing import Any, Final

import typer

from backend.cli.desk_client import DeskClient
from backend.cli.output import clip, console, lines, print_json, span, table
from backend.core.errors import Unavailable

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
MOST_REASON: Final = 600


def queued(answer: dict[str, Any], *, as_json: bool) -> None:
    """Tell that a job was queued, without waiting for it."""
    if as_json:
        print_json(answer)
        return
    out = console()
    out.print(str(answer.get("message", "It is queued")), markup=False)
    out.print(f"mt5ui tasks history {answer['task_id']}", style="dim")


def finish(desk: DeskClient, task_id: str, *, timeout: float, as_json: bool) -> None:
    """Wait for a job and tell how it ended; exit code 1 if it did not succeed.

    Raises:
        Unavailable: ``not_ended``: it has not ended in time, and goes on.
    """
    out = console(stderr=True)
    waiting = out.status(f"Waiting for {task_id}") if out.is_terminal and not as_json else nullcontext()
    with waiting:
        job = _ended(desk, task_id, timeout)
    good = job["state"] == "succeeded"
    if as_json:
        print_json(job)
    elif good:
        console().print(f"Done in {span(job['duration'])}", style="green")
        result = dict(job["result"] or {})
        evaluations = result.pop("evaluations", None)
        for line in lines(result):
            console().print(line, markup=False)
        if evaluations:
            show_evaluations(evaluations)
    else:
        reason = clip((job["error"] or {}).get("message", ""), MOST_REASON)
        typer.echo(f"It {job['state']}: {reason}" if reason else f"It {job['state']}", err=True)
    raise typer.Exit(0 if good else 1)


def show_evaluations(rows: list[dict[str, Any]]) -> None:
    """Decisions for a person: what each strategy made of its bar, and why."""
    columns = ("strategy", "bar closed", "signal", "action", "score", "why")
    cells = [
        (
            row["strategy_id"],
            row["bar_close"],
            row["signal"],
            row["action"],
            row["confidence"],
            "; ".join(row["reasons"]),
        )
        for row in rows
    ]
    console().print("", table(columns, cells))


def _ended(desk: DeskClient, task_id: str, timeout: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        job: dict[str, Any] = desk.get(f"/api/tasks/{task_id}")
        if job["finished_at"] is not None:
            return job
        if time.monotonic() + pause > deadline:
            raise Unavailable(
                "not_ended",
                f"After {timeout:.0f} s it is {job['state']} and goes on: mt5ui tasks history {task_id}",
                task_id=task_id,
                state=job["state"],
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
