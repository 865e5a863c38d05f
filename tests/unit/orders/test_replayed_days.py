"""Recorded days traded by the whole desk and by the backtest: the same trades, to the cent.

Decisions, approval by the desk, sender, manager and broker work on the minutes of May 2014 as they do
live; the backtest runs over the same files. What is tested is what is traded.
"""

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.backtest.collecting import Collector
from backend.backtest.columns import Trade
from backend.backtest.model import Result
from backend.backtest.request import CostChanges, Request
from backend.backtest.running import run_backtest
from backend.core.clock import FixedClock
from backend.core.timeframes import Timeframe
from backend.ideas.lifecycle import Status
from backend.journal.record import Kind
from backend.simulator.account import SimulatedAccount
from backend.simulator.file_history import FileHistory
from backend.storage.files import FileStorage
from backend.trading.reasons import Reason
from tests.fakes.desk import SERVER
from tests.fakes.live_orders import LiveOrders
from tests.fakes.replayed import COMMISSION, STRATEGY, SYMBOL, autonomous_config

pytestmark = [pytest.mark.market_data, pytest.mark.timeout(300)]

BEGIN = datetime(2014, 5, 5, tzinfo=UTC)
OTHER = "EURUSD_M15_OTHER"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    autonomous_config(folder)
    return folder


def traded_live(root: Path, config: Path, data: Path, days: int, *, hedging: bool = True) -> LiveOrders:
    """The desk at each minute, its clock standing until all is done."""
    live = LiveOrders(
        root / "data",
        at=BEGIN,
        config=config,
        replay=data,
        account=SimulatedAccount(commission=COMMISSION, hedging=hedging),
    )
    manager = live.manager(FileStorage(root, fsync=False))
    for minute in range(days * 24 * 60):
        live.desk.clock.at = BEGIN + timedelta(minutes=minute)
        if live.desk.book.find(Status.OPEN, Status.PLACED):
            assert manager.run()["problems"] == []
        if minute % 15 == 0:
            live.desk.ideas.evaluate_symbol(SYMBOL, trigger="replay")
            while live.desk.sent:
                live.orders.sender.send(live.desk.sent.pop(0), actor="desk")
    return live


def backtested(
    live: LiveOrders, config: Path, data: Path, days: int, *others: str, hedging: bool = True
) -> Result:
    """The run of `STRATEGY` and of others on one account."""
    files = FileHistory(data, SERVER, symbols=(SYMBOL,), timeframe=Timeframe.M15)
    collector = Collector(
        clock=FixedClock(files.end),
        config_dir=config,
        strategies=live.desk.strategies,
        symbols=files,
        market=files,
        terminal=files,
        source="files",
        warnings=(),
        check=lambda: None,
    )
    costs = CostChanges(slippage_points=Decimal(0), commission_per_lot=COMMISSION)
    request = Request(
        strategy=STRATEGY,
        symbols=(SYMBOL,),
        begin=BEGIN,
        end=BEGIN + timedelta(days=days),
        balance=Decimal(10_000),
        costs=costs,
    )
    jobs = [collector.job(replace(request, strategy=name)) for name in (STRATEGY, *others)]
    streams = tuple(stream for job in jobs for stream in job.streams)
    account = replace(jobs[0].account, hedging=hedging)
    return run_backtest(replace(jobs[0], streams=streams, account=account))


def row_of(idea: dict[str, Any]) -> tuple[Any, ...]:
    position, result = idea["position"], idea["result"]
    return (
        datetime.fromisoformat(position["opened_at"]),
        idea["strategy_id"],
        idea["side"],
        *(
            Decimal(repr(position[name]))
            for name in ("volume", "price_open", "initial_stop", "initial_target")
        ),
        *(Decimal(repr(result[name])) for name in ("exit_price", "commission", "swap", "net")),
        result["exit_reason"],
    )


def row_of_trade(trade: Trade) -> tuple[Any, ...]:
    return (
        datetime.fromtimestamp(trade.entry_time, UTC),
        trade.strategy,
        str(trade.side),
        trade.volume,
        trade.entry_price,
        trade.initial_stop,
        trade.initial_target,
        trade.exit_price,
        trade.commission,
        trade.swap,
        trade.net,
        str(trade.exit_reason),
    )


@pytest.mark.parametrize(("days", "least"), [(4, 5), pytest.param(10, 20, marks=pytest.mark.full)])
def test_the_desk_trades_what_the_backtest_says_to_the_cent(
    tmp_path: Path, config: Path, market_data: Path, days: int, least: int
) -> None:
    live = traded_live(tmp_path, config, market_data / "lean", days)
    ideas = sorted(live.desk.book.find(Status.CLOSED), key=lambda idea: str(idea["position"]["opened_at"]))
    trades = list(backtested(live, config, market_data / "lean", days).trades)
    assert len(ideas) >= least
    assert [row_of(idea) for idea in ideas] == [row_of_trade(trade) for trade in trades]
    for idea, trade in zip(ideas, trades, strict=True):
        left = datetime.fromisoformat(idea["result"]["closed_at"]).timestamp()
        assert trade.exit_time <= left < trade.exit_time + 60  # a minute does not say when in it
    earned = sum((trade.net for trade in trades), Decimal(0))
    assert Decimal(repr(live.desk.client.account().balance)) == 10_000 + earned
    rows = [
        row
        for path in sorted((tmp_path / "logs").glob("trades_*.csv"))
        for row in csv.DictReader(path.read_text().splitlines())
    ]
    assert sum((Decimal(row["net"]) for row in rows), Decimal(0)) == earned


@pytest.mark.full
def test_a_netting_account_gives_a_symbol_to_one_strategy_live_as_in_the_backtest(
    tmp_path: Path, config: Path, market_data: Path
) -> None:
    """A second strategy that wants the symbol at each close finds it taken, and trades in between.

    Both leave at stop or target alone. Of a rule that closes at a bar's close the backtest says that it holds
    the symbol for the signals of that close, where live it has left by then.
    """
    days, folder = 1, config / "ai" / "strategies"
    stated = json.loads((folder / f"{STRATEGY}.json").read_text(encoding="utf-8"))
    stated["strategy"] |= {"invalidations": [], "cooldown_bars": 0}
    stated["conditions"] |= {"exit": []}
    stated["short"] |= {"exit": [], "invalidations": []}
    (folder / f"{STRATEGY}.json").write_text(json.dumps(stated), encoding="utf-8")
    stated |= {"id": OTHER, "conditions": {"entry": ["close > open"]}, "short": {"entry": ["close < open"]}}
    (folder / f"{OTHER}.json").write_text(json.dumps(stated), encoding="utf-8")
    live = traded_live(tmp_path, config, market_data / "lean", days, hedging=False)
    result = backtested(live, config, market_data / "lean", days, OTHER, hedging=False)
    ideas = sorted(live.desk.book.find(Status.CLOSED), key=lambda idea: str(idea["position"]["opened_at"]))
    trades = sorted(result.trades, key=lambda trade: trade.entry_time)
    ended = [trade for trade in trades if trade.exit_reason is not Reason.END]
    assert [row_of(idea) for idea in ideas] == [row_of_trade(trade) for trade in ended]
    assert {trade.strategy for trade in trades} == {STRATEGY, OTHER}
    why = {
        refusal["reason"]
        for record in live.desk.journal.newest(kind=Kind.DECISION)
        for refusal in record.payload["refusals"]
        if refusal["check"] == "symbol_occupied"
    }
    taken = "the account nets EURUSD into one position, which is taken: "
    assert why == {f"{taken}{by}" for by in (STRATEGY, OTHER)}
    assert result.refusals["symbol_occupied"] > 0
