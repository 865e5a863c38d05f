"""`mt5ui news`: articles and feeds from the files of a desk that need not run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.fakes.command_line import Run, command_line
from tests.fakes.fetcher import Reply, Site
from tests.fakes.news_desk import Desk, item, rss


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    return command_line(monkeypatch, capfd, "news")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, Site())
    desk.feeds(
        {"name": "Bank", "url": desk.site.url("/a"), "currencies": ["EUR"]},
        {"name": "Gone", "url": desk.site.url("/b")},
    )
    desk.site.put("/a", Reply(body=rss(item(1), item(2, title="Gold [bold] rises on the day"))))
    desk.service.collect()
    return desk


def test_a_desk_that_never_collected_says_so(run: Run, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    code, out, _ = run()
    assert (code, out.strip()) == (0, "Not known: no news has been collected yet")
    assert json.loads(run("--json")[1])["articles"] is None
    assert "never" in run("--feeds")[1]


@pytest.mark.usefixtures("desk")
def test_articles_by_filter_and_page(run: Run) -> None:
    _, out, _ = run()
    assert "Notice number 1 of the bank" in out
    assert "Gold [bold] rises on the day" in out  # nothing in a title is markup
    assert "Stale: last answer" in out  # that was long before today
    _, out, _ = run("--search", "GOLD")
    assert "Notice number 1" not in out
    assert "No such article." in run("--symbol", "XAUUSD")[1]
    first = json.loads(run("--limit", "1", "--json")[1])
    rest = json.loads(run("--limit", "1", "--cursor", first["next_cursor"], "--json")[1])
    titles = [one["title"] for one in first["articles"] + rest["articles"]]
    assert sorted(titles) == ["Gold [bold] rises on the day", "Notice number 1 of the bank"]
    assert first["articles"][0]["published"] == "2026-01-05T12:00:00Z"


@pytest.mark.usefixtures("desk")
def test_how_the_feeds_do(run: Run) -> None:
    _, out, _ = run("--feeds")
    [bank, gone] = [line for line in out.splitlines() if line.startswith(("Bank", "Gone"))]
    assert bank.split()[1] == "ok"
    assert gone.split()[1] == "failed"
    assert "answered 404" in gone


@pytest.mark.parametrize(
    "words", [("--from", "yesterday"), ("--from", "2026-01-05T12:00"), ("--cursor", "x"), ("--limit", "0")]
)
def test_what_makes_no_sense_is_refused(run: Run, words: tuple[str, ...]) -> None:
    code, out, err = run(*words)
    assert code != 0
    assert out == ""
    assert err
