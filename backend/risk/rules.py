"""Sizing, shares and gate bound to one set of limits: what evaluation, approval and backtest call."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.core.instruments import Instrument
from backend.economic_calendar.embargo import EmbargoRule
from backend.risk.checks import MASKS, TABLE, Check
from backend.risk.gate import Bit, Limit
from backend.risk.gate import judge as judge_numbers
from backend.risk.limits import RiskLimits
from backend.risk.numbers import (
    day_losses,
    exact,
    exposed,
    limits_of,
    others_on,
    state_of,
    tightest,
)
from backend.risk.sizing import size_position
from backend.trading.account import AccountState
from backend.trading.conversion import Conversion
from backend.trading.desk import Circumstances, DeskState, Purpose
from backend.trading.margin import margin
from backend.trading.scoring import Thresholds, Weights
from backend.trading.sides import Side
from backend.trading.verdict import Proposal, Refusal, Shares, Size, Verdict

_BOUNDS: Mapping[Bit, Limit] = {
    Bit.CONFIDENCE: Limit.MIN_CONFIDENCE,
    Bit.AUTONOMOUS_CONFIDENCE: Limit.MIN_CONFIDENCE_AUTONOMOUS,
    Bit.VOLUME_MINIMUM: Limit.MIN_STEPS,
    Bit.VOLUME_MAXIMUM: Limit.MAX_STEPS,
    Bit.POSITIONS_TOTAL: Limit.MAX_POSITIONS,
    Bit.POSITIONS_SYMBOL: Limit.MAX_POSITIONS_SYMBOL,
    Bit.EXPOSURE: Limit.EXPOSURE_CAP,
    Bit.OPEN_RISK: Limit.OPEN_RISK,
    Bit.MARGIN: Limit.MARGIN,
    Bit.DAILY_LOSS: Limit.DAILY_LOSS,
    Bit.DAILY_TARGET: Limit.DAILY_TARGET,
    Bit.DRAWDOWN: Limit.DRAWDOWN,
    Bit.COOLDOWN: Limit.COOLDOWN_BARS,
    Bit.TRADES_STRATEGY: Limit.MAX_ENTRIES_STRATEGY,
    Bit.TRADES_DAY: Limit.MAX_ENTRIES_DAY,
    Bit.SPREAD: Limit.MAX_SPREAD,
    Bit.AGE: Limit.MAX_AGE,
    Bit.DRIFT: Limit.MAX_DRIFT,
    Bit.ORDER_RATE: Limit.MAX_ORDERS_MINUTE,
    Bit.WEEKEND: Limit.WEEKEND_SECONDS,
}


_KEYS = tuple((check.key, int(check.bit)) for check in TABLE)
_CHECKS = tuple((1 << check.bit, check) for check in TABLE)


class DeskRules:
    """The desk's limits at work; implements `backend.trading.verdict.RiskRules`.

    Args:
        limits: From ``config/risk.json``.
    """

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits

    @property
    def weights(self) -> Weights:
        """Points of the confidence's parts."""
        return self.limits.weights

    @property
    def thresholds(self) -> Thresholds:
        """Scores from which something is done."""
        return self.limits.thresholds

    def embargo(self, own: EmbargoRule) -> EmbargoRule:
        """What pauses entries around news: a strategy's and its symbol's own rule, and the desk's."""
        return own | self.limits.embargo

    def commission_known(self, commission_per_lot: float | None) -> bool:
        """Whether the symbol's profile or the desk's limits say what a lot costs."""
        costs = self.limits.expected_costs(commission_per_lot=commission_per_lot, slippage_points=None)
        return costs.commission_known

    def size(
        self,
        *,
        instrument: Instrument,
        side: Side,
        entry: Decimal,
        stop: Decimal,
        account: AccountState,
        conversion: Conversion,
        risk_fraction: float,
        commission_per_lot: float | None = None,
        slippage_points: float | None = None,
        market_entry: bool = True,
        half: bool = False,
        lots: Decimal | None = None,
    ) -> Size:
        """Volume for a trade; see `backend.risk.sizing.size_position`.

        The risk is the smaller of what is asked and the desk's own. Slippage is expected of the stop's
        fill, and of the entry's where that is a market or stop order. An unknown commission counts as 0.

        Args:
            instrument: The symbol.
            side: Side of the trade.
            entry: Entry price.
            stop: Stop price.
            account: The account.
            conversion: Of the symbol's profit currency.
            risk_fraction: 0.01 is 1 %.
            commission_per_lot: Per lot and side, from the profile; None takes the desk's.
            slippage_points: Of one fill, from the profile; None takes the desk's.
            market_entry: Whether the entry slips: False for a limit order.
            half: Whether half the risk is taken.
            lots: A volume that a person set.
        """
        costs = self.limits.expected_costs(
            commission_per_lot=commission_per_lot, slippage_points=slippage_points
        )
        fills = 2 if market_entry else 1
        return size_position(
            instrument=instrument,
            side=side,
            entry=entry,
            stop=stop,
            balance=account.balance,
            equity=account.equity,
            margin_free=account.margin_free,
            margin_per_lot=margin(instrument, Decimal(1), entry, account.leverage, account.currency),
            risk_fraction=exact(min(risk_fraction, self.limits.risk_fraction)),
            conversion=conversion,
            commission_per_lot=exact(costs.commission_per_lot),
            slippage=exact(costs.slippage_points) * instrument.point * fills,
            half=half,
            lots=lots,
        )

    def shares(self, proposal: Proposal, account: AccountState) -> Shares:
        """Limits used after the trade: margin, net exposure that it adds to, the day's loss."""
        equity = float(account.equity)
        if equity <= 0:
            return Shares(margin=1.0, exposure=1.0, day_loss=1.0)
        day = tightest(day_losses(account, self.limits))
        lost = max(float(day.lost), 0.0)
        base = float(day.of)
        return Shares(
            margin=float(account.margin + proposal.size.margin) / equity / self.limits.margin_limit,
            exposure=exposed(proposal, account, self.limits).amount / equity / self.limits.exposure_cap,
            day_loss=lost / base / day.limit if base > 0 else 1.0,
        )

    def judge(
        self,
        proposal: Proposal,
        account: AccountState,
        desk: DeskState,
        circumstances: Circumstances,
        *,
        purpose: Purpose,
        reduces: bool = False,
    ) -> Verdict:
        """The gate: every check that applies, with reasons for those that refuse.

        Args:
            proposal: The trade.
            account: Money and open trades.
            desk: Mode, halts, pace.
            circumstances: Session, market, news, spread, age.
            purpose: On whose behalf.
            reduces: The trade reduces or closes risk: nothing refuses then.
        """
        state = state_of(
            proposal, account, desk, circumstances, self.limits, purpose=purpose, reduces=reduces
        )
        bounds = limits_of(
            proposal.instrument,
            self.limits,
            account=account,
            cooldown_bars=proposal.cooldown_bars,
            max_trades_per_day=proposal.max_trades_per_day,
            max_spread_points=proposal.max_spread_points,
        )
        measured = [0.0] * len(Bit)
        bits = judge_numbers(state, bounds, MASKS[purpose], measured)
        refusals = []
        if bits:
            exposure = bits >> Bit.EXPOSURE & 1
            unit = exposed(proposal, account, self.limits).unit if exposure else ""
            words = self._words(proposal, account, unit, desk, circumstances)
            refusals = [
                _refusal(check, measured[check.bit], _bound(check, bounds, proposal), words)
                for mask, check in _CHECKS
                if bits & mask
            ]
        return Verdict(
            purpose=purpose,
            refusals=tuple(refusals),
            measured={key: _known(measured[bit]) for key, bit in _KEYS},
            bounds={check.key: _shown(_bound(check, bounds, proposal)) for check in TABLE},
            warnings=_warnings(account, circumstances),
        )

    def checklist(self, verdict: Verdict) -> list[dict[str, Any]]:
        """Every check that applies, as JSON values: what it asks, what was measured, what is allowed."""
        refused = {refusal.check: refusal.reason for refusal in verdict.refusals}
        return [
            {
                "check": check.key,
                "meaning": check.meaning,
                "passed": check.key not in refused,
                "measured": verdict.measured[check.key],
                "bound": verdict.bounds[check.key],
                "reason": refused.get(check.key, ""),
            }
            for check in TABLE
            if verdict.purpose in check.applies
        ]

    def _words(
        self,
        proposal: Proposal,
        account: AccountState,
        unit: str,
        desk: DeskState,
        around: Circumstances,
    ) -> dict[str, str]:
        """What the templates of `backend.risk.checks` may name."""
        closed = f" since {around.closed_since}" if around.closed_since else ""
        hours = self.limits.no_entries_before_weekend_minutes
        return {
            "halted": desk.halted,
            "size": proposal.size.refusal or "the volume is below the symbol's smallest",
            "side": str(proposal.side),
            "symbol": proposal.instrument.symbol,
            "occupant": ", ".join(
                dict.fromkeys(trade.strategy or "somebody else" for trade in others_on(proposal, account))
            ),
            "trade_mode": str(proposal.instrument.trade_mode),
            "unit": unit,
            "sessions": ", ".join(around.sessions),
            "market": f"the market of {proposal.instrument.symbol} is closed{closed}",
            "embargo": around.embargo,
            "calendar": around.calendar_reason,
            "weekend": (
                "it is the weekend"
                if around.seconds_to_weekend <= 0
                else f"the weekend begins in {around.seconds_to_weekend / 60:.0f} minutes, "
                f"no entries are made in the last {hours:g}"
            ),
        }


def _refusal(check: Check, measured: float, bound: float | None, words: Mapping[str, str]) -> Refusal:
    if math.isnan(measured):
        reason = f"{check.meaning}: this cannot be measured now, so it refuses"
    else:
        reason = check.reason.format(measured=measured, bound=bound, **words)
    return Refusal(
        check=check.key,
        reason=reason,
        measured=_known(measured),
        bound=_shown(bound),
        blocks=check.hard,
    )


def _bound(check: Check, bounds: list[float], proposal: Proposal) -> float | None:
    if check.bit is Bit.REWARD_TO_RISK:
        return proposal.min_rr
    limit = _BOUNDS.get(check.bit)
    return None if limit is None else bounds[limit]


def _shown(bound: float | None) -> float | None:
    return None if bound is None else _known(bound)


def _known(value: float) -> float | None:
    """The number, rounded so that float noise is not shown; None for NaN and infinities."""
    return round(value, 9) if math.isfinite(value) else None


def _warnings(account: AccountState, around: Circumstances) -> tuple[str, ...]:
    found = []
    if not around.calendar_known:
        found.append(f"no embargo can be ruled out: {around.calendar_reason}")
    if account.day_reference is None:
        found.append("no balance at the day's reset is on record: the day's loss counts from the balance now")
    foreign = sum(trade.strategy is None and trade.stop is None for trade in account.trades)
    if foreign:
        found.append(f"{foreign} trades that are not ours have no stop: their risk is not in the open risk")
    return tuple(found)
