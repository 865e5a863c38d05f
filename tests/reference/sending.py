"""At the open: what was decided is anchored at the live price, sized and judged again, and worded."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from backend.backtest.model import Stream
from backend.evaluation.decision import Action, Decision, OrderPlan
from backend.evaluation.levels import Levels, broker_minimum
from backend.evaluation.plan import plan
from backend.mt5 import constants as mt5
from backend.mt5.arguments import EMPTY_REQUEST
from backend.mt5.structures import TradeRequest
from backend.risk.rules import DeskRules
from backend.simulator.driven import DrivenBar
from backend.strategies.model import OrderType
from backend.trading.account import AccountState
from backend.trading.desk import Circumstances, DeskState, Purpose
from backend.trading.sides import Side

_KINDS = {
    (OrderType.MARKET, Side.BUY): mt5.ORDER_TYPE_BUY,
    (OrderType.MARKET, Side.SELL): mt5.ORDER_TYPE_SELL,
    (OrderType.LIMIT, Side.BUY): mt5.ORDER_TYPE_BUY_LIMIT,
    (OrderType.LIMIT, Side.SELL): mt5.ORDER_TYPE_SELL_LIMIT,
    (OrderType.STOP, Side.BUY): mt5.ORDER_TYPE_BUY_STOP,
    (OrderType.STOP, Side.SELL): mt5.ORDER_TYPE_SELL_STOP,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a decision wants sent at the next open.

    Attributes:
        levels: As decided.
        plan: How to enter.
        atr: Of the bar.
        half: Whether the score allows half the risk only.
        score: The confidence.
        around: Session, news and spread as decided.
        closed: When its bar closed.
        order: What was sent, once it is.
        placed: On which bar.
    """

    levels: Levels
    plan: OrderPlan
    atr: float
    half: bool
    score: float
    around: Circumstances
    closed: datetime
    order: TradeRequest = EMPTY_REQUEST
    placed: int = -1

    @classmethod
    def of(cls, decision: Decision, atr: float) -> "Asked":
        """From a decision that makes an idea."""
        if decision.levels is None or decision.order is None or decision.score is None:
            raise AssertionError("an idea without levels")
        around = dict(decision.circumstances)
        return cls(
            levels=decision.levels,
            plan=decision.order,
            atr=atr,
            half=decision.action is Action.PENDING_ONLY,
            score=decision.score,
            around=Circumstances(**(around | {"sessions": tuple(around["sessions"])})),
            closed=decision.bar_close,
        )

    @property
    def type(self) -> OrderType:
        """Market, limit or stop."""
        return OrderType(self.plan.type)

    def passed_by(self, bar: DrivenBar) -> bool:
        """Whether the open has reached or passed the price of a pending order."""
        if self.type is OrderType.MARKET:
            return False
        side = self.levels.side
        opened = bar.ask.open if side is Side.BUY else bar.bid.open
        beyond = (opened - self.levels.entry_price) * side.sign
        return beyond <= 0 if self.type is OrderType.LIMIT else beyond >= 0


def prepared(
    asked: Asked,
    stream: Stream,
    rules: DeskRules,
    account: AccountState,
    desk: DeskState,
    *,
    bar: DrivenBar,
    now: datetime,
) -> TradeRequest | None:
    """The request, or None where it is not sent any more.

    Args:
        asked: What was decided.
        stream: Strategy, profile, symbol.
        rules: The desk's limits.
        account: The account now.
        desk: Mode and pace now.
        bar: Its open is the live price.
        now: Desk time.
    """
    symbol, decided, side = stream.instrument, asked.levels, asked.levels.side
    bid, ask = symbol.ticks(float(bar.bid.open)), symbol.ticks(float(bar.ask.open))
    live, spread = ask if side is Side.BUY else bid, ask - bid
    anchored = replace(decided, offset=0)
    if asked.type is OrderType.MARKET:
        anchored = replace(anchored, reference=live, spread=spread)
    again = plan(
        stream.strategy,
        stream.profile,
        anchored,
        asked.atr,
        account,
        rules,
        stream.conversion,
        half=asked.half,
    )
    around = replace(
        asked.around,
        drift_atr=abs(live - decided.reference) * float(symbol.tick_size) / asked.atr,
        spread_points=spread * float(symbol.tick_size / symbol.point),
        age_seconds=max((now - asked.closed) / timedelta(seconds=1), 0.0),
    )
    proposal = replace(again.proposal, confidence=asked.score)
    verdict = rules.judge(proposal, account, desk, around, purpose=Purpose.BACKTEST)
    if any(refusal.blocks for refusal in verdict.refusals) or decided.stop < broker_minimum(symbol, spread):
        return None
    passed = asked.type is OrderType.STOP and asked.passed_by(bar)  # a broker refuses it; it is triggered
    pending = asked.type is not OrderType.MARKET and not passed
    return EMPTY_REQUEST._replace(
        action=mt5.TRADE_ACTION_PENDING if pending else mt5.TRADE_ACTION_DEAL,
        symbol=symbol.symbol,
        volume=float(again.size.lots),
        type=_KINDS[asked.type if pending else OrderType.MARKET, side],
        type_filling=mt5.ORDER_FILLING_RETURN if pending else mt5.ORDER_FILLING_IOC,
        price=float(again.levels.entry_price) if pending else 0.0,
        sl=float(again.levels.stop_price),
        tp=float(again.levels.target_price),
    )
