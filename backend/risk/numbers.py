"""From what the desk knows to the numbers that the gate's core takes. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from backend.core.instruments import Instrument
from backend.risk.gate import Limit, State, counted_from, reaches
from backend.risk.limits import LossRules, RiskLimits
from backend.trading.account import BY_HAND, AccountState, OpenTrade
from backend.trading.desk import Circumstances, DeskState, Mode, Purpose
from backend.trading.exposure import exposure_of, netted, units
from backend.trading.sides import Side
from backend.trading.verdict import Proposal

_MODES = {Mode.OBSERVE: 0.0, Mode.SUPERVISED: 1.0, Mode.AUTONOMOUS: 2.0}
_STATE, _LIMIT = tuple(State), tuple(Limit)
_LONG_ONLY, _SHORT_ONLY, _FULL = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Exposed:
    """The largest net exposure that a trade adds to: unit and amount in account currency."""

    unit: str
    amount: float


def exposed(proposal: Proposal, account: AccountState, limits: RiskLimits) -> Exposed:
    """Net exposure after the trade in the unit where it grows most.

    A unit in which the trade makes exposure smaller is not counted against it, nor one that is exempt:
    the account currency unless configured otherwise.
    """
    exempt = {account.currency} if limits.exposure_exempt is None else set(limits.exposure_exempt)
    mid = proposal.entry
    added = exposure_of(proposal.instrument, proposal.side, proposal.size.lots, mid, proposal.conversion)
    after = netted(account.exposure, added)
    found = Exposed(units(proposal.instrument)[0], 0.0)
    for unit in added:
        before = abs(account.exposure.get(unit, Decimal(0)))
        if unit not in exempt and abs(after[unit]) > max(before, Decimal(repr(found.amount))):
            found = Exposed(unit, float(abs(after[unit])))
    return found


def others_on(proposal: Proposal, account: AccountState) -> tuple[OpenTrade, ...]:
    """Trades on the proposal's symbol that are not its own; a person's are those of no strategy."""
    own = {None, BY_HAND} if proposal.strategy is None else {proposal.strategy}
    return tuple(
        trade
        for trade in account.trades
        if trade.symbol == proposal.instrument.symbol and trade.strategy not in own
    )


def open_risk(account: AccountState) -> float:
    """Loss of all open trades at their stops; NaN if one of ours has none."""
    return math.nan if account.open_risk is None else float(account.open_risk)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """How much of a limit is used.

    Attributes:
        lost: Account currency; below zero is won.
        of: What the share is of.
        limit: Share that may be lost.
    """

    lost: Decimal
    of: Decimal
    limit: float

    @property
    def share(self) -> float:
        """Lost ÷ what it is of; infinite where that is nothing."""
        return float(self.lost / self.of) if self.of > 0 else float("inf")

    @property
    def room(self) -> Decimal:
        """What may still be lost."""
        return exact(self.limit) * self.of - self.lost

    @property
    def reached(self) -> bool:
        """Whether the limit is reached, as a backtest tells it."""
        return self.of <= 0 or reaches(float(self.lost), float(self.of), self.limit)


def day_losses(account: AccountState, limits: RiskLimits) -> list[Measured | None]:
    """The day's loss by each of `limits.loss_rules`; None where one allows any."""
    found: list[Measured | None] = []
    for rules, reference in zip(
        limits.loss_rules, (account.day_reference, account.rule_reference), strict=False
    ):
        if rules.daily_loss is None:
            found.append(None)
            continue
        counted = account.balance if reference is None else reference
        of = _initial(account, rules) if rules.daily_loss.of == "initial" else counted
        found.append(Measured(lost=counted - account.equity, of=of, limit=rules.daily_loss.limit))
    return found


def drawdowns(account: AccountState, limits: RiskLimits) -> list[Measured | None]:
    """The loss from the high or the beginning by each of `limits.loss_rules`; None where one allows any."""
    found: list[Measured | None] = []
    for rules, peak in zip(limits.loss_rules, (account.peak, account.rule_peak), strict=False):
        allowed = rules.drawdown
        if allowed is None:
            found.append(None)
            continue
        initial, share = _initial(account, rules), exact(allowed.limit)
        high = max(initial, account.equity) if peak is None else peak
        static, locked = allowed.kind == "static", allowed.lock_at_initial
        high, of = counted_from(static, rules.of_initial, locked, initial, high, share)
        found.append(Measured(lost=high - account.equity, of=of, limit=allowed.limit))
    return found


def tightest(measured: Iterable[Measured | None]) -> Measured:
    """The one that leaves the least room; the first one where two leave the same."""
    return min((one for one in measured if one is not None), key=lambda one: (one.of > 0, one.room))


def _initial(account: AccountState, rules: LossRules) -> Decimal:
    if rules.initial is not None:
        return rules.initial
    return account.balance if account.initial_balance is None else account.initial_balance


def state_of(
    proposal: Proposal,
    account: AccountState,
    desk: DeskState,
    around: Circumstances,
    limits: RiskLimits,
    *,
    purpose: Purpose,
    reduces: bool,
) -> list[float]:
    """The state, indexed by `State`."""
    ours = [trade for trade in account.trades if trade.strategy is not None]
    same = [
        trade
        for trade in ours
        if trade.strategy == proposal.strategy
        and trade.symbol == proposal.instrument.symbol
        and trade.side is proposal.side
    ]
    others = () if account.hedging else others_on(proposal, account)
    wanted = _ratio(float(proposal.min_rr))
    days = day_losses(account, limits)
    day, own = tightest(days), tightest(days[:1])
    drawn = tightest(drawdowns(account, limits))
    gained = float(max(-own.lost, Decimal(0)))
    steps = proposal.size.lots / proposal.instrument.volume_step
    values: dict[State, float] = {
        State.REDUCES: float(reduces),
        State.AI_ENABLED: float(desk.ai_enabled and limits.ai_enabled),
        State.HALTED: float(bool(desk.halted)),
        State.MODE: _MODES[desk.mode],
        State.SENDS_ITSELF: float(
            purpose in {Purpose.DESK, Purpose.BACKTEST} and desk.mode is Mode.AUTONOMOUS
        ),
        State.CONFLICT: float(around.conflict),
        State.CONFIDENCE: math.nan if proposal.confidence is None else proposal.confidence,
        State.COMMISSION_KNOWN: float(proposal.commission_known),
        State.STOP_TICKS: float(proposal.stop_ticks),
        State.TARGET_TICKS: float(proposal.target_ticks),
        State.RR_NUMERATOR: float(wanted.numerator),
        State.RR_DENOMINATOR: float(wanted.denominator),
        State.STEPS: float(steps),
        State.STEP_FRACTION: float(abs(steps - round(steps))),
        State.SYMBOL_ALLOWS: float(allows(proposal.instrument, proposal.side)),
        State.POSITIONS: float(len(account.trades)),
        State.POSITIONS_SYMBOL: float(
            sum(trade.symbol == proposal.instrument.symbol for trade in account.trades)
        ),
        State.DUPLICATES: float(len(same) if proposal.strategy is not None else 0),
        State.OTHERS_ON_SYMBOL: float(len(others)),
        State.EXPOSURE_AFTER: exposed(proposal, account, limits).amount,
        State.EQUITY: float(account.equity),
        State.OPEN_RISK: open_risk(account),
        State.NEW_RISK: float(proposal.size.risk_taken),
        State.MARGIN: float(account.margin),
        State.NEW_MARGIN: float(proposal.size.margin),
        State.DAY_LOSS: float(max(day.lost, Decimal(0))),
        State.DAY_PROFIT: gained if day is own or own.of <= 0 else gained * float(day.of / own.of),
        State.DAY_BASE: float(day.of),
        State.DRAWDOWN: float(drawn.lost),
        State.DRAWDOWN_BASE: float(drawn.of),
        State.BARS_SINCE_CLOSE: math.inf if desk.bars_since_close is None else float(desk.bars_since_close),
        State.ENTRIES_STRATEGY: float(desk.entries_today_strategy),
        State.ENTRIES_DAY: float(desk.entries_today),
        State.IN_SESSION: float(around.in_session),
        State.MARKET_OPEN: math.nan if around.market_open is None else float(around.market_open),
        State.EMBARGO: float(bool(around.embargo)),
        State.CALENDAR_KNOWN: float(around.calendar_known),
        State.SPREAD_POINTS: math.nan if around.spread_points is None else around.spread_points,
        State.AGE_SECONDS: around.age_seconds,
        State.DRIFT_ATR: around.drift_atr,
        State.ORDERS_MINUTE: float(desk.orders_last_minute),
        State.SECONDS_TO_WEEKEND: around.seconds_to_weekend,
    }
    return [values[index] for index in _STATE]


def limits_of(
    instrument: Instrument,
    limits: RiskLimits,
    *,
    account: AccountState | None = None,
    cooldown_bars: int,
    max_trades_per_day: int | None,
    max_spread_points: float | None,
) -> list[float]:
    """The limits for one strategy's trades of one symbol, indexed by `Limit`.

    Of several limits of the day's loss and the drawdown the account tells which is the nearest, as in
    `state_of`; without it the desk's own stand.
    """
    caps = [cap for cap in (limits.max_spread_points, max_spread_points) if cap is not None]
    own_trades = max_trades_per_day
    target = limits.daily_loss.target
    day, drawn = limits.daily_loss.limit, limits.drawdown.limit
    if account is not None:
        day = tightest(day_losses(account, limits)).limit
        drawn = tightest(drawdowns(account, limits)).limit
    values: dict[Limit, float] = {
        Limit.MIN_CONFIDENCE: limits.thresholds.pending_only,
        Limit.MIN_CONFIDENCE_AUTONOMOUS: limits.thresholds.autonomous,
        Limit.MIN_STEPS: float(instrument.volume_min / instrument.volume_step),
        Limit.MAX_STEPS: float(instrument.volume_max / instrument.volume_step),
        Limit.MAX_POSITIONS: float(limits.max_positions),
        Limit.MAX_POSITIONS_SYMBOL: float(limits.max_positions_per_symbol),
        Limit.EXPOSURE_CAP: limits.exposure_cap,
        Limit.OPEN_RISK: limits.open_risk_limit,
        Limit.MARGIN: limits.margin_limit,
        Limit.DAILY_LOSS: day,
        Limit.DAILY_TARGET: math.inf if target is None else target,
        Limit.DRAWDOWN: drawn,
        Limit.COOLDOWN_BARS: float(cooldown_bars),
        Limit.MAX_ENTRIES_STRATEGY: math.inf if own_trades is None else float(own_trades),
        Limit.MAX_ENTRIES_DAY: float(limits.max_trades_per_day),
        Limit.CALENDAR_BLOCKS: float(limits.embargo_when_calendar_unknown == "block"),
        Limit.MAX_SPREAD: min(caps, default=math.inf),
        Limit.MAX_AGE: limits.max_idea_age_seconds,
        Limit.MAX_DRIFT: limits.max_drift_atr,
        Limit.MAX_ORDERS_MINUTE: float(limits.max_orders_per_minute),
        Limit.WEEKEND_SECONDS: limits.no_entries_before_weekend_minutes * 60,
    }
    return [values[index] for index in _LIMIT]


@lru_cache(maxsize=256)
def _ratio(number: float) -> Fraction:
    """A configured decimal as the fraction that was written."""
    return Fraction(Decimal(repr(number)))


def exact(value: float) -> Decimal:
    """A configured number as it was written."""
    return Decimal(repr(float(value)))


def allows(instrument: Instrument, side: Side) -> bool:
    """Whether the symbol's trade mode takes a new trade of this side."""
    return instrument.trade_mode in {_FULL, _LONG_ONLY if side is Side.BUY else _SHORT_ONLY}
