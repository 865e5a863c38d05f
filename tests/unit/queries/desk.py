"""A desk's folder with a handful of records, written by the desk's own writers where they are small."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import FixedClock, iso
from backend.core.timeframes import Timeframe
from backend.history.service import HistoryService
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.market.store import MarketStore
from backend.mt5.server_time import ServerClock
from backend.queries.service import Queries
from backend.storage.files import FileStorage
from backend.trading.trade_table import TRADE_COLUMNS

NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
SERVER = ServerClock.parse("UTC+2")
Rows = list[tuple[Any, ...]]


class Desk:
    """A folder, and what asks it."""

    def __init__(self, home: Path) -> None:
        self.home = FileStorage(home, fsync=False)
        self.data = FileStorage(home / "data", fsync=False)
        self.clock = FixedClock(NOW)
        self.journal = Journal(self.data, self.clock)
        self.store = MarketStore(self.data, SERVER, clock=self.clock)
        self.history = HistoryService(
            self.data, self.store, SERVER, self.clock, canonical=lambda _: None, usual=lambda _: None
        )
        self.queries = Queries(self.home, self.history.files)
        self.warned: list[str] = []

    def ask(self, sql: str) -> Rows:
        """The rows of an answer."""
        self.warned = []
        return self.queries.ask(sql, lambda _, rows: [*rows], warn=self.warned.append)

    def columns(self, sql: str) -> list[tuple[str, str]]:
        """Names and types of its columns."""
        return self.queries.ask(sql, lambda heads, _: [(head.name, head.type) for head in heads])

    def decide(self, number: int, **payload: Any) -> None:
        """Record a decision."""
        stated = {
            "id": f"d-{number}",
            "symbol": "EURUSD",
            "strategy_id": "TREND",
            "refusals": [],
            "reasons": [],
        }
        self.journal.append(Kind.DECISION, stated | payload, actor="schedule", key=f"d-{number}")

    def idea(self, name: str, **fields: Any) -> None:
        """Write an idea."""
        stated = {"id": name, "symbol": "EURUSD", "strategy_id": "TREND", "origin": "strategy", "reasons": []}
        self.data.write_json(f"trade_ideas/{name}.json", stated | fields)

    def trades(self, day: str, *rows: dict[str, Any]) -> None:
        """Log closed trades."""
        full = [dict.fromkeys(TRADE_COLUMNS) | row for row in rows]
        self.home.append_csv(f"logs/trades_{day}.csv", TRADE_COLUMNS, full)

    def bars(
        self,
        symbol: str,
        frame: Timeframe,
        first: datetime,
        closes: list[float],
        *,
        store: MarketStore | None = None,
        **columns: list[int],
    ) -> None:
        """Store bars that open where they close, one after the other, with a spread of 8 points."""
        opens = int(first.timestamp()) + np.arange(len(closes)) * frame.seconds
        price = np.array(closes)
        bars = Bars(
            symbol=symbol,
            timeframe=frame,
            time=opens,
            server_time=np.asarray(SERVER.to_server(opens), dtype=np.int64),
            open=price,
            high=price,
            low=price,
            close=price,
            volume=np.array(columns.get("volume", [10] * len(closes))),
            spread=np.array(columns.get("spread", [8] * len(closes))),
        )
        (store or self.store).append(bars)


def at(hour: int, minute: int = 0, day: int = 4) -> str:
    """A time of March 2026."""
    return iso(datetime(2026, 3, day, hour, minute, tzinfo=UTC))


def filled(home: Path) -> Desk:
    """A desk of one day: what docs/sql.md asks has an answer here."""
    desk = Desk(home)
    desk.decide(
        1,
        decided_at=at(9),
        action="pending_approval",
        signal="long",
        confidence={"score": 81.5},
        idea_id="i-1",
    )
    desk.decide(
        2,
        decided_at=at(10),
        action="blocked",
        signal="long",
        confidence={"score": 70},
        refusals=[{"check": "news_embargo"}, {"check": "spread"}],
    )
    desk.decide(3, decided_at=at(11), action="blocked", signal="short", refusals=[{"check": "spread"}])
    desk.journal.append(
        Kind.ORDER_INTENT,
        {
            "id": "o-1",
            "kind": "open",
            "at": at(9, 5),
            "idea": "i-1",
            "attempt": 1,
            "why": "",
            "request": {
                "action": "deal",
                "symbol": "EURUSD",
                "type": "buy",
                "volume": "0.10",
                "price": "1.10000",
            },
        },
        actor="desk",
        key="o-1",
    )
    desk.journal.append(
        Kind.ORDER_OUTCOME,
        {
            "intent": "o-1",
            "kind": "open",
            "idea": "i-1",
            "at": at(9, 6),
            "then": "done",
            "result": {
                "outcome": "answered",
                "name": "TRADE_RETCODE_DONE",
                "retcode": 10009,
                "volume": "0.10",
                "price": "1.10003",
                "order": 77,
                "deal": 78,
                "comment": "done",
            },
        },
        actor="desk",
        key="o-1",
    )
    step = {"version": 2, "action": "approve", "at": at(9, 4), "by": "local"}
    desk.idea(
        "i-1",
        status="closed",
        side="buy",
        created_at=at(9),
        volume=0.1,
        history=[{"action": "propose"}, step],
        result={"net": 12.3, "r": 1.5, "closed_at": at(13, 31)},
    )
    desk.idea("i-2", status="expired", side="sell", created_at=at(12), volume=0.2, confidence=78.0)
    desk.trades(
        "20260304",
        {
            "id": "i-1",
            "symbol": "EURUSD",
            "side": "long",
            "volume": 0.1,
            "entry_time": at(9, 6),
            "exit_time": at(13, 31),
            "entry_price": 1.10003,
            "exit_reason": "target",
            "net": 12.3,
            "gross": 13.0,
            "commission": 0.7,
            "swap": 0.0,
            "r": 1.5,
            "strategy": "TREND",
        },
        {
            "id": "i-0",
            "symbol": "EURUSD",
            "side": "short",
            "volume": 0.1,
            "entry_time": at(13, 20),
            "exit_time": at(13, 40),
            "exit_reason": "stop",
            "net": -8.1,
            "gross": -7.4,
            "commission": 0.7,
            "swap": 0.0,
            "r": -1.0,
            "strategy": "TREND",
        },
    )
    calendar(desk)
    desk.bars(
        "EURUSD", Timeframe.H1, datetime(2026, 3, 3, 9, tzinfo=UTC), [1.1, 1.2, 1.3], spread=[8, 10, 12]
    )
    desk.bars("EURUSD", Timeframe.H1, datetime(2026, 3, 4, 9, tzinfo=UTC), [1.4], spread=[20])
    tasks(desk)
    return desk


def calendar(desk: Desk) -> None:
    """An event that was announced on the 1st, forecast anew on the 3rd, and came on the 4th at 13:30."""
    event = {
        "key": "k",
        "title": "CPI m/m",
        "currency": "USD",
        "at": at(13, 30),
        "all_day": False,
        "tentative": False,
        "impact": "high",
        "previous": "0.2%",
        "actual": None,
        "source": "made",
    }
    words = [
        ("new", at(0, day=1), "0.3%", None),
        ("changed", at(0, day=3), "0.4%", None),
        ("changed", at(14), "0.4%", "0.5%"),
    ]
    for kind, when, forecast, actual in words:
        seen = event | {"forecast": forecast, "actual": actual, "first_seen_at": at(0, day=1)}
        record = {"recorded_at": when, "kind": kind, "key": "k", "event": seen, "before": {}, "after": {}}
        desk.data.append_jsonl("calendar/revisions_202603.jsonl", [record])


def tasks(desk: Desk) -> None:
    """A job that succeeded in 2 seconds, and one that failed in its second run after 1."""
    desk.data.append_jsonl("task_runs/ledger/api-1.jsonl", [*_rows()])


def _rows() -> Iterator[dict[str, Any]]:
    begin = datetime(2026, 3, 4, 8, tzinfo=UTC)

    def row(kind: str, job: str, second: int, **fields: Any) -> dict[str, Any]:
        when = (begin + timedelta(seconds=second)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return {"kind": kind, "job": job, "at": when, "run": fields.pop("run", 0), **fields}

    asked = {
        "task": "backend.tasks.data_tasks.collect_rss_news",
        "queue": "data_collection",
        "actor": "local",
        "kwargs": {},
    }
    yield row("QUEUED", "a", 0, **asked)
    yield row("STARTED", "a", 1, run=1, worker="main")
    yield row("SUCCEEDED", "a", 3, run=1, result={"new": 4})
    yield row("QUEUED", "b", 5, **asked)
    yield row("STARTED", "b", 6, run=1, worker="main")
    yield row("RETRY", "b", 7, run=1, error={"code": "all_feeds_failed", "message": "no feed answered"})
    yield row("STARTED", "b", 20, run=2, worker="main")
    yield row("FAILED", "b", 21, run=2, error={"code": "all_feeds_failed", "message": "no feed answered"})


@contextlib.contextmanager
def untouched(home: Path) -> Iterator[None]:
    """Nothing below the folder is written, made or removed inside."""

    def state() -> dict[str, bytes]:
        return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    before = state()
    yield
    assert state() == before
