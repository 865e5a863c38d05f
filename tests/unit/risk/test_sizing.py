from decimal import Decimal
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.risk.sizing import size_position
from backend.trading.conversion import Conversion
from backend.trading.sides import Side
from backend.trading.verdict import Size
from tests.fakes.instruments import instrument

D = Decimal
EURUSD = instrument("EURUSD")


def size(**changes: Any) -> Size:
    """10 000 USD, 1 %, a buy at 1.10000 with its stop 200 points below: 200 USD a lot."""
    given: dict[str, Any] = {
        "instrument": EURUSD,
        "side": Side.BUY,
        "entry": D("1.10000"),
        "stop": D("1.09800"),
        "balance": D(10_000),
        "equity": D(10_000),
        "margin_free": D(10_000),
        "margin_per_lot": D(1100),
        "risk_fraction": D("0.01"),
        "conversion": Conversion(),
    }
    return size_position(**(given | changes))


def test_risk_money_over_loss_per_lot() -> None:
    got = size()
    assert (got.risk_money, got.loss_per_lot, got.lots, got.steps) == (D(100), D(200), D("0.50"), 50)
    assert (got.risk_taken, got.margin, got.limited_by, got.refusal) == (D(100), D(550), "risk", "")


def test_the_smaller_of_balance_and_equity_counts() -> None:
    assert size(equity=D(6_000)).lots == D("0.30")
    assert size(balance=D(4_000)).lots == D("0.20")


def test_costs_are_part_of_the_loss() -> None:
    # 200 + 2 × 3.50 commission + 3 points slippage = 210: 100 ÷ 210 = 0.476…
    got = size(commission_per_lot=D("3.5"), slippage=D("0.00003"))
    assert (got.loss_per_lot, got.lots) == (D(210), D("0.47"))


def test_half_risk_comes_before_flooring() -> None:
    # 1 % of 10 060 is 100.60: 0.503 → 0.50 whole; half 0.2515 → 0.25, not half of 0.50 rounded elsewhere.
    assert size(balance=D(10_060), equity=D(10_060)).lots == D("0.50")
    assert size(balance=D(10_060), equity=D(10_060), half=True).lots == D("0.25")
    # 1 % of 10 300: 0.515 → 0.51; half 0.2575 → 0.25
    assert size(balance=D(10_300), equity=D(10_300), half=True).lots == D("0.25")


def test_steps_are_counted_in_integers() -> None:
    # 58 USD ÷ 200 = 0.29 lots: 29 steps, where floats would floor 0.29 / 0.01 to 28.
    got = size(balance=D(5_800), equity=D(5_800))
    assert (got.steps, got.lots) == (29, D("0.29"))


def test_below_the_minimum_is_refused_with_what_would_be_needed() -> None:
    poor = size(balance=D(199), equity=D(199))  # risk 1.99, the smallest volume needs 2.00
    assert (poor.lots, poor.steps, poor.needed) == (D(0), 0, D(2))
    assert poor.refusal == "the smallest volume 0.01 lots needs 2.00 of risk, and 1.99 is there"
    assert size(balance=D(200), equity=D(200)).lots == D("0.01")  # the boundary
    assert size(balance=D(300), equity=D(300), half=True).lots == 0


def test_free_margin_and_maximum_bound_the_volume() -> None:
    short = size(margin_free=D(220))
    assert (short.lots, short.limited_by) == (D("0.20"), "margin")
    broke = size(margin_free=D(10))
    assert broke.lots == 0
    assert "needs 11.00 of free margin, and 10.00 is there" in broke.refusal
    capped = size(instrument=instrument(volume_max=D("0.3")))
    assert (capped.lots, capped.limited_by) == (D("0.3"), "maximum")


def test_loss_is_converted_at_the_stops_price() -> None:
    # 500 points below 150: 50 000 JPY ÷ 149.5 = 334.448 a lot → 100 ÷ 334.448 = 0.299
    yen = size(
        instrument=instrument("USDJPY"),
        entry=D("150.000"),
        stop=D("149.500"),
        conversion=Conversion(by_close=True),
    )
    assert yen.lots == D("0.29")


def test_a_step_of_a_tenth() -> None:
    dow = instrument(
        "US30USD", contract_size=D(1), volume_step=D("0.1"), volume_min=D("0.1"), tick_size=D("0.1"), digits=1
    )
    got = size(instrument=dow, entry=D(39000), stop=D(38850), margin_per_lot=D(390))
    assert got.lots == D("0.6")  # 100 ÷ 150 = 0.666


@pytest.mark.parametrize("fraction", [D(1), D("0.051"), D(0), D("-0.01"), D("NaN")])
def test_a_risk_that_is_no_fraction_is_refused(fraction: Decimal) -> None:
    with (
        pytest.raises(Invalid, match="Did you mean percent" if fraction > D("0.05") else "fraction")
        if (not fraction.is_nan())
        else pytest.raises(Invalid)
    ):
        size(risk_fraction=fraction)


def test_a_stop_on_the_winning_side_is_refused() -> None:
    with pytest.raises(Invalid, match="wrong side"):
        size(stop=D("1.10100"))
    with pytest.raises(Invalid, match="wrong side"):
        size(side=Side.SELL)


def test_no_money_is_no_trade() -> None:
    assert size(equity=D(-50)).lots == 0
