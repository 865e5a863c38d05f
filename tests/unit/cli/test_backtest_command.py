"""`mt5ui backtest` over small recorded files: what it prints, keeps and refuses. No desk runs."""

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.market.specifications import Specifications
from backend.market.store import MarketStore
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage
from tests.conftest import ROOT
from tests.fakes.bars import bars_at
from tests.fakes.command_line import Run, Said, command_line
from tests.fakes.instruments import instrument
from tests.unit.simulator.replay_data import write_hours

FIRST = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prices")
    write_hours(folder, "eurusd", first=FIRST, hours=400)
    write_hours(folder, "gbpusd", first=FIRST, hours=60)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "a trader's desk"
    shutil.copytree(ROOT / "config", folder / "config")
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "160")

    return command_line(monkeypatch, capfd, "backtest")


def test_a_run_is_told_kept_and_found_again(run: Run, home: Path, data: Path) -> None:
    words = ("EURUSD_H1", "--data", str(data), "--costs", "commission_per_lot=3", "--balance", "5000")
    said = run(*words)
    assert said.code == 0, said.err
    assert "EURUSD_H1 on EURUSD H1, 2026-01-07 to 2026-01-21" in said.out
    assert "supervised; 5,000.00 USD at 1:100; risk 1.00% a trade" in said.out
    for shown in (
        "pending_only=60",
        "drawdown 10.0% trailing",
        "Profit factor",
        "Half-spreads",
        "speaks against",
    ):
        assert shown in said.out
    path = Path(said.out.strip().splitlines()[-1])
    assert path.is_relative_to(home / "data" / "backtests")
    assert {one.name for one in path.parent.iterdir() if one.is_file()} == {
        "report.json",
        "report.html",
        "trades.csv",
        "equity.parquet",
        "run.json",
    }
    written = (path.parent / "run.json").stat().st_mtime_ns
    again = run(*words)
    assert "nothing had changed" in again.out
    assert (path.parent / "run.json").stat().st_mtime_ns == written
    report = json.loads(run(*words, "--json").out)
    assert report == json.loads((path.parent / "report.json").read_text("utf-8"))
    assert report["streams"][0]["costs"]["commission_per_lot"] == "3"
    fresh = run(*words, "--fresh")
    assert "nothing had changed" not in fresh.out
    assert (path.parent / "run.json").stat().st_mtime_ns > written
    assert json.loads((path.parent / "report.json").read_text("utf-8")) == report


def test_arguments_count_instead_of_the_files(run: Run, data: Path) -> None:
    arguments = ("--mode", "observe", "--risk", "0.02", "--limits", "drawdown.limit=0.5", "--reading", "best")
    said = run("EURUSD_H1", "--data", str(data), "--json", *arguments, "--benchmark")
    assert said.err == ""
    report = json.loads(said.out)
    assert report["limits"]["mode"] == "observe"
    assert report["limits"]["risk_fraction"] == 0.02
    assert report["streams"][0]["strategy"]["strategy"]["max_risk_pct"] == 0.02
    assert report["limits"]["drawdown"] == {"limit": 0.5, "kind": "trailing", "lock_at_initial": False}
    assert report["options"]["reading"] == "best"
    # from the first traded bar on each hour opens 10 points higher: holding has gained
    assert report["benchmark"]["EURUSD"]["return_pct"] > 0


def test_the_last_day_is_included_and_the_first_begins_at_midnight(run: Run, data: Path) -> None:
    period = ("--from", "2026-01-12", "--to", "2026-01-13")
    report = json.loads(run("EURUSD_H1", "--data", str(data), "--json", *period).out)
    assert report["period"]["from"] == "2026-01-12T00:00:00Z"
    assert report["period"]["to"] == "2026-01-14T00:00:00Z"
    assert report["period"]["bars"] == 48


def test_costs_of_a_file_count_and_single_ones_count_more(run: Run, data: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.json"
    costs.write_text(json.dumps({"commission_per_lot": 7, "slippage_points": 2, "spread_points": 30}))
    words = ("--costs", str(costs), "--costs", "slippage_points=0.5")
    report = json.loads(run("EURUSD_H1", "--data", str(data), "--json", *words).out)
    assert report["streams"][0]["costs"] == {
        "commission_per_lot": "7",
        "slippage_points": "0.5",
        "spread_points": [30] * 168,
    }


def test_an_unknown_strategy_lists_the_known_ones(run: Run, data: Path) -> None:
    line = run("NOPE", "--data", str(data)).only_line
    assert "'NOPE'" in line
    assert "EURUSD_H1" in line
    assert "USDJPY_H1_BREAKOUT" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--symbol", "XAUUSD"), "strategy EURUSD_H1 trades EURUSD, not XAUUSD"),
        (("--mode", "wild"), "--mode is 'wild'; it may be observe, supervised, autonomous"),
        (("--reading", "middle"), "--reading is 'middle'; it may be worst, best"),
        (("--risk", "2"), "Did you mean percent? 2 % is written 0.02"),
        (("--balance", "much"), "--balance is 'much'; it is a number above zero"),
        (("--balance", "0"), "the balance is 0; it must be above zero"),
        (
            ("--costs", "fees=1"),
            "'fees' is no cost; there are commission_per_lot, slippage_points, spread_points",
        ),
        (("--costs", "slippage_points=-1"), "slippage_points is '-1'; it is a number of at least zero"),
        (("--costs", "spread_points=1.5"), "spread_points is '1.5'; it is a whole number of points"),
        (("--costs", "nowhere.json"), "nowhere.json is neither a file that can be read"),
        (("--limits", "drawdown.depth=1"), "arguments: drawdown.depth: unknown key; known are limit, kind"),
        (("--limits", "drawdown.limit"), "'drawdown.limit' is not key=value, such as drawdown.limit=0.5"),
        (("--days", "3", "--from", "2026-01-05"), "either a number of days or a beginning, not both"),
        (("--days", "0"), "days is 0; it may be 1 to 3650"),
        (("--from", "2026-02-31"), "'2026-02-31' is not an ISO-8601 time"),
        (("--from", "2026-01-20", "--to", "2026-01-10"), "it is empty"),
        (
            ("--from", "2026-01-05", "--to", "2026-01-06"),
            "between 2026-01-05 00:00 and 2026-01-07 00:00 UTC; there are 0 before that and 48 within",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    run: Run, data: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in run("EURUSD_H1", "--data", str(data), *words).only_line


def test_a_folder_without_the_symbol_or_without_anything_is_named(
    run: Run, data: Path, tmp_path: Path
) -> None:
    line = run("USDJPY_H1_BREAKOUT", "--data", str(data)).only_line
    assert line == f"{data} has no files of USDJPY; it has EURUSD, GBPUSD"
    assert "is no folder" in run("EURUSD_H1", "--data", str(tmp_path / "gone")).only_line
    # only hours are there, and quarters of an hour cannot be made of them
    assert f"{data} has no M15 bars of EURUSD" in run("EURUSD_M15_MOMENTUM", "--data", str(data)).only_line


def test_without_desk_and_history_it_says_what_to_do(run: Run) -> None:
    line = run("EURUSD_H1", "--days", "30").only_line
    assert "No MT5 connector runs" in line
    assert "--data FOLDER" in line


def test_the_stored_history_is_enough_without_a_desk(run: Run, home: Path) -> None:
    clock = ServerClock.parse("America/New_York+7")
    opened = [FIRST - timedelta(days=700) + timedelta(hours=hour) for hour in range(200)]
    storage = FileStorage(home / "data")
    MarketStore(storage, clock).append(bars_at(opened, clock=clock))
    Specifications(storage).keep(instrument(), FIRST)
    said = run("EURUSD_H1", "--from", f"{opened[100]:%Y-%m-%d}", "--to", f"{opened[-1]:%Y-%m-%d}", "--json")
    report = json.loads(said.out)
    assert report["data_quality"]["source"] == "market store"
    assert any("The account is not known" in note for note in report["notes"])


def test_a_refusal_as_json(run: Run, data: Path) -> None:
    said = run("NOPE", "--data", str(data), "--json")
    assert said.code == 1
    assert json.loads(said.out)["error"]["code"] == "unknown_strategy"


@pytest.mark.market_data
@pytest.mark.full
def test_the_real_hours_of_twelve_years(run: Run, market_data: Path) -> None:
    words = ("--from", "2007-01-01", "--to", "2018-12-31", "--data", str(market_data / "lean"), "--json")
    report = json.loads(run("EURUSD_H1", *words).out)
    assert report["period"]["bars"] + report["period"]["warm_up_bars"] == 74_439
    assert report["data_quality"]["coverage_pct"] > 99


def trades_of(said: Said) -> list[dict[str, str]]:
    path = Path(said.out.strip().splitlines()[-1])
    with (path.parent / "trades.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_calendar_keeps_the_strategy_out_of_the_market_around_its_news(
    run: Run, home: Path, data: Path, tmp_path: Path
) -> None:
    own = json.loads((home / "config/ai/strategies/EURUSD_H1.json").read_text("utf-8"))
    own |= {"id": "NEWS", "sessions": [], "conditions": {"entry": ["close > open"]}}
    own["indicators"] = {"atr": {"period": 14, "multiplier": 1.5}}
    own["strategy"] |= {"direction": "long", "invalidations": [], "news_embargo_minutes": 30}
    own.pop("short", None)
    (home / "config/ai/strategies/NEWS.json").write_text(json.dumps(own), "utf-8")
    loose = ("--limits", "thresholds.pending_only=1", "--limits", "thresholds.open_or_scale=1")
    words = ("NEWS", "--data", str(data), *loose)
    free = run(*words)
    assert free.code == 0, free.err
    first = trades_of(free)[0]["signal_time"]
    release = {"title": "Payrolls", "currency": "USD", "at": first, "impact": "high"}
    file = tmp_path / "calendar.json"
    document: dict[str, Any] = {
        "covered_from": "2026-01-01T00:00:00Z",
        "covered_to": "2026-03-01T00:00:00Z",
        "events": [release],
    }
    file.write_text(json.dumps(document), "utf-8")
    kept_out = run(*words, "--calendar", str(file))
    assert kept_out.code == 0, kept_out.err
    assert first not in {trade["signal_time"] for trade in trades_of(kept_out)}
    assert kept_out.out.strip().splitlines()[-1] != free.out.strip().splitlines()[-1]
    file.write_text(json.dumps(document | {"events": [release | {"currency": "JPY"}]}), "utf-8")
    assert trades_of(run(*words, "--calendar", str(file))) == trades_of(free)
    report = json.loads(run(*words, "--calendar", str(file), "--json").out)
    assert any("applied by 1 events of calendar.json" in note for note in report["notes"])
    sheet = tmp_path / "calendar.csv"
    sheet.write_text(f"time,currency,impact,title\n{first},USD,high,Payrolls\n", "utf-8")
    by_sheet = run(*words, "--calendar", str(sheet))
    assert trades_of(by_sheet) == trades_of(kept_out)
    assert "nothing had changed" in run(*words, "--calendar", str(sheet)).out, "the same file is the same run"
    (home / "config/ai/strategies/NEWS.json").unlink()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("[]", "a calendar is an object with"),
        ("{", "it is not JSON"),
        ('{"covered_from": "2026-01-01", "covered_to": "x", "events": []}', "covered_from is '2026-01-01'"),
        (
            '{"covered_from": "2026-02-01T00:00:00Z", "covered_to": "2026-01-01T00:00:00Z", "events": []}',
            "covered_from is not before covered_to",
        ),
        (
            '{"covered_from": "2026-01-01T00:00:00Z", "covered_to": "2026-02-01T00:00:00Z", "events": [{}]}',
            "event 0: an event has title, currency, at",
        ),
    ],
)
def test_a_calendar_that_is_none_is_refused(
    run: Run, data: Path, tmp_path: Path, document: str, said: str
) -> None:
    file = tmp_path / "calendar.json"
    file.write_text(document, "utf-8")
    line = run("EURUSD_H1", "--data", str(data), "--calendar", str(file)).only_line
    assert said in line
    assert "calendar.json" in line
    assert "it cannot be read" in run("EURUSD_H1", "--calendar", str(tmp_path / "gone.json")).only_line
