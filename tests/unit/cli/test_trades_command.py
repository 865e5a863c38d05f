"""`mt5ui trades` reads the desk's files; no desk needs to run."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.cli.main import main
from backend.storage.files import FileStorage
from tests.api.test_trade_routes import closed, write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mt5ui", "trades", *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_trades_for_a_person_and_for_a_program(run: Run, tmp_path: Path) -> None:
    code, out, _ = run()
    assert (code, "There are no closed trades." in out) == (0, True)
    write(
        FileStorage(tmp_path),
        "logs/trades_20260302.csv",
        closed("a", "2026-03-02T10:00:00Z", exit_reason="trail"),
        closed("b", "2026-03-02T11:00:00Z", symbol="XAUUSD", strategy=None),
    )
    code, out, _ = run("--limit", "1")
    assert (code, "XAUUSD" in out, "trail" in out, "older ones" in out) == (0, True, False, True)
    page = json.loads(run("--exit-reason", "trail", "--since", "2026-03-02", "--json")[1])
    assert [(row["id"], row["net"], row["mae"]) for row in page["items"]] == [("a", 9.3, None)]
    assert json.loads(run("--strategy", "", "--json")[1])["items"][0]["id"] == "b"
    assert json.loads(run("--until", "2026-03-02T10:30:00Z", "--json")[1])["items"][0]["id"] == "a"


def test_a_time_that_is_none_is_refused(run: Run) -> None:
    code, out, err = run("--since", "yesterday")
    assert (code, out) == (1, "")
    assert "yesterday" in err
