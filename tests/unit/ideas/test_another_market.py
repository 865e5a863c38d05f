"""A folder that has seen one market goes on with another: a replay after a live desk, another seed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.core.timeframes import Timeframe
from tests.fakes.desk import simulated_desk

LIVE = datetime(2026, 6, 10, 14, 0, 20, tzinfo=UTC)
PLAYED = datetime(2014, 5, 7, 14, 0, 20, tzinfo=UTC)


def decided_bars(result: dict[str, object]) -> list[str]:
    rows = result["evaluations"]
    assert isinstance(rows, list)
    return sorted(str(row["bar_close"]) for row in rows)


def test_an_earlier_time_of_another_market_is_decided_too(tmp_path: Path) -> None:
    simulated_desk(tmp_path, LIVE, seed=7).ideas.evaluate_symbol("EURUSD", trigger="live")
    replay = simulated_desk(tmp_path, PLAYED, seed=8)
    result = replay.ideas.evaluate_symbol("EURUSD", trigger="replay")
    assert result["decisions"] == 2
    assert decided_bars(result) == ["2014-05-07T14:00:00Z"] * 2


def test_in_another_market_every_bar_is_decided_once_as_in_the_first(tmp_path: Path) -> None:
    simulated_desk(tmp_path, LIVE, seed=7).ideas.evaluate_symbol("EURUSD", trigger="live")
    replay = simulated_desk(tmp_path, PLAYED, seed=8)
    replay.ideas.evaluate_on_bar_close()
    assert replay.ideas.evaluate_on_bar_close()["decisions"] == 0
    replay.clock.at = PLAYED + timedelta(minutes=15)
    result = replay.ideas.evaluate_symbol("EURUSD", trigger="replay")
    assert result["decisions"] == 1
    assert decided_bars(result) == ["2014-05-07T14:00:00Z", "2014-05-07T14:15:00Z"]


def test_back_in_the_first_market_the_years_between_are_not_caught_up(tmp_path: Path) -> None:
    simulated_desk(tmp_path, LIVE, seed=7).ideas.evaluate_symbol("EURUSD", trigger="live")
    simulated_desk(tmp_path, PLAYED, seed=8).ideas.evaluate_symbol("EURUSD", trigger="replay")
    later = LIVE + timedelta(hours=1)
    result = simulated_desk(tmp_path, later, seed=7).ideas.evaluate_symbol("EURUSD", trigger="live")
    assert result["missed"] == 0
    assert decided_bars(result) == ["2026-06-10T15:00:00Z"] * 2


def test_bars_of_two_markets_are_never_in_one_series(tmp_path: Path) -> None:
    live = simulated_desk(tmp_path, LIVE, seed=7).market.top_up("EURUSD", Timeframe.H1, min_bars=20)
    other = simulated_desk(tmp_path, PLAYED, seed=8).market.top_up("EURUSD", Timeframe.H1, min_bars=20)
    assert other.opened(0).year == 2014
    again = simulated_desk(tmp_path, LIVE, seed=7).market.top_up("EURUSD", Timeframe.H1, min_bars=20)
    assert list(again.time) == list(live.time)
    assert list(again.close) == list(live.close)
    names = {simulated_desk(tmp_path / str(seed), LIVE, seed=seed).market.source() for seed in (7, 8)}
    assert len(names) == 2
