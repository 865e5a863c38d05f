"""What a worker says of itself, and when it calls itself deaf."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.utils.nodenames import worker_direct
from celery.worker import state as worker_state

from backend.core.errors import Unavailable
from backend.jobs import agent as module
from backend.jobs.agent import Agent, answer
from backend.jobs.leases import HOST
from backend.jobs.rows import Kind, written
from backend.jobs.runtime import Runtime
from backend.jobs.views import WorkerView
from backend.jobs.worker_files import worker_views
from tests.fakes.jobs import FakePublisher, SetClock

NAME = f"main@{HOST}"
OWN = worker_direct(NAME).name


class Request:
    """What Celery keeps of a job that it runs."""

    def __init__(self, job_id: str) -> None:
        self.id = job_id
        self.hostname = NAME
        self.name = "desk.tasks.plain"


@pytest.fixture
def agent(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Agent:
    return agent_of(runtime, monkeypatch, "maintenance", "research")


def agent_of(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, *consumed: str) -> Agent:
    monkeypatch.setattr(module, "_answers", {})
    queues = SimpleNamespace(consume_from=dict.fromkeys(consumed))
    app = SimpleNamespace(
        amqp=SimpleNamespace(queues=queues), conf=SimpleNamespace(broker_transport_options={})
    )
    controller = SimpleNamespace(hostname=NAME, app=app, pool=SimpleNamespace(limit=2), concurrency=2)
    made = Agent(runtime, controller, forgetful=False)
    made._heavy = 1 << 50  # the process of the tests may hold what it likes
    return made


def sing(agent: Agent, clock: SetClock, *, times: int, answered: tuple[str, ...] = ()) -> WorkerView:
    """Test messages every half minute, with answers from these queues; how the worker then stands."""
    for _ in range(times):
        agent._sing()
        clock.forward(seconds=1)
        for queue in answered:
            answer(NAME, queue, written(clock.wall()))
        clock.forward(seconds=29)
    agent.report()
    (view,) = worker_views(agent._runtime.storage, agent._runtime.clock)
    return view


def test_three_times_unanswered_is_deaf_and_an_answer_ends_it(agent: Agent, clock: SetClock) -> None:
    both = ("maintenance", "research")
    assert sing(agent, clock, times=5, answered=both).state == "alive"
    assert sing(agent, clock, times=3, answered=("research",)).state == "alive", "one is still waited for"
    assert sing(agent, clock, times=1, answered=("research",)).state == "deaf"
    assert sing(agent, clock, times=1, answered=both).state == "alive"


def test_one_that_is_busy_or_begins_jobs_is_not_deaf(
    agent: Agent, runtime: Runtime, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [runtime.jobs.submit("plain", actor="me") for _ in range(2)]
    for job_id in ids:
        runtime.ledger.append(Kind.STARTED, job_id, run=1, worker=NAME)
    running = {Request(job_id) for job_id in ids}
    monkeypatch.setattr(worker_state, "active_requests", running)
    assert sing(agent, clock, times=6).state == "alive", "both slots are taken"
    monkeypatch.setattr(worker_state, "active_requests", set())
    for _ in range(6):
        job_id = runtime.jobs.submit("plain", actor="me")
        clock.forward(seconds=1)
        runtime.ledger.append(Kind.STARTED, job_id, run=1, worker=NAME)
        assert sing(agent, clock, times=1).state == "alive", "it hears its jobs"


def test_a_broker_that_is_away_makes_nobody_deaf(
    agent: Agent, publisher: FakePublisher, clock: SetClock
) -> None:
    sing(agent, clock, times=1, answered=("maintenance", "research"))
    publisher.down = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            agent._sing()
        clock.forward(seconds=30)
    publisher.down = False
    assert sing(agent, clock, times=3).state == "alive"


def beside_one_that_hears(
    agent: Agent, clock: SetClock, *, times: int, hears_own: bool = False
) -> WorkerView:
    """How the worker stands after test messages; another one answers those on the shared queues."""
    storage = agent._runtime.storage
    for _ in range(times):
        agent._sing()
        clock.forward(seconds=1)
        wall = written(clock.wall())
        canaries = {"maintenance": wall, "research": wall}
        content: dict[str, Any] = {
            "name": "second@elsewhere",
            "host": "elsewhere",
            "pid": 1,
            "pool": "threads",
        }
        content |= {"concurrency": 2, "queues": ["maintenance"], "active": [], "processed": 0, "rss": 1}
        content |= {"canaries": canaries, "state": "alive", "started_at": wall, "updated_at": wall}
        storage.write_json("task_runs/workers/second.json", content)
        if hears_own:
            answer(NAME, OWN, wall)
        clock.forward(seconds=29)
    agent.report()
    views = {view.name: view for view in worker_views(storage, clock)}
    assert views["second@elsewhere"].state in {"alive", "silent"}
    return views[NAME]


def test_of_two_workers_on_a_queue_one_answers_for_both(agent: Agent, clock: SetClock) -> None:
    assert beside_one_that_hears(agent, clock, times=6).state == "alive"


def test_on_the_queue_of_its_own_nobody_answers_for_it(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = agent_of(runtime, monkeypatch, "maintenance", "research", OWN)
    agent._heavy = 1 << 50
    assert beside_one_that_hears(agent, clock, times=6, hears_own=True).state == "alive"
    assert beside_one_that_hears(agent, clock, times=3).state == "alive", (
        "twice unanswered and one waited for"
    )
    deaf = beside_one_that_hears(agent, clock, times=1)
    assert deaf.state == "deaf"
    assert deaf.queues == ("maintenance", "research"), "its own is no queue of the desk"
    assert set(deaf.canary_ages) <= {"maintenance", "research"}
    publisher.published.clear()
    beside_one_that_hears(agent, clock, times=20)
    sent = [each["queue"] for each in publisher.published]
    assert sent.count(OWN) <= 1, "they do not heap up where nobody takes them"
    assert sent.count("maintenance") == 20
    assert beside_one_that_hears(agent, clock, times=1, hears_own=True).state == "alive"


def test_what_failed_outside_of_its_task_takes_no_slot(
    agent: Agent, runtime: Runtime, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("backend.jobs.agent.time.monotonic", lambda: now)
    begun, never = (runtime.jobs.submit("plain", actor="me") for _ in range(2))
    runtime.ledger.append(Kind.STARTED, begun, run=1, worker=NAME)
    kept = {Request(begun), Request(never)}
    monkeypatch.setattr(worker_state, "active_requests", kept)
    assert set(agent._active()) == {begun, never}, "it may be about to begin"
    now += 11
    assert agent._active() == [begun]
