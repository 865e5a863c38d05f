"""An idea at current prices: anchored, sized and judged again. Pure; the same live and in a backtest.

The entry of a market order is the live side price, and stop and target keep their distances from it; a
pending order keeps its price. What a person set stays where it was put. Volume and gate are computed again
from the account as it is now. Levels that the broker would not take refuse before the broker is asked.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from backend.evaluation.levels import Levels, broker_minimum, least_target
from backend.evaluation.plan import fits, opposed, propose
from backend.strategies.model import OrderType
from backend.trading.account import AccountState
from backend.trading.conversion import Conversion
from backend.trading.desk import Circumstances, DeskState, Purpose
from backend.trading.management import order_fits
from backend.trading.profit import to_cents
from backend.trading.sides import Side
from backend.trading.terms import Terms
from backend.trading.verdict import Proposal, Refusal, RiskRules, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """What a person set, as prices and lots; None follows the decision."""

    entry: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    volume: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A trade that was decided.

    Attributes:
        levels: As decided: distances, and the reference price from which the drift counts. A target of 0
            is none.
        type: How it is entered.
        atr: ATR of the bar in price; 0 where none is known.
        half: Whether the score allows half the risk only.
        score: The confidence; None for a manual ticket.
        around: Session, market, news as they are to count.
        closed: When its bar closed: its age counts from there.
        terms: What strategy and profile ask.
        fixed: What a person set.
    """

    levels: Levels
    type: OrderType
    atr: float
    half: bool
    score: float | None
    around: Circumstances
    closed: datetime
    terms: Terms
    fixed: Fixed = field(default_factory=Fixed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """Both sides of the market now, in ticks."""

    bid: int
    ask: int

    def opening(self, side: Side) -> int:
        """The price at which a side enters."""
        return self.ask if side is Side.BUY else self.bid

    @property
    def spread(self) -> int:
        """Ask − bid."""
        return self.ask - self.bid


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What would be sent now, and whether it may be.

    Attributes:
        levels: Entry, stop and target now.
        type: How it is entered; as wanted.
        passed_by: The price has reached the entry of a pending order: a broker refuses it as such, so it is
            dealt at the market.
        faults: Levels that the broker would not take, and a person's volume that risks too much; each
            check names the field: ``entry``, ``stop``, ``target``, ``volume``.
        proposal: With its volume; None where the levels give none.
        verdict: The gate's answer; None without a proposal.
    """

    levels: Levels
    type: OrderType
    passed_by: bool
    faults: tuple[Refusal, ...]
    proposal: Proposal | None
    verdict: Verdict | None

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Everything that refuses."""
        return self.faults + (() if self.verdict is None else self.verdict.refusals)

    @property
    def blocked(self) -> bool:
        """Whether something refuses that does not only choose between actions."""
        return any(refusal.blocks for refusal in self.refusals)


def judged(
    wanted: Wanted,
    prices: Prices,
    *,
    account: AccountState,
    desk: DeskState,
    rules: RiskRules,
    conversion: Conversion,
    now: datetime,
    purpose: Purpose,
) -> Judged:
    """The trade as it would be sent now.

    Args:
        wanted: What was decided, and what a person set.
        prices: The market.
        account: The account.
        desk: Mode, halts, pace.
        rules: Sizing, limits, gate.
        conversion: Of the symbol's profit currency.
        now: Desk time.
        purpose: On whose behalf.
    """
    levels = anchored(wanted, prices)
    reached = passed_by(levels, wanted.type, prices)
    faults = level_faults(levels, wanted, prices, reached=reached)
    proposal = verdict = None
    if levels.stop > 0 and levels.target >= 0 and fits(levels):
        instrument, live = levels.instrument, prices.opening(levels.side)
        triggered = reached and wanted.type is OrderType.STOP
        manual, by_hand = wanted.score is None, wanted.fixed.volume is not None
        proposal = propose(
            levels,
            wanted.terms,
            wanted.atr,
            account,
            rules,
            conversion,
            slips=wanted.type is not OrderType.LIMIT,
            half=wanted.half and not by_hand,
            lots=wanted.fixed.volume,
            dealt=live if triggered else None,
        )
        proposal = replace(proposal, confidence=wanted.score)
        drift = abs(live - wanted.levels.reference) * float(instrument.tick_size)
        around = replace(
            wanted.around,
            drift_atr=0.0 if manual or not wanted.atr else drift / wanted.atr,
            spread_points=prices.spread * float(instrument.tick_size / instrument.point),
            age_seconds=max((now - wanted.closed) / timedelta(seconds=1), 0.0),
        )
        verdict = rules.judge(proposal, account, desk, around, purpose=purpose)
        if by_hand:
            faults += _volume_faults(proposal)
        opposite = opposed(wanted.terms, account, instrument.symbol, levels.side)
        if opposite is not None:
            faults += (opposite,)
    return Judged(
        levels=levels,
        type=wanted.type,
        passed_by=reached,
        faults=faults,
        proposal=proposal,
        verdict=verdict,
    )


def anchored(wanted: Wanted, prices: Prices) -> Levels:
    """The levels now; distances are below 1 where a fixed price lies on the wrong side."""
    levels, fixed = wanted.levels, wanted.fixed
    side, instrument = levels.side, levels.instrument
    if wanted.type is OrderType.MARKET:
        levels = replace(levels, reference=prices.opening(side), offset=0, spread=prices.spread)
    elif fixed.entry is not None:
        levels = replace(levels, offset=instrument.ticks(float(fixed.entry)) - levels.reference)
    entry = levels.reference + levels.offset
    if fixed.stop is not None:
        levels = replace(levels, stop=(entry - instrument.ticks(float(fixed.stop))) * side.sign)
    if fixed.target is not None:
        levels = replace(levels, target=(instrument.ticks(float(fixed.target)) - entry) * side.sign)
    return replace(levels, minimum=max(broker_minimum(instrument, prices.spread), 1))


def passed_by(levels: Levels, kind: OrderType, prices: Prices) -> bool:
    """Whether the market has reached or passed the entry of a pending order."""
    if kind is OrderType.MARKET:
        return False
    beyond = (prices.opening(levels.side) - levels.reference - levels.offset) * levels.side.sign
    return beyond <= 0 if kind is OrderType.LIMIT else beyond >= 0


def level_faults(levels: Levels, wanted: Wanted, prices: Prices, *, reached: bool) -> tuple[Refusal, ...]:
    """What the broker would not take of entry, stop and target."""
    instrument, side = levels.instrument, levels.side
    nearest = instrument.points_to_ticks(instrument.stops_level)
    found = []
    entry = levels.reference + levels.offset
    pending = wanted.type is OrderType.LIMIT or (wanted.type is OrderType.STOP and not reached)
    ahead = (entry - prices.opening(side)) * side.sign
    if pending:
        away = -ahead if wanted.type is OrderType.LIMIT else ahead
        if not order_fits(away, nearest):
            reason = f"the entry {levels.entry_price} is {away} ticks from the price"
            found.append(_fault("entry", f"{reason}, the broker takes {nearest}", away, nearest))
    if levels.stop < levels.minimum:
        reason = f"the stop {levels.stop_price} of a {side} at {levels.entry_price}"
        reason += " is on the wrong side" if levels.stop <= 0 else f" is {levels.stop} ticks away"
        found.append(
            _fault("stop", f"{reason}, the broker takes {levels.minimum}", levels.stop, levels.minimum)
        )
    least = least_target(nearest, 0 if pending else prices.spread + ahead)
    untargeted = wanted.levels.target == 0 and wanted.fixed.target is None
    if levels.target < least and not untargeted:
        reason = f"the target {levels.target_price} of a {side} at {levels.entry_price}"
        reason += " is on the wrong side" if levels.target <= 0 else f" is {levels.target} ticks away"
        found.append(_fault("target", f"{reason}, the broker takes {least}", levels.target, least))
    for name, price in (("stop", levels.stop_price), ("target", levels.target_price)):
        if price <= 0:
            found.append(_fault(name, f"the {name} {price} is no price", float(price), 0))
    return tuple(found)


def _volume_faults(proposal: Proposal) -> tuple[Refusal, ...]:
    size = proposal.size
    if size.risk_taken <= size.risk_money:
        return ()
    return (
        _fault(
            "volume",
            f"{size.lots} lots would lose {to_cents(size.risk_taken)} at the stop, "
            f"{to_cents(size.risk_money)} is allowed for one trade",
            float(to_cents(size.risk_taken)),
            float(to_cents(size.risk_money)),
        ),
    )


def _fault(field_name: str, reason: str, measured: float, bound: float) -> Refusal:
    return Refusal(check=field_name, reason=reason, measured=float(measured), bound=float(bound))
