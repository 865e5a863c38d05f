"""`mt5ui verify-journal` and `replay` as a person and a program meet them: on files, without a desk."""

import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.cli.main import main
from tests.api.test_parity_routes import PAGE
from tests.fakes.desk import ROOT, simulated_desk

AT = datetime(2026, 3, 4, 10, 0, 5, tzinfo=UTC)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "config", home / "config")
    simulated_desk(home / "data", AT, config=home / "config").ideas.evaluate_all(trigger="test")
    return home


@pytest.fixture
def home(decided: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(decided, tmp_path / "home"))


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mt5ui", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def ledger(home: Path) -> Path:
    [path] = (home / "data" / "decisions").glob("decisions_*.jsonl")
    return path


def test_a_whole_journal(run: Run, home: Path) -> None:
    code, out, _ = run("verify-journal")
    assert code == 0
    assert "each as it was written, none missing" in out
    code, out, _ = run("verify-journal", "--json")
    page = json.loads(out)
    assert (code, page["ok"], page["inputs"]["altered"]) == (0, True, 0)
    rows = ledger(home).read_bytes().splitlines()
    assert (page["records"], page["last_hash"]) == (len(rows), json.loads(rows[-1])["hash"])
    assert run("verify-journal", "--expect", page["last_hash"][:16])[0] == 0
    code, out, _ = run("verify-journal", "--expect", "0" * 64)
    assert code == 1
    assert "this is not the journal that it was sent from" in out


def test_an_altered_record_is_named(run: Run, home: Path) -> None:
    path = ledger(home)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"action":"observe"', b'"action":"blocked"')
    path.write_bytes(b"".join(lines))
    code, out, _ = run("verify-journal")
    assert code == 1
    assert "decisions_20260304.jsonl, line 3, record 3: its content does not match its hash" in out


def test_an_altered_input_is_named(run: Run, home: Path) -> None:
    hashed = json.loads(ledger(home).read_bytes().splitlines()[0])["payload"]["inputs"]["account"]
    path = home / "data" / "decisions" / "inputs" / f"{hashed}.json"
    path.write_bytes(path.read_bytes().replace(b"10000.0", b"10000.1"))
    code, out, _ = run("verify-journal", "--json")
    page = json.loads(out)
    assert (code, page["ok"], page["broken_at"]) == (1, False, None)
    assert (page["inputs"]["first"]["input"], page["inputs"]["first"]["seq"]) == ("account", 1)
    assert run("verify-journal", "--no-inputs")[0] == 0


def test_replay(run: Run, home: Path) -> None:
    decision = json.loads(ledger(home).read_bytes().splitlines()[0])["key"]
    code, out, _ = run("replay", decision)
    assert (code, "computed again, the same bytes" in out) == (0, True)
    [bars] = (home / "data" / "decisions" / "bars").glob("*.jsonl")
    bars.unlink()
    shutil.rmtree(home / "data" / "history")
    code, out, _ = run("replay", decision, "--json")
    assert (code, json.loads(out)["error"]["code"]) == (1, "inputs_gone")
    code, _, err = run("replay", "d-unknown")
    assert (code, "has no decision 'd-unknown'" in err) == (1, True)


def test_decisions_are_listed_counted_and_shown(run: Run) -> None:
    code, out, _ = run("decisions", "list", "--symbol", "EURUSD", "--limit", 1, "--json")
    page = json.loads(out)
    [item] = page["items"]
    assert (code, item["payload"]["symbol"]) == (0, "EURUSD")
    code, out, _ = run("decisions", "list", "--symbol", "EURUSD", "--cursor", page["next_cursor"])
    assert (code, "EURUSD_H1" in out, "more:" in out) == (0, True, False)
    code, out, _ = run("decisions", "list", "--refused-by", "confidence", "--stats", "--json")
    counts = json.loads(out)
    assert counts["total"] == counts["by_check"]["confidence"]["decisions"] > 0
    assert run("decisions", "list", "--stats")[0] == 0
    assert json.loads(run("decisions", "list", "--since", "2026-03-05T00:00Z", "--json")[1])["items"] == []
    code, out, _ = run("decisions", "show", item["key"], "--inputs", "--json")
    shown = json.loads(out)
    assert shown["hash"] == item["hash"]
    assert shown["inputs"]["account"]["content"]["currency"] == "USD"
    assert (
        len(shown["inputs"]["bars"][0]["content"]["close"]) == shown["payload"]["inputs"]["bars"][0]["count"]
    )
    assert "account" in run("decisions", "show", item["key"], "--inputs")[1]
    assert run("decisions", "show", "d-unknown")[0] == 1


def test_why_not(run: Run) -> None:
    code, out, _ = run("decisions", "why-not", "--json")
    page = json.loads(out)
    assert (code, page["computed"], page["currency"]) == (0, None, None)
    assert page["checks"][0]["check"] == "confidence"
    assert run("decisions", "why-not")[0] == 0


@pytest.mark.full
def test_why_not_computes_in_a_process_of_its_own(run: Run) -> None:
    code, out, _ = run("decisions", "why-not", "--compute", "--json")
    assert (code, json.loads(out)["computed"]["new"]) == (0, 0)


def test_audits_that_are_kept_are_shown_without_a_terminal(run: Run, home: Path) -> None:
    code, _, err = run("parity", "--kept", "--day", "2026-03-04")
    assert (code, "was not audited" in err) == (1, True)
    folder = home / "data" / "parity"
    folder.mkdir()
    (folder / "2026-03-04.json").write_text(json.dumps(PAGE), encoding="utf-8")
    assert json.loads(run("parity", "--kept", "--json")[1])["days"][0]["gap"] == "-2.50"
    code, out, _ = run("parity", "--kept", "--day", "2026-03-04")
    assert (code, "gap -2.50 USD" in out, "human_delay" in out) == (0, True, True)
    assert "2026-03-04" in run("parity", "--kept")[1]
