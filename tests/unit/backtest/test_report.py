"""Reports of small runs: the same bytes, every file, nothing that asks a network."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import plotly.offline
import pyarrow.parquet as pq
import pytest

from backend.backtest.breakdowns import breakdowns, cost_waterfall
from backend.backtest.child import Order, compute
from backend.backtest.columns import Book
from backend.backtest.model import Costs, Job, Reading
from backend.backtest.page import report_page
from backend.backtest.provenance import Options, bars_hash, provenance
from backend.backtest.report import build_report
from backend.backtest.report_files import find_report
from backend.backtest.running import run_backtest
from backend.backtest.trades_csv import trades_csv
from backend.storage.files import FileStorage
from backend.trading.trade_table import TRADE_COLUMNS
from tests.fakes.backtests import LONG, QUIET, Row, table
from tests.fakes.instruments import instrument
from tests.fakes.trades import HOUR, MONDAY, result_of, trades_of

D = Decimal
QUIET_BAR: Row = (10100, 10150, 10050, 10100, QUIET)
SIGNAL: Row = (10100, 10200, 10000, 10100, LONG)
TARGET: Row = (10100, 10510, 10050, 10400, QUIET)
STOP: Row = (10100, 10150, 9850, 9900, QUIET)
BOTH: Row = (10100, 10600, 9850, 9900, QUIET)
SUMMER = datetime(2026, 4, 2, tzinfo=UTC)  # no clock changes until autumn
ROWS = [QUIET_BAR, SIGNAL, TARGET, QUIET_BAR, SIGNAL, STOP, QUIET_BAR, QUIET_BAR]


def job(rows: list[Row] = ROWS, **more: Any) -> Job:
    return table(rows, commission="3.5", slippage="2", **more)


def report_of(one: Job, options: Options | None = None) -> dict[str, Any]:
    chosen = options or Options()
    result = run_backtest(one, reading=chosen.reading)
    best = run_backtest(one, reading=Reading.BEST)
    return build_report(one, result, best, provenance(one, chosen), chosen)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (compute(Order(job=job(), root=tmp_path / name)) for name in ("a", "b"))
    assert first == second
    one, other = (files_of(tmp_path / name / "backtests" / first["id"]) for name in ("a", "b"))
    assert set(one) == {"report.json", "trades.csv", "equity.parquet", "report.html", "run.json"}
    for name in set(one) - {"run.json"}:
        assert one[name] == other[name], name
    report = json.loads(one["report.json"])
    assert "bars_per_second" not in json.dumps(report)
    assert json.loads(one["run.json"])["bars_per_second"] > 0


def changed_jobs() -> dict[str, Job]:
    base = job()
    stream = base.streams[0]
    bars = stream.bars
    close = bars.close.copy()
    close[3] += 1e-5

    def of(**changes: Any) -> Job:
        return replace(base, streams=(replace(stream, **changes),))

    return {
        "a price": of(bars=replace(bars, close=close)),
        "the first traded bar": of(first=2),
        "costs": of(costs=Costs(commission_per_lot=D(4), slippage_points=D(2))),
        "the strategy": job(rules={"min_rr": 2.5}),
        "the specification": of(instrument=replace(stream.instrument, swap_long=D(-1))),
        "the balance": job(balance="10001"),
        "limits": replace(base, limits=base.limits.model_copy(update={"risk_fraction": 0.02})),
        "what is known of the data": of(facts={"gaps": 1, "missing_bars": 5}),
    }


@pytest.mark.parametrize("what", sorted(changed_jobs()))
def test_a_result_is_found_again_only_while_nothing_has_changed(tmp_path: Path, what: str) -> None:
    compute(Order(job=job(), root=tmp_path))
    files = FileStorage(tmp_path)
    found = find_report(files, provenance(job()))
    assert found is not None
    assert found["id"] == provenance(job()).id
    changed = changed_jobs()[what]
    assert provenance(changed).id != found["id"]
    assert find_report(files, provenance(changed)) is None


def test_a_report_that_lost_a_file_is_not_taken_for_whole(tmp_path: Path) -> None:
    summary = compute(Order(job=job(), root=tmp_path))
    (tmp_path / "backtests" / summary["id"] / "trades.csv").unlink()
    assert find_report(FileStorage(tmp_path), provenance(job())) is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", "null"])
def test_a_report_that_was_damaged_is_computed_again(tmp_path: Path, content: str) -> None:
    summary = compute(Order(job=job(), root=tmp_path))
    (tmp_path / "backtests" / summary["id"] / "report.json").write_text(content, encoding="utf-8")
    assert find_report(FileStorage(tmp_path), provenance(job())) is None


def test_reading_and_benchmark_belong_to_the_identity() -> None:
    ids = {
        provenance(job(), options).id
        for options in (Options(), Options(reading=Reading.BEST), Options(benchmark=True))
    }
    assert len(ids) == 3


def test_the_hash_of_bars_sees_every_column_and_not_how_it_lies_in_memory() -> None:
    bars = job().streams[0].bars
    assert bars_hash(bars) == bars_hash(bars[:])
    spaced = np.repeat(bars.high, 2)[::2]
    assert bars_hash(replace(bars, high=spaced)) == bars_hash(bars)
    assert bars_hash(replace(bars, volume=bars.volume + 1)) != bars_hash(bars)
    assert bars_hash(replace(bars, open=bars.close, close=bars.open)) != bars_hash(bars)


def test_the_waterfall_of_a_run_is_its_profit() -> None:
    report = report_of(job())
    fall = report["cost_waterfall"]
    # 0.49 lots twice: commission 2 · 3.5 · 0.49 a trade
    assert fall["commission"] == pytest.approx(
        sum(2 * round(3.5 * float(trade.volume), 2) for trade in run_backtest(job()).trades)
    )
    left = sum(D(repr(fall[key])) for key in ("gross", "swap")) - D(repr(fall["costs"]))
    assert left == D(repr(fall["net"])) == D(repr(report["metrics"]["net_profit"]))


def test_the_multiple_of_costs_at_which_nothing_is_left() -> None:
    # earns 300 before 100 of costs: three times the costs would take it all
    rows = [{"net": 20_000, "spread_cost": 4_000, "commission": 6_000}]
    assert cost_waterfall(trades_of(rows)).values["break_even_cost_multiplier"] == 3
    free = cost_waterfall(trades_of([{"net": 5}]))
    assert free.undefined["break_even_cost_multiplier"] == "there were no costs"
    lost = cost_waterfall(trades_of([{"net": -5, "commission": 1}]))
    assert (
        lost.undefined["break_even_cost_multiplier"]
        == "gross result and swap leave nothing to pay costs from"
    )


def test_the_band_holds_both_readings() -> None:
    # one bar touches stop and target: worst reading stop, best reading target
    report = report_of(job([QUIET_BAR, SIGNAL, QUIET_BAR, BOTH, QUIET_BAR]))
    band = report["ambiguity_band"]
    assert band["ambiguous_trades"] == 1
    assert band["net_worst_reading"] < 0 < band["net_best_reading"]
    assert (
        "Whether it earns or loses depends on how ambiguous bars are read; see the band."
        in report["criticism"]
    )
    favoured = report_of(job([QUIET_BAR, SIGNAL, QUIET_BAR, BOTH, QUIET_BAR]), Options(reading=Reading.BEST))
    assert favoured["metrics"]["net_profit"] == band["net_best_reading"]


def test_breakdowns_name_sessions_hours_and_days_of_entry() -> None:
    # Monday 13:30 UTC in January: London and New York are open; Tuesday 03:00: Tokyo and Sydney
    rows = [
        {"net": 100, "entry_time": MONDAY + 13 * HOUR + 1800, "side": 1, "reason": 0},
        {"net": -50, "entry_time": MONDAY + 27 * HOUR, "side": -1, "reason": 1},
        {"net": 0, "entry_time": MONDAY + 27 * HOUR, "side": -1, "reason": 1},
    ]
    found = breakdowns(trades_of(rows))
    assert {name: one["trades"] for name, one in found["session"].items()} == {
        "London+NewYork": 1,
        "Sydney+Tokyo": 2,
    }
    assert {name: one["net"] for name, one in found["hour"].items()} == {"03": -0.5, "13": 1.0}
    assert {name: one["wins"] for name, one in found["weekday"].items()} == {"Mon": 1, "Tue": 0}
    assert {name: one["losses"] for name, one in found["side"].items()} == {"long": 0, "short": 1}
    assert {name: one["trades"] for name, one in found["exit_reason"].items()} == {"target": 1, "stop": 2}
    assert {name: one["expectancy"] for name, one in found["month"].items()} == {
        "2026-01": pytest.approx(0.5 / 3, abs=1e-6)
    }


def test_what_nobody_can_know_is_absent_with_its_reason() -> None:
    report = report_of(job())
    assert report["breakdowns"]["news_distance"] is None
    assert report["undefined"]["breakdowns.news_distance"] == "there is no calendar of the past"
    assert report["benchmark"] is None
    assert report["undefined"]["benchmark"]
    assert report["data_quality"]["coverage_pct"] is None
    assert report["undefined"]["data_quality.coverage_pct"]
    for key in ("pbo", "dsr"):
        assert report["metrics"][key] is None
        assert report["undefined"][key]


def test_coverage_is_the_share_of_bars_that_are_there() -> None:
    base = job()
    stream = replace(base.streams[0], facts={"gaps": 1, "missing_bars": 3})
    # 7 traded bars and 3 missing ones
    assert report_of(replace(base, streams=(stream,)))["data_quality"]["coverage_pct"] == 70


def test_holding_is_bought_at_the_ask_and_valued_at_the_bid() -> None:
    # opens at bid 1.10100 with a spread of 10 points, ends at 1.10100
    held = report_of(job(), Options(benchmark=True))["benchmark"]["EURUSD"]
    assert held["return_pct"] == pytest.approx(100 * (1.101 / 1.1011 - 1), abs=1e-6)


def test_csv_has_the_columns_of_the_specification_exact_and_in_utc() -> None:
    # as fills_and_metrics.md orders them
    assert ",".join(TRADE_COLUMNS) == (
        "id,symbol,side,volume,signal_time,entry_time,entry_price,initial_stop,initial_target,exit_time,"
        "exit_price,exit_reason,ambiguous,gross,spread_cost,slippage_cost,gap_cost,commission,swap,net,r,"
        "mae,mfe,strategy"
    )
    closed = trades_of([{"net": 8_765, "commission": 350, "risk": 10_000, "mae": -5, "mfe": 9_000}])
    text = trades_csv(closed).decode()
    assert text.endswith("\r\n")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["volume"] == "0.50"
    assert (row["entry_price"], row["initial_stop"]) == ("1.10000", "1.09800")
    assert row["entry_time"] == "2026-01-05T08:00:00Z"
    assert (row["gross"], row["commission"], row["net"]) == ("91.15", "3.50", "87.65")
    assert (row["r"], row["mae"], row["mfe"]) == ("0.876500", "-0.05", "90.00")
    assert (row["side"], row["exit_reason"], row["ambiguous"]) == ("long", "target", "false")


def test_csv_equals_the_exact_trades_row_by_row() -> None:
    result = run_backtest(job())
    rows = [*csv.DictReader(io.StringIO(trades_csv(result.trades).decode()))]
    assert len(rows) == len(result.trades) == 2
    for row, trade in zip(rows, result.trades, strict=True):
        for name in (
            "volume",
            "entry_price",
            "exit_price",
            "gross",
            "spread_cost",
            "slippage_cost",
            "net",
            "swap",
        ):
            assert D(row[name]) == getattr(trade, name), name


def test_csv_of_a_yen_account_and_of_odd_names() -> None:
    book = Book(strategy='50 %, "mine"', instrument=instrument("USDJPY"))
    closed = trades_of([{"net": 1_234, "entry_price": 150_001, "risk": 0}], books=(book,), digits=0)
    (row,) = csv.DictReader(io.StringIO(trades_csv(closed).decode()))
    assert (row["net"], row["entry_price"], row["r"]) == ("1234", "150.001", "")
    assert row["strategy"] == '50 %, "mine"'


def test_money_of_a_yen_account_is_whole() -> None:
    rows = [{"net": 1_234, "commission": 6}, {"net": -234}]
    assert cost_waterfall(trades_of(rows, digits=0)).values["net"] == 1000


class Attributes(HTMLParser):
    """Everything in a page that could make a browser fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named.get("content") or ""
        self.found += [(tag, name) for name in named if name in {"src", "href", "srcset", "action", "data"}]


def page_of(one: Job) -> str:
    result = run_backtest(one)
    made = provenance(one)
    return report_page(build_report(one, result, result, made), one, result).decode()


def test_the_page_names_no_address_and_its_policy_forbids_every_request() -> None:
    page = page_of(job())
    read = Attributes()
    read.feed(page)
    assert read.found == []
    assert read.policy.startswith("default-src 'none'")
    assert not {word for word in read.policy.replace(";", " ").split() if "://" in word or word == "*"}
    library = plotly.offline.get_plotlyjs()
    assert library in page
    assert "http" not in page.replace(library, "").replace("http-equiv", "")


def test_text_of_a_strategy_cannot_leave_its_place_in_the_page() -> None:
    nasty = "</script><script>alert(1)</script><!--\u2028"
    base = job()
    stream = base.streams[0]
    named = stream.strategy.model_copy(update={"name": nasty, "description": nasty})
    page = page_of(replace(base, streams=(replace(stream, strategy=named),)))
    assert "alert(1)</script>" not in page
    assert page.count("<script") == page_of(base).count("<script")


def test_equity_as_a_table_of_every_close(tmp_path: Path) -> None:
    summary = compute(Order(job=job(), root=tmp_path))
    result = run_backtest(job())
    read = pq.read_table(tmp_path / "backtests" / summary["id"] / "equity.parquet")
    assert read.column_names == ["time", "equity", "worst", "server_day"]
    assert str(read.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert read["equity"].to_pylist() == result.equity.tolist()
    assert int(read["time"][0].as_py().timestamp()) == int(result.time[0])


def critic(rows: list[dict[str, int]], **facts: int) -> str:
    """What is held against these trades, in one text."""
    base = job()
    one = replace(base, streams=(replace(base.streams[0], facts=facts),))
    result = result_of([10_000.0, 10_000.0], trades=trades_of(rows))
    return "\n".join(build_report(one, result, result, provenance(one))["criticism"])


def test_few_trades_are_counted_against_what_could_be_tuned() -> None:
    # entry, exit and invalidation, and the numbers of stop and target: six, so sixty trades
    assert "59 trades are few for 6 conditions and numbers" in critic(
        [{"net": 5}, {"net": 4}] * 29 + [{"net": 5}]
    )
    assert "are few for" not in critic([{"net": 5}, {"net": 4}] * 30)


def test_one_trade_that_carries_more_than_half_is_named() -> None:
    assert "One trade of 60.00 carries more than half of the result of 110.00" in critic(
        [{"net": 6_000}, {"net": 5_000}]
    )
    assert "carries more than half" not in critic([{"net": 5_500}, {"net": 5_500}])


def test_a_result_that_doubled_costs_would_take_is_named() -> None:
    # earns 199 before 100 of costs; then 201
    assert "vanishes when costs double: it breaks even at 1.99" in critic(
        [{"net": 9_900, "commission": 10_000}]
    )
    assert "vanishes" not in critic([{"net": 10_100, "commission": 10_000}])


def test_a_result_of_one_month_is_named() -> None:
    february = MONDAY + 35 * 24 * HOUR
    rows = [{"net": 1_000}, {"net": -100, "entry_time": february, "exit_time": february + HOUR}]
    assert "Without its best month, 2026-01 with 10.00, nothing would be left." in critic(rows)
    rows[1]["net"] = 100
    assert "best month" not in critic(rows)


def test_a_mean_that_may_be_luck_is_named() -> None:
    assert "The mean trade may be luck" in critic([{"net": 1_000}, {"net": -990}] * 40)
    assert "luck" not in critic([{"net": 1_000}, {"net": 990}] * 40)


def test_missing_bars_are_named_beyond_one_in_a_hundred() -> None:
    # seven traded bars and one that is missing: 12.5 %
    assert "12.5 % of the expected bars are missing" in critic([{"net": 1}], gaps=1, missing_bars=1)
    assert "missing" not in critic([{"net": 1}], gaps=0, missing_bars=0)


def test_a_drawdown_beyond_the_desks_own_limit_is_named() -> None:
    limits = job().limits
    base = replace(
        job(),
        limits=limits.model_copy(update={"drawdown": limits.drawdown.model_copy(update={"limit": 0.1})}),
    )
    made = provenance(base)
    for low, said in ((8_999.0, True), (9_001.0, False)):
        result = result_of([low, 10_000.0], trades=trades_of([{"net": 1}]))
        found = " ".join(build_report(base, result, result, made)["criticism"])
        assert ("reaches the desk's own limit of 10 %" in found) is said


def test_holding_fell_from_its_high() -> None:
    # closes 1.10100, 1.10400, 1.10100 …, 1.09900: the high is 1.10400
    held = report_of(job(), Options(benchmark=True))["benchmark"]["EURUSD"]
    assert held["max_drawdown_pct"] == pytest.approx(100 * (1 - 1.099 / 1.104), abs=1e-6)


def test_a_loss_is_said_first_and_by_its_cause() -> None:
    losing = [QUIET_BAR, SIGNAL, STOP, QUIET_BAR]
    assert report_of(job(losing))["criticism"][0].startswith("It loses before any costs")
    # two points won and ten of spread paid: costs make the loss
    flat = [QUIET_BAR, SIGNAL, QUIET_BAR, (10100, 10150, 10050, 10102, QUIET)]
    assert report_of(job(flat))["criticism"][0].startswith("Costs of")


def test_a_run_without_trades_says_so_and_has_a_page() -> None:
    quiet = job([QUIET_BAR] * 5)
    assert report_of(quiet)["criticism"][0] == "There was not one trade; see the refusals."
    assert "</html>" in page_of(quiet)


def test_data_that_end_early_are_called_stale() -> None:
    base = job()
    facts = {"gaps": 0, "missing_bars": 0, "days_missing_at_start": 0, "days_missing_at_end": 9}
    late = replace(base, streams=(replace(base.streams[0], facts=facts),))
    assert any("stale: they end 9 days early" in line for line in report_of(late)["criticism"])


def test_a_long_idle_end_is_held_against_the_result() -> None:
    rows = [QUIET_BAR, SIGNAL, TARGET, *[QUIET_BAR] * 20]
    assert any(
        line.startswith("The last trade ended on 2026-03-0") for line in report_of(job(rows))["criticism"]
    )


def test_a_long_run_is_thinned_out_without_losing_its_lowest_close() -> None:
    rows: list[Row] = [QUIET_BAR] + [SIGNAL, STOP, TARGET, QUIET_BAR] * 800
    one = job(rows, start=SUMMER)
    result = run_backtest(one)
    page = page_of(one)
    data = json.loads(page.split('type="application/json">')[1].split("</script>")[0])
    curve = data["drawn"]["curve"]
    assert len(curve["equity"]) <= 2401
    assert min(curve["equity"]) == pytest.approx(float(result.equity.min()), abs=0.01)
    assert max(curve["equity"]) == pytest.approx(float(result.equity.max()), abs=0.01)
    deepest = data["report"]["metrics"]["max_drawdown_pct"]
    assert min(curve["worst"]) == pytest.approx(-deepest, abs=0.01)
    first = data["drawn"]["streams"][0]
    assert len(first["candles"]["time"]) <= 700
    assert max(first["candles"]["high"]) == pytest.approx(float(one.streams[0].bars.high.max()))
    assert len(first["opened"]) <= 60


def test_months_of_the_page_compound_to_the_whole() -> None:
    rows: list[Row] = [QUIET_BAR] + [SIGNAL, STOP, TARGET, QUIET_BAR] * 400
    one = job(rows, start=SUMMER)
    data = json.loads(page_of(one).split('type="application/json">')[1].split("</script>")[0])
    growth = 1.0
    for _, _, share, _ in data["drawn"]["months"]:
        growth *= 1 + share / 100
    assert growth == pytest.approx(float(run_backtest(one).equity[-1]) / 10_000, rel=1e-4)
    assert len(data["drawn"]["months"]) == 3


def test_two_symbols_of_one_account_are_told_together_and_apart() -> None:
    euro = job()
    yen = table(ROWS, symbol="USDJPY", base=150.0, point=1e-3)
    both = replace(euro, streams=(euro.streams[0], yen.streams[0]))
    books = tuple(Book(strategy=stream.strategy.id, instrument=stream.instrument) for stream in both.streams)
    rows = [
        {"stream": 0, "net": 10_000, "risk": 10_000},
        {"stream": 1, "net": -4_000, "risk": 8_000, "entry_price": 150_100, "exit_price": 149_900},
        {"stream": 1, "net": 2_000, "risk": 8_000, "entry_price": 150_100, "exit_price": 150_200},
    ]
    closed = trades_of(rows, books=books)
    result = result_of([10_100.0, 10_060.0, 10_080.0], trades=closed)
    made = provenance(both)
    report = build_report(both, result, result, made)
    assert report["symbol"] == "EURUSD, USDJPY"
    assert [one["net_profit"] for one in report["streams"]] == [100, -20]
    assert [one["metrics"]["trades"] for one in report["streams"]] == [1, 2]
    assert report["streams"][1]["metrics"]["expectancy_r"] == pytest.approx((-0.5 + 0.25) / 2)
    assert report["undefined"]["streams.0.metrics.profit_factor"] == "no trade lost"
    assert {name: one["net"] for name, one in report["breakdowns"]["symbol"].items()} == {
        "EURUSD": 100,
        "USDJPY": -20,
    }
    assert report["data_quality"]["bars"] == 14
    assert len({one["data_quality"]["hash"] for one in report["streams"]}) == 2
    csv_rows = [*csv.DictReader(io.StringIO(trades_csv(closed).decode()))]
    assert [(row["symbol"], row["exit_price"]) for row in csv_rows] == [
        ("EURUSD", "1.10400"),
        ("USDJPY", "149.900"),
        ("USDJPY", "150.200"),
    ]
    assert '"symbol":"USDJPY"' in report_page(report, both, result).decode()
