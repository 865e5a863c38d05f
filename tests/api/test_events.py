"""The event stream over a real connection: live, resumable, bounded, and gone when the desk ends."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from backend.app import create_app
from backend.jobs.views import JobState
from backend.journal.record import GENESIS
from backend.routes import stream
from tests.fakes.services import FakeDesk, fake_desk

EVALUATE = "backend.tasks.ai_tasks.evaluate_all_strategies"


class Served:
    """The API on a real port, in a thread of this process."""

    def __init__(self, desk: FakeDesk) -> None:
        self.desk = desk
        self.app = create_app(desk)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self.app, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        until(lambda: self._server.started, "the server starts")

    @property
    def changes(self) -> stream.Changes:
        changes: stream.Changes = self.app.state.changes
        return changes

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()


def until(condition: Callable[[], Any], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(fake_desk(tmp_path))
    yield served
    served.stop()


class Reader:
    """Reads one event stream block by block."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def block(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return found
            name, _, value = line.partition(": ")
            found[name] = value
        return {"ended": "yes"}

    def event(self) -> dict[str, str]:
        while True:
            block = self.block()
            if "data" in block or "ended" in block:
                return block


def open_stream(url: str, **headers: str) -> Any:
    return httpx.stream("GET", f"{url}/api/events", headers=headers, timeout=10)


def test_what_happens_is_told_as_it_happens(served: Served) -> None:
    with open_stream(served.url) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        reader = Reader(response)
        assert reader.block()["id"] == f"0~0.{GENESIS[:12]}"
        job_id = served.desk.jobs.submit(EVALUATE, actor="local")
        event = reader.event()
        assert event["event"] == "job"
        data = json.loads(event["data"])
        assert (data["job_id"], data["state"]) == (job_id, "queued")
        assert "cursor" not in data


def test_a_stream_resumes_after_the_last_event_seen(served: Served) -> None:
    jobs = served.desk.jobs
    with open_stream(served.url) as response:
        reader = Reader(response)
        reader.block()
        jobs.submit(EVALUATE, actor="local")
        seen = reader.event()["id"]
    for _ in range(3):
        jobs.submit(EVALUATE, actor="local")
    with open_stream(served.url, **{"Last-Event-ID": seen}) as response:
        reader = Reader(response)
        reader.block()
        ids = [json.loads(reader.event()["data"])["job_id"] for _ in range(3)]
    assert ids == ["job-2", "job-3", "job-4"]


def test_a_long_absence_comes_in_several_batches_without_a_gap(served: Served) -> None:
    for _ in range(1200):
        served.desk.jobs.tell("job-1", JobState.STARTED)
    with open_stream(served.url, **{"Last-Event-ID": "0"}) as response:
        reader = Reader(response)
        reader.block()
        ids = [reader.event()["id"].partition("~")[0] for _ in range(1200)]
    assert ids == [str(number) for number in range(1, 1201)]


def test_a_bad_last_event_id_is_refused(served: Served) -> None:
    answer = httpx.get(f"{served.url}/api/events", headers={"Last-Event-ID": "x"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "bad_cursor"
    assert httpx.get(f"{served.url}/api/events", params={"after": "y"}).status_code == 422


def test_a_quiet_stream_shows_that_it_lives(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.routes.events.HEARTBEAT", 0.05)
    with open_stream(served.url) as response:
        reader = Reader(response)
        reader.block()
        assert reader.block() == {"": "still here"}


def test_streams_are_bounded_and_a_place_is_free_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_WATCHERS", 1)
    with open_stream(served.url) as response:
        reader = Reader(response)
        reader.block()
        refused = httpx.get(f"{served.url}/api/events")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "too_many_streams"

    def free() -> bool:
        with open_stream(served.url) as again:
            return bool(again.status_code == 200)

    until(free, "the place is free again")


def test_a_refused_stream_keeps_no_place(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_WATCHERS", 1)
    for _ in range(3):
        answer = httpx.get(f"{served.url}/api/events", headers={"Last-Event-ID": "x"})
        assert answer.status_code == 422


def test_streams_end_with_the_desk(served: Served) -> None:
    with open_stream(served.url) as response:
        reader = Reader(response)
        reader.block()
        began = time.monotonic()
        served.changes.stop()
        assert reader.event() == {"ended": "yes"}
        assert time.monotonic() - began < 1
    assert httpx.get(f"{served.url}/api/events").status_code == 503
