"""The day's loss and the drawdown: how much is used, whether a limit is reached, when a day begins.

What the desk allows and what a rulebook allows hold beside each other; as `backend.risk.numbers`.
"""

from typing import Any

from backend.backtest.kernel.money import balance
from backend.backtest.kernel.records import ORDER_CANCELLED
from backend.risk.gate import counted_from, reaches

_END_OF_DAY = 2
_FROM_BALANCE, _FROM_EQUITY = 0, 1


def day_used(desk: Any, equity: float) -> tuple[float, float, float]:
    """The day's loss, what its share is of, and the share allowed, of the limit that leaves less room."""
    lost, base, limit = desk.reference - equity, _day_base(desk), desk.daily_loss
    if desk.ruled != 0:
        rule_lost, rule_base = desk.rule_reference - equity, _rule_base(desk)
        if desk.rule_daily_loss * rule_base - rule_lost < limit * base - lost:
            return rule_lost, rule_base, desk.rule_daily_loss
    return lost, base, limit


def drawdown_used(desk: Any, equity: float) -> tuple[float, float, float]:
    """The same of the drawdown."""
    lost, of = _drawdown(desk, equity)
    if desk.ruled != 0:
        rule_lost, rule_of = _rule_drawdown(desk, equity)
        if desk.rule_drawdown * rule_of - rule_lost < desk.drawdown * of - lost:
            return rule_lost, rule_of, desk.rule_drawdown
    return lost, of, desk.drawdown


def day_gained(desk: Any, equity: float, base: float) -> float:
    """The day's profit as the desk counts it, scaled to shares of `base`."""
    own, gained = _day_base(desk), max(equity - desk.reference, 0.0)
    return gained if base == own or not own > 0 else gained * (base / own)


def breaches(desk: Any, equity: float) -> tuple[bool, bool]:
    """Whether an equity reaches the desk's own limit of the day's loss, and that of the drawdown."""
    day = reaches(desk.reference - equity, _day_base(desk), desk.daily_loss)
    lost, of = _drawdown(desk, equity)
    return day, reaches(lost, of, desk.drawdown)


def watch_limits(lanes: Any, desk: Any, at: int) -> None:
    """Halt when equity, at its worst since the last instant, has reached a limit; `at` is the close."""
    day, ever = breaches(desk, desk.low)
    if desk.ruled != 0:
        rule_day, rule_ever = _rule_breaches(desk, desk.low)
        if (rule_day or rule_ever) and desk.broke_at < 0:
            _note_breach(desk, at, rule_day)
        day, ever = day or rule_day, ever or rule_ever
    if (day and desk.halted_day == 0) or (ever and desk.halted == 0):
        for s in range(len(lanes)):
            if lanes[s].r_side != 0:
                lanes[s].r_side = 0
                desk.refusals[ORDER_CANCELLED] += 1
    if day:
        desk.halted_day = 1
    if ever:
        desk.halted = 1


def begin_day(desk: Any) -> None:
    """The day's loss begins anew."""
    desk.reference = _reference(desk, desk.reset_from)
    desk.halted_day = 0
    if desk.drawdown_kind == _END_OF_DAY:
        desk.peak = max(desk.peak, desk.equity)
    if desk.ruled != 0:
        desk.rule_reference = _reference(desk, desk.rule_reset_from)
        if desk.rule_drawdown_kind == _END_OF_DAY:
            desk.rule_peak = max(desk.rule_peak, desk.equity)


def _reference(desk: Any, reset_from: int) -> float:
    """What the loss of a day that begins now counts from."""
    money = balance(desk)
    if reset_from == _FROM_BALANCE:
        return float(money)
    if reset_from == _FROM_EQUITY:
        return float(desk.equity)
    return float(max(money, desk.equity))


def _day_base(desk: Any) -> float:
    return float(desk.initial if desk.loss_of_initial != 0 else desk.reference)


def _drawdown(desk: Any, equity: float) -> tuple[float, float]:
    """Loss from the high or the beginning, and what its share is of."""
    static, locked = desk.drawdown_kind == 0, desk.drawdown_locked != 0
    high, of = counted_from(static, False, locked, desk.initial, desk.peak, desk.drawdown)
    return high - equity, of


def _rule_base(desk: Any) -> float:
    return float(desk.rule_initial if desk.rule_loss_of_initial != 0 else desk.rule_reference)


def _rule_drawdown(desk: Any, equity: float) -> tuple[float, float]:
    static, locked = desk.rule_drawdown_kind == 0, desk.rule_drawdown_locked != 0
    of_initial = desk.rule_drawdown_of_initial != 0
    initial, peak, share = desk.rule_initial, desk.rule_peak, desk.rule_drawdown
    high, of = counted_from(static, of_initial, locked, initial, peak, share)
    return high - equity, of


def _rule_breaches(desk: Any, equity: float) -> tuple[bool, bool]:
    day = reaches(desk.rule_reference - equity, _rule_base(desk), desk.rule_daily_loss)
    lost, of = _rule_drawdown(desk, equity)
    return day, reaches(lost, of, desk.rule_drawdown)


def _note_breach(desk: Any, at: int, by_day: bool) -> None:
    """Keep the first time that the rulebook was broken, and by how much."""
    desk.broke_at, desk.broke_drawdown = at, 0 if by_day else 1
    if by_day:
        desk.broke_lost, desk.broke_of = desk.rule_reference - desk.low, _rule_base(desk)
    else:
        desk.broke_lost, desk.broke_of = _rule_drawdown(desk, desk.low)
