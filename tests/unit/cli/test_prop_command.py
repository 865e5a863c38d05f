"""`mt5ui prop` and `mt5ui backtest --rulebook`, on files: no desk runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from backend.backtest.child import Order, compute
from tests.conftest import ROOT
from tests.fakes.backtests import table
from tests.fakes.command_line import Run, command_line
from tests.unit.backtest.test_kernel_equals_reference import market, times
from tests.unit.cli.test_backtest_command import FIRST
from tests.unit.simulator.replay_data import write_hours

RULES = {"name": "mine", "profit_target": 0.05, "drawdown": {"limit": 0.05, "kind": "static"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prices")
    write_hours(folder, "eurusd", first=FIRST, hours=400)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "a trader's desk"
    shutil.copytree(ROOT / "config", folder / "config")
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(RULES), encoding="utf-8")
    return str(path)


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "160")

    return command_line(monkeypatch, capfd)


def test_a_rulebook_is_used_shown_and_lifted(run: Run, home: Path, rules: str) -> None:
    assert "No rulebook is in force" in run("prop", "show").out
    assert "one-step" in run("prop", "presets").out
    said = run("prop", "use", rules, "--reason", "the challenge begins")
    assert said.code == 0, said.err
    assert "profit target" in said.out
    assert json.loads((home / "config" / "prop_rulebook.json").read_text("utf-8")) == RULES
    shown = run("prop", "show")
    assert "cannot be told" in shown.out  # no connector runs
    told = json.loads(run("prop", "show", "--json").out)
    assert (told["rulebook"]["name"], told["standing"]["challenge"]) == ("mine", None)
    assert run("prop", "lift", "--reason", "over").code == 0
    assert json.loads(run("prop", "show", "--json").out) == {"rulebook": None, "standing": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing.json", "neither a preset (two-step-1, two-step-2, one-step, instant) nor a file"),
        ("{", "it is not JSON"),
        ('{"name": "x", "drawdown": {"limit": 3}}', "drawdown.limit"),
    ],
)
def test_a_rulebook_that_is_none_is_named(run: Run, tmp_path: Path, text: str, words: str) -> None:
    given = text
    if text.startswith("{"):
        path = tmp_path / "bad.json"
        path.write_text(text, encoding="utf-8")
        given = str(path)
    said = run("prop", "use", given, "--reason", "x")
    assert words in said.only_line
    assert given in said.only_line


def test_a_backtest_under_a_rulebook_says_how_it_stands(run: Run, home: Path, data: Path, rules: str) -> None:
    words = ("backtest", "EURUSD_H1", "--data", str(data))
    plain = json.loads(run(*words, "--json").out)
    assert "rulebook" not in plain
    said = run(*words, "--rulebook", rules)
    assert said.code == 0, said.err
    assert "rulebook mine: running" in said.out
    assert "trading days of" in said.out
    report = json.loads(run(*words, "--rulebook", rules, "--json").out)
    assert report["rulebook"]["name"] == "mine"
    assert report["limits"]["rulebook"]["profit_target"] == 0.05
    run("prop", "use", rules, "--reason", "x")
    in_force = json.loads(run(*words, "--json").out)
    assert in_force["id"] == report["id"]
    assert json.loads(run(*words, "--rulebook", "none", "--json").out) == plain


def test_a_rulebook_states_the_balance_and_another_one_is_refused(
    run: Run, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "stated.json"
    path.write_text(json.dumps({**RULES, "initial_balance": 50_000}), encoding="utf-8")
    words = ("backtest", "EURUSD_H1", "--data", str(data), "--rulebook", str(path))
    assert json.loads(run(*words, "--json").out)["account"]["balance"] == "50000.0"
    said = run(*words, "--balance", "10000")
    assert "begins with 50000.0, and 10000 is asked for" in said.only_line


def test_chances_of_a_kept_backtest(run: Run, home: Path, rules: str) -> None:
    job = table(market(5, 400), times=times(5, 400))
    run_id = str(compute(Order(job=job, root=home / "data"))["id"])
    words = ("prop", "simulate", run_id, "--rulebook", rules, "--paths", "300", "--days", "50")
    said = run(*words)
    assert said.code == 0, said.err
    assert "P(pass)" in said.out
    found = json.loads(run(*words, "--json").out)
    assert found["paths"] == 300
    assert run(*words, "--json").out == run(*words, "--json").out
    assert "no rulebook is in force" in run("prop", "simulate", run_id).only_line
    assert "paths is 0" in run("prop", "simulate", run_id, "--rulebook", rules, "--paths", "0").only_line
    assert "there is no backtest" in run("prop", "simulate", "x", "--rulebook", rules).only_line
