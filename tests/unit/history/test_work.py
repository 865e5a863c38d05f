"""An import in a process of its own: what it answers, and that ending it leaves all of it or nothing."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from backend.backtest.process import run_in_child
from backend.core.errors import Invalid, NotFound
from backend.history.pieces import Choices
from backend.history.staging import settle
from backend.history.work import ImportWork
from backend.simulator.replay_specs import usual_price
from backend.storage.files import FileStorage
from tests.conftest import ROOT
from tests.unit.history.desk import RULE
from tests.unit.history.desk import stored as bars_in
from tests.unit.history.files import MONDAY, MT5_HEAD, mt5_minutes, save

MINUTES = 5000


class Cancelled(Exception):  # noqa: N818 - as the job's own
    """Somebody asked for it to stop."""


def work(folder: Path, *, dry_run: bool = False, lines: int = MINUTES, **choices: Any) -> ImportWork:
    file = save(folder / "in/EURUSD_M1.csv", [MT5_HEAD, *mt5_minutes(MONDAY, lines)])
    return ImportWork(
        source=file,
        choices=Choices(clock="UTC", **choices),
        folder=folder / "imported",
        symbol_map=ROOT / "config/symbol_map.csv",
        server_clock=RULE,
        usual=usual_price,
        dry_run=dry_run,
    )


def stored(folder: Path) -> int:
    """Bars that are there, once whoever reads next has ended what was begun."""
    settle(FileStorage(folder / "imported"))
    return len(bars_in(folder / "imported"))


def test_it_answers_in_short_and_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    done = work(tmp_path, lines=3).run(lambda *now: told.append(now))
    (series,) = done["series"]
    assert (done["stored"], done["ignored"]) == (True, 0)
    assert (series["symbol"], series["timeframe"], series["bid"]["added"]) == ("EURUSD", "M1", 3)
    assert (tmp_path / f"imported/reports/{series['report']}.json").is_file()
    assert "files" not in series
    assert told[-1][0] == told[-1][1] > 0
    assert [now for now, _ in told] == sorted(now for now, _ in told)
    again = work(tmp_path, lines=3).run(lambda *_: None)
    assert again["series"][0]["bid"]["added"] == 0


def test_a_dry_run_stores_nothing_and_names_no_report(tmp_path: Path) -> None:
    done = work(tmp_path, lines=3, dry_run=True).run(lambda *_: None)
    assert (done["stored"], done["series"][0]["report"], done["series"][0]["bid"]["added"]) == (
        False,
        None,
        3,
    )
    assert stored(tmp_path) == 0


def test_what_is_wrong_with_the_files_is_told_as_by_the_command(tmp_path: Path) -> None:
    one = work(tmp_path)
    one.source.write_text("no history at all", encoding="utf-8")
    with pytest.raises(Invalid) as refused:
        one.run(lambda *_: None)
    assert refused.value.code == "unknown_format"
    one.source.unlink()
    with pytest.raises(NotFound):
        one.run(lambda *_: None)


@pytest.mark.full
@pytest.mark.parametrize("words", [0, 1, 2, 3, 4])
def test_ended_at_any_word_all_is_stored_or_nothing(tmp_path: Path, words: int) -> None:
    heard: list[tuple[int, int]] = []

    def check() -> None:
        if len(heard) > words:
            raise Cancelled

    with contextlib.suppress(Cancelled):  # a small file may be done before
        run_in_child(
            work(tmp_path), check=check, progress=lambda *now: heard.append(now), deadline=60, what="import"
        )
    assert stored(tmp_path) in {0, MINUTES}
    done = run_in_child(work(tmp_path), check=lambda: None, progress=None, deadline=60, what="import")
    counts = done["series"][0]["bid"]
    assert counts["added"] + counts["already_there"] == MINUTES
    assert stored(tmp_path) == MINUTES
