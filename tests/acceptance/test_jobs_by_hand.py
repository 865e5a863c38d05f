"""Workers and beat as people start them."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.jobs.lifecycle import ALONE
from backend.jobs.views import JobState
from tests.fakes.jobs_desk import ROOT, JobsDesk

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(110)]


@pytest.mark.parametrize(
    "command", [["worker", "--loglevel=info", "--pool=solo"], ["beat", "--loglevel=info"]]
)
def test_with_the_broker_in_memory_one_sentence_says_why_it_ends(tmp_path: Path, command: list[str]) -> None:
    desk = JobsDesk(tmp_path, "memory")
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "backend.celery_app", *command],
        cwd=ROOT,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    said = [line for line in ended.stderr.splitlines() if line.strip()]
    assert "Traceback" not in ended.stderr
    assert said[-1] == ALONE
    assert ALONE.count(". ") == 0, "one sentence"


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_other_pools_work_and_without_q_every_queue_is_consumed(tmp_path: Path, pool: str) -> None:
    with JobsDesk(tmp_path, "redis") as desk:
        desk.start_worker(pool=pool)
        marks = str(tmp_path / "marks")
        made = [
            desk.submit("echo", text="x"),
            desk.submit("note", path=marks),
            desk.submit("slow", path=marks, milliseconds=50),
        ]
        assert {desk.wait(job_id).state for job_id in made} == {JobState.SUCCEEDED}
        assert {desk.wait(job_id).queue for job_id in made} == {
            "maintenance",
            "data_collection",
            "ai_evaluation",
        }


def test_tasks_sent_with_celery_alone_have_their_row(tmp_path: Path) -> None:
    with JobsDesk(tmp_path, "redis") as desk:
        from backend.jobs.app import build_app
        from backend.jobs.broker import resolve

        app = build_app(resolve(desk.settings))
        desk.start_worker()
        sent = app.send_task("tests.fakes.probe_tasks.echo", kwargs={"text": "bare"}, queue="maintenance")
        assert sent.get(timeout=20) == {"text": "bare"}
        job = desk.runtime.jobs.get(sent.id)
        assert (job.actor, job.state, job.result) == ("celery", JobState.SUCCEEDED, {"text": "bare"})
        refused = app.send_task("tests.fakes.probe_tasks.invalid", queue="maintenance")
        desk.until(lambda: refused.state == "FAILURE")
        app.close()
