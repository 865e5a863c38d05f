"""Workers on two hosts: they share the folder, the broker and nothing else."""

from pathlib import Path

import pytest

from backend.jobs.views import JobState
from tests.fakes.jobs_desk import JobsDesk

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(110)]


def test_no_job_runs_twice_where_file_locks_lock_nothing(tmp_path: Path) -> None:
    with JobsDesk(tmp_path, "redis") as desk:
        desk.start_worker(name="w1")
        desk.environment["PROBE_HOST"] = "second"
        desk.start_worker(name="w2")
        marks = [tmp_path / f"marks{number}" for number in range(24)]
        ids = [desk.submit("slow", path=str(path), milliseconds=250) for path in marks]
        for job_id in ids:  # three messages of each, as after a broker that handed out again
            entry = desk.runtime.ledger.get(job_id)
            assert desk.runtime.jobs.publish_again(entry, "test")
            assert desk.runtime.jobs.publish_again(entry, "test")
        jobs = [desk.wait(job_id, 40) for job_id in ids]
        desk.until(lambda: desk.runtime.publisher.known(["ai_evaluation"]) == frozenset())
        assert {job.state for job in jobs} == {JobState.SUCCEEDED}
        assert {str(job.worker).partition("@")[0] for job in jobs} == {"w1", "w2"}, "both hosts worked"
        for path, job_id in zip(marks, ids, strict=True):
            assert [line.split()[0] for line in path.read_text().splitlines()] == ["begin", "end"], job_id
        assert any(
            step.kind == "duplicate" for job_id in ids for step in desk.runtime.jobs.get(job_id).timeline
        ), "and both were handed the same job at once"
        fences = [
            step.details["fence"]
            for job_id in ids
            for step in desk.runtime.jobs.get(job_id).timeline
            if step.kind == "started"
        ]
        assert len(set(fences)) == len(fences)
        assert not list((tmp_path / "data/task_runs").glob("leases/*.lease")), "no file decided it"
