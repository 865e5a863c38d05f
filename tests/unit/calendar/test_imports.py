"""Past calendars: recognised, refused by line and column, all or nothing, and never doubled."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import FixedClock
from backend.core.errors import DeskError, Invalid, NotFound
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.model import Event, Impact
from backend.economic_calendar.ports import ProviderAnswer
from backend.economic_calendar.reading import read_calendar_file, read_calendar_files
from backend.economic_calendar.service import CalendarService
from backend.economic_calendar.shapes import Clocks
from backend.storage.files import FileStorage
from tests.fakes.calendar_provider import FakeCalendarProvider

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
FF = "Title,Country,Date,Time,Impact,Forecast,Previous,URL\n"
FINNHUB = "time,country,event,impact,estimate,prev,actual,unit\n"
FMP = "date,country,event,currency,impact,previous,estimate,actual\n"
TE = "CalendarId,Date,Country,Event,Importance\n"
OWN = "time,currency,impact,title\n"


def write(folder: Path, text: str | bytes, name: str = "past.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def service(root: Path, at: datetime = NOW) -> CalendarService:
    provider = FakeCalendarProvider(ProviderAnswer())
    storage = FileStorage(root / "data", fsync=False)
    return CalendarService(lambda: (CalendarConfig(), provider), storage, FixedClock(at), jitter=lambda: 0.0)


def on_disk(root: Path) -> dict[str, bytes]:
    folder = root / "data" / "calendar"
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.json*")}
    return {name: path.read_bytes() for name, path in found.items() if ".locks" not in name}


def only(path: Path, **clocks: Any) -> Event:
    (event,) = read_calendar_file(path, Clocks(**clocks)).events
    return event


@pytest.mark.parametrize(
    ("text", "shape", "hour"),
    [
        (FF + "CPI m/m,USD,05-02-2014,12:30pm,High,0.2%,0.1%,https://x\n", "forexfactory", 12),
        ("Title,Country,Date,Time,Impact\nCPI,USD,01-09-2014,1:30pm,High\n", "forexfactory", 13),
        (FINNHUB + "2014-05-02 12:30:00,US,CPI,high,1,2,,%\n", "finnhub", 12),
        (FMP + "2014-05-02 12:30:00,US,CPI,USD,High,1,2,3\n", "fmp", 12),
        (TE + "1,2014-05-02T12:30:00,United States,CPI,3\n", "tradingeconomics", 12),
        ("Time\tCurrency\tImportance\tEvent\tActual\n2014.05.02 15:30\tUSD\tHIGH\tCPI\t\n", "mql5", 12),
        (OWN + "2014-05-02T08:30:00-04:00,USD,high,CPI\n", "csv", 12),
    ],
)
def test_each_shape_is_recognised_by_its_columns(tmp_path: Path, text: str, shape: str, hour: int) -> None:
    path = write(tmp_path, text)
    assert read_calendar_file(path, Clocks(server_offset=timedelta(hours=3))).shape == shape
    event = only(path, server_offset=timedelta(hours=3))
    assert (event.at.hour, event.at.minute) == (hour, 30)
    assert (event.currency, event.impact) == ("USD", Impact.HIGH)


def test_forexfactorys_quirks(tmp_path: Path) -> None:
    rows = (
        "Jobs, Wages and Hours,CAD,05-02-2014,12:30pm,Low,,,\n"
        '"Quoted, too",CAD,05-02-2014,12:30am,Non-Economic,,,\n'
        "Bank Holiday,JPY,05-05-2014,All Day,Holiday,,,\n"
        "Speech,ALL,05-05-2014,Tentative,Medium,,,\n"
        "\n"
        "Crude Oil Inventories,USD,05-07-2014,2:30pm,Low,1M,,\n"
        "Crude Oil Inventories,USD,05-07-2014,2:30pm,Low,2M,,\n"
    )
    events = read_calendar_file(write(tmp_path, FF + rows)).events
    found = {event.title: event for event in events}
    assert found["Jobs, Wages and Hours"].at.hour == 12
    assert (found["Quoted, too"].at.hour, found["Quoted, too"].impact) == (0, Impact.NONE)
    assert found["Bank Holiday"].all_day
    assert found["Speech"].tentative
    assert [event.forecast for event in events if event.title == "Crude Oil Inventories"] == ["1M", "2M"]


@pytest.mark.parametrize(
    ("text", "line", "column", "bad"),
    [
        (FF + "A,USD,05-02-2014,12:30pm,High,,,\nB,USD,13-45-2014,12:30pm,High,,,\nC,US,1,2,3,,,\n", 3, 3, 2),
        (FF + "A,DOLLAR,05-02-2014,12:30pm,High,,,\n", 2, 2, 1),
        (FF + "A,USD,05-02-2014,12:30pm,Huge,,,\n", 2, 5, 1),
        (FF + "A,USD,05-02-2014,12:30pm,High,,,\nB,USD,05-0", 3, None, 1),
        (OWN + "2014-05-02T12:30:00Z,USD,,CPI\n", 2, 3, 1),
        (OWN + "2014-05-02T12:30:00Z,USD,high,\n", 2, 4, 1),
        (OWN + "\n2014-05-02T25:30:00Z,USD,high,x\n", 3, 1, 1),
        ("Time;Currency;Importance;Event\n2014.05.02 15:30;USD;3;CPI\n", 2, 1, 1),
    ],
)
def test_a_bad_row_is_named_with_line_and_column_and_how_many_there_are(
    tmp_path: Path, text: str, line: int, column: int | None, bad: int
) -> None:
    with pytest.raises(Invalid) as caught:
        service(tmp_path).import_files([write(tmp_path, text)], Clocks())
    details = caught.value.details
    assert (details["line"], details["column"], details["bad_rows"]) == (line, column, bad)
    assert f"past.csv line {line}" in caught.value.message
    assert on_disk(tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "a,b,c\n1,2,3\n", "<html></html>", '{"a": 1}', OWN, b"\xff\xfe", b"\x00\x01\x02" * 50],
)
def test_what_is_no_calendar_is_refused_and_said(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(Invalid, match=r"past\.csv"):
        service(tmp_path).import_files([write(tmp_path, text)], Clocks())
    assert on_disk(tmp_path) == {}


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_calendar_file(tmp_path / "none.csv")
    with pytest.raises(Invalid):
        read_calendar_file(tmp_path)


def test_one_bad_file_among_good_ones_imports_nothing(tmp_path: Path) -> None:
    good = write(tmp_path, OWN + "2014-05-02T12:30:00Z,USD,high,CPI\n", "good.csv")
    bad = write(tmp_path, OWN + "soon,USD,high,CPI\n", "bad.csv")
    with pytest.raises(Invalid, match=r"bad\.csv line 2"):
        service(tmp_path).import_files([good, bad], Clocks())
    assert on_disk(tmp_path) == {}


YEARS = OWN + "2013-12-31T12:30:00Z,USD,high,CPI\n2014-05-02T12:30:00Z,USD,high,NFP\n"


def test_again_doubles_nothing_and_changes_no_file(tmp_path: Path) -> None:
    path = write(tmp_path, YEARS)
    first = service(tmp_path).import_files([path], Clocks())
    assert (first["new"], first["changed"], first["unchanged"]) == (2, 0, 0)
    before = on_disk(tmp_path)
    again = service(tmp_path, NOW + timedelta(days=1)).import_files([path, path], Clocks())
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 2)
    assert on_disk(tmp_path) == before


def test_a_correction_is_a_revision_and_keeps_the_first_sight(tmp_path: Path) -> None:
    own = "time,currency,impact,title,actual\n2014-05-02T12:30:00Z,USD,high,NFP,"
    service(tmp_path).import_files([write(tmp_path, own + "288K\n")], Clocks())
    told = service(tmp_path, NOW + timedelta(days=1)).import_files(
        [write(tmp_path, own + "304K\n")], Clocks()
    )
    assert (told["new"], told["changed"]) == (0, 1)
    moment = datetime(2014, 5, 2, 12, 30, tzinfo=UTC)
    (event,) = service(tmp_path).between(moment, moment, NOW + timedelta(days=2))
    assert (event.actual, event.first_seen_at) == ("304K", NOW)
    (text,) = [data.decode() for name, data in on_disk(tmp_path).items() if "2014" in name]
    assert '"before":{"actual":"288K"}' in text


def test_an_import_that_is_cut_short_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, YEARS)
    real = FileStorage.write_json

    def cut(storage: FileStorage, name: str, *given: Any, **more: Any) -> None:
        raise OSError("killed")

    monkeypatch.setattr(FileStorage, "write_json", cut)
    with pytest.raises(OSError, match="killed"):
        service(tmp_path).import_files([path], Clocks())
    monkeypatch.setattr(FileStorage, "write_json", real)
    moment = datetime(2014, 5, 2, 12, 30, tzinfo=UTC)
    assert not service(tmp_path).as_of(moment).known
    assert service(tmp_path).import_files([path], Clocks())["new"] == 2
    assert len(service(tmp_path).as_of(moment).events) == 1
    assert len([name for name in on_disk(tmp_path) if name.startswith("imported")]) == 2


def test_a_year_file_that_is_gone_is_said_and_nothing_is_written_over(tmp_path: Path) -> None:
    path = write(tmp_path, YEARS)
    service(tmp_path).import_files([path], Clocks())
    (gone,) = (tmp_path / "data" / "calendar" / "imported").glob("2014_*")
    gone.unlink()
    before = on_disk(tmp_path)
    with pytest.raises(DeskError, match="does not exist"):
        service(tmp_path).import_files([path], Clocks())
    assert on_disk(tmp_path) == before
    view = service(tmp_path).as_of(datetime(2014, 5, 2, 12, 30, tzinfo=UTC))
    assert (view.known, view.events) == (False, ())


def test_countries_without_a_currency_are_counted(tmp_path: Path) -> None:
    text = TE + "1,2014-05-02T12:30:00,Zimbabwe,CPI,3\n2,2014-05-02T12:30:00,Japan,CPI,3\n"
    told = service(tmp_path).import_files([write(tmp_path, text)], Clocks())
    assert told["files"][0]["left_out"] == {"Zimbabwe": 1}
    assert told["files"][0]["currencies"] == ["JPY"]


def test_files_become_one_view_for_a_backtest(tmp_path: Path) -> None:
    one = write(tmp_path, OWN + "2014-05-02T12:30:00Z,USD,high,NFP\n", "one.csv")
    two = write(tmp_path, OWN + "2015-05-08T12:30:00Z,USD,high,NFP\n", "two.csv")
    view = read_calendar_files([one, two], now=NOW)
    assert view.known
    assert [event.at.year for event in view.events] == [2014, 2015]
    assert all(event.hindsight for event in view.events)
    no_minutes = timedelta(0)
    assert view.knows(datetime(2014, 5, 2, 8, tzinfo=UTC), no_minutes, no_minutes)
    assert not view.knows(datetime(2014, 8, 2, 8, tzinfo=UTC), no_minutes, no_minutes)
    with pytest.raises(Invalid):
        read_calendar_files([], now=NOW)
