"""Files as they are while the desk writes, and as something broke them; values as exact as the files."""

import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from backend.core.timeframes import Timeframe
from backend.jobs.rows import Kind, view
from tests.unit.queries.desk import Desk, at, filled

TRADE = {"id": "i-1", "symbol": "EURUSD", "net": 1.25, "strategy": "MOMENTUM"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)


# While somebody writes


def test_a_line_that_is_being_written_is_no_record_yet(desk: Desk) -> None:
    desk.decide(1, decided_at=at(9))
    path = next((desk.home.root / "data/decisions").glob("decisions_*.jsonl"))
    append(path, path.read_bytes()[:200])
    before = path.read_bytes()
    assert desk.ask("SELECT id FROM decisions") == [("d-1",)]
    assert desk.warned == []
    assert path.read_bytes() == before


def test_a_last_record_without_its_end_of_line_is_one_all_the_same(desk: Desk) -> None:
    append(desk.home.root / "data/news/news_20260304.jsonl", b'{"id": "a"}\n{"id": "b"}')
    assert desk.ask("SELECT id FROM news ORDER BY id") == [("a",), ("b",)]


def test_a_trade_whose_last_word_is_cut_is_no_trade(desk: Desk) -> None:
    desk.trades("20260304", TRADE, TRADE | {"id": "i-2", "strategy": "MOMENTUM"})
    path = desk.home.root / "logs/trades_20260304.csv"
    path.write_bytes(path.read_bytes()[:-5])  # MOMEN would be another strategy
    assert desk.ask("SELECT id, strategy FROM trades") == [("i-1", "MOMENTUM")]


def test_a_file_of_nothing_but_a_cut_line_has_no_row(desk: Desk) -> None:
    append(desk.home.root / "data/news/news_20260304.jsonl", b'{"id": "a", "ti')
    append(desk.home.root / "logs/trades_20260304.csv", b"id,sym")
    append(desk.home.root / "data/decisions/decisions_20260304.jsonl", b"")
    for name in ("news", "trades", "decisions"):
        assert desk.ask(f"TABLE {name}") == []
        assert desk.warned == []


def test_a_file_that_vanishes_meanwhile_is_not_missed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.idea("a")
    desk.idea("b")
    names = desk.home.names
    gone = desk.home.root / "data/trade_ideas/b.json"

    def listed(pattern: str) -> list[str]:
        found = names(pattern)
        gone.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(desk.home, "names", listed)
    assert desk.ask("SELECT id FROM ideas") == [("a",)]


# Broken files


def test_broken_lines_are_named_and_the_others_read(desk: Desk) -> None:
    desk.decide(1, decided_at=at(9))
    path = next((desk.home.root / "data/decisions").glob("decisions_*.jsonl"))
    whole = path.read_bytes()
    append(path, b"garbage{\n" + b'{"kind": "decision", "payload"\n' + whole.replace(b"d-1", b"d-2"))
    append(path, whole[:50])  # and somebody is writing
    assert desk.ask("SELECT id FROM decisions ORDER BY id") == [("d-1",), ("d-2",)]
    assert desk.warned == [f"{path}: left out 2 lines that are no records: 2, 3"]


def test_a_broken_idea_is_named_and_the_others_read(desk: Desk) -> None:
    desk.idea("a")
    broken = [desk.home.root / f"data/trade_ideas/{name}.json" for name in ("b", "c")]
    broken[0].write_bytes(b'{"id": "b", ')
    broken[1].write_bytes(b"")
    desk.idea("d")
    assert desk.ask("SELECT id FROM ideas ORDER BY id") == [("a",), ("d",)]
    assert [line.split(": ")[:2] for line in desk.warned] == [
        [str(path), "left out, it cannot be read"] for path in broken
    ]


@pytest.mark.parametrize("damage", [slice(0, 0), slice(0, 100), slice(100, None), None])
def test_broken_bars_are_named_and_the_others_read(desk: Desk, damage: slice | None) -> None:
    january, february = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC)
    desk.bars("EURUSD", Timeframe.M1, january, [1.0, 2.0])
    desk.bars("EURUSD", Timeframe.M1, february, [3.0])
    path = desk.home.root / "data/history/EURUSD/M1/2026-01.parquet"
    data = path.read_bytes()
    half = len(data) // 2
    middle = data[:4] + bytes(half) + data[4 + half :]  # the end still tells what should be there
    path.write_bytes(middle if damage is None else data[damage])
    assert desk.ask("SELECT sum(close), count(*) FROM bars") == [(3.0, 1)]
    assert [line.split(": ")[0] for line in desk.warned] == [str(path)]
    assert path.exists()


def test_a_trade_file_of_other_columns_is_named(desk: Desk) -> None:
    desk.trades("20260304", TRADE)
    other = desk.home.root / "logs/trades_20260303.csv"
    other.write_text("id,net\ni-9,5\n", encoding="utf-8")
    assert desk.ask("SELECT id FROM trades") == [("i-1",)]
    assert desk.warned[0].startswith(f"{other}: left out, its columns are not id, symbol")


def test_a_row_with_too_few_cells_is_named(desk: Desk) -> None:
    desk.trades("20260304", TRADE)
    path = desk.home.root / "logs/trades_20260304.csv"
    append(
        path, b"i-2,EURUSD,long\n" + path.read_bytes().splitlines(keepends=True)[1].replace(b"i-1", b"i-3")
    )
    assert desk.ask("SELECT id FROM trades ORDER BY id") == [("i-1",), ("i-3",)]
    assert desk.warned == [f"{path}: left out 1 lines that are no records: 3"]


def test_a_value_of_another_kind_is_unknown(desk: Desk) -> None:
    desk.idea("a", confidence="high", created_at="yesterday", volume={"lots": 1}, status="open", result=None)
    row = desk.ask("SELECT status, confidence, created_at, volume, net FROM ideas")
    assert row == [("open", None, None, None, None)]


def test_files_that_are_no_records_of_the_view_are_not_read(desk: Desk) -> None:
    desk.idea("a")
    append(desk.home.root / "data/trade_ideas/.hidden.json", b"{")
    append(desk.home.root / "data/trade_ideas/.b.json.0123456789abcdef.mt5ui-tmp", b"{")
    append(desk.home.root / "data/decisions/finished_days.jsonl", b'{"day": "20260303"}\n')
    append(desk.home.root / "logs/app.log", b"id,net\n")
    assert desk.ask("SELECT count(*) FROM ideas, (SELECT count(*) AS n FROM trades) WHERE n = 0") == [(1,)]
    assert desk.ask("SELECT * FROM journal") == []


# Values


def test_money_is_as_exact_as_the_file(desk: Desk) -> None:
    desk.trades("20260304", *({"id": f"i-{number}", "net": 0.1} for number in range(10)))
    assert desk.ask("SELECT sum(net) FROM trades") == [(Decimal(1),)]  # of doubles 0.9999999999999999


def test_a_trade_that_is_being_archived_counts_once(desk: Desk) -> None:
    desk.trades("20260304", TRADE)
    data = (desk.home.root / "logs/trades_20260304.csv").read_bytes()
    append(desk.home.root / "logs/archive/trades_20260304.csv", data)
    append(desk.home.root / "logs/archive/trades_20251204.csv", data.replace(b"i-1", b"i-old"))
    assert desk.ask("SELECT id FROM trades ORDER BY id") == [("i-1",), ("i-old",)]


def test_bars_of_the_desk_and_of_files_stay_apart(desk: Desk) -> None:
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    desk.bars("EURUSD", Timeframe.H1, monday, [1.0])
    desk.bars("BTC/USD", Timeframe.D1, datetime(2026, 1, 5, 22, tzinfo=UTC), [5.0])
    importer = desk.history.importer
    desk.bars("EURUSD", Timeframe.H1, monday, [2.0], store=importer.bids)
    desk.bars("EURUSD", Timeframe.H1, monday, [3.0], store=importer.asks)
    assert desk.ask("SELECT symbol, timeframe, close FROM bars ORDER BY close") == [
        ("EURUSD", "H1", 1.0),
        ("BTC/USD", "D1", 5.0),
    ]
    assert desk.ask("SELECT side, close FROM imported_bars ORDER BY close") == [("bid", 2.0), ("ask", 3.0)]
    row = desk.ask("SELECT time, server_time FROM bars WHERE symbol = 'EURUSD'")[0]
    assert row[0] == monday
    assert row[1] == datetime(2026, 1, 5, 2)  # noqa: DTZ001 - the broker's clock has no zone


def test_only_the_files_of_the_symbol_are_opened(desk: Desk) -> None:
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    desk.bars("EURUSD", Timeframe.H1, monday, [1.0])
    desk.bars("GBPUSD", Timeframe.H1, monday, [2.0])
    plan = "\n".join(str(row) for row in desk.ask("SELECT close FROM bars WHERE symbol = 'EURUSD'"))
    assert plan == "(1.0,)"


def test_the_calendar_as_it_was_known(desk: Desk) -> None:
    filled(desk.home.root)

    def known(moment: str) -> list[tuple[str, str | None]]:
        rows = desk.ask(f"FROM calendar_at('{moment}'::TIMESTAMPTZ) SELECT forecast, actual")
        return [(forecast, actual) for forecast, actual in rows]

    assert known("2026-02-28T23:59:59Z") == []
    assert known(at(0, day=1)) == [("0.3%", None)]
    assert known(at(0, day=3)) == [("0.4%", None)]
    assert known(at(13, 59)) == [("0.4%", None)]
    assert known(at(14)) == [("0.4%", "0.5%")]
    assert desk.ask("SELECT kind, forecast FROM calendar_revisions ORDER BY recorded_at") == [
        ("new", "0.3%"),
        ("changed", "0.4%"),
        ("changed", "0.4%"),
    ]


def test_the_state_of_a_job_is_what_the_ledger_says(desk: Desk) -> None:
    dice = random.Random(7)
    kinds = [kind for kind in Kind if kind not in {Kind.QUEUED, Kind.RELEASED}]
    jobs = {}
    for number in range(300):
        asked = {"task": f"t{number}", "queue": "q", "actor": "a", "kwargs": {}}
        rows = [{"kind": "QUEUED", "job": f"j{number}", "at": moment(dice), "run": 0, **asked}]
        # Each kind once a run: which of two starts of one run came first, no reader can tell.
        for kind, run in {(dice.choice(kinds), dice.randrange(3)) for _ in range(dice.randrange(7))}:
            fields = {"worker": f"w{dice.randrange(3)}", "done": 1, "total": 2, "at": moment(dice)}
            fields |= {"error": {"code": "c", "message": "m"}} if kind is Kind.FAILED else {}
            fields |= asked if kind is Kind.MISSED else {}
            rows.append({"kind": str(kind), "job": f"j{number}", "run": run, **fields})
        dice.shuffle(rows)
        desk.data.append_jsonl(f"task_runs/ledger/w-{number % 3}.jsonl", rows)
        jobs[f"j{number}"] = view(rows, timeline=False)
    found = desk.ask(
        "SELECT id, task, state, queued_at, started_at, finished_at, error_code, runs FROM task_runs"
    )
    assert len(found) == len(jobs)
    for job, *values in found:
        told = jobs[job]
        error = None if told.error is None else told.error.code
        times = told.queued_at, told.started_at, told.finished_at
        assert values == [told.task, told.state, *times, error, told.attempts], job


def moment(dice: random.Random) -> str:
    return f"2026-03-04T10:00:{dice.randrange(60):02}.{dice.randrange(10**6):06}Z"
