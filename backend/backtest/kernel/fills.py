"""When an order fills inside a bar, and at what price: the rules of fills, and nothing else.

Mirrored ticks throughout. An outcome is (reason, level, gap, slippage); reason −1 is none.
"""

from backend.backtest.kernel.records import LIMIT, STOP
from backend.trading.reasons import NONE, R_GAP_STOP, R_STOP, R_TARGET


def exit_at_open(opened: int, stop: int, target: int, slip: int) -> tuple[int, int, int, int]:
    """Stop or target that the open already lies beyond.

    The stop is filled at the open, worse by slippage; the target at its own price, without improvement.
    """
    if opened <= stop:
        return R_GAP_STOP, stop, stop - opened, slip
    if opened >= target:
        return R_TARGET, target, 0, 0
    return NONE, 0, 0, 0


def exit_after_entry(
    worst: int,
    best_price: int,
    close: int,
    stop: int,
    target: int,
    slip: int,
    kind: int,
    best: bool,
) -> tuple[int, int, int, int, bool]:
    """Stop or target on the bar inside which the entry was filled, and whether that is ambiguous.

    The stop counts if it is possible, the target only if it is provable. After a limit the price that
    filled it was falling towards the stop, so a low at the stop came after the fill, and a target is
    proved by a close beyond it. After a stop entry the price was rising towards the target, so a high at
    the target came after the fill, and the stop is proved by a close beyond it.
    """
    can_stop, can_reach = worst <= stop, best_price >= target
    if not can_stop and not can_reach:
        return NONE, 0, 0, 0, False
    sure_stop = can_stop and (kind == LIMIT or close <= stop)
    sure_reach = can_reach and (kind == STOP or close >= target)
    if can_stop:
        ambiguous = not sure_stop or can_reach
        if not best or not ambiguous:
            return R_STOP, stop, 0, slip, ambiguous
        if can_reach:
            return R_TARGET, target, 0, 0, True
        return NONE, 0, 0, 0, True
    if sure_reach:
        return R_TARGET, target, 0, 0, False
    if best:
        return R_TARGET, target, 0, 0, True
    return NONE, 0, 0, 0, True


def entry_fill(
    opened: int, low: int, high: int, kind: int, level: int, slip: int
) -> tuple[bool, int, int, bool]:
    """Whether a resting order fills on this bar, with gap, slippage and whether at the open.

    Args:
        opened: Price of the entering side at the open; a higher price is a worse one.
        low: Its lowest.
        high: Its highest.
        kind: LIMIT or STOP.
        level: The order's price.
        slip: Slippage of a stop order; a limit has none.
    """
    if kind == LIMIT:
        return low <= level, 0, 0, opened <= level
    if opened >= level:
        return True, opened - level, slip, True
    return high >= level, 0, slip, False
