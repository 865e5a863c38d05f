"""AIEngine: from closed bars and what was known to one decision. No storage, clock or network."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from backend.core.bars import Bars
from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe
from backend.evaluation.conditions import NO_HIGHER, compile_strategy
from backend.evaluation.deciding import Deciding, Known, Outcome, bar_of, reasons
from backend.evaluation.decision import Decision, decision_id, strategy_hash
from backend.evaluation.snapshots import Snapshots, bars_reference, calendar_content
from backend.strategies.model import Profile, Strategy
from backend.trading.desk import Purpose
from backend.trading.verdict import Refusal, RiskRules

ENGINE_VERSION = "3"
"""Raised whenever the same inputs would give another decision."""

_GRACE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """A decision and the contents behind its hashes.

    Attributes:
        decision: The decision.
        snapshots: JSON values by their hash: what `Decision.inputs` refers to, bars aside.
    """

    decision: Decision
    snapshots: Mapping[str, Mapping[str, Any]]


class AIEngine:
    """Evaluates one strategy on the newest of some closed bars.

    Facts, then score, then levels, size, gate and action. The account's comfort is scored with the whole
    risk; where the score then allows half of it, size and gate are computed again with half. A score that
    would do with a reward to risk that does not is `wait_rr`, for half risk too: approval would refuse it.

    Args:
        rules: Sizing, gate, weights and thresholds.
        limits: What `rules` was made from, as JSON values, for the record.
    """

    def __init__(self, rules: RiskRules, *, limits: Mapping[str, Any] | None = None) -> None:
        self._rules = rules
        self._limits: Mapping[str, Any] = {} if limits is None else limits
        self._snapshots = Snapshots()

    def evaluate(
        self,
        *,
        strategy: Strategy,
        profile: Profile,
        bars: Bars,
        known: Known,
        higher: Mapping[Timeframe, Bars] = NO_HIGHER,
        purpose: Purpose = Purpose.DESK,
    ) -> Evaluation:
        """The decision for the newest bar, always: refusals are decisions too.

        Args:
            strategy: The strategy.
            profile: The symbol's profile.
            bars: Closed bars of the strategy's timeframe, at least one.
            known: Account, calendar, specification, statistics.
            higher: Closed bars of the other timeframes that the strategy uses.
            purpose: On whose behalf the gate runs.

        Raises:
            Invalid: Without any bar there is nothing to decide.
        """
        if not len(bars):
            raise Invalid(
                "no_bars", f"there is no closed bar of {bars.symbol} {bars.timeframe} yet", symbol=bars.symbol
            )
        bar = bar_of(bars)
        version = strategy_hash(strategy)
        inputs, snapshots = self._inputs(strategy, version, profile, bars, higher, known)
        work = Deciding(self._rules, strategy, profile, known, bar, purpose)
        try:
            arrays = compile_strategy(strategy).evaluate(
                bars, higher, sessions=profile.entry_sessions(strategy)
            )
        except Invalid as error:
            if error.code != "too_few_bars":
                raise
            outcome = Outcome(refusals=(Refusal(check="too_few_bars", reason=error.message),))
            facts: dict[str, Any] = {"conditions": {}, "values": {}}
        else:
            outcome = work.decide(arrays)
            facts = {"conditions": arrays.explain(-1), "values": arrays.values(-1)}
        decision = Decision(
            id=decision_id(strategy.id, version, bars.symbol, bars.timeframe, bar.opened),
            strategy_id=strategy.id,
            strategy_hash=version,
            symbol=bars.symbol,
            timeframe=bars.timeframe,
            bar_time=bar.opened,
            bar_close=bar.closed,
            expires_at=bar.next_close + _GRACE,
            signal=outcome.signal,
            action=outcome.action,
            reasons=reasons(outcome, facts["conditions"]),
            refusals=outcome.refusals,
            confidence=outcome.confidence,
            levels=None if outcome.plan is None else outcome.plan.levels,
            order=None if outcome.plan is None else outcome.plan.order,
            size=None if outcome.plan is None else outcome.plan.size,
            atr=None if outcome.plan is None else outcome.plan.proposal.atr,
            terms=None if outcome.plan is None else outcome.plan.terms,
            verdict=outcome.verdict,
            facts=facts,
            circumstances={} if outcome.around is None else outcome.around.as_dict(),
            inputs=inputs,
            decided_at=known.now,
            notes=(
                *(() if outcome.confidence is None else outcome.confidence.notes),
                *(() if outcome.verdict is None else outcome.verdict.warnings),
            ),
        )
        return Evaluation(decision=decision, snapshots=snapshots)

    def _inputs(
        self,
        strategy: Strategy,
        version: str,
        profile: Profile,
        bars: Bars,
        higher: Mapping[Timeframe, Bars],
        known: Known,
    ) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
        """Hashes of all inputs, and the contents that are not kept elsewhere."""
        take = self._snapshots.take
        statistics = known.statistics
        taken = {
            "account": take("account", known.account, known.account.as_dict),
            "calendar": take("calendar", known.calendar, lambda: calendar_content(known.calendar)),
            "instrument": take(
                f"instrument {bars.symbol}", known.instrument, lambda: instrument_content(known.instrument)
            ),
            "strategy": (version, strategy_content(strategy)),
            "profile": take(f"profile {bars.symbol}", profile, lambda: profile.model_dump(mode="json")),
            "desk": take("desk", known.desk, known.desk.as_dict),
            "limits": take("limits", self._limits, lambda: self._limits),
        }
        inputs: dict[str, Any] = {name: hashed for name, (hashed, _) in taken.items()}
        snapshots: dict[str, Mapping[str, Any]] = dict(taken.values())
        inputs["statistics"] = statistics.hash
        snapshots[statistics.hash] = statistics.as_dict()
        inputs["engine"] = ENGINE_VERSION
        inputs["market"] = {"open": known.market_open, "closed_since": known.closed_since}
        inputs["bars"] = [bars_reference(part) for part in (bars, *higher.values())]
        return inputs, snapshots


@lru_cache(maxsize=4096)
def strategy_content(strategy: Strategy) -> dict[str, Any]:
    """What the strategy's file says, defaults written out."""
    content: dict[str, Any] = strategy.model_dump(mode="json")
    return content


def instrument_content(instrument: Instrument) -> dict[str, Any]:
    """A specification as JSON values, numbers exact."""
    return {
        name: value if value is None or isinstance(value, int | str) else str(value)
        for name, value in ((each, getattr(instrument, each)) for each in instrument.__slots__)
    }
