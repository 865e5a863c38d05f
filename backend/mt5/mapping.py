"""From the terminal's structures to the desk's: exact numbers, UTC times."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from backend.core.errors import Unavailable
from backend.core.instruments import Instrument
from backend.mt5 import constants
from backend.mt5.account import Account, AccountKind, Position, TerminalStatus
from backend.mt5.structures import AccountInfo, SymbolInfo, TerminalInfo, TradePosition

_KINDS = {
    constants.ACCOUNT_TRADE_MODE_DEMO: AccountKind.DEMO,
    constants.ACCOUNT_TRADE_MODE_CONTEST: AccountKind.CONTEST,
    constants.ACCOUNT_TRADE_MODE_REAL: AccountKind.REAL,
}


def exact(number: float) -> Decimal:
    """The decimal number that the float stands for: 0.1 is 0.1, 100000.0 is 100000."""
    value = Decimal(repr(float(number)))
    whole = value.to_integral_value()
    return whole if value == whole else value.normalize()


def digits_price(price: float, digits: int) -> Decimal:
    """The price with the symbol's digits."""
    return Decimal(repr(float(price))).quantize(Decimal(1).scaleb(-digits))


def instrument_of(info: SymbolInfo, symbol: str) -> Instrument:
    """The specification of a canonical symbol.

    Raises:
        Unavailable: Code ``no_tick_value``: the terminal cannot say yet what a tick is worth.
    """
    profit = info.trade_tick_value_profit or info.trade_tick_value
    loss = info.trade_tick_value_loss or info.trade_tick_value
    if profit <= 0 or loss <= 0:
        raise Unavailable(
            "no_tick_value", f"{symbol}: the terminal does not say yet what a tick is worth", symbol=symbol
        )
    return Instrument(
        symbol=symbol,
        broker_symbol=info.name,
        description=info.description,
        digits=info.digits,
        point=exact(info.point),
        tick_size=exact(info.trade_tick_size or info.point),
        tick_value=exact(profit),
        tick_value_loss=exact(loss),
        contract_size=exact(info.trade_contract_size),
        volume_min=exact(info.volume_min),
        volume_step=exact(info.volume_step),
        volume_max=exact(info.volume_max),
        currency_base=info.currency_base,
        currency_profit=info.currency_profit,
        currency_margin=info.currency_margin,
        calc_mode=info.trade_calc_mode,
        stops_level=info.trade_stops_level,
        freeze_level=info.trade_freeze_level,
        swap_mode=info.swap_mode,
        swap_long=exact(info.swap_long),
        swap_short=exact(info.swap_short),
        swap_triple_day=info.swap_rollover3days,
        trade_mode=info.trade_mode,
        margin_initial=exact(info.margin_initial),
        margin_hedged=exact(info.margin_hedged),
        margin_larger_leg=info.margin_hedged_use_leg,
    )


def account_of(info: AccountInfo) -> Account:
    """The account."""
    return Account(
        login=info.login,
        name=info.name,
        server=info.server,
        company=info.company,
        kind=_KINDS.get(info.trade_mode, AccountKind.REAL),  # an unknown one is treated with most care
        currency=info.currency,
        currency_digits=info.currency_digits,
        leverage=info.leverage,
        hedging=info.margin_mode == constants.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
        balance=info.balance,
        equity=info.equity,
        credit=info.credit,
        profit=info.profit,
        margin=info.margin,
        margin_free=info.margin_free,
        margin_level=info.margin_level if info.margin > 0 else None,
        margin_call=info.margin_so_call,
        margin_stop_out=info.margin_so_so,
        trade_allowed=info.trade_allowed,
        trade_expert=info.trade_expert,
    )


def position_of(one: TradePosition, canonical: str | None, utc_ms: Callable[[int], datetime]) -> Position:
    """A position; `utc_ms` turns server milliseconds into an aware UTC time."""
    return Position(
        ticket=one.ticket,
        identifier=one.identifier,
        symbol=canonical or one.symbol,
        broker_symbol=one.symbol,
        buy=one.type == constants.POSITION_TYPE_BUY,
        volume=exact(one.volume),
        price_open=one.price_open,
        stop=one.sl or None,
        target=one.tp or None,
        price_current=one.price_current,
        swap=one.swap,
        profit=one.profit,
        magic=one.magic,
        comment=one.comment,
        opened_at=utc_ms(one.time_msc or one.time * 1000),
        updated_at=utc_ms(one.time_update_msc or one.time_update * 1000),
    )


def status_of(info: TerminalInfo) -> TerminalStatus:
    """The terminal."""
    return TerminalStatus(
        name=info.name,
        company=info.company,
        build=info.build,
        connected=info.connected,
        trade_allowed=info.trade_allowed,
        python_trade_allowed=not info.tradeapi_disabled,
        ping_ms=info.ping_last / 1000,
        max_bars=info.maxbars,
        path=info.path,
    )
