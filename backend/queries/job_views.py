"""The view over the job ledger: a row each job, put together by the ledger's own ranks and states."""

from typing import Final

from backend.jobs.ledger import FOLDER as LEDGER
from backend.jobs.rows import RANK, STATE, Kind
from backend.queries.model import JSON, REAL, TEXT, TIME, WHOLE, Column, View
from backend.queries.model import literal as text

_END: Final = RANK[Kind.SUCCEEDED]
_RANKS: Final = (
    f"(CASE f.kind {' '.join(f'WHEN {text(kind)} THEN {rank}' for kind, rank in RANK.items())} END)"
)
_STATES: Final = " ".join(f"WHEN {text(kind)} THEN {text(state)}" for kind, state in STATE.items())
# The row of the highest run, in it the furthest kind, decides: of ends the first one, else the latest.
_AT: Final = "epoch_us(TRY_CAST(f.at AS TIMESTAMPTZ))"
_PLACE: Final = f"row(TRY_CAST(f.run AS INT), {_RANKS}, if({_RANKS} = {_END}, -{_AT}, {_AT}))"
_RANKED: Final = f"FILTER ({_RANKS} IS NOT NULL)"
_QUEUED: Final = f"FILTER (f.kind IN ({text(Kind.QUEUED)}, {text(Kind.MISSED)}))"
_OWN: Final = "row(coalesce(f.adopted, '') = '', f.kind = 'QUEUED', -" + _AT + ")"


def _first(name: str, meaning: str, kind: str = TEXT) -> Column:
    return Column(name=name, type=kind, meaning=meaning, sql=f"arg_max_null(f.{name}, {_OWN}) {_QUEUED}")


_FINISHED: Final = (
    f"if(arg_max({_RANKS}, {_PLACE}) {_RANKED} = {_END}, arg_max(f.at, {_PLACE}) {_RANKED}, NULL)"
)
_STARTED: Final = f"arg_max(f.at, TRY_CAST(f.run AS INT)) FILTER (f.kind = {text(Kind.STARTED)})"

TASK_RUNS_VIEW: Final = View(
    name="task_runs",
    meaning="Jobs: what ran when, how long, and how it ended; the ledger keeps 90 days",
    files=(f"data/{LEDGER}/*.jsonl",),
    where="f.job IS NOT NULL",
    group=f"f.job HAVING count(*) {_QUEUED} > 0",
    reads={
        **dict.fromkeys(("job", "kind", "at", "run", "adopted", "worker"), TEXT),
        **dict.fromkeys(("task", "queue", "actor", "schedule", "planned_at"), TEXT),
        "kwargs": JSON,
        "error.code": TEXT,
        "error.message": TEXT,
        "result": JSON,
    },
    columns=(
        Column(name="id", type=TEXT, sql="f.job", meaning="Of the job"),
        _first("task", "Full name"),
        _first("queue", "Where it ran"),
        Column(
            name="state",
            type=TEXT,
            sql=f"arg_max(CASE f.kind {_STATES} END, {_PLACE}) {_RANKED}",
            meaning="succeeded, failed, started …",
        ),
        _first("actor", "Who asked for it"),
        _first("schedule", "Name of its schedule; null where it was asked for"),
        _first("planned_at", "When the schedule wanted it", TIME),
        Column(name="queued_at", type=TIME, sql=f"arg_max(f.at, {_OWN}) {_QUEUED}", meaning="Wall time"),
        Column(name="started_at", type=TIME, sql=_STARTED, meaning="Its last run; wall time"),
        Column(name="finished_at", type=TIME, sql=_FINISHED, meaning="Wall time"),
        Column(
            name="seconds",
            type=REAL,
            unit="seconds",
            sql=f"(epoch_us({_FINISHED}::TIMESTAMPTZ) - epoch_us({_STARTED}::TIMESTAMPTZ)) / 1e6",
            meaning="From the start of its last run to its end",
        ),
        Column(
            name="runs",
            type=WHOLE,
            sql=f"count(*) FILTER (f.kind = {text(Kind.STARTED)})",
            meaning="How often it began",
        ),
        Column(
            name="worker",
            type=TEXT,
            sql=f"arg_max(f.worker, TRY_CAST(f.run AS INT)) FILTER (f.kind = {text(Kind.STARTED)})",
            meaning="Where",
        ),
        Column(
            name="error_code",
            type=TEXT,
            sql=f"arg_max_null(f.error.code, {_PLACE}) {_RANKED}",
            meaning="Why it failed",
        ),
        Column(
            name="error",
            type=TEXT,
            sql=f"arg_max_null(f.error.message, {_PLACE}) {_RANKED}",
            meaning="In words",
        ),
        _first("kwargs", "What it was given", JSON),
        Column(
            name="result",
            type=JSON,
            sql=f"arg_max_null(f.result, {_PLACE}) {_RANKED}",
            meaning="What it gave",
        ),
    ),
)
