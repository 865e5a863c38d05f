"""`mt5ui` as a person and a script meet it, over HTTP to a desk whose services live in memory."""

import io
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from backend.app import create_app
from backend.cli.output import table
from backend.jobs.views import JobError, JobState
from tests.fakes.command_line import Run, command_line
from tests.fakes.http_app import served
from tests.fakes.services import NOW, FakeDesk, fake_desk

LONG = "no feed answered (8 tried): " + "the name www.example.test cannot be resolved; " * 40
JOB = "01a21560-3e6d-7e7a-92d4-2118c0869de0"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> FakeDesk:
    return fake_desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def address(desk: FakeDesk) -> Iterator[str]:
    with served(create_app(desk, host="127.0.0.1")) as url:
        yield url


@pytest.fixture
def run(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Run:
    """Runs the command on a terminal of 80 columns that is none: a pipe."""
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path))
    monkeypatch.setenv("MT5UI_PORT", address.rsplit(":", 1)[1])

    return command_line(monkeypatch, capfd)


@pytest.fixture
def failed(desk: FakeDesk) -> Iterator[str]:
    """A job with an id as they are, that failed with much to say."""
    made = desk.jobs.submit("backend.tasks.data_tasks.collect_rss_news", actor="beat")
    error = JobError(category="unavailable", code="all_feeds_failed", message=LONG, details={})
    desk.jobs.set(made, id=JOB, state=JobState.FAILED, finished_at=NOW, error=error)
    desk.jobs.rows[JOB] = desk.jobs.rows.pop(made)
    yield JOB
    del desk.jobs.rows[JOB]


def test_a_list_has_whole_ids_and_a_long_reason_takes_one_line(run: Run, failed: str) -> None:
    said = run("tasks", "list")
    assert said.code == 0, said.err
    assert failed in said.out, "an id that is cut cannot be looked up"
    assert "collect_rss_news" in said.out
    assert [line for line in said.out.splitlines() if "no feed answered" in line]
    assert len(said.out.splitlines()) < 12


def test_the_whole_reason_is_in_the_jobs_history(run: Run, failed: str) -> None:
    assert LONG.rsplit(maxsplit=1)[-1] in run("tasks", "history", failed).out
    told = json.loads(run("tasks", "history", failed, "--json").out)
    assert told["error"]["message"] == LONG


def test_an_unknown_task_is_named_with_those_there_are(run: Run) -> None:
    for words in (("tasks", "history", "nope"), ("tasks", "run", "nope")):
        said = run(*words)
        assert (said.code, said.out) == (1, "")
        assert "no task or schedule 'nope'" in said.err
        assert "evaluate_all_strategies" in said.err
        assert "collect-market-data" in said.err


def test_a_task_that_never_ran_says_so_instead_of_showing_an_empty_table(run: Run) -> None:
    said = run("tasks", "history", "cleanup_cache")
    assert (said.code, said.out.strip()) == (0, "There are no such jobs.")


def test_usage_names_the_command_that_people_type(run: Run) -> None:
    assert "Usage: mt5ui " in run("--help").out
    wrong = run("nope")
    assert wrong.code == 2
    assert "python -m" not in wrong.err
    assert "mt5ui --help" in wrong.err


def test_evaluate_shows_what_each_strategy_made_of_its_bar(
    run: Run, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "id": "d-1",
        "strategy_id": "EURUSD_H1",
        "symbol": "EURUSD",
        "bar_close": "2026-01-05T09:00:00Z",
        "signal": None,
        "action": "blocked",
        "confidence": 46.4,
        "reasons": ["confidence 46.4 is below 60", "no long signal: entry ema_fast_gt_slow"],
    }
    submit = desk.jobs.submit

    def done_at_once(*args: Any, **kwargs: Any) -> str:
        job = submit(*args, **kwargs)
        desk.jobs.set(
            job,
            state=JobState.SUCCEEDED,
            started_at=NOW,
            finished_at=NOW + timedelta(seconds=1),
            result={"decisions": 1, "evaluations": [row]},
        )
        return job

    monkeypatch.setattr(desk.jobs, "submit", done_at_once)
    said = run("evaluate", "EURUSD")
    assert said.code == 0, said.err
    line = next(line for line in said.out.splitlines() if "EURUSD_H1" in line)
    for part in ("blocked", "46.40", "confidence 46.4 is below 60", "ema_fast_gt_slow"):
        assert part in line
    assert "strategy_id=" not in said.out
    told = json.loads(run("evaluate", "EURUSD", "--json").out)
    assert told["result"]["evaluations"] == [row]


def test_upkeep_may_be_asked_what_it_would_do(run: Run, desk: FakeDesk) -> None:
    told = json.loads(run("tasks", "run", "cleanup_cache", "days_to_keep=3", "dry_run=true", "--json").out)
    assert desk.jobs.get(told["task_id"]).kwargs == {"days_to_keep": 3, "dry_run": True}
    said = run("tasks", "run", "cleanup_cache", "dry_run=yes")
    assert (said.code, said.out) == (1, "")
    assert "dry_run" in said.err


def test_evaluate_need_not_wait(run: Run) -> None:
    said = run("evaluate", "EURUSD", "--no-wait")
    assert said.code == 0
    assert "is queued" in said.out


@pytest.mark.parametrize(
    "words", [("evaluate", "NOSUCH"), ("tasks", "run", "cleanup_cache", "days_to_keep=-1")]
)
def test_a_refusal_is_one_sentence_and_exit_code_1(run: Run, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    as_json = run(*words, "--json")
    assert as_json.code == 1
    assert json.loads(as_json.out)["error"]["message"] == said.err.strip()


@pytest.mark.parametrize(
    "words",
    [("status",), ("tasks", "list"), ("tasks", "history"), ("tasks", "run", "cleanup_cache"), ("doctor",)],
)
def test_with_json_there_is_one_document_and_nothing_else(run: Run, words: tuple[str, ...]) -> None:
    said = run(*words, "--json")
    assert isinstance(json.loads(said.out), dict)
    assert said.err == ""


def test_status_says_whose_desk_it_is(run: Run, desk: FakeDesk) -> None:
    assert f"Folder {desk.settings.home}" in run("status").out


def test_the_doctor_says_why_there_is_no_news(run: Run, failed: str) -> None:
    line = next(line for line in run("doctor").out.splitlines() if line.split()[1:2] == ["news"])
    assert "never fetched; the last try failed: no feed answered" in line


def test_the_doctor_names_the_port_on_which_the_desk_was_started(
    run: Run, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MT5UI_PORT", "5999")
    left = tmp_path / "data" / "run" / "desk.json"
    left.parent.mkdir(parents=True)
    left.write_text(json.dumps({"api": address}), encoding="utf-8")
    said = run("doctor").out
    line = next(line for line in said.splitlines() if line.split()[1:2] == ["port"])
    assert f"{address.removeprefix('http://')} belongs to the running desk" in line
    assert ":5999 " not in said
    assert "could not be looked at" not in said


def test_no_desk_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MT5UI_PORT", str(probe.getsockname()[1]))
    said = run("status")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("No desk answers at http://127.0.0.1:")
    assert len(said.err.splitlines()) == 1


def test_the_speed_of_nothing_is_refused(run: Run) -> None:
    said = run("up", "--speed", "10")
    assert said.code == 1
    assert "--replay" in said.err


def test_on_a_narrow_window_a_table_loses_no_word_of_a_reason() -> None:
    reason = "unknown function emma: did you mean 'ema'?"
    path = "/a/folder/" + "deep/" * 20 + "x.json"
    made = table(("file", "place", "what is wrong"), [(path, "/entry/0", reason)])
    out = Console(width=80, file=io.StringIO())
    with out.capture() as captured:
        out.print(made)
    assert "…" not in captured.get()
    for word in reason.split():
        assert word in captured.get()
