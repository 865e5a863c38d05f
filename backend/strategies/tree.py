"""The checked tree of a condition, and how many bars it needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.core.timeframes import Timeframe
from backend.strategies.functions import FUNCTIONS, Kind, Params

Needs = dict[Timeframe, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of an expression; where it stands in the text does not count for equality."""

    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def gives(self) -> Kind:
        """Number or condition."""
        return Kind.NUMBER

    @property
    def parts(self) -> tuple["Node", ...]:
        """Direct operands."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Node):
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series(Node):
    """A column of the bars, such as close."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A function over series with constants, evaluated on bars of `timeframe` if one is named."""

    function: str
    series: tuple[Node, ...] = ()
    params: Params = ()
    timeframe: Timeframe | None = None

    @property
    def gives(self) -> Kind:
        """What the function gives."""
        return FUNCTIONS[self.function].gives

    @property
    def parts(self) -> tuple[Node, ...]:
        """The series."""
        return self.series


@dataclass(frozen=True, slots=True, kw_only=True)
class Ago(Node):
    """The operand so many bars ago; bars of the operand's own ``tf=`` if it has one."""

    operand: Node
    bars: int

    @property
    def gives(self) -> Kind:
        """What the operand gives."""
        return self.operand.gives

    @property
    def parts(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Node):
    """``left operator right`` with one of + - * /; division by zero is undefined."""

    operator: str
    left: Node
    right: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both operands."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Node):
    """A chain ``a < b <= c``: true where every link holds."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]

    @property
    def gives(self) -> Kind:
        """A condition."""
        return Kind.BOOLEAN

    @property
    def parts(self) -> tuple[Node, ...]:
        """All operands."""
        return self.operands


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic(Node):
    """``and``, ``or`` over two or more conditions, ``not`` over one."""

    operator: str
    operands: tuple[Node, ...]

    @property
    def gives(self) -> Kind:
        """A condition."""
        return Kind.BOOLEAN

    @property
    def parts(self) -> tuple[Node, ...]:
        """All operands."""
        return self.operands


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A checked expression.

    Attributes:
        text: As written (of a named fact: its formula with this strategy's numbers).
        tree: The tree.
        needs: Bars of each timeframe, the newest included, without which the newest value is undefined.
        settled: Bars of each timeframe after which it no longer matters where history begins.
    """

    text: str
    tree: Node
    needs: tuple[tuple[Timeframe, int], ...]
    settled: tuple[tuple[Timeframe, int], ...]

    def source(self, node: Node) -> str:
        """The text of one part."""
        return self.text[node.start : node.end]


def home(node: Node) -> Timeframe | None:
    """The timeframe in which `x[n]` of this node counts, if it names one."""
    if isinstance(node, Call):
        return node.timeframe
    return home(node.operand) if isinstance(node, Ago) else None


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, outermost first."""
    yield node
    for part in node.parts:
        yield from walk(part)


def measure(node: Node, base: Timeframe) -> tuple[Needs, Needs]:
    """Bars needed of each timeframe for a value, and bars until the start is forgotten."""
    inner = base
    back = memory = 0
    if isinstance(node, Call):
        inner = node.timeframe or base
        function = FUNCTIONS[node.function]
        back = function.lookback(node.params)
        memory = function.memory(node.params)
    elif isinstance(node, Ago):
        inner = home(node.operand) or base
        back = node.bars
    needs: Needs = {inner: 1}
    settled: Needs = {inner: 1}
    for part in node.parts:
        part_needs, part_settled = measure(part, inner)
        merge(needs, part_needs)
        merge(settled, part_settled)
    if back or memory:
        _deepen(needs, inner, back)
        _deepen(settled, inner, back + memory)
    if inner is not base:
        merge(needs, {base: 1})
        merge(settled, {base: 1})
    return needs, settled


def merge(into: Needs, other: Needs) -> None:
    """Take the larger count of each timeframe."""
    for timeframe, bars in other.items():
        into[timeframe] = max(into.get(timeframe, 0), bars)


def _deepen(needs: Needs, inner: Timeframe, bars: int) -> None:
    for timeframe in needs:
        if timeframe is inner:
            needs[timeframe] += bars
        elif timeframe.seconds > inner.seconds:
            # one bar more than the span covers: the span may begin inside a bar
            needs[timeframe] += math.ceil(bars * inner.seconds / timeframe.seconds) + (bars > 0)
