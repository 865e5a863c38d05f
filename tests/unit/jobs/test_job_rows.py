"""How rows add up to a job, in whatever order they are read."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.jobs.index import Entry, Index
from backend.jobs.rows import Kind, deaths, new_id, planned_id, view, written
from backend.jobs.views import JobState, Progress

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def row(kind: str, second: float, **fields: Any) -> dict[str, Any]:
    at = written(BEGAN + timedelta(seconds=second))
    base: dict[str, Any] = {"kind": kind, "job": "j1", "at": at, "desk": at, "run": 0}
    if kind == Kind.QUEUED:
        base |= {"task": "a.b", "queue": "maintenance", "kwargs": {"days": 3}, "actor": "me"}
    return base | fields


QUEUED = row("QUEUED", 0)
SENT = row("SENT", 1)
FIRST = row("STARTED", 2, run=1, worker="w1", lateness=2.0)
TRIED = row("RETRY", 3, run=1, due_at=written(BEGAN + timedelta(seconds=8)), error={"message": "down"})
SECOND = row("STARTED", 9, run=2, worker="w2")
DONE = row("SUCCEEDED", 11, run=2, worker="w2", result={"n": 1})


def test_the_whole_story() -> None:
    job = view([QUEUED, SENT, FIRST, TRIED, SECOND, DONE], timeline=True)
    assert (job.state, job.result, job.error) == (JobState.SUCCEEDED, {"n": 1}, None)
    assert (job.attempts, job.retries, job.redeliveries) == (2, 1, 0)
    assert (job.lateness, job.duration, job.worker) == (2.0, 2.0, "w2")
    assert job.queued_at == BEGAN
    assert job.finished_at == BEGAN + timedelta(seconds=11)
    assert [step.kind for step in job.timeline] == [
        "queued",
        "sent",
        "started",
        "retry",
        "started",
        "succeeded",
    ]


@pytest.mark.parametrize("rows", list(itertools.permutations([QUEUED, FIRST, TRIED, SECOND, DONE])))
def test_order_of_reading_does_not_matter(rows: tuple[dict[str, Any], ...]) -> None:
    assert view(rows, timeline=False) == view([QUEUED, FIRST, TRIED, SECOND, DONE], timeline=False)
    entry = Entry("j1")
    for each in rows:
        entry.add(each)
    assert (entry.state, entry.run, entry.known, entry.worker) == (JobState.SUCCEEDED, 2, True, "w2")


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([QUEUED], JobState.QUEUED),
        ([QUEUED, SENT], JobState.SENT),
        ([QUEUED, SENT, FIRST], JobState.STARTED),
        ([QUEUED, FIRST, TRIED], JobState.RETRYING),
        ([QUEUED, FIRST, row("RELEASED", 3, run=1)], JobState.SENT),
        ([QUEUED, row("REFUSED", 1)], JobState.REFUSED),
        ([QUEUED, row("REFUSED", 1), SENT], JobState.REFUSED),
        ([QUEUED, FIRST, row("CANCEL_REQUESTED", 3)], JobState.STARTED),
        ([QUEUED, FIRST, row("DEAD", 3, run=1)], JobState.DEAD),
    ],
)
def test_where_a_job_stands(rows: list[dict[str, Any]], state: JobState) -> None:
    assert view(rows, timeline=False).state is state


def test_the_outcome_of_a_run_that_was_taken_over_does_not_count() -> None:
    stale = row("SUCCEEDED", 12, run=1, result={"n": "stale"})
    job = view([QUEUED, FIRST, SECOND, stale], timeline=False)
    assert (job.state, job.redeliveries) == (JobState.STARTED, 0)
    assert (
        view([QUEUED, FIRST, SECOND, stale, row("FAILED", 13, run=2)], timeline=False).state
        is JobState.FAILED
    )


def test_of_two_ends_of_one_run_the_first_stands() -> None:
    late = row("FAILED", 12, run=2)
    for rows in ([QUEUED, SECOND, DONE, late], [QUEUED, SECOND, late, DONE]):
        assert view(rows, timeline=False).state is JobState.SUCCEEDED


def test_deaths_are_runs_that_never_told_their_end() -> None:
    third = row("STARTED", 20, run=3)
    assert deaths([QUEUED, FIRST]) == 1
    assert deaths([QUEUED, FIRST, TRIED]) == 0
    assert deaths([QUEUED, FIRST, SECOND, third]) == 3
    assert deaths([QUEUED, FIRST, row("RELEASED", 3, run=1), SECOND, third]) == 2
    assert view([QUEUED, FIRST, SECOND, third], timeline=False).redeliveries == 2


def test_the_askers_row_says_more_than_the_adopters() -> None:
    adopted = row("QUEUED", -1, actor="celery", adopted=True)
    for rows in ([QUEUED, adopted], [adopted, QUEUED]):
        assert view(rows, timeline=False).actor == "me"
        entry = Entry("j1")
        for each in rows:
            entry.add(each)
        assert entry.actor == "me"


def test_ids_sort_by_time_and_a_tick_has_one() -> None:
    ids = [new_id(BEGAN + timedelta(milliseconds=number)) for number in range(50)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 50
    tick = planned_id("collect", BEGAN, "wall0")
    assert tick == planned_id("collect", BEGAN, "wall0")
    others = [
        planned_id("collect", BEGAN, "wall1"),
        planned_id("collected", BEGAN, "wall0"),
        planned_id("collect", BEGAN + timedelta(minutes=1), "wall0"),
    ]
    assert tick not in others


def test_written_times_sort_as_texts() -> None:
    moments = [BEGAN, BEGAN + timedelta(microseconds=1), BEGAN + timedelta(milliseconds=500)]
    texts = [written(moment) for moment in moments]
    assert texts == sorted(texts)


def test_the_index_forgets_ended_jobs_only() -> None:
    index = Index(limit=10)
    for number in range(40):
        job = {"job": f"j{number}"}
        index.add(QUEUED | job)
        if number % 2:
            index.add(DONE | job)
    index.trim()
    left = {entry.id for entry in index}
    assert len(left) == 20
    assert left >= {f"j{number}" for number in range(0, 40, 2)}, "what is live is never forgotten"
    assert index.forgot


def test_rows_of_another_version_are_passed_over() -> None:
    index = Index(limit=10)
    index.add({"kind": "NEWS", "job": "j1"})
    index.add({"kind": "QUEUED"})
    assert list(index) == []


def test_progress_is_the_newest_word_of_the_run_that_goes_on() -> None:
    old = row("PROGRESS", 2.5, run=1, done=90, total=100)
    words = [row("PROGRESS", 9 + part, run=2, done=int(10 * part), total=100) for part in (0.1, 0.5, 0.3)]
    rows = [QUEUED, SENT, FIRST, old, TRIED, SECOND]
    assert view(rows, timeline=False).progress is None
    job = view([*rows, *words], timeline=True)
    assert job.progress == Progress(done=5, total=100)
    assert job.as_dict()["progress"] == {"done": 5, "total": 100}
    assert "progress" not in [step.kind for step in job.timeline]
    assert view([*rows, *words, DONE], timeline=False).progress is None
