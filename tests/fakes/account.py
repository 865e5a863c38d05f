"""The desk's account over a terminal and its dealer."""

from typing import Any

from backend.accounts.service import MoneyRecords
from backend.control.account import DeskAccount
from backend.core.clock import Clock
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.risk.limits import RiskLimits
from backend.storage.files import FileStorage
from tests.contracts.test_mt5_api import CLOCK

OURS = 5_100_501


def desk_account(
    storage: FileStorage, client: MT5Client, dealer: Dealer, clock: Clock, **more: Any
) -> DeskAccount:
    """Its money is kept in `storage`; positions with the number `OURS` are the desk's."""
    records = MoneyRecords(storage, client, dealer, clock, CLOCK, lambda held, at: None)
    return DeskAccount(records, client, dealer, client.instrument, RiskLimits, magic=OURS, **more)
