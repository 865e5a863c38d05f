"""The simulated account. Its name, server and company say that it is one."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedAccount:
    """What the simulated broker opened for the desk, and on which terms it deals.

    Attributes:
        login: Its number.
        name: Its holder.
        server: Its server.
        company: Its broker.
        currency: What it is kept in.
        digits: Decimals of that currency.
        balance: Deposit, in that currency.
        leverage: 100 for 1:100.
        hedging: Whether a symbol may have several positions; else they are netted into one.
        margin_call: Margin level in per cent at which the broker warns.
        stop_out: Margin level in per cent at which it closes positions.
        commission: Per lot on each deal, in that currency.
        slippage: Points by which market orders and stops are filled worse.
        limit_orders: Most pending orders.
        limit_positions: Most open positions; 0 is no limit.
        pending_margin: Whether pending orders take margin.
    """

    login: int = 1_000_001
    name: str = "Simulated account"
    server: str = "MT5UI-Simulated"
    company: str = "MT5UI simulated broker (no real money)"
    currency: str = "USD"
    digits: int = 2
    balance: Decimal = Decimal("10000.00")
    leverage: int = 100
    hedging: bool = True
    margin_call: Decimal = Decimal(50)
    stop_out: Decimal = Decimal(30)
    commission: Decimal = Decimal(0)
    slippage: int = 0
    limit_orders: int = 200
    limit_positions: int = 0
    pending_margin: bool = False
