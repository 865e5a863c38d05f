"""The views over ideas, decisions, orders, the journal, news and quotes."""

from typing import Final

from backend.ideas.shelf import FOLDER as IDEAS
from backend.journal.ends import PATTERN as JOURNAL
from backend.journal.record import Kind as Records
from backend.market.watchlist import FOLDER as QUOTES
from backend.news.files import ARCHIVE_PATTERN as NEWS
from backend.queries.job_views import TASK_RUNS_VIEW
from backend.queries.model import EXACT, JSON, REAL, TEXT, TEXTS, TIME, WHOLE, YES_NO, Column, Form, View
from backend.queries.model import literal as text
from backend.queries.trade_views import TRADES_VIEW

_PRICE: Final = "price"
_MONEY: Final = "account currency"
_LOTS: Final = "lots"

IDEAS_VIEW: Final = View(
    name="ideas",
    meaning="Trade ideas as they stand, from proposal to close",
    files=(f"data/{IDEAS}/*.json",),
    form=Form.DOCUMENT,
    where="f.id IS NOT NULL",
    columns=(
        Column(name="id", type=TEXT, meaning="Of the idea"),
        Column(name="symbol", type=TEXT, meaning="Canonical symbol"),
        Column(name="strategy", type=TEXT, path="strategy_id", meaning="Id; null for a person's ticket"),
        Column(name="origin", type=TEXT, meaning="strategy or manual"),
        Column(name="status", type=TEXT, meaning="pending_approval, approved, open, closed …"),
        Column(name="side", type=TEXT, meaning="buy or sell"),
        Column(name="timeframe", type=TEXT, meaning="Of the strategy"),
        Column(name="created_at", type=TIME, meaning="Desk time"),
        Column(name="expires_at", type=TIME, meaning="When it is no longer sent"),
        Column(name="bar_time", type=TIME, meaning="Open of the bar that was decided on"),
        Column(name="confidence", type=REAL, unit="0 to 100", meaning="Score of the decision"),
        Column(name="order_type", type=TEXT, meaning="market, limit, stop …"),
        Column(name="entry", type=REAL, unit=_PRICE, meaning="Planned"),
        Column(name="stop", type=REAL, unit=_PRICE, meaning="Planned"),
        Column(name="target", type=REAL, unit=_PRICE, meaning="Planned"),
        Column(name="volume", type=EXACT, unit=_LOTS, meaning="Planned"),
        Column(name="risk_money", type=EXACT, unit=_MONEY, meaning="Lost at the stop"),
        Column(name="reward_to_risk", type=REAL, unit="ratio", meaning="Of the plan"),
        Column(name="opened_at", type=TIME, path="position.opened_at", meaning="When it was filled"),
        Column(name="open_price", type=REAL, unit=_PRICE, path="position.price_open", meaning="Of the fill"),
        Column(name="closed_at", type=TIME, path="result.closed_at", meaning="When the last part closed"),
        Column(name="exit_price", type=REAL, unit=_PRICE, path="result.exit_price", meaning="Of the close"),
        Column(name="exit_reason", type=TEXT, path="result.exit_reason", meaning="stop, target, person …"),
        Column(name="net", type=EXACT, unit=_MONEY, path="result.net", meaning="After all costs"),
        Column(name="r", type=REAL, unit="risks", path="result.r", meaning="net by what the stop would lose"),
        Column(name="decision_id", type=TEXT, meaning="What made it"),
        Column(name="reasons", type=TEXTS, sql="CAST(f.reasons AS VARCHAR[])", meaning="In words"),
        Column(name="history", type=JSON, meaning="Every step"),
    ),
    reads={"reasons": JSON},
)

DECISIONS_VIEW: Final = View(
    name="decisions",
    meaning="What was decided on each closed bar, and why",
    files=(f"data/{JOURNAL}",),
    where=f"f.kind = {text(Records.DECISION)}",
    reads={"kind": TEXT, "payload.refusals": JSON, "payload.reasons": JSON},
    columns=(
        Column(name="id", type=TEXT, path="payload.id", meaning="Of the decision"),
        Column(name="decided_at", type=TIME, path="payload.decided_at", meaning="Desk time"),
        Column(name="strategy", type=TEXT, path="payload.strategy_id", meaning="Id"),
        Column(name="symbol", type=TEXT, path="payload.symbol", meaning="Canonical symbol"),
        Column(name="timeframe", type=TEXT, path="payload.timeframe", meaning="Of the bar"),
        Column(name="bar_time", type=TIME, path="payload.bar_time", meaning="Open of the bar"),
        Column(name="bar_close", type=TIME, path="payload.bar_close", meaning="Its end"),
        Column(name="signal", type=TEXT, path="payload.signal", meaning="long, short, conflict or null"),
        Column(
            name="action", type=TEXT, path="payload.action", meaning="observe, blocked, pending_approval …"
        ),
        Column(
            name="confidence", type=REAL, unit="0 to 100", path="payload.confidence.score", meaning="Score"
        ),
        Column(
            name="refused_by",
            type=TEXTS,
            sql="json_extract_string(f.payload.refusals, '$[*].check')",
            meaning="Checks that refused",
        ),
        Column(name="missed", type=YES_NO, path="payload.missed", meaning="Came too late for an idea"),
        Column(name="idea_id", type=TEXT, path="payload.idea_id", meaning="What it made"),
        Column(name="side", type=TEXT, path="payload.levels.side", meaning="buy or sell"),
        Column(name="entry", type=REAL, unit=_PRICE, path="payload.levels.entry", meaning="Planned"),
        Column(name="stop", type=REAL, unit=_PRICE, path="payload.levels.stop", meaning="Planned"),
        Column(name="target", type=REAL, unit=_PRICE, path="payload.levels.target", meaning="Planned"),
        Column(
            name="reward_to_risk",
            type=REAL,
            unit="ratio",
            path="payload.levels.reward_to_risk",
            meaning="Of the plan",
        ),
        Column(name="volume", type=EXACT, unit=_LOTS, path="payload.size.lots", meaning="Planned"),
        Column(
            name="risk_money", type=EXACT, unit=_MONEY, path="payload.size.risk_taken", meaning="At the stop"
        ),
        Column(name="atr", type=REAL, unit=_PRICE, path="payload.atr", meaning="Average range of a bar"),
        Column(name="reasons", type=TEXTS, sql="CAST(f.payload.reasons AS VARCHAR[])", meaning="In words"),
        Column(name="facts", type=JSON, path="payload.facts", meaning="What was measured on the bars"),
        Column(name="seq", type=WHOLE, meaning="Number in the journal"),
    ),
)

JOURNAL_VIEW: Final = View(
    name="journal",
    meaning="Every record of the journal as it is written: decisions, steps, orders, halts, settings",
    files=(f"data/{JOURNAL}",),
    where="f.seq IS NOT NULL",
    columns=(
        Column(name="seq", type=WHOLE, meaning="Number, from 1, without gaps"),
        Column(name="kind", type=TEXT, meaning=", ".join(Records)),
        Column(name="at", type=TIME, meaning="Desk time"),
        Column(name="at_wall", type=TIME, meaning="Wall time"),
        Column(name="actor", type=TEXT, meaning="Who caused it"),
        Column(name="key", type=TEXT, meaning="Of an idea's step, an intent …"),
        Column(name="payload", type=JSON, meaning="All of it; payload->>'$.symbol' takes a part"),
        Column(name="hash", type=TEXT, meaning="SHA-256 of the record"),
    ),
)

_INTENT: Final = f"f.kind = {text(Records.ORDER_INTENT)}"
_OUTCOME: Final = f"f.kind = {text(Records.ORDER_OUTCOME)}"


def _asked(name: str, kind: str, meaning: str, unit: str = "", path: str = "") -> Column:
    place = f"f.payload.{path or f'request.{name}'}"
    return Column(
        name=name, type=kind, unit=unit, meaning=meaning, sql=f"any_value({place}) FILTER ({_INTENT})"
    )


def _answered(name: str, kind: str, meaning: str, unit: str = "", path: str = "") -> Column:
    place = f"f.payload.{path or f'result.{name}'}"
    return Column(
        name=name, type=kind, unit=unit, meaning=meaning, sql=f"any_value({place}) FILTER ({_OUTCOME})"
    )


ORDERS_VIEW: Final = View(
    name="orders",
    meaning="What was asked of the broker, and what it answered; null where no answer is on record",
    files=(f"data/{JOURNAL}",),
    where=f"{_INTENT} OR {_OUTCOME}",
    group=f"coalesce(f.payload.intent, f.payload.id) HAVING bool_or({_INTENT})",
    reads={
        "kind": TEXT,
        **dict.fromkeys(
            (f"payload.{name}" for name in ("id", "intent", "kind", "at", "idea", "attempt", "why")), TEXT
        ),
        **dict.fromkeys(
            (
                f"payload.request.{name}"
                for name in (
                    "action",
                    "symbol",
                    "type",
                    "volume",
                    "price",
                    "stop",
                    "target",
                    "position",
                    "order",
                )
            ),
            TEXT,
        ),
        **dict.fromkeys(
            (
                f"payload.result.{name}"
                for name in (
                    "outcome",
                    "retcode",
                    "name",
                    "deal",
                    "order",
                    "volume",
                    "price",
                    "comment",
                    "message",
                )
            ),
            TEXT,
        ),
    },
    columns=(
        Column(
            name="id",
            type=TEXT,
            meaning="Also the order's comment",
            sql="coalesce(f.payload.intent, f.payload.id)",
        ),
        _asked("asked_at", TIME, "Desk time", path="at"),
        _asked("purpose", TEXT, "open, close, modify or cancel", path="kind"),
        _asked("idea_id", TEXT, "What it is for", path="idea"),
        _asked("attempt", WHOLE, "Of that idea, from 1", path="attempt"),
        _asked("why", TEXT, "In words", path="why"),
        _asked("action", TEXT, "deal, pending, sltp …"),
        _asked("symbol", TEXT, "Canonical symbol"),
        _asked("type", TEXT, "buy, sell, buy_limit …"),
        _asked("volume", EXACT, "Asked for", _LOTS),
        _asked("price", EXACT, "Asked for", _PRICE),
        _asked("stop", EXACT, "Asked for", _PRICE),
        _asked("target", EXACT, "Asked for", _PRICE),
        _asked("position", WHOLE, "Ticket that is meant"),
        _answered("answered_at", TIME, "Desk time", path="at"),
        _answered("outcome", TEXT, "answered, not_sent or no_answer"),
        _answered("retcode", WHOLE, "MetaTrader's code"),
        _answered("retcode_name", TEXT, "Its name", path="result.name"),
        _answered("dealt_volume", EXACT, "Dealt or placed", _LOTS, path="result.volume"),
        _answered("dealt_price", EXACT, "Dealt at", _PRICE, path="result.price"),
        _answered("ticket", WHOLE, "Of the order", path="result.order"),
        _answered("deal", WHOLE, "Ticket of the deal"),
        _answered("said", TEXT, "The server's words", path="result.comment"),
    ),
)

NEWS_VIEW: Final = View(
    name="news",
    meaning="Articles, each once, from when the desk first saw it",
    files=(f"data/{NEWS}",),
    where="f.id IS NOT NULL",
    reads={"currencies": JSON, "symbols": JSON},
    columns=(
        Column(name="published", type=TIME, meaning="By the feed, else when it was first seen"),
        Column(name="feed", type=TEXT, meaning="Its name"),
        Column(name="category", type=TEXT, meaning="Of the feed"),
        Column(name="title", type=TEXT, meaning="Without markup"),
        Column(name="summary", type=TEXT, meaning="Shortened"),
        Column(
            name="currencies", type=TEXTS, sql="CAST(f.currencies AS VARCHAR[])", meaning="That it concerns"
        ),
        Column(name="symbols", type=TEXTS, sql="CAST(f.symbols AS VARCHAR[])", meaning="That it concerns"),
        Column(name="link", type=TEXT, meaning="Address"),
        Column(name="fetched_at", type=TIME, meaning="When the desk first saw it"),
        Column(name="date_is_estimated", type=YES_NO, meaning="The feed gave no usable date"),
        Column(name="id", type=TEXT, meaning="Within the desk"),
    ),
)

QUOTES_VIEW: Final = View(
    name="quotes",
    meaning="Ticks that collect-market-data saw, one each five minutes and symbol; kept a few days",
    files=(f"data/{QUOTES}/*.jsonl",),
    where="f.symbol IS NOT NULL",
    columns=(
        Column(name="symbol", type=TEXT, meaning="Canonical symbol"),
        Column(name="tick_time", type=TIME, meaning="Of the tick"),
        Column(name="bid", type=REAL, unit=_PRICE, meaning=""),
        Column(name="ask", type=REAL, unit=_PRICE, meaning=""),
        Column(name="spread", type=WHOLE, unit="points", meaning=""),
        Column(
            name="volume", type=WHOLE, unit="ticks", meaning="Of the minute so far; null where none is told"
        ),
        Column(name="tick_age_seconds", type=REAL, unit="seconds", meaning="When it was collected"),
        Column(name="market", type=TEXT, meaning="open or closed"),
        Column(name="collected_at", type=TIME, meaning="Desk time"),
    ),
)

RECORDS: Final = (
    IDEAS_VIEW,
    DECISIONS_VIEW,
    TRADES_VIEW,
    ORDERS_VIEW,
    JOURNAL_VIEW,
    TASK_RUNS_VIEW,
    NEWS_VIEW,
    QUOTES_VIEW,
)
