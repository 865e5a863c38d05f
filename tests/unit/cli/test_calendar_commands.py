"""`mt5ui calendar`: past calendars in, events as of a time out, keys kept and never shown."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command_line import Run, command_line
from tests.fakes.desk import ROOT

KEY = "pk-live-0123456789abcdef"
PAST = (
    "Title,Country,Date,Time,Impact,Forecast,Previous,URL\n"
    "Non-Farm Employment Change,USD,05-02-2014,12:30pm,High,215K,192K,\n"
    "Bank Holiday,GBP,05-05-2014,All Day,Holiday,,,\n"
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path))
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "past.csv").write_text(PAST, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    return command_line(monkeypatch, capfd, "calendar")


def test_a_past_calendar_is_imported_and_shown_as_of_its_day(run: Run) -> None:
    told = json.loads(run("import", "past.csv", "--json").out)
    assert (told["new"], told["files"][0]["shape"]) == (2, "forexfactory")
    assert "2 were there already" in run("import", "past.csv").out
    page = json.loads(run("show", "--as-of", "2014-05-02T12:00Z", "--json").out)
    assert [(event["title"], event["forecast"]) for event in page["events"]] == [
        ("Non-Farm Employment Change", None),
        ("Bank Holiday", None),
    ]
    shown = run("show", "--from", "2014-05-02T00:00Z", "--to", "2014-05-06T00:00Z").out
    assert "215K" in shown
    assert "all day" in shown
    assert "values not known then" in run("show", "--as-of", "2014-05-02T12:00Z").out


def test_a_bad_row_ends_with_its_line_and_column(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(PAST + "X,USD,99-99-2014,12:30pm,High,,,\n", encoding="utf-8")
    said = run("import", "bad.csv", "past.csv")
    assert said.code != 0
    assert "bad.csv line 4, column 3 (Date)" in said.err
    assert not (tmp_path / "data" / "calendar").exists()


@pytest.mark.parametrize(
    "words",
    [("show", "--as-of", "soon"), ("import", "past.csv", "--timezone", "Mars"), ("import", "none.csv")],
)
def test_what_cannot_be_is_said_without_a_traceback(run: Run, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert said.code != 0
    assert "Traceback" not in said.err
    assert said.err.strip()


def test_a_key_is_kept_from_a_pipe_and_never_shown(run: Run, tmp_path: Path) -> None:
    said = run("key", "fmp", piped=f"{KEY}\n")
    assert said.code == 0, said.err
    assert "••••cdef" in said.out
    assert KEY not in said.out + said.err
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    assert json.loads(run("key", "fmp", "--remove", "--json").out) == {"provider": "fmp", "removed": True}
    assert "No key of fmp was kept" in run("key", "fmp", "--remove").out


@pytest.mark.parametrize("piped", ["", "\n", "two words\n", "schlüssel\n"])
def test_what_is_no_key_is_not_kept(run: Run, tmp_path: Path, piped: str) -> None:
    assert run("key", "fmp", piped=piped).code != 0
    assert not (tmp_path / "data" / "secrets.json").exists()


def test_a_provider_without_a_key_is_refused(run: Run) -> None:
    said = run("key", "forexfactory", piped=f"{KEY}\n")
    assert said.code != 0
    assert "finnhub, fmp, tradingeconomics" in said.err


def test_pauses_are_told_although_the_desk_does_not_run(run: Run) -> None:
    page = json.loads(run("embargoes", "EURUSD", "--json").out)
    assert page["known"] is False
    assert page["problems"][0]["symbol"] == "EURUSD"
    assert run("embargoes", "NOSUCH").code != 0
