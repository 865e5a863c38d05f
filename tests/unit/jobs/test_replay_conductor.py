"""A replay stands at each closed bar until what is due there has ended."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.jobs import replay
from backend.jobs.beat import stops
from backend.jobs.clock_control import ClockControl, ReplayState
from backend.jobs.planner import Planner
from backend.jobs.replay import Conductor
from backend.jobs.runtime import Runtime
from backend.jobs.schedules import Schedule
from backend.jobs.ticks import Cron, Every
from backend.strategies.validation import parse_strategy
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
        ' "evaluate-on-bar-close": {"task": "desk.tasks.plain"},'
        ' "expire-ideas": {"task": "desk.tasks.plain"}}'
    )
    publisher = FakePublisher()
    runtime = make_runtime(tmp_path, clock, publisher)
    yield runtime, HourlyMarket(clock), publisher
    runtime.ledger.close()


def conductor(runtime: Runtime, market: HourlyMarket, speed: float = 3600.0) -> Conductor:
    planner = Planner(runtime.book, runtime.jobs, runtime.ledger, clock="wall")
    return Conductor(market, planner, runtime.ledger, lambda: SCHEDULES, lambda: ["H1"], speed)


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


def test_orders_come_first_then_decisions_then_what_they_gave_to_do(
    played: tuple[Runtime, HourlyMarket, FakePublisher], stopwatch: Monotonic
) -> None:
    runtime, market, publisher = played
    keeps = Schedule(
        name="expire-ideas", task="desk.tasks.plain", when=Every(60), queue="orders", clock="desk"
    )
    planner = Planner(runtime.book, runtime.jobs, runtime.ledger, clock="wall")
    leader = Conductor(market, planner, runtime.ledger, lambda: [*SCHEDULES, keeps], lambda: ["H1"], 3600.0)

    def queued() -> list[str]:
        leader.step()
        return [str(job.schedule or job.actor) for job in runtime.jobs.list().items if not job.terminal]

    assert queued() == ["expire-ideas"]
    end_all(runtime, publisher)
    assert queued() == ["evaluate-on-bar-close", "collect-market-data"]
    runtime.jobs.submit("desk.tasks.plain", actor="desk")
    runtime.jobs.submit("desk.tasks.plain", actor="ann")
    for message in [*publisher.published[:2]]:
        run(runtime, message["id"], lambda **_: {}, task=message["task"], **message["kwargs"])
    stopwatch.seconds = 100.0
    assert sorted(queued()) == ["ann", "desk"]
    assert len(market.stops) == 1, "what the desk gave itself to do belongs to the bar"
    run(runtime, publisher.published[2]["id"], lambda **_: {}, task="desk.tasks.plain")
    leader.step()
    assert len(market.stops) == 2, "a person's job does not hold the market up"


def test_a_job_of_the_desk_that_never_ends_is_waited_for_once(
    played: tuple[Runtime, HourlyMarket, FakePublisher], stopwatch: Monotonic
) -> None:
    runtime, market, publisher = played
    leader = conductor(runtime, market)
    stuck = runtime.jobs.submit("desk.tasks.plain", actor="desk")
    for number in (1, 2, 3):
        leader.step()
        for message in publisher.published:
            if message["id"] != stuck:
                run(runtime, message["id"], lambda **_: {}, task=message["task"], **message["kwargs"])
        publisher.published.clear()
        leader.step()
        stopwatch.seconds += replay.LONGEST_WAIT + 1
        assert len(market.stops) == number


@pytest.mark.parametrize(
    ("management", "traded", "expected"),
    [
        ({"breakeven_after_r": 1}, {"A"}, ["H1", "M1"]),
        ({"trail_atr": 2, "timeframe": "M5"}, {"A"}, ["H1", "M5"]),
        ({"partial_at_r": 1, "partial_fraction": 0.5}, {"A", "B"}, ["H1", "M1"]),
        ({"breakeven_after_r": 1}, set(), ["H1"]),
        ({"breakeven_after_r": 1}, {"B", "None"}, ["H1"]),
        ({"time_stop_bars": 5}, {"A"}, ["H1"]),
    ],
)
def test_finer_bars_are_stopped_at_while_a_trade_is_managed_on_them(
    management: dict[str, float], traded: set[str], expected: list[str]
) -> None:
    stated = {
        "id": "A",
        "symbol": "EURUSD",
        "timeframe": "H1",
        "conditions": {"entry": ["close > 0"]},
        "strategy": {"direction": "long", "management": management},
    }
    off = stated | {"id": "C", "timeframe": "M15", "enabled": False, "strategy": {"direction": "long"}}
    strategies = [parse_strategy(stated), parse_strategy(off)]
    assert stops(strategies, lambda: traded) == expected


def test_without_a_strategy_the_hours_are_played() -> None:
    assert stops([], set) == ["H1"]
