"""`mt5ui strategy check` and `explain` as a person and as a program meet them."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.cli.main import main
from backend.core.clock import FixedClock
from backend.core.timeframes import Timeframe
from backend.market.store import MarketStore
from backend.storage.files import FileStorage
from tests.fakes.walks import NEW_YORK, longer, walk
from tests.unit.simulator.replay_data import write_hours, write_minutes

H1, H4 = Timeframe.H1, Timeframe.H4
GOOD: dict[str, Any] = {
    "id": "MINE",
    "symbol": "EURUSD",
    "timeframe": "H1",
    "conditions": {"entry": ['close > ema(3, tf="H4") and rising(close, 2)'], "exit": ["rsi_gt_70"]},
    "strategy": {"direction": "long"},
}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(desk_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(desk_home))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mt5ui", "strategy", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "MINE.json"
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    return path


def test_a_good_file_is_said_to_be_good_with_what_it_needs(run: Run, mine: Path) -> None:
    code, out, err = run("check", mine)
    assert (code, err) == (0, "")
    assert "MINE.json: good; needs 15 bars of H1, 3 bars of H4" in out
    code, out, _ = run("check", mine, "--json")
    assert code == 0
    assert json.loads(out) == {
        "ok": True,
        "files": [
            {"file": str(mine), "ok": True, "id": "MINE", "problems": [], "needs": {"H1": 15, "H4": 3}}
        ],
    }


def test_a_strategy_of_the_desk_is_named_by_its_id_and_a_folder_checks_all(run: Run, desk_home: Path) -> None:
    code, out, _ = run("check", "EURUSD_H1")
    assert code == 0
    assert "EURUSD_H1.json: good" in out
    folder = desk_home / "config" / "ai" / "strategies"
    code, out, _ = run("check", folder, "--json")
    assert code == 0
    assert [one["id"] for one in json.loads(out)["files"]] == sorted(p.stem for p in folder.glob("*.json"))


def test_each_mistake_is_told_with_file_place_and_column(run: Run, mine: Path, tmp_path: Path) -> None:
    wrong = {**GOOD, "conditions": {"entry": ["close > emma(20)", "close > 1"], "exit": ["rsi"]}}
    mine.write_text(json.dumps(wrong), encoding="utf-8")
    code, out, _ = run("check", mine)
    assert code == 1
    assert "/conditions/entry/0" in out
    assert "did you mean 'ema'?" in out
    code, out, _ = run("check", mine, "--json")
    assert code == 1
    (file,) = json.loads(out)["files"]
    assert (file["ok"], file["id"], file["needs"]) == (False, None, None)
    assert [(one["pointer"], one["column"]) for one in file["problems"]] == [
        ("/conditions/entry/0", 9),
        ("/conditions/exit/0", 1),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "line 1, column 1: not JSON"),
        ('{"id": "MINE",\n }', "line 2, column 2: not JSON"),
        ('{"id": "MINE", "id": "MINE"}', "stands twice"),
        ("[]", "no JSON object"),
        (json.dumps({**GOOD, "id": "OTHER"}), "the id is 'OTHER' and the file is 'MINE'"),
        (json.dumps({**GOOD, "conditions": {"entry": []}}), "no entry condition"),
        (json.dumps({**GOOD, "strategy": {"direction": "long", "max_risk_pct": 1}}), "Did you mean percent?"),
    ],
)
def test_what_is_no_strategy(run: Run, mine: Path, content: str, reason: str) -> None:
    mine.write_text(content, encoding="utf-8")
    code, out, _ = run("check", mine, "--json")
    assert code == 1
    assert reason in json.loads(out)["files"][0]["problems"][0]["reason"]


def test_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("check", "NONE")
    assert code == 1
    assert "there is no file NONE" in " ".join(out.split())
    code, _, err = run("explain", "NONE")
    assert code == 1
    assert "there is no file NONE" in err
    code, _, err = run("check", tmp_path)
    assert code == 1
    assert "holds no .json file" in err


def test_a_strategy_that_can_never_act_is_told(run: Run, mine: Path, desk_home: Path) -> None:
    # 30 for its entry, nothing for strong conditions that its entry excludes, 50 for market and account.
    excluding = {"entry": ["uptrend"], "strong": ["downtrend", "sideways", "ema_fast_lt_slow"]}
    mine.write_text(json.dumps({**GOOD, "conditions": excluding}), encoding="utf-8")
    limits = desk_home / "config" / "risk.json"
    stated = json.loads(limits.read_text(encoding="utf-8"))
    stated["thresholds"]["autonomous"] = 90
    limits.write_text(json.dumps(stated), encoding="utf-8")
    code, out, _ = run("check", mine, "--json")
    assert code == 1
    assert "can score at most" in json.loads(out)["files"][0]["problems"][0]["reason"]


HOURS = walk(600, timeframe=H1, seed=8)


@pytest.fixture
def stored(desk_home: Path) -> Path:
    data = desk_home / "data"
    store = MarketStore(
        FileStorage(data, fsync=False), NEW_YORK, clock=FixedClock(datetime(2026, 6, 1, tzinfo=UTC))
    )
    store.append(HOURS)
    store.append(longer(HOURS, H4))
    return data


def test_a_bar_is_explained_from_what_is_stored(run: Run, mine: Path, stored: Path) -> None:
    closed = HOURS.opened(300) + timedelta(hours=1)
    code, out, err = run("explain", mine, "--at", closed.isoformat(), "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["bar"]["close"] == HOURS.close[300]
    (side,) = told["sides"]
    entry = side["conditions"][0]
    rose = bool(HOURS.close[300] > HOURS.close[299] > HOURS.close[298])
    assert entry["parts"][1]["holds"] is rose
    assert [one["value"] for one in entry["parts"][1]["operands"]] == [
        HOURS.close[i] for i in (298, 299, 300)
    ]
    code, out, _ = run("explain", mine, "--at", closed.isoformat())
    assert code == 0
    assert "It sees H4 up to the bar" in out
    assert 'ema(3, tf="H4")' in out
    assert f"close = {HOURS.close[300]:.8g}" in out
    assert f"(H4 bar {told['longer_bars'][0]['opened']})" in out
    assert "3 H1, 3 H4" in out  # what the entry needs


def test_without_a_time_the_newest_stored_bar_is_explained(run: Run, mine: Path, stored: Path) -> None:
    code, out, _ = run("explain", mine, "--json")
    assert code == 0
    assert json.loads(out)["bar"]["close"] == HOURS.close[-1]


def test_another_desks_data_folder_will_do(run: Run, mine: Path, stored: Path, tmp_path: Path) -> None:
    moved = stored.rename(tmp_path / "elsewhere")
    closed = (HOURS.opened(300) + timedelta(hours=1)).isoformat()
    assert run("explain", mine, "--at", closed)[0] == 1
    code, out, _ = run("explain", mine, "--at", closed, "--data", moved, "--json")
    assert code == 0
    assert json.loads(out)["bar"]["close"] == HOURS.close[300]


def test_so_will_a_folder_of_recorded_prices(run: Run, mine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    write_hours(folder, "eurusd", first=datetime(2014, 4, 21, tzinfo=UTC), hours=24 * 12)
    code, out, _ = run("explain", mine, "--at", "2014-04-25T12:00Z", "--data", folder, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["bar"]["opened"] == "2014-04-25T11:00:00Z"
    hour = 4 * 24 + 11
    assert told["bar"]["open"] == pytest.approx(1.1 + hour * 0.0001)
    assert told["bar"]["spread"] == 9
    assert told["longer_bars"][0]["closed"] == "2014-04-25T09:00:00Z"  # 12:00 on the server
    minutes = tmp_path / "minutes"
    write_minutes(minutes, "eurusd", first=datetime(2014, 4, 21, tzinfo=UTC), days=3)
    mine.write_text(json.dumps({**GOOD, "timeframe": "M15"}), encoding="utf-8")
    code, out, _ = run("explain", mine, "--at", "2014-04-23T12:05Z", "--data", minutes, "--json")
    assert code == 0
    assert json.loads(out)["bar"]["closed"] == "2014-04-23T12:00:00Z"
    code, _, err = run("explain", mine, "--at", "2014-04-23T12:05Z", "--data", folder)
    assert code == 1
    assert "no bars of EURUSD M15" in err  # hours only


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--at", "2026-01-20T12:00Z"], "no bars of EURUSD H1 that had closed by 2026-01-20T12:00:00Z"),
        ([], "no bars of EURUSD H1 are stored"),
        (["--at", "yesterday"], "'yesterday' is not an ISO-8601 time"),
        (["--at", "2026-01-20T12:00"], "has no time zone"),
        (["--symbol", "XAUUSD"], "strategy MINE trades EURUSD, not XAUUSD"),
        (["--data", "nowhere"], "nowhere is no folder"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(
    run: Run, mine: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = run("explain", mine, *arguments)
    assert (code, out) == (1, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    code, out, _ = run("explain", mine, *arguments, "--json")
    assert code == 1
    assert sentence in json.loads(out)["error"]["message"]


def test_too_few_bars_are_told_with_how_many_are_needed(run: Run, mine: Path, stored: Path) -> None:
    at = (HOURS.opened(9) + timedelta(hours=1)).isoformat()
    code, _, err = run("explain", mine, "--at", at)
    assert code == 1
    assert err == "MINE needs 15 closed bars of H1 of EURUSD, and there are 10\n"


@pytest.mark.market_data
def test_the_payrolls_bar_of_real_hours(run: Run, market_data: Path) -> None:
    folder = market_data / "lean"
    code, out, _ = run("explain", "EURUSD_H1", "--at", "2014-05-02T13:00Z", "--data", folder, "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["bar"]["open"], told["bar"]["low"], told["bar"]["close"]) == (1.38669, 1.38085, 1.38281)
    (side,) = told["sides"]
    assert side["signal"] is False
    holds = {one["condition"]: one["holds"] for one in side["conditions"]}
    assert holds["ema_fast_gt_slow"] is True
    assert holds["rsi_between_40_60"] is False
    assert np.isfinite(told["atr"])
