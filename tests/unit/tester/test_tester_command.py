"""`mt5ui tester` as a trader runs it: a file, a run's folder, figures; refusals in one sentence."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.cli.main import main
from backend.core.clock import parse_iso
from backend.market.store import MarketStore
from backend.storage.files import FileStorage
from tests.fakes.bars import bars_at
from tests.fakes.tester_reports import Written, deposit, report_html, utf16
from tests.unit.tester.conftest import CLOCK

Command = Callable[..., tuple[int, str, str]]

COLUMNS = (
    "id,symbol,side,volume,signal_time,entry_time,entry_price,initial_stop,initial_target,exit_time,exit_price,"
    "exit_reason,ambiguous,gross,spread_cost,slippage_cost,gap_cost,commission,swap,net,r,mae,mfe,strategy"
)
# bought 0.10 at 1.10012 (10 points of spread, 2 of slippage), target 1.10500: 48.80 - 0.70 = 48.10
FIRST = (
    "1,EURUSD,long,0.10,2024-01-02T08:00:00Z,2024-01-02T08:00:00Z,1.10012,1.09800,1.10500,2024-01-02T10:00:00Z,"
    "1.10500,target,false,50.00,1.00,0.20,0.00,0.70,0.00,48.10,2.2,-5.00,48.80,X"
)
SECOND = (
    "2,EURUSD,short,0.10,2024-01-03T08:00:00Z,2024-01-03T08:00:00Z,1.10000,1.10200,1.09500,2024-01-03T09:00:00Z,"
    "1.10200,stop,false,-19.00,1.00,0.00,0.00,0.70,0.00,-20.70,-1.0,-20.00,1.00,X"
)
# theirs: the first at 15 points of spread, so 48.50; the second never
DEALS = (
    deposit("10000.00", "2024.01.01 00:00:00"),
    Written(
        "2024.01.02 10:00:02",
        "buy",
        direction="in",
        volume="0.1",
        price="1.10015",
        order=2,
        commission="-0.35",
    ),
    Written(
        "2024.01.02 12:37:10",
        "sell",
        "48.50",
        direction="out",
        volume="0.1",
        price="1.10500",
        order=3,
        commission="-0.35",
        comment="tp 1.10500",
    ),
)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mt5ui", "tester", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return int(code or 0), said.out, said.err

    return run


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "ReportTester-1.html"
    path.write_bytes(utf16(report_html(DEALS)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "backtests" / "0123456789abcdef"
    made.mkdir(parents=True)
    written = {
        "id": "0123456789abcdef",
        "timeframe": "H1",
        "account": {"currency": "USD"},
        "period": {"from": "2024-01-01T00:00:00Z", "to": "2024-02-01T00:00:00Z"},
    }
    (made / "report.json").write_text(json.dumps(written))
    (made / "trades.csv").write_text(f"{COLUMNS}\r\n{FIRST}\r\n{SECOND}\r\n", newline="")
    return made


def test_import_tells_the_trades_and_that_the_balance_adds_up(command: Command, report: Path) -> None:
    code, out, err = command("import", report)
    assert (code, err) == (0, "")
    assert "ReportTester-1.html: strategy tester report, hedging, USD" in out
    assert "3 deals, 1 closed trades (1 won, 0 lost), 0 still open" in out
    assert "Balance: all 3 rows follow from their deals" in out
    assert "2024-01-02T08:00:02Z" in out  # 10:00:02 of the server


def test_import_as_json_is_exact_and_alone_on_stdout(command: Command, report: Path) -> None:
    code, out, _ = command("import", report, "--json")
    page = json.loads(out)
    assert code == 0
    assert page["totals"] == {
        "net": "47.80",
        "profit": "48.50",
        "commission": "0.70",
        "swap": "0.00",
        "wins": 1,
        "losses": 0,
    }
    assert page["balance"] == {"checked": 3, "agrees": True, "first_difference": None}
    assert page["trades"][0]["entry_price"] == "1.10015"


def test_the_clock_of_the_file_may_be_another_brokers(command: Command, report: Path) -> None:
    page = json.loads(command("import", report, "--json", "--clock", "UTC")[1])
    assert page["trades"][0]["entry_time"] == "2024-01-02T10:00:02Z"


def test_compare_splits_the_difference(command: Command, report: Path, folder: Path) -> None:
    code, out, _ = command("compare", report, folder.name, "--json")
    page = json.loads(out)
    assert code == 0
    # 47.80 against 48.10 - 20.70 = 27.40: 5 points more of spread, no slippage, a loss that they never had
    assert (page["their_net"], page["our_net"], page["difference"]) == ("47.80", "27.40", "20.40")
    assert {cause: amount for cause, amount in page["causes"].items() if amount != "0.00"} == {
        "signal": "20.70",
        "spread": "-0.50",
        "fill": "0.20",
    }
    assert (page["paired"], page["only_theirs"], page["only_ours"]) == (1, 0, 1)
    assert page["our_bars"] is False
    assert any("bars are not at hand" in note for note in page["notes"])


def test_compare_shows_causes_and_trades_and_takes_a_folder(
    command: Command, report: Path, folder: Path
) -> None:
    code, out, _ = command("compare", report, folder)
    assert code == 0
    assert "1 trades in both, 0 only in theirs, 1 only in ours" in out
    assert "theirs 47.80, ours 27.40, difference 20.40 USD" in out
    assert "spread -0.50, fill 0.20" in out


def test_compare_takes_our_bars_from_the_desks_store(
    command: Command, report: Path, folder: Path, tmp_path: Path
) -> None:
    # the highest bid in the hour of the entry is 1.09983 + 0.00020: 2 points of their 15 lie above its ask
    opens = [parse_iso(f"2024-01-02T{hour}:00:00Z") for hour in ("08", "09", "10")]
    store = MarketStore(FileStorage(tmp_path / "data", fsync=False), CLOCK)
    store.append(bars_at(opens, clock=CLOCK, price=1.09983))
    page = json.loads(command("compare", report, folder, "--json")[1])
    assert page["our_bars"] is True
    assert page["causes"]["data"] == "-0.20"
    assert page["causes"]["spread"] == "-0.30"
    assert page["difference"] == "20.40"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "trades.csv").unlink(), "holds no run"),
        (lambda folder: (folder / "report.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "report.json").write_text('{"id": "x"}'), "account.currency is None"),
        (lambda folder: (folder / "trades.csv").write_text("id,symbol\n1,EURUSD\n"), "no column side"),
        (lambda folder: (folder / "trades.csv").write_text(f"{COLUMNS}\n{FIRST}\n{SECOND[:99]}"), "line 3"),
        (
            lambda folder: (folder / "trades.csv").write_text(
                f"{COLUMNS}\n{FIRST.replace('48.10', '48.11')}"
            ),
            "line 2",
        ),
    ],
)
def test_a_broken_run_is_refused_by_name(
    command: Command, report: Path, folder: Path, change: Callable[[Path], object], says: str
) -> None:
    change(folder)
    code, out, err = command("compare", report, folder)
    assert code == 1
    assert out == ""
    assert says in err


def test_refusals_are_one_sentence_and_json_where_asked(command: Command, tmp_path: Path) -> None:
    cut = tmp_path / "cut.html"
    cut.write_bytes(utf16(report_html(DEALS))[:4000])
    code, out, err = command("import", cut, "--json")
    assert code == 1
    assert json.loads(out)["error"]["code"] == "cut_file"
    assert "the file was cut" in err
    assert command("import", tmp_path / "none.html")[0] == 1
    assert "hedging, netting" in command("import", cut, "--account", "both")[2]


def test_a_symbol_option_that_is_no_pair(command: Command, report: Path, folder: Path) -> None:
    code, _, err = command("compare", report, folder, "--symbol", "EURUSD")
    assert code == 1
    assert "THEIRS=OURS" in err
