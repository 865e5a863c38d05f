"""One day's trades beside their twins: pairs, what only one side has, and the whole gap by cause. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from backend.backtest.parity.live import Idea, LiveTrade, key_of_decision
from backend.backtest.parity.twin import Twins
from backend.backtest.tester.causes import Cause, Parts, split
from backend.backtest.tester.comparing import matched
from backend.backtest.tester.model import TheirTrade
from backend.backtest.tester.ours import OurTrade
from backend.core.clock import from_epoch, iso
from backend.trading.profit import to_cents

NAMES: Final[Mapping[Cause, str]] = {cause: str(cause) for cause in Cause} | {Cause.FILL: "slippage"}
"""Words of the audit: what a fill differs by, live, is slippage."""

_PERSON: Final = frozenset({"rejected", "expired", "superseded", "cancelled", "pending_approval"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A trade of one side or both, and why the results differ; the parts add up to `money`."""

    live: LiveTrade | None
    twin: OurTrade | None
    parts: Parts
    why: str = ""

    @property
    def money(self) -> Decimal:
        """Live result minus the twin's; a trade that is missing earned nothing."""
        return (self.live.trade.net if self.live else Decimal(0)) - (
            self.twin.net if self.twin else Decimal(0)
        )


@dataclass(kw_only=True, slots=True)
class Audit:
    """The audit of a day.

    Attributes:
        gaps: In the order of the entries.
        excluded: Trades that are not compared: side, a trade in words, why.
    """

    gaps: list[Gap]
    excluded: list[dict[str, Any]] = field(default_factory=list)

    @property
    def causes(self) -> dict[str, Decimal]:
        """Every cause with its sum, zeros included."""
        sums: defaultdict[Cause, Decimal] = defaultdict(Decimal)
        for gap in self.gaps:
            for cause, part in gap.parts.items():
                sums[cause] += part
        return {NAMES[cause]: sums[cause] for cause in Cause}


def audit(
    live: Sequence[LiveTrade],
    twins: Twins,
    decisions: Sequence[Mapping[str, Any]],
    ideas: Mapping[str, Idea],
    span: tuple[datetime, datetime],
) -> Audit:
    """Put each live trade that closed in the span beside its twin.

    Args:
        live: The desk's trades that closed in the span.
        twins: What the same time gave as a backtest.
        decisions: All decisions of the time, those of the live trades among them.
        ideas: Ideas by the id of their decision.
        span: The day, its end excluded.
    """
    of_key = {key_of_decision(payload): payload for payload in decisions}
    keys = {trade.trade.key for trade in live}
    begin, end = (int(moment.timestamp()) for moment in span)
    excluded: list[dict[str, Any]] = []
    ours: list[OurTrade] = []
    for twin in twins.trades:
        if twin.key in keys:
            ours.append(twin)
        elif begin <= twin.exit_time < end and twin.exit_reason != "end":
            decision = of_key.get(str(twin.key))
            idea = None if decision is None else ideas.get(str(decision["id"]))
            if idea is not None and idea.get("position"):
                excluded.append(
                    _words("twin", twin) | {"why": "its live trade closed on another day or not yet"}
                )
            else:
                ours.append(twin)
    by_trade = {trade.trade.id: trade for trade in live}
    theirs = [trade.trade for trade in live]
    names = {trade.symbol: trade.symbol for trade in theirs}
    gaps = []
    for one, other in matched(theirs, ours, names, 0):
        mine = None if one is None else by_trade[one.id]
        gaps.append(_gap(mine, other, twins, of_key, ideas))
    return Audit(gaps=gaps, excluded=excluded)


def _gap(
    live: LiveTrade | None,
    twin: OurTrade | None,
    twins: Twins,
    of_key: Mapping[str, Mapping[str, Any]],
    ideas: Mapping[str, Idea],
) -> Gap:
    if live is not None and twin is not None:
        strategy = str(twin.key).partition("|")[0]
        parts = split(live.trade, twin, twins.bars[strategy, twin.symbol], live.sent)
        return Gap(live=live, twin=twin, parts=parts, why=_unlike(live.idea, twin))
    if live is not None:
        cause, why = _without_twin(live, twins)
        return Gap(live=live, twin=None, parts=_all(cause, live.trade.net), why=why)
    if twin is None:
        raise AssertionError("a pair of nothing")
    decision = of_key.get(str(twin.key))
    idea = None if decision is None else ideas.get(str(decision["id"]))
    cause, why = _without_live(twin, decision, idea)
    return Gap(live=None, twin=twin, parts=_all(cause, -twin.net), why=why)


def _all(cause: Cause, amount: Decimal) -> Parts:
    return {cause: amount} if amount else {}


def _unlike(idea: Idea, twin: OurTrade) -> str:
    """What is to be known about a pair."""
    told = []
    if twin.exit_reason == "end":
        told.append("the twin was still open at the last bar")
    changed = sorted(
        {name for step in idea["history"] if step["action"] == "modify" for name in step["changes"]}
    )
    if changed:
        told.append(f"a person changed {', '.join(changed)}")
    return "; ".join(told)


def _without_twin(live: LiveTrade, twins: Twins) -> tuple[Cause, str]:
    if (str(live.idea["strategy_id"]), live.trade.symbol) not in twins.bars:
        return Cause.DATA, "its strategy could not be run again; see the notes"
    word = twins.signals.get(str(live.trade.key))
    if word == ("long" if live.trade.side.sign > 0 else "short"):
        return Cause.GATE, "the backtest has the signal, and its checks or an open trade refused it"
    if word is None:
        return Cause.SIGNAL, "the stored bars do not give the signal that was decided on"
    return Cause.SIGNAL, f"the stored bars give a {word} signal"


def _without_live(twin: OurTrade, decision: Mapping[str, Any] | None, idea: Idea | None) -> tuple[Cause, str]:
    """Why a trade of the backtest was not made live."""
    if decision is None:
        return Cause.SIGNAL, "the desk decided nothing at that bar"
    if decision["signal"] != ("long" if twin.side.sign > 0 else "short"):
        return Cause.SIGNAL, f"the desk saw {decision['signal'] or 'no'} signal at that bar"
    if idea is not None:
        return _without_position(idea)
    if decision["missed"]:
        return Cause.LATENCY, "the desk came too late for an idea"
    checks = ", ".join(refusal["check"] for refusal in decision["refusals"]) or str(decision["action"])
    return Cause.GATE, f"refused live: {checks}"


def _without_position(idea: Idea) -> tuple[Cause, str]:
    """Why an idea did not become a position."""
    status, last = str(idea["status"]), idea["history"][-1]
    said = f"{status} by {last['by']}: {last['why']}"
    if any(step["action"] == "send" for step in idea["history"]):
        return Cause.FILL, f"its order came to nothing: {said}"
    if status == "refused" or last["action"] == "halt":
        return Cause.GATE, f"withheld before it was sent: {said}"
    if status in _PERSON:
        return Cause.HUMAN_DELAY, f"nobody approved it in time: {said}"
    return Cause.LATENCY, f"not sent yet: {said}"


def described(gap: Gap) -> dict[str, Any]:
    """A pair as JSON values, money as exact text."""
    first = gap.live.trade if gap.live is not None else gap.twin
    strategy, _, rest = str(first.key if first is not None else "").partition("|")
    closed = rest.rpartition("|")[2]
    return {
        "strategy": strategy,
        "symbol": first.symbol if first is not None else "",
        "signal_time": iso(from_epoch(int(closed))) if closed.isdigit() else None,
        "idea_id": None if gap.live is None else gap.live.idea["id"],
        "live": None if gap.live is None else _trade(gap.live.trade),
        "twin": None if gap.twin is None else _trade(gap.twin) | {"exit_reason": gap.twin.exit_reason},
        "gap": money(gap.money),
        "causes": {NAMES[cause]: money(part) for cause, part in gap.parts.items()},
        "why": gap.why,
    }


def _trade(trade: TheirTrade | OurTrade) -> dict[str, Any]:
    return {
        "side": str(trade.side),
        "volume": str(trade.volume),
        "entry_time": iso(from_epoch(trade.entry_time)),
        "entry_price": str(trade.entry_price),
        "exit_time": iso(from_epoch(trade.exit_time)),
        "exit_price": str(trade.exit_price),
        "commission": money(trade.commission),
        "swap": money(trade.swap),
        "net": money(trade.net),
    }


def money(amount: Decimal) -> str:
    """An amount as exact text, to the cent."""
    return str(to_cents(amount))


def _words(side: str, trade: TheirTrade | OurTrade) -> dict[str, Any]:
    return {"side": side, "symbol": trade.symbol, **_trade(trade)}


def excluded_live(others: Sequence[tuple[TheirTrade, str]]) -> list[dict[str, Any]]:
    """Live trades that are not compared, as JSON values."""
    return [_words("live", trade) | {"why": why} for trade, why in others]
