"""The checked tree of a condition, and how many bars it needs."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from backend.core.timeframes import DAY_SECONDS, Timeframe
from backend.strategies.functions import FUNCTIONS, Kind, Params

Needs = dict[Timeframe, int]

_SPARSE = 4
"""A market may be open for a quarter of the day only, and short bars then span so much more time."""
_SHORTEST_MONTH = 28 * DAY_SECONDS


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


def lookback(node: Node) -> int:
    """Bars before the current one that the node itself reads, in its own timeframe."""
    if isinstance(node, Call):
        return FUNCTIONS[node.function].lookback(node.params)
    return node.bars if isinstance(node, Ago) else 0


def shared(node: Node, known: dict[Node, Node]) -> Node:
    """The same tree, its parts being the very objects of `known` that equal them; new ones are added."""
    found = known.get(node)
    if found is None:
        found = known[node] = _rebuilt(node, known)
    return found


def _rebuilt(node: Node, known: dict[Node, Node]) -> Node:
    match node:
        case Call():
            return replace(node, series=tuple(shared(part, known) for part in node.series))
        case Ago():
            return replace(node, operand=shared(node.operand, known))
        case Arithmetic():
            return replace(node, left=shared(node.left, known), right=shared(node.right, known))
        case Compare() | Logic():
            return replace(node, operands=tuple(shared(part, known) for part in node.operands))
        case _:
            return node


def measure(node: Node, base: Timeframe) -> tuple[Needs, Needs]:
    """Bars needed of each timeframe for a value, and bars until the start is forgotten.

    Where a shorter timeframe looks back over values of a longer one, how many longer bars that takes
    depends on the market's hours: the first number is enough for five full days a week without a bar
    missing, the second for six hours a day.
    """
    inner = home(node) or base
    back = lookback(node)
    memory = FUNCTIONS[node.function].memory(node.params) if isinstance(node, Call) else 0
    needs: Needs = {inner: 1}
    settled: Needs = {inner: 1}
    for part in node.parts:
        part_needs, part_settled = measure(part, inner)
        merge(needs, part_needs)
        merge(settled, part_settled)
    _deepen(needs, inner, back, slack=1)
    _deepen(settled, inner, back + memory, slack=_SPARSE)
    if inner is not base:
        merge(needs, {base: 1})
        merge(settled, {base: 1})
    return needs, settled


def merge(into: Needs, other: Needs) -> None:
    """Take the larger count of each timeframe."""
    for timeframe, bars in other.items():
        into[timeframe] = max(into.get(timeframe, 0), bars)


def straddles(node: Node, base: Timeframe, *, earlier: bool = False) -> bool:
    """Whether a value of a longer timeframe is read anywhere but at the newest bar of `base`.

    Args:
        node: The tree.
        base: Timeframe of the strategy.
        earlier: Whether the node itself is read earlier, or from a bar of another timeframe.
    """
    inner = home(node) or base
    if inner is not base and earlier:
        return True
    earlier = earlier or inner is not base or lookback(node) > 0
    return any(straddles(part, inner, earlier=earlier) for part in node.parts)


def _deepen(needs: Needs, inner: Timeframe, bars: int, *, slack: int) -> None:
    for timeframe in needs:
        if timeframe is inner:
            needs[timeframe] += bars
        else:
            needs[timeframe] += slack * _ends_within(bars, inner, timeframe)


def _ends_within(bars: int, short: Timeframe, long: Timeframe) -> int:
    """The most bars of `long` that can end between two bars of `short` that stand so many bars apart."""
    span = bars * short.seconds
    length = _SHORTEST_MONTH if long is Timeframe.MN1 else long.seconds
    if short.seconds <= DAY_SECONDS < long.seconds:
        span, length = span * 7, length * 5  # five days of bars make a week
    return -(-span // length)
