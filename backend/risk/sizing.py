"""How many lots a risk allows."""

from decimal import Decimal

from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.core.ticks import whole_steps
from backend.trading.conversion import Conversion
from backend.trading.profit import loss_per_lot, to_cents
from backend.trading.sides import Side
from backend.trading.verdict import Size

MAX_RISK_FRACTION = Decimal("0.05")


def check_fraction(fraction: Decimal) -> Decimal:
    """The fraction, if it is one: above zero and at most 0.05.

    Raises:
        Invalid: Above that, asking whether percent was meant.
    """
    if not fraction.is_finite() or fraction <= 0:
        raise Invalid(
            "bad_risk", f"risk is {fraction}; it is a fraction above zero, 0.01 is 1 %", field="risk"
        )
    if fraction > MAX_RISK_FRACTION:
        raise Invalid(
            "bad_risk",
            f"risk is {fraction}, which is {fraction * 100:f} % of the account in one trade; it is a "
            f"fraction of at most {MAX_RISK_FRACTION}. Did you mean percent? "
            f"{fraction} % is written {fraction / 100:f}",
            field="risk",
        )
    return fraction


def size_position(
    *,
    instrument: Instrument,
    side: Side,
    entry: Decimal,
    stop: Decimal,
    balance: Decimal,
    equity: Decimal,
    margin_free: Decimal,
    margin_per_lot: Decimal,
    risk_fraction: Decimal,
    conversion: Conversion,
    commission_per_lot: Decimal = Decimal(0),
    slippage: Decimal = Decimal(0),
    half: bool = False,
    lots: Decimal | None = None,
) -> Size:
    """The largest volume whose loss at the stop stays within the risk.

    risk money = fraction × min(balance, equity), halved before anything is floored. Loss per lot =
    entry → stop converted at the stop's price + commission of both sides + expected slippage. Lots are
    floored to the volume step, within the symbol's maximum and free margin; below the symbol's minimum
    the trade is refused, never rounded up. A volume that a person set is taken as it is; whether it fits is
    the gate's to say.

    Args:
        instrument: The symbol.
        side: Side of the trade.
        entry: Entry price.
        stop: Stop price.
        balance: Account balance.
        equity: Account equity.
        margin_free: Free margin.
        margin_per_lot: Margin of one lot at the entry price.
        risk_fraction: 0.01 is 1 %.
        conversion: Of the symbol's profit currency.
        commission_per_lot: Account currency per lot and side.
        slippage: Price distance expected to be lost over entry and stop together.
        half: Whether half the risk is taken.
        lots: A volume that a person set; None computes it.

    Raises:
        Invalid: If the fraction is none, or the stop does not lie on the losing side.
    """
    fraction = check_fraction(risk_fraction) / (2 if half else 1)
    at_stop = loss_per_lot(instrument, side, entry, stop, conversion)
    if at_stop <= 0:
        raise Invalid(
            "bad_stop", f"{instrument.symbol}: the stop {stop} of a {side} at {entry} is on the wrong side"
        )
    slipped = -conversion.convert(-slippage * instrument.contract_size, stop)
    per_lot = at_stop + 2 * commission_per_lot + slipped
    money = fraction * max(min(balance, equity), Decimal(0))
    if lots is not None:
        return Size(
            lots=lots,
            steps=whole_steps(float(lots / instrument.volume_step)),
            risk_fraction=fraction,
            risk_money=money,
            loss_per_lot=per_lot,
            risk_taken=lots * per_lot,
            margin=lots * margin_per_lot,
            limited_by="person",
        )

    limit, limited_by = money / per_lot, "risk"
    if instrument.volume_max < limit:
        limit, limited_by = instrument.volume_max, "maximum"
    if margin_per_lot > 0 and margin_free < limit * margin_per_lot:
        limit, limited_by = max(margin_free, Decimal(0)) / margin_per_lot, "margin"
    steps = whole_steps(float(limit / instrument.volume_step))
    lots = instrument.volume_step * steps

    refusal, needed = "", None
    if lots < instrument.volume_min:
        refusal, needed = _refusal(instrument, limited_by, per_lot, money, margin_per_lot, margin_free)
        lots, steps = Decimal(0), 0
    return Size(
        lots=lots,
        steps=steps,
        risk_fraction=fraction,
        risk_money=money,
        loss_per_lot=per_lot,
        risk_taken=lots * per_lot,
        margin=lots * margin_per_lot,
        limited_by=limited_by,
        refusal=refusal,
        needed=needed,
    )


def _refusal(
    instrument: Instrument,
    limited_by: str,
    per_lot: Decimal,
    money: Decimal,
    margin_per_lot: Decimal,
    margin_free: Decimal,
) -> tuple[str, Decimal]:
    least = instrument.volume_min
    if limited_by == "margin":
        needed, have, what = least * margin_per_lot, margin_free, "free margin"
    elif limited_by == "maximum":
        return f"the symbol's maximum {instrument.volume_max} is below its minimum {least} lots", least
    else:
        needed, have, what = least * per_lot, money, "risk"
    return (
        f"the smallest volume {least} lots needs {to_cents(needed)} of {what}, and {to_cents(have)} is there",
        needed,
    )
