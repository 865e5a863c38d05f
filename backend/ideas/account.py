"""The account as decisions see it, from what the terminal says."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from backend.core.errors import DeskError
from backend.core.instruments import Instrument
from backend.mt5.account import Account, Position
from backend.trading.account import AccountState, OpenTrade
from backend.trading.conversion import conversion
from backend.trading.exposure import exposure_of, netted
from backend.trading.sides import Side


def account_state(
    account: Account,
    positions: Iterable[Position],
    instrument: Callable[[str], Instrument],
    unknown: Callable[[str, DeskError], None],
) -> AccountState:
    """Money, open trades and net exposure at one instant.

    Positions that the desk did not open are counted in margin, exposure and the number of trades; their
    stops are not in the open risk.

    Args:
        account: From the terminal.
        positions: From the terminal.
        instrument: Gives a symbol's specification.
        unknown: Told of a position whose exposure cannot be told, and why.
    """
    trades: list[OpenTrade] = []
    exposures: list[dict[str, Decimal]] = []
    for position in positions:
        side = Side.BUY if position.buy else Side.SELL
        trades.append(
            OpenTrade(
                symbol=position.symbol,
                side=side,
                lots=position.volume,
                price=_exact(position.price_open),
                stop=None if position.stop is None else _exact(position.stop),
            )
        )
        try:
            known = instrument(position.symbol)
            rate = conversion(known, account.currency)
            price = _exact(position.price_current)
            exposures.append(exposure_of(known, side, position.volume, price, rate))
        except DeskError as error:
            unknown(position.symbol, error)
    return AccountState(
        login=account.login,
        server=account.server,
        currency=account.currency,
        leverage=account.leverage,
        balance=_exact(account.balance),
        equity=_exact(account.equity),
        margin=_exact(account.margin),
        margin_free=_exact(account.margin_free),
        trades=tuple(trades),
        exposure=netted(*exposures),
    )


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
