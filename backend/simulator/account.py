"""The simulated account. Its name, server and company say that it is one."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedAccount:
    """What the simulated broker opened for the desk.

    Attributes:
        login: Its number.
        name: Its holder.
        server: Its server.
        company: Its broker.
        currency: What it is kept in.
        balance: Deposit, in that currency.
        leverage: 100 for 1:100.
        margin_call: Margin level in per cent at which the broker warns.
        stop_out: Margin level in per cent at which it closes positions.
    """

    login: int = 1_000_001
    name: str = "Simulated account"
    server: str = "MT5UI-Simulated"
    company: str = "MT5UI simulated broker (no real money)"
    currency: str = "USD"
    balance: float = 10_000.0
    leverage: int = 100
    margin_call: float = 50.0
    stop_out: float = 30.0
