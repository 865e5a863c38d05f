"""Evaluates a checked tree over whole arrays of closed bars.

Undefined is kept apart from false: a number is NaN where it is undefined, a condition carries a second
array saying where it is defined. A comparison with an undefined operand is false and undefined; `and`,
`or` and `not` follow Kleene's logic, so ``not (close > ema(200))`` is not true for want of bars.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, reduce
from types import MappingProxyType

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


NOTHING_KNOWN: Mapping[Node, Floats] = MappingProxyType({})


class Truth:
    """A condition over bars: where it is true, and where it is defined. True implies defined.

    Args:
        true: Where it is true, shape (n,).
        defined: Where it is defined, or what computes that when somebody asks.
    """

    __slots__ = ("_defined", "true")

    def __init__(self, true: Bools, defined: Bools | Callable[[], Bools]) -> None:
        self.true = true
        self._defined = defined

    @property
    def defined(self) -> Bools:
        """Where it is defined, shape (n,)."""
        found = self._defined
        if not isinstance(found, np.ndarray):
            found = self._defined = found()
        return found

    def part(self, part: slice) -> "Truth":
        """The same over some of the bars."""
        return Truth(self.true[part], lambda: self.defined[part])


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
        """UTC epoch at which each bar ends."""
        return self.bars.closes()

    @cached_property
    def longer_until(self) -> Ints:
        """UTC epoch until which a bar that outlasts its timeframe, or one before it, goes on."""
        usual = self.bars.time + (self.close_server - self.bars.server_time)
        ends: Ints = np.maximum.accumulate(np.where(self.close_utc > usual, self.close_utc, 0))
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
        known: Numbers on `bars` that were computed already.
    """

    def __init__(
        self,
        bars: Bars,
        higher: Mapping[Timeframe, Bars],
        known: Mapping[Node, Floats] = NOTHING_KNOWN,
    ) -> None:
        self.base = Frame(bars)
        self.base.numbers.update((id(node), (node, values)) for node, values in known.items())
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
            # one that holds both showings has not ended with the first of them either
            over = np.searchsorted(inner.longer_until, outer.close_utc, side="right")
            closed = np.minimum(np.minimum(ended, begun), over)
            index = np.maximum.accumulate(closed).astype(np.int64) - 1
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
            within = self.truth(_within(node), inner)
            return Truth(within.true[index] & (index >= 0), lambda: within.defined[index] & (index >= 0))
        match node:
            case Ago():
                operand, ago = self.truth(node.operand, frame), node.bars
                return Truth(_shift_bools(operand.true, ago), lambda: _shift_bools(operand.defined, ago))
            case Compare():
                return self._compare(node, frame)
            case Logic():
                return _logic(node.operator, [self.truth(part, frame) for part in node.operands])
            case Call():
                return self._call_truth(node, frame)
            case _:  # pragma: no cover - the parser gives nothing else
                raise TypeError(type(node))

    def _compare(self, node: Compare, frame: Frame) -> Truth:
        operands = [self._operand(part, frame) for part in node.operands]
        compared = [
            _COMPARE[operator](left, right)
            for operator, left, right in zip(node.operators, operands[:-1], operands[1:], strict=True)
        ]
        if "!=" in node.operators:
            compared += map(_known, operands)  # every other comparison with an undefined number is false
        size = frame.size  # a truth that held its frame would keep all arrays until the next collection
        return Truth(
            _over(reduce(np.logical_and, compared), size),
            lambda: _over(reduce(np.logical_and, map(_known, operands)), size),
        )

    def _operand(self, node: Node, frame: Frame) -> Floats | float:
        """Values of a number; a constant is itself."""
        return node.value if isinstance(node, Number) else self.number(node, frame)

    def _call_truth(self, node: Call, frame: Frame) -> Truth:
        name = node.function
        if name == "session":
            return Truth(frame.in_session(str(node.params[0])), np.ones(frame.size, dtype=np.bool_))
        if name in SHAPES:
            return Truth(SHAPES[name](frame.column), np.ones(frame.size, dtype=np.bool_))
        if name in {"crosses_above", "crosses_below"}:
            x, y = (self._operand(part, frame) for part in node.series)
            return _crosses(x, y, frame.size, above=name == "crosses_above")
        first = self.number(node.series[0], frame)
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
    first = operands[0]
    if operator == "not":
        return Truth(first.defined & ~first.true, first.defined)
    join = np.logical_and if operator == "and" else np.logical_or

    def defined() -> Bools:
        true, known = first.true, first.defined
        for other in operands[1:]:
            both = known & other.defined
            if operator == "and":
                known = both | (known & ~true) | (other.defined & ~other.true)
            else:
                known = both | true | other.true
            true = join(true, other.true)
        return known

    return Truth(reduce(join, [operand.true for operand in operands]), defined)


def _crosses(x: Floats | float, y: Floats | float, size: int, *, above: bool) -> Truth:
    beyond = np.broadcast_to(x > y if above else x < y, size)
    short_of = np.broadcast_to(x <= y if above else x >= y, size)

    def defined() -> Bools:
        known = np.broadcast_to(_known(x) & _known(y), size)
        return known & _shift_bools(known, 1)

    return Truth(beyond & _shift_bools(short_of, 1), defined)


def _over(truth: Bools, size: int) -> Bools:
    """The truth of each bar, also where only constants were asked."""
    return truth if np.ndim(truth) else np.full(size, truth, dtype=np.bool_)


def _known(values: Floats | float) -> Bools:
    known: Bools = ~np.isnan(values)
    return known


def _moving(x: Floats, bars: int, *, up: bool) -> Truth:
    step = np.zeros(x.shape, dtype=np.bool_)
    step[1:] = x[1:] > x[:-1] if up else x[1:] < x[:-1]
    true = step
    for ago in range(1, bars):
        true = true & _shift_bools(step, ago)

    def defined() -> Bools:
        known = np.zeros(x.shape, dtype=np.bool_)
        known[1:] = ~(np.isnan(x[1:]) | np.isnan(x[:-1]))
        all_known = known
        for ago in range(1, bars):
            all_known = all_known & _shift_bools(known, ago)
        return all_known

    return Truth(true, defined)
