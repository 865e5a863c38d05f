"""The simulated account and its book in the terminal's own structures."""

from decimal import Decimal

from backend.mt5 import constants as mt5
from backend.mt5.structures import AccountInfo, TerminalInfo, TradeDeal, TradeOrder, TradePosition
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Deal, Order, Position, market_kind
from backend.simulator.broker import Broker
from backend.simulator.copying import MAX_BARS
from backend.simulator.prices import Prices
from backend.simulator.valuation import Valuation


def terminal_info(name: str, account: SimulatedAccount, build: int, *, connected: bool) -> TerminalInfo:
    """The terminal, in which programs may trade."""
    return TerminalInfo(
        community_account=False,
        community_connection=False,
        connected=connected,
        dlls_allowed=False,
        trade_allowed=True,
        tradeapi_disabled=False,
        email_enabled=False,
        ftp_enabled=False,
        notifications_enabled=False,
        mqid=False,
        build=build,
        maxbars=MAX_BARS,
        codepage=0,
        ping_last=0,
        community_balance=0.0,
        retransmission=0.0,
        company=account.company,
        name=name,
        language="English",
        path="",
        data_path="",
        commondata_path="",
    )


def account_info(broker: Broker) -> AccountInfo:
    """The account at the present prices."""
    account, money = broker.account, broker.money
    balance, profit, margin = broker.book.balance, broker.valuation.profit(), broker.valuation.margin()
    equity = balance + profit
    return AccountInfo(
        login=account.login,
        trade_mode=mt5.ACCOUNT_TRADE_MODE_DEMO,
        leverage=account.leverage,
        limit_orders=account.limit_orders,
        margin_so_mode=mt5.ACCOUNT_STOPOUT_MODE_PERCENT,
        trade_allowed=True,
        trade_expert=True,
        margin_mode=(
            mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
            if account.hedging
            else mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING
        ),
        currency_digits=account.digits,
        fifo_close=False,
        balance=money(balance),
        credit=0.0,
        profit=money(profit),
        equity=money(equity),
        margin=money(margin),
        margin_free=money(equity - margin),
        margin_level=money(equity * 100 / margin) if margin else 0.0,
        margin_so_call=float(account.margin_call),
        margin_so_so=float(account.stop_out),
        margin_initial=0.0,
        margin_maintenance=0.0,
        assets=0.0,
        liabilities=0.0,
        commission_blocked=0.0,
        name=account.name,
        server=account.server,
        currency=account.currency,
        company=account.company,
    )


def position(one: Position, valuation: Valuation) -> TradePosition:
    """A position with its present price and profit."""
    return TradePosition(
        ticket=one.ticket,
        time=one.opened_ms // 1000,
        time_msc=one.opened_ms,
        time_update=one.updated_ms // 1000,
        time_update_msc=one.updated_ms,
        type=market_kind(one.side),
        magic=one.magic,
        identifier=one.identifier,
        reason=one.reason,
        volume=float(one.lots),
        price_open=float(one.price),
        sl=_price(one.stop),
        tp=_price(one.target),
        price_current=float(valuation.closing_price(one)),
        swap=float(one.swap),
        profit=float(valuation.floating(one)),
        symbol=one.symbol,
        comment=one.comment,
        external_id="",
    )


def order(one: Order, prices: Prices) -> TradeOrder:
    """An order; while it is pending with the price that would fill it now, afterwards with its own."""
    quote = prices.quote(one.symbol)
    current = one.price if one.done_ms or quote is None else quote.opening(one.side)
    return TradeOrder(
        ticket=one.ticket,
        time_setup=one.placed_ms // 1000,
        time_setup_msc=one.placed_ms,
        time_done=one.done_ms // 1000,
        time_done_msc=one.done_ms,
        time_expiration=one.expiration,
        type=one.kind,
        type_time=one.lifetime,
        type_filling=one.filling,
        state=one.state,
        magic=one.magic,
        position_id=one.position,
        position_by_id=one.position_by,
        reason=one.reason,
        volume_initial=float(one.lots),
        volume_current=float(one.left),
        price_open=float(one.price),
        sl=_price(one.stop),
        tp=_price(one.target),
        price_current=float(current),
        price_stoplimit=_price(one.limit),
        symbol=one.symbol,
        comment=one.comment,
        external_id="",
    )


def deal(one: Deal) -> TradeDeal:
    """A deal."""
    return TradeDeal(
        ticket=one.ticket,
        order=one.order,
        time=one.time_ms // 1000,
        time_msc=one.time_ms,
        type=one.kind,
        entry=one.entry,
        magic=one.magic,
        position_id=one.position,
        reason=one.reason,
        volume=float(one.lots),
        price=float(one.price),
        commission=float(one.commission),
        swap=float(one.swap),
        profit=float(one.profit),
        fee=0.0,
        symbol=one.symbol,
        comment=one.comment,
        external_id="",
    )


def _price(level: Decimal | None) -> float:
    return 0.0 if level is None else float(level)
