"""At the open: what was decided is judged again by the live code, and worded for the terminal."""

from dataclasses import dataclass, replace
from datetime import datetime

from backend.backtest.model import Stream
from backend.evaluation.decision import Decision
from backend.evaluation.levels import Levels
from backend.ideas.judging import Judged, Prices, Wanted, anchored, judged, passed_by
from backend.ideas.rows import idea_of, payload_of
from backend.ideas.wanted import wanted_of
from backend.mt5 import constants as mt5
from backend.mt5.arguments import EMPTY_REQUEST
from backend.mt5.structures import TradeRequest
from backend.risk.rules import DeskRules
from backend.simulator.driven import DrivenBar
from backend.strategies.model import OrderType
from backend.trading.account import AccountState
from backend.trading.desk import DeskState, Purpose
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
        wanted: As its idea says.
        expiry_bars: Bars after which a pending order is cancelled; None for no end.
        order: What was sent, once it is.
        placed: On which bar.
    """

    wanted: Wanted
    expiry_bars: int | None
    order: TradeRequest = EMPTY_REQUEST
    placed: int = -1

    @classmethod
    def of(cls, decision: Decision, stream: Stream) -> "Asked":
        """From a decision that makes an idea."""
        idea = idea_of(payload_of(decision, newest=True, now=decision.bar_close))
        return cls(wanted=wanted_of(idea, stream.instrument), expiry_bars=idea["expiry_bars"])

    @property
    def type(self) -> OrderType:
        """Market, limit or stop."""
        return self.wanted.type

    @property
    def levels(self) -> Levels:
        """As decided."""
        return self.wanted.levels

    def passed_by(self, bar: DrivenBar) -> bool:
        """Whether the open has reached or passed the price of a pending order."""
        prices = opening(bar, self)
        return passed_by(anchored(self.wanted, prices), self.type, prices)


def opening(bar: DrivenBar, asked: Asked) -> Prices:
    """The open of a bar."""
    symbol = asked.levels.instrument
    return Prices(bid=symbol.ticks(float(bar.bid.open)), ask=symbol.ticks(float(bar.ask.open)))


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
    found = judged(
        asked.wanted,
        opening(bar, asked),
        account=account,
        desk=desk,
        rules=rules,
        conversion=stream.conversion,
        now=now,
        purpose=Purpose.BACKTEST,
    )
    return None if found.blocked else _request(found)


def _request(found: Judged) -> TradeRequest:
    levels, proposal = found.levels, found.proposal
    if proposal is None:
        raise AssertionError("nothing refused, and there is no proposal")
    triggered = found.type is OrderType.STOP and found.passed_by
    kind = OrderType.MARKET if triggered else found.type
    pending = kind is not OrderType.MARKET
    return EMPTY_REQUEST._replace(
        action=mt5.TRADE_ACTION_PENDING if pending else mt5.TRADE_ACTION_DEAL,
        symbol=levels.instrument.symbol,
        volume=float(proposal.size.lots),
        type=_KINDS[kind, levels.side],
        type_filling=mt5.ORDER_FILLING_RETURN if pending else mt5.ORDER_FILLING_IOC,
        price=float(levels.entry_price) if pending else 0.0,
        sl=float(levels.stop_price),
        tp=float(levels.target_price),
    )


def placed(asked: Asked, order: TradeRequest, index: int) -> Asked:
    """The same, with what was sent and on which bar."""
    return replace(asked, order=order, placed=index)
