"""Requests that are queued together: none waits for another's fault, none is lost, none blocks the loop."""

import asyncio
import threading
from collections.abc import Iterable

import pytest

from backend.core.errors import DeskError, Unavailable
from backend.jobs.service import JobRequest
from backend.routes import submitting
from backend.routes.submitting import Submitter
from tests.fakes.services import MemoryJobs


class GatedJobs(MemoryJobs):
    """Holds each batch back until the test lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.bug: Exception | None = None

    def submit_many(self, requests: Iterable[JobRequest]) -> list[str | DeskError]:
        given = list(requests)
        self.batches.append([request.task for request in given])
        self.begun.release()
        assert self.gate.acquire(timeout=10)
        if self.bug is not None:
            raise self.bug
        return [*super().submit_many(given)]


def wanted(task: str) -> JobRequest:
    return JobRequest(task=task, kwargs={}, actor="me")


async def begun(jobs: GatedJobs) -> None:
    assert await asyncio.to_thread(jobs.begun.acquire, timeout=10)


async def posted(submitter: Submitter, *tasks: str) -> list[asyncio.Task[str]]:
    made = [asyncio.create_task(submitter.submit(wanted(task))) for task in tasks]
    await asyncio.sleep(0)  # each has begun to wait
    return made


def test_what_arrives_meanwhile_is_queued_together_in_its_order() -> None:
    async def scenario() -> None:
        jobs = GatedJobs()
        submitter = Submitter(jobs)
        first = await posted(submitter, "a")
        await begun(jobs)
        rest = await posted(submitter, "b", "c", "d")
        jobs.gate.release(2)
        ids = await asyncio.gather(*first, *rest)
        assert jobs.batches == [["a"], ["b", "c", "d"]]
        assert [jobs.rows[job_id].task for job_id in ids] == ["a", "b", "c", "d"]

    asyncio.run(scenario())


def test_each_request_hears_of_its_own_failure() -> None:
    async def scenario() -> None:
        jobs = GatedJobs()
        jobs.broker_down = True
        jobs.gate.release()
        outcomes = await asyncio.gather(*await posted(Submitter(jobs), "a", "b"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        assert outcomes[0] is not outcomes[1]

    asyncio.run(scenario())


def test_after_a_bug_in_one_batch_the_next_is_queued() -> None:
    async def scenario() -> None:
        jobs = GatedJobs()
        jobs.bug = RuntimeError("a bug")
        submitter = Submitter(jobs)
        jobs.gate.release(2)
        with pytest.raises(RuntimeError, match="a bug"):
            await submitter.submit(wanted("a"))
        jobs.bug = None
        assert jobs.rows[await submitter.submit(wanted("b"))].task == "b"

    asyncio.run(scenario())


def test_the_job_of_a_client_that_went_away_is_queued_and_nobody_else_suffers() -> None:
    async def scenario() -> None:
        jobs = GatedJobs()
        submitter = Submitter(jobs)
        gone, stays = await posted(submitter, "a", "b")
        await begun(jobs)
        gone.cancel()
        jobs.gate.release()
        assert jobs.rows[await stays].task == "b"
        assert gone.cancelled()
        assert [row.task for row in jobs.rows.values()] == ["a", "b"]

    asyncio.run(scenario())


def test_when_too_many_wait_the_next_is_refused_and_those_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "MOST_WAITING", 2)

    async def scenario() -> None:
        jobs = GatedJobs()
        submitter = Submitter(jobs)
        first = await posted(submitter, "a")
        await begun(jobs)
        waiting = await posted(submitter, "b", "c")
        with pytest.raises(Unavailable) as refusal:
            await submitter.submit(wanted("d"))
        assert (refusal.value.code, refusal.value.details["limit"]) == ("too_many_requests", 2)
        jobs.gate.release(2)
        assert len(await asyncio.gather(*first, *waiting)) == 3
        assert "d" not in [row.task for row in jobs.rows.values()]

    asyncio.run(scenario())


def test_at_the_end_what_waits_is_queued_and_what_comes_later_is_refused() -> None:
    async def scenario() -> None:
        jobs = GatedJobs()
        submitter = Submitter(jobs)
        first = await posted(submitter, "a")
        await begun(jobs)
        waiting = await posted(submitter, "b")
        ending = asyncio.create_task(submitter.close())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refusal:
            await submitter.submit(wanted("c"))
        assert refusal.value.code == "desk_ending"
        jobs.gate.release(2)
        await ending
        assert [jobs.rows[await each].task for each in (*first, *waiting)] == ["a", "b"]

    asyncio.run(scenario())
