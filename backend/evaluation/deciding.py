"""One evaluation in its order of work: facts, score, levels, size, gate, action. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from backend.core.bars import Bars
from backend.core.clock import from_epoch
from backend.core.instruments import Instrument
from backend.core.timeframes import DAY_SECONDS, WEEK_SECONDS, close_of
from backend.economic_calendar.embargo import embargo
from backend.economic_calendar.model import CalendarView
from backend.evaluation.arrays import ConditionArrays
from backend.evaluation.confidence import Confidence, confidence
from backend.evaluation.decision import Action
from backend.evaluation.levels import spread_ticks
from backend.evaluation.plan import Market, Plan, fits, opposed, place, plan
from backend.evaluation.statistics import ProfileStatistics
from backend.strategies.model import Direction, Profile, Strategy
from backend.strategies.sessions import is_open
from backend.trading.account import AccountState
from backend.trading.conversion import Rates, conversion
from backend.trading.desk import Circumstances, DeskState, Purpose
from backend.trading.sides import Side
from backend.trading.verdict import Proposal, Refusal, RiskRules, Verdict

_MONDAY = 3 * DAY_SECONDS  # the epoch was a Thursday
_SATURDAY = 5 * DAY_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What was known when a bar was decided, besides its bars.

    Attributes:
        instrument: The symbol's specification.
        statistics: What is usual for it, fixed at the broker's midnight.
        account: The account.
        calendar: The economic calendar as known then.
        desk: Mode, halts, pace.
        market_open: Whether the symbol trades; None if unknown.
        closed_since: Since when it does not, ISO; empty when open or unknown.
        rates: Quotes that convert profit where neither symbol nor broker's tick value does; None uses those.
        now: Desk time of the deciding, aware UTC.
    """

    instrument: Instrument
    statistics: ProfileStatistics
    account: AccountState
    calendar: CalendarView
    now: datetime
    desk: DeskState = field(default_factory=DeskState)
    market_open: bool | None = True
    closed_since: str = ""
    rates: Rates | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedBar:
    """The bar that is decided."""

    opened: datetime
    closed: datetime
    next_close: datetime
    server_open: int
    server_close: int
    spread_points: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What was found, as far as it went."""

    action: Action = Action.BLOCKED
    refusals: tuple[Refusal, ...] = ()
    signal: str | None = None
    confidence: Confidence | None = None
    plan: Plan | None = None
    verdict: Verdict | None = None
    around: Circumstances | None = None


class Deciding:
    """One evaluation in its order of work."""

    def __init__(
        self,
        rules: RiskRules,
        strategy: Strategy,
        profile: Profile,
        known: Known,
        bar: DecidedBar,
        purpose: Purpose,
    ) -> None:
        self._rules = rules
        self._strategy = strategy
        self._profile = profile
        self._known = known
        self._bar = bar
        self._purpose = purpose

    def decide(self, arrays: ConditionArrays) -> Outcome:
        """What the newest bar of these arrays leads to."""
        signals = [direction for direction, side in arrays.sides.items() if side.signal[-1]]
        conflict = bool(arrays.conflict[-1])
        direction = signals[0] if signals else self._strategy.directions[0]
        signal = "conflict" if conflict else str(direction) if signals else None
        around = self._around(conflict=conflict)
        atr = float(arrays.atr[-1])
        market = Market(
            close=float(arrays.bars.close[-1]),
            spread=spread_ticks(self._known.instrument, self._usable_spread()),
            atr=atr,
            target=None if arrays.target is None else float(arrays.target[-1]),
        )
        side = Side.of_direction(str(direction))
        placed = place(self._strategy, self._known.instrument, side, market) if math.isfinite(atr) else None
        if placed is None or not fits(placed):
            refusal = Refusal(
                check="levels",
                reason="stop and target cannot be placed: no ATR, or no target beyond the entry",
            )
            return Outcome(refusals=(refusal,), signal=signal, around=around)

        known, rules = self._known, self._rules
        converting = conversion(known.instrument, known.account.currency, known.rates)
        draft = partial(plan, self._strategy, self._profile, placed, atr, known.account, rules, converting)
        drafted = draft(half=False)
        scored = self._score(arrays, direction, conflict=conflict, proposal=drafted.proposal, atr=atr)
        pending = rules.thresholds.pending_only <= scored.score < rules.thresholds.open_or_scale
        if pending:
            drafted = draft(half=True)
        proposal = replace(drafted.proposal, confidence=scored.score)
        verdict = rules.judge(proposal, known.account, known.desk, around, purpose=self._purpose)
        opposite = opposed(drafted.terms, known.account, known.instrument.symbol, side)
        refusals = verdict.refusals if opposite is None else (*verdict.refusals, opposite)
        pays = drafted.levels.pays(self._strategy.strategy.min_rr)
        return Outcome(
            action=self._action(scored.score, refusals, signalled=bool(signals), pays=pays),
            refusals=refusals,
            signal=signal,
            confidence=scored,
            plan=drafted,
            verdict=verdict,
            around=around,
        )

    def _action(self, score: float, refusals: tuple[Refusal, ...], *, signalled: bool, pays: bool) -> Action:
        thresholds = self._rules.thresholds
        if any(refusal.blocks for refusal in refusals):
            return Action.BLOCKED
        if not signalled or score < thresholds.pending_only:  # low thresholds make no signal
            return Action.OBSERVE
        if not pays:
            return Action.WAIT_RR
        return Action.PENDING_ONLY if score < thresholds.open_or_scale else Action.OPEN_OR_SCALE

    def _score(
        self,
        arrays: ConditionArrays,
        direction: Direction,
        *,
        conflict: bool,
        proposal: Proposal,
        atr: float,
    ) -> Confidence:
        side = arrays.sides[direction]
        statistics = self._known.statistics
        median, samples = statistics.spread(self._bar.server_open)
        shares = self._rules.shares(proposal, self._known.account)
        return confidence(
            signal=bool(side.signal[-1]) and not conflict,
            strong=float(side.strong[-1]),
            weak=float(side.weak[-1]),
            spread=self._bar.spread_points,
            spread_median=median,
            spread_samples=samples,
            atr_rank=statistics.atr_rank(atr),
            atr_samples=statistics.atr_count,
            margin_share=shares.margin,
            exposure_share=shares.exposure,
            loss_share=shares.day_loss,
            weights=self._rules.weights,
        )

    def _usable_spread(self) -> float:
        """The bar's spread in points; where it is unknown, what is usual at that hour; else 0."""
        if self._bar.spread_points is not None:
            return self._bar.spread_points
        median, _ = self._known.statistics.spread(self._bar.server_open)
        return 0.0 if median is None else median

    def _around(self, *, conflict: bool) -> Circumstances:
        known, instrument = self._known, self._known.instrument
        sessions = self._profile.entry_sessions(self._strategy)
        news = embargo(
            known.calendar,
            (instrument.currency_base, instrument.currency_profit),
            self._bar.closed,
            self._rules.embargo(self._profile.embargo(self._strategy)),
        )
        return Circumstances(
            in_session=not sessions or any(is_open(name, self._bar.closed) for name in sessions),
            sessions=sessions,
            market_open=known.market_open,
            closed_since=known.closed_since,
            embargo=news.reason if news.blocked else "",
            calendar_known=news.known,
            calendar_reason="" if news.known else news.reason or known.calendar.reason,
            seconds_to_weekend=float(seconds_to_weekend(self._bar.server_close)),
            conflict=conflict,
            spread_points=self._bar.spread_points,
        )


def seconds_to_weekend(server_epoch: int) -> int:
    """Server seconds until Saturday 00:00; 0 or below from then until Monday 00:00."""
    return _SATURDAY - (server_epoch + _MONDAY) % WEEK_SECONDS


def bar_of(bars: Bars) -> DecidedBar:
    """The newest bar, with its close and the next one's."""
    opened, server_open = int(bars.time[-1]), int(bars.server_time[-1])
    server_close = int(close_of(bars.timeframe, server_open))
    next_close = int(close_of(bars.timeframe, server_close))
    spread = int(bars.spread[-1])
    return DecidedBar(
        opened=from_epoch(opened),
        closed=from_epoch(opened + server_close - server_open),
        next_close=from_epoch(opened + next_close - server_open),
        server_open=server_open,
        server_close=server_close,
        spread_points=float(spread) if spread > 0 else None,
    )


def reasons(outcome: Outcome, conditions: Mapping[str, Any]) -> tuple[str, ...]:
    """Why the action is what it is, in sentences: refusals, and the conditions that do not hold."""
    found = [refusal.reason for refusal in outcome.refusals]
    if outcome.signal is None:
        for direction, stated in conditions.items():
            against = [
                f"{each['role']} {each['condition']}"
                for each in stated
                if (each["role"] == "entry" and each["holds"] is not True)
                or (each["role"] in {"exit", "invalidation"} and each["holds"] is not False)
            ]
            if against:
                found.append(f"no {direction} signal: {', '.join(against)}")
    if outcome.action.makes_idea and outcome.confidence is not None:
        found.insert(0, f"{outcome.signal} signal with confidence {outcome.confidence.score:g}")
    return tuple(found)
