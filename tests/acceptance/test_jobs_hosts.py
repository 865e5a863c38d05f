"""Workers on two hosts: they share the folder, the broker and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.jobs.views import JobState
from tests.fakes.jobs_desk import ROOT, JobsDesk

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(110)]

SECOND_HOST = """
import sys
from tests.fakes import probe_tasks
from backend.jobs.app import desk_jobs
jobs = desk_jobs()
jobs.queues()
print("ready", flush=True)
sys.stdin.readline()
for key in sys.argv[1:]:
    print(jobs.submit("echo", {}, actor="test", key=key))
"""


def test_no_job_runs_twice_where_file_locks_lock_nothing(tmp_path: Path) -> None:
    with JobsDesk(tmp_path, "redis") as desk:
        desk.start_worker(name="w1")
        desk.environment["PROBE_HOST"] = "second"
        desk.start_worker(name="w2")
        marks = [tmp_path / f"marks{number}" for number in range(24)]
        lengths = [3000] * 4 + [250] * 20  # the first four hold one host's threads, the others are free
        ids = [
            desk.submit("slow", path=str(path), milliseconds=length)
            for path, length in zip(marks, lengths, strict=True)
        ]
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


def test_of_a_key_used_on_two_hosts_at_once_there_is_one_job(tmp_path: Path) -> None:
    with JobsDesk(tmp_path, "redis") as desk:
        keys = [f"order-{number}" for number in range(16)]
        with subprocess.Popen(
            [sys.executable, "-c", SECOND_HOST, *keys],
            cwd=ROOT,
            env=desk.environment | {"PROBE_HOST": "second"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as second:
            assert second.stdout is not None
            assert second.stdin is not None
            jobs = desk.runtime.jobs  # this process is the first host
            assert second.stdout.readline() == "ready\n"
            second.stdin.write("go\n")
            second.stdin.flush()
            here = [jobs.submit("echo", {}, actor="test", key=key) for key in keys]
            there = second.communicate(timeout=40)[0].split()
        assert there == here
        assert len({entry.id for entry in desk.runtime.ledger.entries()}) == len(keys)
