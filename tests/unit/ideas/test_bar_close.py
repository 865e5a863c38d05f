"""`evaluate-on-bar-close`: each bar is decided within 5 s of its close, and never before."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import parse_iso
from backend.jobs.schedules import DEFAULTS
from backend.journal.record import Kind
from backend.simulator.build import build_simulated_terminal
from tests.fakes.desk import ROOT, SERVER, MovedClock, SimulatedDesk, simulated_desk

pytestmark = pytest.mark.xdist_group("bar close")  # what they share is made once

START = datetime(2026, 3, 4, 10, 0, 30, tzinfo=UTC)
(SCHEDULE,) = (schedule for schedule in DEFAULTS if schedule.name == "evaluate-on-bar-close")
WITHIN = timedelta(seconds=5)
CLOSED_AFTER = timedelta(seconds=10)
FIRST_TICK = timedelta(
    seconds=1
)  # the simulated market's first tick of a minute comes within its first second


class LateTicks:
    """The simulated terminal, in which GBPUSD falls silent for some seconds from each full minute on."""

    def __init__(self, now: Callable[[], datetime], silent: float) -> None:
        def seen() -> datetime:
            minute = now().replace(second=0, microsecond=0)
            return now() if now() >= minute + timedelta(seconds=silent) else minute - timedelta(seconds=0.1)

        self._prompt, self._late = (
            build_simulated_terminal(seed=7, replay=None, server_clock=SERVER, now=clock)
            for clock in (now, seen)
        )
        self._late.initialize()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            terminal = self._late if arguments[:1] == ("GBPUSD",) else self._prompt
            return getattr(terminal, name)(*arguments, **named)

        return call


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("minutes") / "config"
    shutil.copytree(ROOT / "config", folder)
    for path in (folder / "ai" / "strategies").iterdir():
        path.unlink()
    strategy = {
        "id": "MINUTES",
        "symbols": ["EURUSD", "GBPUSD"],
        "timeframe": "M1",
        "conditions": {"entry": ["close > 0"]},
        "strategy": {"direction": "long", "news_embargo_minutes": 0},
    }
    (folder / "ai" / "strategies" / "MINUTES.json").write_text(json.dumps(strategy), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Path:
    """Data of a desk that has its bars and decided the newest ones."""
    data = tmp_path_factory.mktemp("begun") / "data"
    simulated_desk(data, START, config=config).ideas.evaluate_on_bar_close()
    return data


@pytest.fixture
def desk_with(tmp_path: Path, config: Path, begun: Path) -> Callable[[float], SimulatedDesk]:
    """A desk that goes on from there, GBPUSD being silent for so many seconds of each minute."""

    def build(silent: float) -> SimulatedDesk:
        data = Path(shutil.copytree(begun, tmp_path / "data"))
        clock = MovedClock(START)
        return simulated_desk(data, START, config=config, clock=clock, api=LateTicks(clock.now, silent))

    return build


def run_as_planned(desk: SimulatedDesk, minutes: int) -> None:
    """Each planned tick of the schedule, or as soon after it as the run before has ended."""
    for _ in range(minutes):
        tick = SCHEDULE.when.following(desk.clock.at)
        assert tick is not None
        desk.clock.at = tick
        result = desk.ideas.evaluate_on_bar_close()
        assert result["problems"] == []


@pytest.mark.parametrize("silent", [0, 3, 6, 9.7, 25])
def test_each_bar_is_decided_within_five_seconds_of_its_close(
    desk_with: Callable[[float], SimulatedDesk], silent: float
) -> None:
    desk = desk_with(silent)
    known = {record.payload["id"] for record in desk.journal.newest(kind=Kind.DECISION)}
    run_as_planned(desk, 4)
    made = [
        record.payload
        for record in desk.journal.newest(kind=Kind.DECISION)
        if record.payload["id"] not in known
    ]
    assert [each["symbol"] for each in made].count("EURUSD") == 4
    assert [each["symbol"] for each in made].count("GBPUSD") == 4
    for each in made:
        ended, decided = parse_iso(each["bar_close"]), parse_iso(each["decided_at"])
        quiet = timedelta(seconds=silent if each["symbol"] == "GBPUSD" else 0)
        assert decided >= ended + min(quiet, CLOSED_AFTER)
        assert decided <= ended + min(quiet + FIRST_TICK, CLOSED_AFTER) + WITHIN
        assert not each["missed"]


def test_one_that_is_silent_keeps_nobody_else_waiting(desk_with: Callable[[float], SimulatedDesk]) -> None:
    desk = desk_with(8)
    run_as_planned(desk, 2)
    newest = [record.payload for record in desk.journal.newest(kind=Kind.DECISION)][:2]
    decided = {each["symbol"]: parse_iso(each["decided_at"]).second for each in newest}
    assert decided["EURUSD"] <= 5
    assert 8 <= decided["GBPUSD"] <= 9


def test_a_replay_whose_time_stands_is_not_waited_for(desk_with: Callable[[float], SimulatedDesk]) -> None:
    """Its time goes on only after the evaluation has ended."""
    desk = desk_with(8)
    run_as_planned(desk, 1)
    looked: list[float] = []
    desk.ideas._pause = looked.append
    desk.clock.at = START + timedelta(seconds=92)
    result = desk.ideas.evaluate_on_bar_close()
    assert (result["decisions"], result["unchanged"]) == (1, 1)
    assert len(looked) == 1
