"""Whether a file's balance column follows from its deals."""

from decimal import Decimal

from backend.backtest.tester.model import BalanceCheck, Deal


def check_balance(deals: tuple[Deal, ...]) -> BalanceCheck:
    """Each stated balance must be the one before plus what the deals since then earned, to the cent.

    The first stated balance is where counting begins: a history may start in the middle of an
    account's life.
    """
    before = None
    earned = Decimal(0)
    checked = 0
    for deal in deals:
        earned += deal.money
        if deal.balance is None:
            continue
        if before is not None and deal.balance != before + earned:
            return BalanceCheck(
                checked=checked, where=deal.where, expected=before + earned, stated=deal.balance
            )
        before, earned = deal.balance, Decimal(0)
        checked += 1
    return BalanceCheck(checked=checked)
