"""What an evaluation answers: always, also when nothing is to be done."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson

from backend.core.clock import iso
from backend.core.timeframes import Timeframe
from backend.evaluation.confidence import Confidence
from backend.evaluation.levels import Levels
from backend.strategies.model import Strategy, dumped
from backend.trading.terms import Terms
from backend.trading.verdict import Refusal, Size, Verdict


class Action(StrEnum):
    """What a decision leads to."""

    BLOCKED = "blocked"
    """A hard check refuses, whatever the score."""
    OBSERVE = "observe"
    """The score is too low."""
    PENDING_ONLY = "pending_only"
    """Half risk, limit order at a better price."""
    OPEN_OR_SCALE = "open_or_scale"
    """Whole risk."""
    WAIT_RR = "wait_rr"
    """The score would do, reward to risk would not."""

    @property
    def makes_idea(self) -> bool:
        """Whether it proposes a trade."""
        return self in {Action.PENDING_ONLY, Action.OPEN_OR_SCALE}


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPlan:
    """How the entry would be ordered.

    Attributes:
        type: ``market``, ``limit`` or ``stop``.
        expiry_bars: Bars after which it is cancelled; None for a market order or no end.
    """

    type: str
    expiry_bars: int | None

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return {"type": self.type, "expiry_bars": self.expiry_bars}


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One decision a strategy, symbol and closed bar.

    Attributes:
        id: The same whenever this bar is decided by this version of the strategy.
        strategy_id: The strategy.
        strategy_hash: Its version: hash of everything that its file says.
        symbol: Canonical symbol.
        timeframe: Of the bar.
        bar_time: The bar's open, aware UTC.
        bar_close: Its close: what sessions, embargoes and ages count from.
        expires_at: The next bar's close and a minute: until then an idea may be approved.
        signal: ``long``, ``short``, ``conflict`` or None.
        action: See `Action`.
        reasons: Why, in sentences.
        refusals: Everything that refuses, the gate's checks included.
        confidence: The score with its parts; None where the bars do not suffice for one.
        levels: Entry, stop and target; None where there are none.
        order: How the entry would be ordered; None without levels.
        size: Volume; None without levels.
        atr: ATR of the bar in price; None without levels.
        terms: What strategy and profile ask of the trade; None without levels.
        verdict: The gate's answer; None without levels.
        facts: Each condition with its truth and operands, and the indicator values.
        circumstances: Session, market, news, spread.
        inputs: Hashes of everything that it was computed from, and the bars by range and hash.
        decided_at: Desk time of the computing.
        notes: What else should be known.
    """

    id: str
    strategy_id: str
    strategy_hash: str
    symbol: str
    timeframe: Timeframe
    bar_time: datetime
    bar_close: datetime
    expires_at: datetime
    signal: str | None
    action: Action
    reasons: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    confidence: Confidence | None
    levels: Levels | None
    order: OrderPlan | None
    size: Size | None
    atr: float | None
    terms: Terms | None
    verdict: Verdict | None
    facts: Mapping[str, Any]
    circumstances: Mapping[str, Any]
    inputs: Mapping[str, Any]
    decided_at: datetime
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """The confidence, rounded to 0.1."""
        return None if self.confidence is None else self.confidence.score

    def as_dict(self) -> dict[str, Any]:
        """The decision as JSON values: what the journal keeps."""
        return {
            "id": self.id,
            "strategy_id": self.strategy_id,
            "strategy_hash": self.strategy_hash,
            "symbol": self.symbol,
            "timeframe": str(self.timeframe),
            "bar_time": iso(self.bar_time),
            "bar_close": iso(self.bar_close),
            "expires_at": iso(self.expires_at),
            "decided_at": iso(self.decided_at),
            "signal": self.signal,
            "action": str(self.action),
            "reasons": list(self.reasons),
            "refusals": [refusal.as_dict() for refusal in self.refusals],
            "confidence": None if self.confidence is None else self.confidence.as_dict(),
            "levels": None if self.levels is None else self.levels.as_dict(),
            "order": None if self.order is None else self.order.as_dict(),
            "size": None if self.size is None else self.size.as_dict(),
            "atr": self.atr,
            "terms": None if self.terms is None else self.terms.as_dict(),
            "measured": None if self.verdict is None else dict(self.verdict.measured),
            "facts": dict(self.facts),
            "circumstances": dict(self.circumstances),
            "inputs": dict(self.inputs),
            "notes": list(self.notes),
        }


def content_hash(value: Any) -> str:
    """SHA-256 in hex over the canonical JSON (sorted keys, no spaces) of JSON values."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


@lru_cache(maxsize=4096)
def strategy_hash(strategy: Strategy) -> str:
    """Version of a strategy: the hash of what its file says, defaults written out."""
    return content_hash(dumped(strategy))


def decision_id(strategy_id: str, version: str, symbol: str, timeframe: Timeframe, bar_time: datetime) -> str:
    """The id of the one decision for this strategy's version, symbol and closed bar."""
    return "d-" + content_hash([strategy_id, version, symbol, str(timeframe), iso(bar_time)])[:24]
