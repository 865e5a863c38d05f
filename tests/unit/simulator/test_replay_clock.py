"""The desk time of a replay."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from backend.core.errors import Invalid
from backend.simulator.replay_clock import ReplayClock

FIRST = datetime(2014, 5, 1, tzinfo=UTC)
LAST = datetime(2014, 5, 16, tzinfo=UTC)


def test_it_begins_at_the_beginning_and_only_goes_forward() -> None:
    clock = ReplayClock(FIRST, LAST)
    assert clock.now() == FIRST
    assert clock.advance(FIRST + timedelta(hours=2)) == FIRST + timedelta(hours=2)
    assert clock.advance(FIRST + timedelta(hours=1)) == FIRST + timedelta(hours=2)
    assert clock.advance_by(timedelta(minutes=5)) == FIRST + timedelta(hours=2, minutes=5)
    assert clock.advance_by(timedelta(minutes=-5)) == FIRST + timedelta(hours=2, minutes=5)


def test_it_stops_at_the_end() -> None:
    clock = ReplayClock(FIRST, LAST)
    assert clock.state()["finished"] is False
    assert clock.advance(LAST + timedelta(days=1)) == LAST
    assert clock.finished
    assert clock.advance_by(timedelta(days=1)) == LAST


def test_times_are_aware_and_answers_utc() -> None:
    clock = ReplayClock(FIRST, LAST)
    clock.advance((FIRST + timedelta(hours=5)).astimezone(timezone(timedelta(hours=9))))
    assert clock.now().tzinfo is UTC
    with pytest.raises(Invalid):
        clock.advance(datetime(2014, 5, 2))  # noqa: DTZ001 - the rule is about these


def test_its_state_brings_it_back() -> None:
    clock = ReplayClock(FIRST, LAST)
    clock.advance(FIRST + timedelta(days=3, microseconds=250))
    state = clock.state()
    assert state == {
        "now": "2014-05-04T00:00:00.000250Z",
        "first": "2014-05-01T00:00:00Z",
        "last": "2014-05-16T00:00:00Z",
        "finished": False,
    }
    assert ReplayClock(FIRST, LAST, state).now() == clock.now()


def test_a_state_of_another_replay_is_brought_inside() -> None:
    assert ReplayClock(FIRST, LAST, {"now": "2030-01-01T00:00:00Z"}).now() == LAST
    assert ReplayClock(FIRST, LAST, {"now": "2000-01-01T00:00:00Z"}).now() == FIRST
    with pytest.raises(Invalid):
        ReplayClock(FIRST, LAST, {})


def test_many_threads_lose_no_step() -> None:
    clock = ReplayClock(FIRST, LAST)
    threads = [
        threading.Thread(target=lambda: [clock.advance_by(timedelta(seconds=1)) for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == FIRST + timedelta(seconds=800)
