"""`mt5ui history`: what it prints, asks, keeps and refuses. No desk runs."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.cli.main import main
from tests.conftest import ROOT
from tests.unit.history.files import MONDAY, MT5_HEAD, mt5_line, mt5_minutes, save


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "a trader's desk"
    shutil.copytree(ROOT / "config", folder / "config")
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `mt5ui history` in that folder."""
    monkeypatch.setenv("MT5UI_HOME", str(home))

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["mt5ui", "history", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    return save(tmp_path / "EURUSD_M1_1.csv", [MT5_HEAD, *mt5_minutes(MONDAY, 300)])


def answer(said: Said) -> Any:
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_an_import_is_told_in_a_table_with_its_report(run: Run, home: Path, minutes: Path) -> None:
    said = run("import", minutes)
    assert said.code == 0, said.err
    assert "EURUSD" in said.out
    assert "300" in said.out
    (report,) = (home / "data" / "history" / "imported" / "reports").glob("EURUSD_M1_*.json")
    assert str(report) in said.out
    assert report.with_suffix(".txt").is_file()
    assert "mt5ui backtest STRATEGY --data" in said.out
    again = answer(run("import", minutes, "--json"))
    assert again["series"][0]["bid"]["added"] == 0
    assert (again["stored"], again["series"][0]["bid"]["already_there"]) == (True, 300)


def test_a_dry_run_writes_nothing(run: Run, home: Path, minutes: Path) -> None:
    said = run("import", minutes, "--dry-run")
    assert said.code == 0
    assert "Nothing was written" in said.out
    assert not list((home / "data").rglob("*.parquet"))
    assert answer(run("import", minutes, "--dry-run", "--json"))["stored"] is False
    assert not list((home / "data").rglob("*.json"))


def test_a_bad_file_is_one_line_with_place_and_count(run: Run, home: Path, tmp_path: Path) -> None:
    bad = mt5_line(MONDAY).replace("1.10005", "1.00005")
    file = save(tmp_path / "EURUSD_M1_2.csv", [MT5_HEAD, mt5_line(MONDAY), bad, bad])
    said = run("import", file)
    assert (said.code, said.out) == (1, "")
    (line,) = said.err.strip().splitlines()
    assert "line 3, column 4" in line
    assert "2 such rows" in line
    assert not list((home / "data").rglob("*.parquet"))
    refused = run("import", file, "--json")
    error = json.loads(refused.out)["error"]
    assert (refused.code, error["code"], error["details"]["count"]) == (1, "corrupt_file", 2)


def test_what_only_a_person_knows_is_asked_on_a_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save(tmp_path / "2024.csv", ["2024.01.02,00:00,1.1,1.2,1.0,1.1,100"] * 1)
    refused = run("import", file)
    assert refused.code == 1
    assert "--symbol" in refused.err
    assert run("import", file, "--symbol", "EURUSD", "--tz", "Mars/Olympus").code == 1
    asked: list[str] = []

    def prompt(text: str, **_: Any) -> str:
        asked.append(text)
        return "EURUSD" if "Symbol" in text else "Europe/Athens"

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    file = save(tmp_path / "x 60.csv", [f"2024.01.02,{hour:02}:00,1.1,1.2,1.0,1.1,100" for hour in range(9)])
    said = run("import", file)
    assert said.code == 0, said.err
    assert len(asked) == 2
    assert "America/New_York+7" in asked[1]
    (page,) = answer(run("check", "EURUSD", "--json"))
    assert page["first"] == "2024-01-01T22:00:00Z"


def test_check_says_what_a_backtest_may_trust(run: Run, minutes: Path) -> None:
    assert "No bars are kept yet" in run("check").out
    run("import", minutes)
    said = run("check", "EURUSD", "M1")
    assert said.code == 0
    assert "What a backtest may trust:" in said.out
    (page,) = answer(run("check", "--json"))
    assert (page["kept"], page["bars"], page["verdict"]) == ("imported", 300, "usable")
    assert page["zone"] == "America/New_York+7"
    assert run("check", "USDJPY").code == 1
    assert run("check", "EURUSD", "M7").code == 1
    assert run("check", "EURUSD", "--source", "elsewhere").code == 1


def test_a_corrupt_partition_is_told_and_set_aside(run: Run, home: Path, minutes: Path) -> None:
    run("import", minutes)
    (part,) = (home / "data" / "history" / "imported" / "bid").rglob("*.parquet")
    part.write_bytes(b"PAR1 no more")
    (page,) = answer(run("check", "--json"))
    assert page["verdict"] == "doubtful"
    assert page["problem"]["code"] == "corrupt_file"
    assert answer(run("import", minutes, "--json"))["series"][0]["bid"]["added"] == 300


def test_export_writes_metatrader_s_file(run: Run, tmp_path: Path, minutes: Path) -> None:
    run("import", minutes)
    out = tmp_path / "out.csv"
    said = answer(run("export", "EURUSD", "M1", out, "--json"))
    assert said == {"file": str(out), "bars": 300, "source": "imported"}
    assert out.read_bytes() == minutes.read_bytes()
    assert "--force" in run("export", "EURUSD", "M1", out).err
    part = answer(run("export", "EURUSD", "M1", out, "--force", "--from", "2024-03-04", "--json"))
    assert part["bars"] == 180  # the first two hours of the server's Monday are Sunday in UTC
    assert run("export", "EURUSD", "H1", out).code == 1


def test_both_kept_series_ask_which_is_meant(run: Run, home: Path, tmp_path: Path, minutes: Path) -> None:
    from backend.config import load_settings
    from backend.services import build_services
    from tests.fakes.bars import bars_at

    run("import", minutes)
    services = build_services(load_settings(home=home))
    clock = services.server_clock
    opens = [MONDAY - timedelta(days=7) + timedelta(minutes=n) for n in range(50)]
    from backend.core.timeframes import Timeframe

    services.market_store.append(bars_at(opens, timeframe=Timeframe.M1, clock=clock))
    said = run("export", "EURUSD", "M1", tmp_path / "out.csv")
    assert "--source desk or imported" in said.err
    assert (
        answer(run("export", "EURUSD", "M1", tmp_path / "d.csv", "--source", "desk", "--json"))["bars"] == 50
    )
    assert len(answer(run("check", "--json"))) == 2


def test_fetch_needs_the_desk_and_says_so(run: Run) -> None:
    said = run("fetch", "EURUSD", "--from", "2024-01-01")
    assert said.code == 1
    assert "connector" in said.err
    assert run("fetch", "NOSUCH", "--from", "2024-01-01").code == 1
