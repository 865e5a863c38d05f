"""A replay stands at each closed bar until what is due there has ended."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.jobs import replay
from backend.jobs.clock_control import ClockControl, ReplayState
from backend.jobs.planner import Planner
from backend.jobs.replay import Conductor
from backend.jobs.runtime import Runtime
from backend.jobs.schedules import Schedule
from backend.jobs.ticks import Cron, Every
from tests.fakes.jobs import FakePublisher, SetClock, make_runtime, run

BEGIN = datetime(2014, 5, 5, 8, 0, tzinfo=UTC)
SCHEDULES = (
    Schedule(
        name="collect-market-data", task="desk.tasks.cleanup", when=Cron({"minute": "*/5"}), clock="desk"
    ),
    Schedule(name="evaluate-on-bar-close", task="desk.tasks.plain", when=Every(60, offset=2), clock="desk"),
)


class HourlyMarket(ClockControl):
    """A bar closes each hour, three of them."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.stops: list[datetime] = []
        clock.set_desk(BEGIN)

    def state(self) -> ReplayState:
        return ReplayState(now=self.clock.now(), first=BEGIN, last=BEGIN + timedelta(hours=3))

    def next_close(self, timeframes: Sequence[str]) -> datetime | None:
        assert list(timeframes) == ["H1"]
        close = self.clock.now() + timedelta(hours=1)
        return close if close <= self.state().last else None

    def advance(self, to: datetime) -> ReplayState:
        self.clock.set_desk(to)
        self.stops.append(to)
        return self.state()


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    made = Monotonic()
    monkeypatch.setattr(replay, "time", made)
    return made


@pytest.fixture
def played(tmp_path: Path, clock: SetClock) -> Iterator[tuple[Runtime, HourlyMarket, FakePublisher]]:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/schedules.json").write_text(
        '{"collect-market-data": {"task": "desk.tasks.cleanup"},'
        ' "evaluate-on-bar-close": {"task": "desk.tasks.plain"}}'
    )
    publisher = FakePublisher()
    runtime = make_runtime(tmp_path, clock, publisher)
    yield runtime, HourlyMarket(clock), publisher
    runtime.ledger.close()


def conductor(runtime: Runtime, market: HourlyMarket, speed: float = 3600.0) -> Conductor:
    planner = Planner(runtime.book, runtime.jobs, runtime.ledger, clock="wall")
    return Conductor(market, planner, runtime.ledger, SCHEDULES, lambda: ["H1"], speed)


def end_all(runtime: Runtime, publisher: FakePublisher) -> None:
    for message in publisher.published:
        run(runtime, message["id"], lambda **_: {}, task=message["task"], **message["kwargs"])
    publisher.published.clear()


def test_each_bar_is_a_stop_and_time_waits_for_the_work(
    played: tuple[Runtime, HourlyMarket, FakePublisher], stopwatch: Monotonic
) -> None:
    runtime, market, publisher = played
    leader = conductor(runtime, market)
    leader.step()
    assert market.stops == [BEGIN + timedelta(hours=1)]
    assert [message["task"] for message in publisher.published] == ["desk.tasks.cleanup", "desk.tasks.plain"]
    stopwatch.seconds = 100.0
    for _ in range(5):
        assert leader.step() == replay.STEP
    assert len(market.stops) == 1, "its jobs have not ended"
    jobs = {job.schedule: job.planned_at for job in runtime.jobs.list().items}
    assert set(jobs.values()) == {BEGIN + timedelta(hours=1)}
    end_all(runtime, publisher)
    leader.step()
    assert market.stops[-1] == BEGIN + timedelta(hours=2)


def test_speed_is_a_ceiling(
    played: tuple[Runtime, HourlyMarket, FakePublisher], stopwatch: Monotonic
) -> None:
    runtime, market, publisher = played
    leader = conductor(runtime, market, speed=360.0)  # an hour takes ten seconds
    leader.step()
    end_all(runtime, publisher)
    stopwatch.seconds = 9.5
    assert leader.step() == pytest.approx(0.5)
    assert len(market.stops) == 1
    stopwatch.seconds = 10.0
    leader.step()
    assert len(market.stops) == 2


def test_a_job_that_never_ends_stops_the_market_for_a_bounded_time(
    played: tuple[Runtime, HourlyMarket, FakePublisher], stopwatch: Monotonic
) -> None:
    runtime, market, _publisher = played
    leader = conductor(runtime, market)
    leader.step()
    stopwatch.seconds = replay.LONGEST_WAIT + 1
    leader.step()
    assert len(market.stops) == 2


def test_at_the_end_of_the_data_it_rests(
    played: tuple[Runtime, HourlyMarket, FakePublisher], stopwatch: Monotonic
) -> None:
    runtime, market, publisher = played
    leader = conductor(runtime, market)
    for _ in range(6):
        leader.step()
        end_all(runtime, publisher)
        stopwatch.seconds += 2
    assert len(market.stops) == 3
    assert leader.finished
    assert leader.step() == replay.REST


def test_a_replay_played_again_runs_again(
    played: tuple[Runtime, HourlyMarket, FakePublisher], stopwatch: Monotonic, clock: SetClock
) -> None:
    runtime, market, publisher = played
    leader = conductor(runtime, market)
    leader.step()
    first = set(publisher.ids())
    end_all(runtime, publisher)
    clock.set_desk(BEGIN)
    again = conductor(runtime, market)
    again.step()
    assert len(publisher.published) == 2
    assert not first & set(publisher.ids())
