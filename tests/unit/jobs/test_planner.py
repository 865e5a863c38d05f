"""From ticks to jobs: outages, restarts, clocks that are set, several planners."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.planner import Due, Planner, due
from backend.jobs.runtime import Runtime
from backend.jobs.schedules import DEFAULTS, Schedule
from backend.jobs.ticks import Cron, Every
from backend.jobs.views import JobState
from tests.fakes.jobs import NOON, FakePublisher, SetClock, make_runtime, run

QUARTERS = Schedule(name="q", task="desk.tasks.plain", when=Cron({"minute": "*/15"}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-02 {text}").replace(tzinfo=UTC)


def planner_of(runtime: Runtime) -> Planner:
    return Planner(runtime.book, runtime.jobs, runtime.ledger)


def desk(home: Path, set_clock: SetClock, publisher: FakePublisher, /, **entry: Any) -> Runtime:
    entries: dict[str, Any] = {schedule.name: {"enabled": False} for schedule in DEFAULTS}
    entries["q"] = {"task": "desk.tasks.plain", "crontab": {"minute": "*/15"}, "overlap": "queue"} | entry
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config/schedules.json").write_text(json.dumps(entries))
    return make_runtime(home, set_clock, publisher)


def planned(runtime: Runtime) -> list[str]:
    jobs = runtime.jobs.list(schedule="q", limit=500).items
    return sorted(
        f"{job.planned_at:%H:%M}" for job in jobs if job.state is not JobState.MISSED and job.planned_at
    )


@pytest.mark.parametrize(
    ("last", "now", "changes", "starting", "expected"),
    [
        # In the usual course of things each tick is run once.
        ("12:00", "12:14:59", {}, False, Due(run=None, last=at("12:00"))),
        ("12:00", "12:15:00", {}, False, Due(run=at("12:15"), last=at("12:15"))),
        # After an outage the newest is run, the ones before it are missed.
        (
            "12:00",
            "13:05",
            {},
            False,
            Due(
                run=at("13:00"), missed=3, first_missed=at("12:15"), last_missed=at("12:45"), last=at("13:00")
            ),
        ),
        # Too late for that: all are missed.
        (
            "12:00",
            "13:05",
            {"catch_up": 60},
            False,
            Due(run=None, missed=4, first_missed=at("12:15"), last_missed=at("13:00"), last=at("13:00")),
        ),
        # A new desk waits for its first tick, unless the schedule runs at start.
        (None, "12:07", {}, True, Due(run=None, last=at("12:07"))),
        (None, "12:07", {"at_start": True}, False, Due(run=None, last=at("12:07"))),
        (None, "12:07", {"at_start": True}, True, Due(run=at("12:07"), last=at("12:07"))),
        # A quick restart does not run again what ran within half the interval.
        ("12:00", "12:07:29", {"at_start": True}, True, Due(run=None, last=at("12:00"))),
        ("12:00", "12:07:30", {"at_start": True}, True, Due(run=at("12:07:30"), last=at("12:07:30"))),
    ],
)
def test_what_is_due(
    last: str | None, now: str, changes: dict[str, Any], starting: bool, expected: Due
) -> None:
    from dataclasses import replace

    schedule = replace(QUARTERS, **changes)
    assert due(schedule, at(last) if last else None, at(now), starting=starting) == expected


def test_each_tick_becomes_one_job(tmp_path: Path, clock: SetClock, publisher: FakePublisher) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner = planner_of(runtime)
    for _ in range(3600):
        assert 0 <= planner.run() <= 1.0
        clock.forward(seconds=1)
    assert planned(runtime) == ["12:15", "12:30", "12:45"], (
        "the desk is new at 12:00, and the hour is not over"
    )
    clock.forward(seconds=1)
    planner.run()
    assert planned(runtime)[-1] == "13:00"
    job = runtime.jobs.list(schedule="q", limit=1).items[0]
    assert (job.actor, job.expires_at) == ("schedule", clock.wall() + timedelta(minutes=15))
    runtime.ledger.close()


def test_several_planners_share_a_folder(tmp_path: Path, clock: SetClock, publisher: FakePublisher) -> None:
    runtimes = [desk(tmp_path, clock, publisher) for _ in range(3)]
    planners = [planner_of(runtime) for runtime in runtimes]
    for _ in range(5):
        for planner in planners:
            planner.run()
        clock.forward(minutes=15)
    assert planned(runtimes[0]) == ["12:15", "12:30", "12:45", "13:00"]
    assert len(publisher.published) == 4
    for runtime in runtimes:
        runtime.ledger.close()


def test_planners_at_the_same_instant_make_one_job(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    import threading

    runtimes = [desk(tmp_path, clock, publisher) for _ in range(4)]
    for runtime in runtimes:
        planner_of(runtime).run()
    clock.forward(minutes=15)
    threads = [threading.Thread(target=planner_of(runtime).run) for runtime in runtimes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(publisher.published) == 1
    for runtime in runtimes:
        runtime.ledger.close()


def test_a_planner_killed_before_it_remembered_does_not_plan_again(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner_of(runtime).run()
    clock.forward(minutes=15)
    state = tmp_path / "data/task_runs/schedules.json"
    before = state.read_bytes()
    planner_of(runtime).run()
    state.write_bytes(before)
    planner_of(runtime).run()
    assert planned(runtime) == ["12:15"]
    runtime.ledger.close()


def test_an_outage_is_recorded_once_and_caught_up_once(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner_of(runtime).run()
    clock.forward(hours=3)
    planner_of(runtime).run(starting=True)
    planner_of(runtime).run()
    assert planned(runtime) == ["15:00"]
    (missed,) = [job for job in runtime.jobs.list(schedule="q").items if job.state is JobState.MISSED]
    details = runtime.jobs.get(missed.id).timeline[0].details
    assert (details["count"], details["reason"]) == (11, "outage")
    assert details["first"] == "2026-03-02T12:15:00.000000Z"
    (shown,) = [schedule for schedule in runtime.jobs.schedules() if schedule.name == "q"]
    assert (shown.missed, shown.next_planned_at) == (11, NOON + timedelta(hours=3, minutes=15))
    runtime.ledger.close()


def test_with_the_broker_away_a_tick_stays_queued(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner_of(runtime).run()
    publisher.down = True
    clock.forward(minutes=15)
    planner_of(runtime).run()
    (job,) = runtime.jobs.list(schedule="q").items
    assert job.state is JobState.QUEUED
    runtime.ledger.close()


def test_overlap(tmp_path: Path, clock: SetClock, publisher: FakePublisher) -> None:
    runtime = desk(tmp_path, clock, publisher, overlap="skip")
    planner = planner_of(runtime)
    planner.run()
    clock.forward(minutes=15)
    planner.run()

    def long() -> dict[str, Any]:
        clock.forward(minutes=15)
        planner.run()
        clock.forward(minutes=15)
        planner.run()
        return {}

    run(runtime, publisher.ids()[0], long, task="plain")
    clock.forward(minutes=15)
    planner.run()
    assert planned(runtime) == ["12:15", "13:00"]
    (shown,) = [schedule for schedule in runtime.jobs.schedules() if schedule.name == "q"]
    assert (shown.skipped, shown.missed) == (2, 0)
    runtime.ledger.close()


def test_a_job_that_nobody_began_blocks_its_schedule_for_one_interval(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher, overlap="skip")
    planner = planner_of(runtime)
    planner.run()
    clock.forward(minutes=15)
    planner.run()
    clock.forward(minutes=15, seconds=1)
    planner.run()
    assert planned(runtime) == ["12:15", "12:30"]
    runtime.ledger.close()


def test_a_clock_set_back_an_hour_runs_the_hour_again(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner = planner_of(runtime)
    planner.run()
    clock.forward(minutes=61)
    planner.run()
    clock.forward(hours=-1)
    for _ in range(61):
        planner.run()
        clock.forward(minutes=1)
    assert planned(runtime) == ["12:15", "12:30", "12:45", "13:00", "13:00"], (
        "time passed, and so does the work"
    )
    runtime.ledger.close()


def test_a_clock_set_forward_an_hour_catches_up_once(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner = planner_of(runtime)
    planner.run()
    clock.forward(minutes=1)
    planner.run()
    clock.forward(hours=1)
    planner.run()
    planner.run()
    assert planned(runtime) == ["13:00"]
    runtime.ledger.close()


def test_a_small_correction_of_the_clock_repeats_nothing(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner = planner_of(runtime)
    planner.run()
    clock.forward(minutes=15)
    planner.run()
    clock.forward(seconds=-5)
    planner.run()
    clock.forward(seconds=6)
    planner.run()
    assert planned(runtime) == ["12:15"]
    runtime.ledger.close()


def test_pause_and_resume_survive_restarts_and_catch_nothing_up(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner_of(runtime).run()
    view = runtime.jobs.pause_schedule("q", actor="me")
    assert (view.paused, view.paused_by, view.next_planned_at) == (True, "me", None)
    runtime.ledger.close()
    runtime = desk(tmp_path, clock, publisher)
    clock.forward(hours=1)
    planner_of(runtime).run()
    assert planned(runtime) == []
    runtime.jobs.resume_schedule("q", actor="me")
    planner_of(runtime).run()
    assert planned(runtime) == []
    clock.forward(minutes=15)
    planner_of(runtime).run()
    assert planned(runtime) == ["13:15"]
    triggered = runtime.jobs.trigger_schedule("q", actor="me")
    assert runtime.jobs.get(triggered).schedule == "q"
    runtime.ledger.close()


def test_a_damaged_memory_is_set_aside_and_begins_anew(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner_of(runtime).run()
    (tmp_path / "data/task_runs/schedules.json").write_text('{"entries": {"q"')
    planner_of(runtime).run()
    clock.forward(minutes=15)
    planner_of(runtime).run()
    assert planned(runtime) == ["12:15"]
    assert list((tmp_path / "data/task_runs").glob("schedules.json.corrupt-*"))
    runtime.ledger.close()


def test_desk_time_schedules_follow_the_desk(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    clock.set_desk(datetime(2014, 5, 5, 8, 0, tzinfo=UTC))
    runtime = desk(tmp_path, clock, publisher, clock="desk")
    wall, market = (
        Planner(runtime.book, runtime.jobs, runtime.ledger, clock=which) for which in ("wall", "desk")
    )
    wall.run()
    market.run()
    clock.forward(minutes=15)
    wall.run()
    assert publisher.published == []
    market.run()
    (job,) = runtime.jobs.list(schedule="q").items
    assert job.planned_at == datetime(2014, 5, 5, 8, 15, tzinfo=UTC)
    assert job.queued_at == NOON + timedelta(minutes=15)
    run(runtime, job.id, dict, task="plain")
    assert runtime.jobs.get(job.id).lateness == 0.0
    runtime.ledger.close()


def test_idle_planning_writes_nothing(tmp_path: Path, clock: SetClock, publisher: FakePublisher) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner = planner_of(runtime)
    planner.run()
    state = tmp_path / "data/task_runs/schedules.json"
    before = state.stat().st_mtime_ns
    for _ in range(50):
        planner.run()
        clock.forward(seconds=1)
    assert state.stat().st_mtime_ns == before
    assert Every(60).seconds == 60
    runtime.ledger.close()


def rewritten(home: Path, **entry: Any) -> None:
    path = home / "config/schedules.json"
    entries = json.loads(path.read_text())
    entries["q"] = {"task": "desk.tasks.plain", "overlap": "queue"} | entry
    path.write_text(json.dumps(entries))


def test_an_edit_of_the_file_is_followed_at_once_and_begins_anew(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner = planner_of(runtime)
    planner.run()
    clock.forward(minutes=7)  # 12:07; by every five minutes 12:05 was never planned, and is not missed
    rewritten(tmp_path, crontab={"minute": "*/5"})
    for _ in range(181):
        planner.run()
        clock.forward(seconds=1)
    assert planned(runtime) == ["12:10"]
    (shown,) = [one for one in runtime.jobs.schedules() if one.name == "q"]
    assert (shown.missed, shown.schedule) == (0, 'crontab(minute="*/5")')
    rewritten(tmp_path, crontab={"minute": "*/5"}, enabled=False)
    planner.run()
    clock.forward(minutes=31)
    planner.run()
    rewritten(tmp_path, crontab={"minute": "*/5"})  # what passed while it was off is not caught up
    planner.run()
    (shown,) = [one for one in runtime.jobs.schedules() if one.name == "q"]
    assert (planned(runtime), shown.missed) == (["12:10"], 0)
    clock.forward(minutes=4)  # 12:45:01
    planner.run()
    assert planned(runtime) == ["12:10", "12:45"]
    runtime.ledger.close()


def test_a_file_that_breaks_while_the_desk_runs_leaves_what_was_planned(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher
) -> None:
    runtime = desk(tmp_path, clock, publisher)
    planner = planner_of(runtime)
    planner.run()
    (tmp_path / "config/schedules.json").write_text("{")
    clock.forward(minutes=15)
    planner.run()
    assert planned(runtime) == ["12:15"]
    (told,) = runtime.jobs.schedule_problems()
    assert told.code == "bad_schedules"
    rewritten_whole = {"q": {"task": "desk.tasks.plain", "every": 60}}
    (tmp_path / "config/schedules.json").write_text(json.dumps(rewritten_whole))
    assert runtime.jobs.schedule_problems() == ()
    runtime.ledger.close()
