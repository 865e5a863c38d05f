"""Orders, deals, requests and answers, from the terminal's structures and into them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from backend.mt5.answers import CheckAnswer, SendAnswer
from backend.mt5.mapping import exact
from backend.mt5.orders import Deal, Order, OrderRequest
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import OrderCheckResult, OrderSendResult, TradeDeal, TradeOrder
from backend.mt5.words import (
    DealEntry,
    DealType,
    Filling,
    OrderState,
    OrderType,
    Reason,
    TimeType,
    number_of,
    word_of,
)

Canonical = Callable[[str], str | None]
"""The desk's name of a broker's symbol; None if it has none."""


def request_fields(request: OrderRequest, broker_symbol: str, clock: ServerClock) -> dict[str, Any]:
    """The request as order_check and order_send read it: float and int as they want them, server time.

    What was not given is left out, which the terminal reads as 0 or empty.
    """
    given: dict[str, Any] = {
        "action": number_of(request.action),
        "symbol": broker_symbol,
        "volume": request.volume,
        "price": request.price,
        "stoplimit": request.stop_limit,
        "sl": request.stop,
        "tp": request.target,
        "type": None if request.type is None else number_of(request.type),
        "type_filling": None if request.filling is None else number_of(request.filling),
        "type_time": number_of(request.time_type),
        "expiration": None if request.expires_at is None else clock.server_epoch(request.expires_at),
        "deviation": request.deviation,
        "magic": request.magic,
        "comment": request.comment,
        "position": request.position,
        "position_by": request.position_by,
        "order": request.order,
    }
    return {
        name: float(value) if isinstance(value, Decimal) else value
        for name, value in given.items()
        if value is not None and value != ""
    }


def check_answer_of(result: OrderCheckResult) -> CheckAnswer:
    """What order_check says."""
    return CheckAnswer(
        retcode=result.retcode,
        comment=result.comment,
        balance=exact(result.balance),
        equity=exact(result.equity),
        profit=exact(result.profit),
        margin=exact(result.margin),
        margin_free=exact(result.margin_free),
        margin_level=result.margin_level,
    )


def send_answer_of(result: OrderSendResult) -> SendAnswer:
    """What order_send says."""
    return SendAnswer(
        retcode=result.retcode,
        deal=result.deal,
        order=result.order,
        volume=exact(result.volume),
        price=_given(result.price),
        bid=_given(result.bid),
        ask=_given(result.ask),
        comment=result.comment,
        request_id=result.request_id,
        retcode_external=result.retcode_external,
    )


def order_of(one: TradeOrder, canonical: Canonical, clock: ServerClock) -> Order:
    """An order."""
    done_ms = one.time_done_msc or one.time_done * 1000
    return Order(
        ticket=one.ticket,
        symbol=canonical(one.symbol) or one.symbol,
        broker_symbol=one.symbol,
        type=word_of(OrderType, one.type),
        state=word_of(OrderState, one.state),
        volume=exact(one.volume_initial),
        volume_left=exact(one.volume_current),
        price=_given(one.price_open),
        stop_limit=_given(one.price_stoplimit),
        stop=_given(one.sl),
        target=_given(one.tp),
        price_current=_given(one.price_current),
        filling=word_of(Filling, one.type_filling),
        time_type=word_of(TimeType, one.type_time),
        expires_at=clock.utc_datetime(one.time_expiration) if one.time_expiration else None,
        placed_at=clock.utc_datetime_ms(one.time_setup_msc or one.time_setup * 1000),
        done_at=clock.utc_datetime_ms(done_ms) if done_ms else None,
        position_id=one.position_id,
        position_by_id=one.position_by_id,
        magic=one.magic,
        comment=one.comment,
        reason=word_of(Reason, one.reason),
    )


def deal_of(one: TradeDeal, canonical: Canonical, clock: ServerClock) -> Deal:
    """A deal."""
    return Deal(
        ticket=one.ticket,
        order=one.order,
        position_id=one.position_id,
        symbol=(canonical(one.symbol) or one.symbol) if one.symbol else "",
        broker_symbol=one.symbol,
        type=word_of(DealType, one.type),
        entry=word_of(DealEntry, one.entry),
        volume=exact(one.volume),
        price=_given(one.price),
        commission=exact(one.commission),
        swap=exact(one.swap),
        profit=exact(one.profit),
        fee=exact(one.fee),
        magic=one.magic,
        comment=one.comment,
        reason=word_of(Reason, one.reason),
        time=clock.utc_datetime_ms(one.time_msc or one.time * 1000),
    )


def _given(price: float) -> Decimal | None:
    """The exact price; 0 is none."""
    return exact(price) if price else None
