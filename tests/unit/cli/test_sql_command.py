"""`mt5ui sql`: how it is asked, what it prints, and how it refuses. No desk runs."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.cli.main import main
from tests.unit.queries.desk import Desk

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("a trader's [desk]"))
    desk.trades(
        "20260304",
        {"id": "i-1", "symbol": "EURUSD", "net": 0.1, "entry_time": "2026-03-04T09:00:00Z"},
        {"id": "i-2", "symbol": 'A,"B"', "net": 0.2},
        {"id": "i-3", "symbol": "XAUUSD", "net": -1234567.5},
    )
    return desk


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(desk.home.root))

    def call(*arguments: object, stdin: str | None = None) -> Said:
        monkeypatch.setattr(sys, "argv", ["mt5ui", "sql", *map(str, arguments)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        sys.stdout.flush()
        out, err = (part.decode() for part in capfdbinary.readouterr())
        return Said(int(ended.value.code or 0), out, err)

    return call


QUESTION = "SELECT id, symbol, net, entry_time FROM trades ORDER BY id"


def test_a_table_has_numbers_as_they_are_and_says_where_it_ends(run: Run) -> None:
    said = run(QUESTION, "--limit", 2)
    assert [line.split() for line in said.out.splitlines()] == [
        ["id", "symbol", "net", "entry_time"],
        ["i-1", "EURUSD", "0.1", "2026-03-04T09:00:00Z"],
        ["i-2", 'A,"B"', "0.2", "-"],
    ]
    assert said.err == "The first 2 rows; --limit shows more, --csv all\n"
    assert run(QUESTION, "--limit", 3).err == ""
    assert run("SELECT id FROM trades WHERE net > 1").err == "No row\n"
    assert len(run("SELECT * FROM range(1000)").out.splitlines()) == 101


def test_csv_is_rows_and_nothing_else(run: Run) -> None:
    said = run(QUESTION, "--csv")
    assert said == Said(
        0,
        "id,symbol,net,entry_time\n"
        "i-1,EURUSD,0.1,2026-03-04T09:00:00Z\n"
        'i-2,"A,""B""",0.2,\n'
        "i-3,XAUUSD,-1234567.5,\n",
        "",
    )
    assert run("SELECT [1, 2] AS l, {'a': 0.5} AS s", "--csv").out == 'l,s\n"[1, 2]","{""a"": ""0.5""}"\n'
    assert run("SELECT * FROM range(5)", "--csv", "--limit", 2).out == "range\n0\n1\n"


def test_json_is_one_document_with_exact_money_and_every_column(run: Run) -> None:
    page = json.loads(
        run("SELECT sum(net) AS net, 1 AS x, 2 AS x, 'nan'::DOUBLE AS n FROM trades", "--json").out
    )
    assert page["rows"] == [{"net": "-1234567.2", "x": 1, "x_1": 2, "n": None}]
    assert page["columns"][0] == {"name": "net", "type": "DECIMAL(38,8)"}
    assert (page["row_count"], page["more"]) == (1, False)
    page = json.loads(run(QUESTION, "--json", "--limit", 2).out)
    assert (page["row_count"], page["more"]) == (2, True)
    assert json.loads(run("SELECT id FROM ideas", "--json").out)["rows"] == []


def test_no_progress_is_written_into_an_answer_that_takes_long(tmp_path: Path) -> None:
    home = {"MT5UI_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    question = "SELECT current_setting('enable_progress_bar') AS shown"
    said = subprocess.run(
        [sys.executable, "-c", "from backend.cli.main import main; main()", "sql", question, "--csv"],
        env=dict(os.environ) | home,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (said.returncode, said.stdout) == (0, "shown\nFalse\n"), said.stderr


def test_an_answer_of_any_size_comes_whole(run: Run) -> None:
    out = run("SELECT range AS n, repeat('x', 40) AS s FROM range(250000)", "--csv").out
    assert len(out.splitlines()) == 250_001
    assert out.endswith(f"249999,{'x' * 40}\n")


def test_the_question_comes_from_a_file_or_from_stdin(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "question.sql"
    file.write_text("\ufeff-- all\nSELECT count(*) AS n\nFROM trades;\n", encoding="utf-8")
    for said in (run("-f", file, "--csv"), run("-", "--csv", stdin="SELECT count(*) AS n FROM trades"),
                 run("--csv", stdin="SELECT count(*) AS n FROM trades")):  # fmt: skip
        assert said == Said(0, "n\n3\n", "")


def test_what_is_wrong_is_one_sentence_and_code_1(run: Run, tmp_path: Path) -> None:
    wrong = run("SELECT nett FROM trades")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.startswith("SQL line 1, column 8: ")
    assert wrong.err.count("\n") == 1
    told = json.loads(run("SELECT nett FROM trades", "--json").out)["error"]
    assert told["code"] == "bad_sql"
    for arguments in (
        ("SELECT 1", "--csv", "--json"),
        ("SELECT 1", "-f", tmp_path / "x"),
        ("-f", tmp_path / "x"),
    ):
        assert run(*arguments).code == 1
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    assert "cannot be read" in run("-f", tmp_path / "latin.sql").err
    assert run("-", stdin="").code == 1
    assert run("SELECT 1", "--limit", 0).code == 2


def test_half_an_answer_is_none(run: Run, desk: Desk) -> None:
    said = run(
        "SELECT CASE WHEN range = 199999 THEN error('late') ELSE range END FROM range(200000)", "--csv"
    )
    assert (said.code, said.out) == (1, "")
    assert "late" in said.err


def test_broken_lines_are_named_beside_the_answer(run: Run, desk: Desk) -> None:
    path = desk.home.root / "data/news/news_20260304.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"id": "a", "title": "Ä"}\nbroken\n', encoding="utf-8")
    said = run("SELECT title FROM news", "--csv")
    assert said.out == "title\nÄ\n"
    assert said.err == f"{path}: left out 1 lines that are no records: 2\n"


def test_the_views_are_listed_with_types_units_and_meaning(run: Run) -> None:
    text = run("--tables").out
    assert "trades: Closed trades by the broker's figures" in text
    assert any(
        line.split()[:4] == ["net", "DECIMAL(28,8)", "account", "currency"] for line in text.splitlines()
    )
    views = {page["view"]: page for page in json.loads(run("--tables", "--json").out)}
    spread = next(one for one in views["bars"]["columns"] if one["name"] == "spread")
    assert spread == {"name": "spread", "type": "BIGINT", "unit": "points", "meaning": "0 is unknown"}
