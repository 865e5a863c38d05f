"""Entry, stop, target and volume of one side: what a decision proposes. Pure."""

from dataclasses import dataclass, replace
from decimal import Decimal

from backend.core.instruments import Instrument
from backend.evaluation.decision import OrderPlan
from backend.evaluation.levels import PENDING_BETTER_ATR, Levels, better_by, levels
from backend.strategies.model import OrderType, Profile, Strategy
from backend.trading.account import AccountState
from backend.trading.conversion import Conversion
from backend.trading.sides import Side
from backend.trading.terms import Terms
from backend.trading.verdict import Proposal, Refusal, RiskRules, Size

PENDING_EXPIRY_BARS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """The bar's prices as a plan needs them.

    Attributes:
        close: Bid close.
        spread: Spread in ticks.
        atr: ATR in price.
        target: Price that the strategy's target expression gives; None without one.
    """

    close: float
    spread: int
    atr: float
    target: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A proposed trade.

    Attributes:
        levels: Where it would stand.
        order: How it would be entered.
        size: Its volume.
        terms: What strategy and profile ask of it.
        proposal: The same for the gate, without a score.
    """

    levels: Levels
    order: OrderPlan
    size: Size
    terms: Terms
    proposal: Proposal


def place(strategy: Strategy, instrument: Instrument, side: Side, market: Market) -> Levels | None:
    """Levels at the reference price; None where the target's expression gives no price beyond the entry."""
    return levels(
        instrument,
        side,
        close=market.close,
        spread=market.spread,
        atr=market.atr,
        multiplier=strategy.indicators.atr.multiplier,
        reward=strategy.strategy.reward,
        target=market.target,
    )


def plan(
    strategy: Strategy,
    profile: Profile,
    placed: Levels,
    atr: float,
    account: AccountState,
    rules: RiskRules,
    conversion: Conversion,
    *,
    half: bool,
) -> Plan:
    """The trade at the strategy's own order, or with half the risk at a better limit.

    With half the risk the entry is a limit order 0.25 ATR better (farther where the strategy's own limit
    is) for three bars. Stop and target keep their distances.

    Args:
        strategy: The strategy.
        profile: The symbol's profile.
        placed: Levels at the reference price.
        atr: ATR in price.
        account: The account.
        rules: Sizing and limits.
        conversion: Of the symbol's profit currency.
        half: Whether half the risk is taken.
    """
    order, offset = _order(strategy, placed.instrument, placed.side, atr, half=half)
    moved = replace(placed, offset=offset) if offset else placed
    limit = order.type == OrderType.LIMIT
    terms = Terms.of(strategy, profile)
    proposal = propose(moved, terms, atr, account, rules, conversion, slips=not limit, half=half)
    return Plan(levels=moved, order=order, size=proposal.size, terms=terms, proposal=proposal)


def opposed(terms: Terms, account: AccountState, symbol: str, side: Side) -> Refusal | None:
    """Why a strategy that does not turn round may not open against what it holds; None where it may.

    The backtest says the same as ``opposite_open``.
    """
    if terms.strategy is None or terms.turns:
        return None
    for trade in account.trades:
        if (trade.strategy, trade.symbol, trade.side) == (terms.strategy, symbol, side.opposite):
            return Refusal(
                check="opposite_open",
                reason=f"the strategy holds a {trade.side} of {symbol} and does not turn round (on_opposite)",
            )
    return None


def propose(
    placed: Levels,
    terms: Terms,
    atr: float,
    account: AccountState,
    rules: RiskRules,
    conversion: Conversion,
    *,
    slips: bool,
    half: bool = False,
    lots: Decimal | None = None,
    dealt: int | None = None,
) -> Proposal:
    """A trade at these levels with its volume, for the gate; without a score.

    Args:
        placed: Entry, stop and target.
        terms: What strategy and profile ask.
        atr: ATR in price; 0 where none is known.
        account: The account.
        rules: Sizing and limits.
        conversion: Of the symbol's profit currency.
        slips: Whether the entry slips: not that of a limit order.
        half: Whether half the risk is taken.
        lots: A volume that a person set; None computes it from the risk.
        dealt: Price in ticks at which it is dealt where the market has passed the entry; risk, margin and
            exposure then count from there, stop and target stay.
    """
    instrument, side = placed.instrument, placed.side
    entry = placed.entry_price if dealt is None else instrument.price(dealt)
    size = rules.size(
        instrument=instrument,
        side=side,
        entry=entry,
        stop=placed.stop_price,
        account=account,
        conversion=conversion,
        risk_fraction=terms.risk_fraction if lots is None else terms.risk_cap,
        commission_per_lot=terms.commission_per_lot,
        slippage_points=terms.slippage_points,
        market_entry=slips,
        half=half,
        lots=lots,
    )
    return Proposal(
        instrument=instrument,
        side=side,
        strategy=terms.strategy,
        entry=entry,
        stop=placed.stop_price,
        stop_ticks=placed.stop,
        target_ticks=placed.target,
        min_rr=terms.min_rr,
        atr=atr,
        size=size,
        conversion=conversion,
        confidence=None,
        cooldown_bars=terms.cooldown_bars,
        max_trades_per_day=terms.max_trades_per_day,
        max_spread_points=terms.max_spread_points,
        commission_known=rules.commission_known(terms.commission_per_lot),
    )


def fits(placed: Levels) -> bool:
    """Whether stop and target of either side are prices above zero."""
    return min(placed.stop_price, placed.target_price) > Decimal(0)


def _order(
    strategy: Strategy, instrument: Instrument, side: Side, atr: float, *, half: bool
) -> tuple[OrderPlan, int]:
    own = strategy.strategy.order
    offset_atr = 0.0 if own.offset_atr is None else own.offset_atr
    if half:
        better = max(PENDING_BETTER_ATR, offset_atr if own.type is OrderType.LIMIT else 0.0)
        return (
            OrderPlan(type=OrderType.LIMIT.value, expiry_bars=PENDING_EXPIRY_BARS),
            better_by(instrument, side, atr, better),
        )
    order = OrderPlan(type=own.type.value, expiry_bars=own.expiry_bars)
    if own.type is OrderType.LIMIT:
        return order, better_by(instrument, side, atr, offset_atr)
    if own.type is OrderType.STOP:
        return order, -better_by(instrument, side, atr, offset_atr)
    return order, 0
