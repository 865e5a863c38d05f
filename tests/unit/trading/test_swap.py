from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.trading.conversion import Conversion
from backend.trading.sides import Side
from backend.trading.swap import nights, swap
from tests.fakes.instruments import instrument

D = Decimal
EURUSD = instrument("EURUSD")  # −7 points long, +2 short, triple on Wednesday
USD = Conversion()


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (date(2026, 1, 5), 1),  # Monday
        (date(2026, 1, 7), 3),  # Wednesday
        (date(2026, 1, 9), 1),  # Friday
        (date(2026, 1, 10), 0),  # Saturday
        (date(2026, 1, 11), 0),  # Sunday
    ],
)
def test_nights(ending: date, expected: int) -> None:
    assert nights(EURUSD, ending) == expected


def test_week_has_seven_nights_and_the_triple_day_is_the_symbols_own() -> None:
    assert sum(nights(EURUSD, date(2026, 1, d)) for d in range(5, 12)) == 7
    index = instrument("US30USD", swap_triple_day=5)
    assert nights(index, date(2026, 1, 9)) == 3
    assert nights(index, date(2026, 1, 10), trades_weekends=True) == 1


def cost(side: Side, mode: int = 1, count: int = 1, long: str = "-7", short: str = "2", **changes: Any) -> D:
    terms = {"swap_mode": mode, "swap_long": D(long), "swap_short": D(short)}
    symbol = instrument("EURUSD", **terms, currency_margin=changes.pop("margin", "EUR"))
    prices: dict[str, Any] = {
        "price": D("1.1"),
        "open_price": D("1.0"),
        "conversion": USD,
        "account_currency": "USD",
    } | changes
    return swap(symbol, side, D(2), count, **prices)


def test_points() -> None:
    assert cost(Side.BUY) == D(-14)  # 2 lots × 7 points × 1 USD
    assert cost(Side.SELL, count=3) == D(12)
    assert cost(Side.BUY, mode=0) == 0
    assert cost(Side.BUY, count=0) == 0


def test_currency_modes() -> None:
    assert cost(Side.BUY, mode=4) == D(-14)
    # 2 lots × 7 EUR at 1.1: base and margin currency of EURUSD
    assert cost(Side.BUY, mode=2) == cost(Side.BUY, mode=3) == D("-15.4")
    # a EUR account pays them as they are
    assert cost(Side.BUY, mode=2, account_currency="EUR") == D(-14)
    assert cost(Side.BUY, mode=3, margin="USD") == D(-14)
    with pytest.raises(Invalid, match="swap is paid in CHF"):
        cost(Side.BUY, mode=3, margin="CHF")


def test_percent_modes_divide_by_360() -> None:
    # 2 × 100 000 × 1.1 × −3.6 % ÷ 360 a night; at the opening price for mode 6
    assert cost(Side.BUY, mode=5, long="-3.6") == D(-22)
    assert cost(Side.BUY, mode=6, long="-3.6") == D(-20)


def test_reopening_modes_are_refused() -> None:
    with pytest.raises(Invalid, match="swap mode 7"):
        cost(Side.BUY, mode=7)
