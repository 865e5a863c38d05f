"""The payrolls of 2 May 2014, 12:30 UTC: the desk in a replay and the backtest stand still alike."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.backtest.collecting import Collector
from backend.backtest.kernel import records
from backend.backtest.model import Job, Reading
from backend.backtest.request import Request
from backend.backtest.running import run_backtest
from backend.backtest.tables import tables
from backend.core.clock import FixedClock
from backend.core.timeframes import Timeframe
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.ports import ProviderAnswer
from backend.economic_calendar.reading import read_calendar_files
from backend.economic_calendar.service import CalendarService
from backend.economic_calendar.shapes import Clocks
from backend.journal.record import Kind
from backend.simulator.build import build_simulated_terminal
from backend.simulator.file_history import FileHistory
from backend.simulator.terms import BrokerTerms
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles
from tests.fakes.calendar_provider import FakeCalendarProvider
from tests.fakes.desk import ROOT, SERVER, MovedClock, simulated_desk

pytestmark = [pytest.mark.market_data, pytest.mark.timeout(300)]

NFP = datetime(2014, 5, 2, 12, 30, tzinfo=UTC)
FIRST, LAST = NFP - timedelta(minutes=75), NFP + timedelta(minutes=75)
LONG_AFTER = datetime(2026, 1, 5, tzinfo=UTC)
PAST = (
    "Title,Country,Date,Time,Impact,Forecast,Previous,URL\n"
    "Italian Bank Holiday,EUR,05-01-2014,All Day,Holiday,,,\n"
    "Non-Farm Employment Change,USD,05-02-2014,12:30pm,High,215K,192K,\n"
    "Factory Orders m/m,USD,05-02-2014,2:00pm,Medium,1.6%,1.6%,\n"
    "Cash Rate,AUD,05-02-2014,11:30am,High,2.50%,2.50%,\n"
    "Trade Balance,USD,05-06-2014,12:30pm,Medium,-40.1B,-42.3B,\n"
)
AROUND = {NFP + timedelta(minutes=minutes) for minutes in (-30, -15, 0, 15)}  # half-open: 13:00 is free


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    for path in (folder / "ai" / "strategies").iterdir():
        path.unlink()
    for path in (folder / "ai" / "profiles").iterdir():
        stated = json.loads(path.read_text()) | {"news_embargo_minutes": 0}
        path.write_text(json.dumps(stated))
    always = {
        "id": "ALWAYS",
        "symbol": "EURUSD",
        "timeframe": "M15",
        "conditions": {"entry": ["close > 0"]},
        "strategy": {"direction": "long", "news_embargo_minutes": 30},
    }
    (folder / "ai" / "strategies" / "ALWAYS.json").write_text(json.dumps(always))
    (folder / "risk.json").write_text(json.dumps({"embargo_when_calendar_unknown": "block"}))
    return folder


@pytest.fixture
def calendar(tmp_path: Path) -> CalendarService:
    """The desk's calendar, into which the past was imported long after."""
    provider = FakeCalendarProvider(ProviderAnswer())
    storage = FileStorage(tmp_path / "data", fsync=False)
    made = CalendarService(
        lambda: (CalendarConfig(), provider), storage, FixedClock(LONG_AFTER), jitter=lambda: 0.0
    )
    made.import_files([past(tmp_path)], Clocks())
    return made


def past(folder: Path) -> Path:
    path = folder / "past.csv"
    path.write_text(PAST)
    return path


def replayed(root: Path, config: Path, data: Path, calendar: CalendarService) -> dict[datetime, set[str]]:
    """Which of the two checks of news refused at each bar's close, the desk's clock standing there."""
    clock = MovedClock(FIRST)
    terminal = build_simulated_terminal(
        seed=7, replay=data, server_clock=SERVER, now=clock.now, terms=BrokerTerms()
    )
    desk = simulated_desk(root / "data", FIRST, clock=clock, api=terminal, config=config)
    desk.calendar.instead = calendar.as_of
    while clock.at <= LAST:
        desk.ideas.evaluate_symbol("EURUSD", trigger="replay")
        clock.move(minutes=15)
    return {
        datetime.fromisoformat(record.payload["bar_close"]): news(record.payload)
        for record in desk.journal.newest(kind=Kind.DECISION)
    }


def news(payload: Any) -> set[str]:
    return {each["check"] for each in payload["refusals"]} & {"news_embargo", "calendar_known"}


def job(config: Path, data: Path, calendar: CalendarService | None) -> Job:
    files = FileHistory(data, SERVER, symbols=("EURUSD",), timeframe=Timeframe.M15)
    collector = Collector(
        clock=FixedClock(files.end),
        config_dir=config,
        strategies=StrategyFiles(config / "ai"),
        symbols=files,
        market=files,
        terminal=files,
        source="files",
        warnings=(),
        check=lambda: None,
        calendar=None if calendar is None else calendar.over,
    )
    return collector.job(Request(strategy="ALWAYS", begin=FIRST, end=LAST))


def marked(given: Job) -> dict[datetime, set[str]]:
    """The same of a backtest's bars."""
    flags, (stream,) = tables(given, Reading.WORST).signals.flags, given.streams
    found = {}
    for end, flag in zip(stream.bars.closes().tolist(), flags.tolist(), strict=True):
        said = {"news_embargo"} if flag & records.EMBARGO else set()
        said |= set() if flag & records.NEWS_KNOWN else {"calendar_known"}
        found[datetime.fromtimestamp(end, UTC)] = said
    return found


def test_an_embargo_blocks_the_same_closes_live_and_in_the_backtest(
    tmp_path: Path, config: Path, market_data: Path, calendar: CalendarService
) -> None:
    live = replayed(tmp_path, config, market_data / "lean", calendar)
    assert NFP in live
    assert {close for close, said in live.items() if "news_embargo" in said} == AROUND
    given = job(config, market_data / "lean", calendar)
    tested = marked(given)
    assert {close: tested[close] for close in live} == live
    assert sum("news_embargo" in said for said in tested.values()) == len(AROUND)
    result = run_backtest(given)
    assert result.refusals["news_embargo"] == len(AROUND)
    entries = np.array([trade.entry_time for trade in result.trades])
    first, last = min(AROUND).timestamp(), max(AROUND).timestamp()
    assert not np.any((entries >= first) & (entries <= last))
    notes = " ".join(note for note in result.notes)
    assert "imported afterwards" in notes


def test_files_named_for_a_backtest_block_as_the_desks_calendar_does(
    tmp_path: Path, config: Path, market_data: Path, calendar: CalendarService
) -> None:
    own = job(config, market_data / "lean", calendar)
    view = read_calendar_files([past(tmp_path)], now=LONG_AFTER)
    assert marked(replace(own, calendar=view)) == marked(own)


def test_without_a_calendar_of_the_day_both_say_that_nothing_is_known(
    tmp_path: Path, config: Path, market_data: Path
) -> None:
    provider = FakeCalendarProvider(ProviderAnswer())
    empty = CalendarService(
        lambda: (CalendarConfig(), provider),
        FileStorage(tmp_path / "none", fsync=False),
        FixedClock(LONG_AFTER),
        jitter=lambda: 0.0,
    )
    live = replayed(tmp_path, config, market_data / "lean", empty)
    assert set(map(tuple, live.values())) == {("calendar_known",)}
    tested = marked(job(config, market_data / "lean", empty))
    assert {close: tested[close] for close in live} == live
