"""Evaluates a checked tree over whole arrays of closed bars.

Undefined is kept apart from false: a number is NaN where it is undefined, a condition carries a second
array saying where it is defined. A comparison with an undefined operand is false and undefined; `and`,
`or` and `not` follow Kleene's logic, so ``not (close > ema(200))`` is not true for want of bars.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from backend.core.bars import Bars, Floats, Ints
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe, close_of
from backend.evaluation.indicators import NUMBERS
from backend.evaluation.patterns import SHAPES, Bools, diverges
from backend.strategies.functions import FUNCTIONS
from backend.strategies.sessions import in_session
from backend.strategies.tree import Ago, Arithmetic, Call, Compare, Logic, Node, Number, Series, home

_HOUR, _DAY = 3600, 86_400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0

_COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


class Truth(NamedTuple):
    """A condition over bars: where it is true, and where it is defined. True implies defined."""

    true: Bools
    defined: Bools


class Frame:
    """Bars of one timeframe with what was computed on them."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.size = len(bars)
        # By identity: hashing a tree costs more than computing it. The node is kept, so its id stays its own.
        self.numbers: dict[int, tuple[Node, Floats]] = {}
        self.truths: dict[int, tuple[Node, Truth]] = {}
        self.sessions: dict[str, Bools] = {}
        self._columns: dict[str, Floats] = {}

    @cached_property
    def close_server(self) -> Ints:
        """Server epoch at which each bar ends."""
        ends: Ints = close_of(self.bars.timeframe, self.bars.server_time)
        return ends

    @cached_property
    def close_utc(self) -> Ints:
        """UTC epoch at which each bar ends, by the server clock's offset at its open."""
        ends: Ints = self.bars.time + (self.close_server - self.bars.server_time)
        return ends

    def column(self, name: str) -> Floats:
        """A series of the language as float64."""
        values = self._columns.get(name)
        if values is None:
            values = self._columns[name] = self._column(name)
        return values

    def _column(self, name: str) -> Floats:
        if name == "hour":
            return (self.bars.server_time % _DAY // _HOUR).astype(np.float64)
        if name == "weekday":
            days = self.bars.server_time // _DAY
            return ((days + _EPOCH_WEEKDAY) % 7 + 1).astype(np.float64)
        values: Floats = np.asarray(getattr(self.bars, name), dtype=np.float64)
        return values

    def in_session(self, name: str) -> Bools:
        """Whether each bar closes in the session."""
        values = self.sessions.get(name)
        if values is None:
            values = self.sessions[name] = in_session(name, self.close_utc)
        return values


class Interpreter:
    """Values of trees on one set of bars; a part that is one object in several trees is computed once.

    Args:
        bars: Closed bars of the strategy's timeframe.
        higher: Closed bars of longer timeframes, as many as there are; those that close later than a
            bar of `bars` are not seen from it.
    """

    def __init__(self, bars: Bars, higher: Mapping[Timeframe, Bars]) -> None:
        self.base = Frame(bars)
        self._higher = higher
        self._frames: dict[Timeframe, Frame] = {bars.timeframe: self.base}
        self._visible: dict[tuple[Timeframe, Timeframe], Ints] = {}

    def frame(self, timeframe: Timeframe) -> Frame:
        """The frame of a timeframe; `Invalid` if its bars were not given."""
        frame = self._frames.get(timeframe)
        if frame is None:
            if timeframe not in self._higher:
                raise Invalid(
                    "missing_timeframe",
                    f"{self.base.bars.symbol}: a condition needs bars of {timeframe}, and none were given",
                    timeframe=str(timeframe),
                )
            frame = self._frames[timeframe] = Frame(self._higher[timeframe])
        return frame

    def visible(self, outer: Frame, inner: Frame) -> Ints:
        """Index of the newest inner bar closed at the close of each outer bar; −1 where there is none."""
        key = (outer.bars.timeframe, inner.bars.timeframe)
        index = self._visible.get(key)
        if index is None:
            # A server clock set back shows an hour twice: a bar of the second showing has not ended in the
            # first because it has not begun, and what has ended stays so.
            ends = np.maximum.accumulate(inner.close_server)
            ended = np.searchsorted(ends, outer.close_server, side="right")
            begun = np.searchsorted(inner.bars.time, outer.close_utc, side="left")
            index = np.maximum.accumulate(np.minimum(ended, begun)).astype(np.int64) - 1
            self._visible[key] = index
        return index

    def seen(self, timeframe: Timeframe) -> int:
        """Bars of a timeframe that had closed by the close of the newest base bar."""
        frame = self.frame(timeframe)
        if frame is self.base or not self.base.size:
            return frame.size
        return int(self.visible(self.base, frame)[-1]) + 1

    def number(self, node: Node, frame: Frame | None = None) -> Floats:
        """Values of a number, shape (n,) of the frame, NaN where undefined."""
        frame = frame or self.base
        held = frame.numbers.get(id(node))
        if held is None:
            held = frame.numbers[id(node)] = (node, self._number(node, frame))
        return held[1]

    def truth(self, node: Node, frame: Frame | None = None) -> Truth:
        """Truth of a condition on each bar of the frame."""
        frame = frame or self.base
        held = frame.truths.get(id(node))
        if held is None:
            held = frame.truths[id(node)] = (node, self._truth(node, frame))
        return held[1]

    # --- numbers

    def _number(self, node: Node, frame: Frame) -> Floats:
        inner = self._inner(node, frame)
        if inner is not frame:
            return self._projected(node, frame, inner)
        match node:
            case Call():
                series = tuple(self.number(part, frame) for part in node.series)
                return NUMBERS[node.function](frame.column, series, node.params)
            case Series():
                return frame.column(node.name)
            case Number():
                return np.full(frame.size, node.value)
            case Ago():
                return _shift(self.number(node.operand, frame), node.bars)
            case Arithmetic():
                return self._arithmetic(node, frame)
            case _:  # pragma: no cover - the parser gives nothing else
                raise TypeError(type(node))

    def _projected(self, node: Node, frame: Frame, inner: Frame) -> Floats:
        index = self.visible(frame, inner)
        if not inner.size:
            return np.full(frame.size, np.nan)
        return np.where(index >= 0, self.number(_within(node), inner)[index], np.nan)

    def _arithmetic(self, node: Arithmetic, frame: Frame) -> Floats:
        left, right = self.number(node.left, frame), self.number(node.right, frame)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if node.operator == "+":
                return left + right
            if node.operator == "-":
                return left - right
            if node.operator == "*":
                return left * right
            return np.where(right == 0, np.nan, left / right)

    # --- conditions

    def _truth(self, node: Node, frame: Frame) -> Truth:
        inner = self._inner(node, frame)
        if inner is not frame:
            index = self.visible(frame, inner)
            if not inner.size:
                nothing = np.zeros(frame.size, dtype=np.bool_)
                return Truth(nothing, nothing)
            true, defined = self.truth(_within(node), inner)
            return Truth(true[index] & (index >= 0), defined[index] & (index >= 0))
        match node:
            case Ago():
                true, defined = self.truth(node.operand, frame)
                return Truth(_shift_bools(true, node.bars), _shift_bools(defined, node.bars))
            case Compare():
                return self._compare(node, frame)
            case Logic():
                return _logic(node.operator, [self.truth(part, frame) for part in node.operands])
            case Call():
                return self._call_truth(node, frame)
            case _:  # pragma: no cover - the parser gives nothing else
                raise TypeError(type(node))

    def _compare(self, node: Compare, frame: Frame) -> Truth:
        operands = [
            part.value if isinstance(part, Number) else self.number(part, frame) for part in node.operands
        ]
        known = [~np.isnan(values) for values in operands if not isinstance(values, float)]
        defined = known[0] if known else np.ones(frame.size, dtype=np.bool_)
        for each in known[1:]:
            defined = defined & each
        true = defined
        for operator, left, right in zip(node.operators, operands[:-1], operands[1:], strict=True):
            true = true & _COMPARE[operator](left, right)
        return Truth(true, defined)

    def _call_truth(self, node: Call, frame: Frame) -> Truth:
        name = node.function
        if name == "session":
            return Truth(frame.in_session(str(node.params[0])), np.ones(frame.size, dtype=np.bool_))
        if name in SHAPES:
            return Truth(SHAPES[name](frame.column), np.ones(frame.size, dtype=np.bool_))
        first = self.number(node.series[0], frame)
        if name in {"crosses_above", "crosses_below"}:
            return _crosses(first, self.number(node.series[1], frame), above=name == "crosses_above")
        if name in {"rising", "falling"}:
            return _moving(first, int(node.params[0]), up=name == "rising")
        bearish = name == "diverges_bearish"
        price = frame.column("high" if bearish else "low")
        defined = _shift_bools(~np.isnan(first), FUNCTIONS[name].lookback(node.params))
        return Truth(diverges(price, first, int(node.params[0]), rising=bearish) & defined, defined)

    def _inner(self, node: Node, frame: Frame) -> Frame:
        timeframe = home(node)
        return frame if timeframe is None else self.frame(timeframe)


@lru_cache(maxsize=1024)
def _within(node: Node) -> Node:
    """The node as it reads inside the frame of its own ``tf=``."""
    if isinstance(node, Ago):
        return Ago(operand=_within(node.operand), bars=node.bars)
    if isinstance(node, Call):
        return Call(function=node.function, series=node.series, params=node.params)
    return node


def _shift(values: Floats, bars: int) -> Floats:
    if bars == 0:
        return values
    result = np.full(values.shape, np.nan)
    result[bars:] = values[:-bars]
    return result


def _shift_bools(values: Bools, bars: int) -> Bools:
    if bars == 0:
        return values
    result = np.zeros(values.shape, dtype=np.bool_)
    result[bars:] = values[:-bars]
    return result


def _logic(operator: str, operands: list[Truth]) -> Truth:
    true, defined = operands[0]
    if operator == "not":
        return Truth(defined & ~true, defined)
    for other_true, other_defined in operands[1:]:
        both = defined & other_defined
        if operator == "and":
            defined = both | (defined & ~true) | (other_defined & ~other_true)
            true = true & other_true
        else:
            defined = both | true | other_true
            true = true | other_true
    return Truth(true, defined)


def _crosses(x: Floats, y: Floats, *, above: bool) -> Truth:
    beyond = x > y if above else x < y
    short_of = x <= y if above else x >= y
    known = ~(np.isnan(x) | np.isnan(y))
    return Truth(beyond & _shift_bools(short_of, 1), known & _shift_bools(known, 1))


def _moving(x: Floats, bars: int, *, up: bool) -> Truth:
    step = np.zeros(x.shape, dtype=np.bool_)
    step[1:] = x[1:] > x[:-1] if up else x[1:] < x[:-1]
    known = np.zeros(x.shape, dtype=np.bool_)
    known[1:] = ~(np.isnan(x[1:]) | np.isnan(x[:-1]))
    true, defined = step, known
    for ago in range(1, bars):
        true = true & _shift_bools(step, ago)
        defined = defined & _shift_bools(known, ago)
    return Truth(true & defined, defined)
