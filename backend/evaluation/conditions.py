"""A strategy's conditions, compiled once and evaluated over closed bars: the same live and in backtest."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from backend.core.bars import Bars, Floats
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.evaluation.interpreter import Interpreter, Truth
from backend.evaluation.patterns import Bools
from backend.evaluation.warmup import Shortage, shortage
from backend.strategies.facts import FACTS
from backend.strategies.functions import Kind
from backend.strategies.model import Direction, Strategy, fact_name
from backend.strategies.tree import (
    Ago,
    Call,
    Expression,
    Node,
    Number,
    Series,
    home,
    measure,
    merge,
    shared,
    straddles,
)

NO_HIGHER: Mapping[Timeframe, Bars] = MappingProxyType({})


class Role(StrEnum):
    """What a condition is for."""

    ENTRY = "entry"
    EXIT = "exit"
    STRONG = "strong"
    WEAK = "weak"
    INVALIDATION = "invalidation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One compiled condition.

    Attributes:
        role: What it is for.
        text: As the file states it.
        meaning: The named fact's meaning; the text itself for an expression.
        expression: The checked tree; of a fact, its formula with the strategy's numbers.
        tree: Its tree; parts that equal those of the strategy's other conditions are the same objects.
        shown: What its comparisons compare, by the text that says so.
    """

    role: Role
    text: str
    meaning: str
    expression: Expression
    tree: Node
    shown: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class SideArrays:
    """One direction's conditions over n bars. All arrays have shape (n,).

    Attributes:
        direction: LONG or SHORT.
        conditions: Every condition in the order of the file.
        truths: The truth of each, in the same order.
        entry: Every entry condition holds.
        exit: Any exit condition holds.
        invalidation: Any invalidation holds.
        signal: `entry`, and neither exit nor invalidation, every one of these being defined.
    """

    direction: Direction
    conditions: tuple[Condition, ...]
    truths: tuple[Truth, ...]
    entry: Bools
    exit: Bools
    invalidation: Bools
    signal: Bools

    @cached_property
    def strong(self) -> Floats:
        """Fraction of strong conditions that hold, 0 to 1; 1 where none are listed."""
        return self._fraction(Role.STRONG, 1.0)

    @cached_property
    def weak(self) -> Floats:
        """Fraction of weak conditions that hold; 0 where none are listed."""
        return self._fraction(Role.WEAK, 0.0)

    @cached_property
    def defined(self) -> Bools:
        """Every condition of every role is defined."""
        return _all(len(self.entry), [truth.defined for truth in self.truths])

    def of_role(self, role: Role) -> list[Truth]:
        """The truths of the conditions of one role."""
        return _of_role(self.conditions, self.truths, role)

    def _fraction(self, role: Role, empty: float) -> Floats:
        given = [truth.true for truth in self.of_role(role)]
        if not given:
            return np.full(len(self.entry), empty)
        held = given[0].astype(np.float64)
        for true in given[1:]:
            held += true
        return held / len(given)

    def part(self, part: slice) -> "SideArrays":
        """The same over some of the bars."""
        return SideArrays(
            direction=self.direction,
            conditions=self.conditions,
            truths=tuple(truth.part(part) for truth in self.truths),
            entry=self.entry[part],
            exit=self.exit[part],
            invalidation=self.invalidation[part],
            signal=self.signal[part],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConditionArrays:
    """Everything that a strategy's conditions say over n bars.

    Attributes:
        bars: The bars.
        sides: Per direction traded (LONG, SHORT).
        conflict: Both directions signal on the same bar, shape (n,).
        atr: The strategy's ATR in price, NaN while undefined.
        target: Price that the strategy's target expression gives; None without one.
    """

    bars: Bars
    sides: Mapping[Direction, SideArrays]
    conflict: Bools
    atr: Floats
    target: Floats | None
    _indicators: Mapping[str, Node] = field(repr=False)
    _interpreter: Interpreter = field(repr=False)
    _sessions: tuple[str, ...] = ()
    _offset: int = 0

    @property
    def in_session(self) -> Bools:
        """Where the bar closes in one of the strategy's sessions, or it lists none, shape (n,)."""
        base = self._interpreter.base
        gates = [base.in_session(name) for name in self._sessions]
        whole = _any(base.size, gates) if gates else np.ones(base.size, dtype=np.bool_)
        return whole[self._offset : self._offset + len(self.bars)]

    def at(self, index: int) -> "ConditionArrays":
        """The same for one bar alone, every array of shape (1,): what a decision of that bar reads."""
        one = slice(index, index + 1)
        return ConditionArrays(
            bars=self.bars[one],
            sides=MappingProxyType({direction: side.part(one) for direction, side in self.sides.items()}),
            conflict=self.conflict[one],
            atr=self.atr[one],
            target=None if self.target is None else self.target[one],
            _indicators=self._indicators,
            _interpreter=self._interpreter,
            _sessions=self._sessions,
            _offset=self._offset + index,
        )

    def explain(self, index: int = -1) -> dict[str, Any]:
        """Each condition's truth and operands at one bar, as JSON values; undefined is None."""
        index = self._offset + range(len(self.bars))[index]
        values: dict[int, float | None] = {}  # of the operands, many of which stand in several conditions
        return {
            str(direction): [
                _explain(condition, self._interpreter, index, values) for condition in side.conditions
            ]
            for direction, side in self.sides.items()
        }

    def values(self, index: int = -1) -> dict[str, float | None]:
        """Every indicator that a condition uses, by its text, at one bar; undefined is None."""
        index = self._offset + range(len(self.bars))[index]
        return {name: _value(self._interpreter, node, index) for name, node in self._indicators.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledStrategy:
    """A strategy whose conditions are checked trees.

    Attributes:
        strategy: The strategy.
        conditions: Per direction, in the order of the file.
        requirements: Bars of each timeframe with which the newest bar can be decided, in a market that
            trades five full days a week.
        plain: The same of the expressions that read longer timeframes at the newest bar only: exact in
            every market.
        straddling: The other expressions; what they need depends on which bars there are.
        history: Bars of each timeframe after which the values no longer depend on where history
            begins (to 1e-9): give at least these where there are as many.
        target: The target's price expression, if any.
        atr: The strategy's ATR.
        indicators: Every indicator that a condition uses, by its text.
    """

    strategy: Strategy
    conditions: Mapping[Direction, tuple[Condition, ...]]
    requirements: Mapping[Timeframe, int]
    plain: Mapping[Timeframe, int]
    straddling: tuple[Node, ...]
    history: Mapping[Timeframe, int]
    target: Expression | None
    atr: Node
    indicators: Mapping[str, Node]

    @property
    def higher(self) -> tuple[Timeframe, ...]:
        """Timeframes besides the strategy's own whose bars are needed."""
        return tuple(t for t in self.requirements if t is not self.strategy.timeframe)

    def evaluate(
        self,
        bars: Bars,
        higher: Mapping[Timeframe, Bars] = NO_HIGHER,
        *,
        sessions: tuple[str, ...] | None = None,
        atr: Callable[[], Floats] | None = None,
    ) -> ConditionArrays:
        """All conditions over all bars; a value at a bar comes from bars closed at its close only.

        Args:
            bars: Closed bars of the strategy's timeframe.
            higher: Closed bars of `self.higher`; bars closing later than the newest of `bars` are not seen.
            sessions: Sessions that gate entries; the strategy's own if None.
            atr: Gives the strategy's ATR on these bars where somebody computes it already.

        Raises:
            Invalid: ``wrong_timeframe`` for bars of another timeframe, ``too_few_bars`` where the
                newest bar cannot be decided, naming timeframe, needed and available.
        """
        if bars.timeframe is not self.strategy.timeframe:
            raise Invalid(
                "wrong_timeframe",
                f"{self.strategy.id} is a strategy of {self.strategy.timeframe}; these are {bars.timeframe}",
            )
        interpreter = Interpreter(bars, higher)
        self._require(interpreter)
        sides = {d: _side(d, conditions, interpreter) for d, conditions in self.conditions.items()}
        signals = [side.signal for side in sides.values()]
        return ConditionArrays(
            bars=bars,
            sides=MappingProxyType(sides),
            conflict=signals[0] & signals[1] if len(signals) > 1 else np.zeros(len(bars), dtype=np.bool_),
            atr=interpreter.number(self.atr) if atr is None else atr(),
            target=None if self.target is None else interpreter.number(self.target.tree),
            _indicators=self.indicators,
            _interpreter=interpreter,
            _sessions=self.strategy.sessions if sessions is None else sessions,
        )

    def _require(self, interpreter: Interpreter) -> None:
        for timeframe, needed in self.plain.items():
            seen = interpreter.seen(timeframe)
            if seen < needed:
                raise self._too_few(interpreter, Shortage(timeframe, needed, seen))
        for tree in self.straddling:
            short = shortage(tree, interpreter)
            if short is not None:
                raise self._too_few(interpreter, short)

    def _too_few(self, interpreter: Interpreter, short: Shortage) -> Invalid:
        symbol = interpreter.base.bars.symbol
        return Invalid(
            "too_few_bars",
            f"{self.strategy.id} needs {short.needed} closed bars of {short.timeframe} of {symbol}, "
            f"and there are {short.available}",
            strategy=self.strategy.id,
            symbol=symbol,
            timeframe=str(short.timeframe),
            needed=short.needed,
            available=short.available,
        )


@lru_cache(maxsize=1024)
def compile_strategy(strategy: Strategy) -> CompiledStrategy:
    """The strategy's conditions as checked trees, with the bars that they need.

    Raises:
        Invalid: Code ``bad_condition`` for a condition that is no fact and no expression.
    """
    known: dict[Node, Node] = {}
    conditions = {d: _compile(strategy, d, known) for d in strategy.directions}
    target = strategy.target_expression()
    atr = shared(Call(function="atr", params=(strategy.indicators.atr.period,)), known)
    plain, history = measure(atr, strategy.timeframe)
    requirements = dict(plain)
    straddling: list[Node] = []
    expressions = [c.expression for side in conditions.values() for c in side]
    for expression in [*expressions, *([target] if target else [])]:
        merge(requirements, dict(expression.needs))
        merge(history, dict(expression.settled))
        if straddles(expression.tree, strategy.timeframe):
            straddling.append(expression.tree)
        else:
            merge(plain, dict(expression.needs))
    indicators: dict[str, Node] = {}
    for condition in (condition for side in conditions.values() for condition in side):
        for node in _indicators(condition.tree):
            indicators.setdefault(describe(node), node)
    return CompiledStrategy(
        strategy=strategy,
        conditions=MappingProxyType(conditions),
        requirements=MappingProxyType(requirements),
        plain=MappingProxyType(plain),
        straddling=tuple(straddling),
        history=MappingProxyType(history),
        target=target,
        atr=atr,
        indicators=MappingProxyType(indicators),
    )


def _compile(strategy: Strategy, direction: Direction, known: dict[Node, Node]) -> tuple[Condition, ...]:
    lists = strategy.lists(direction)
    listed = (
        (Role.ENTRY, lists.entry),
        (Role.EXIT, lists.exit),
        (Role.STRONG, lists.strong),
        (Role.WEAK, lists.weak),
        (Role.INVALIDATION, lists.invalidations),
    )
    compiled = []
    for role, texts in listed:
        for text in texts:
            expression = strategy.expression(text)
            word = fact_name(text)
            meaning = FACTS[word].meaning if word is not None else text.strip()
            compiled.append(
                Condition(
                    role=role,
                    text=text.strip(),
                    meaning=meaning,
                    expression=expression,
                    tree=shared(expression.tree, known),
                    shown=tuple(
                        (expression.source(node) or describe(node), shared(node, known))
                        for node in _shown(expression.tree)
                    ),
                )
            )
    return tuple(compiled)


def _side(direction: Direction, conditions: tuple[Condition, ...], interpreter: Interpreter) -> SideArrays:
    size = interpreter.base.size
    truths = tuple(interpreter.truth(condition.tree) for condition in conditions)
    entry = _all(size, [truth.true for truth in _of_role(conditions, truths, Role.ENTRY)])
    leaving = _of_role(conditions, truths, Role.EXIT)
    spoiling = _of_role(conditions, truths, Role.INVALIDATION)
    leave = _any(size, [truth.true for truth in leaving])
    invalid = _any(size, [truth.true for truth in spoiling])
    against = leave if not spoiling else leave | invalid
    # an entry that holds is defined; what speaks against it must be known not to
    signal = entry & ~against
    for truth in [*leaving, *spoiling]:
        signal = signal & truth.defined
    return SideArrays(
        direction=direction,
        conditions=conditions,
        truths=truths,
        entry=entry,
        exit=leave,
        invalidation=invalid,
        signal=signal,
    )


def _of_role(conditions: tuple[Condition, ...], truths: tuple[Truth, ...], role: Role) -> list[Truth]:
    return [truth for condition, truth in zip(conditions, truths, strict=True) if condition.role is role]


def _all(size: int, given: list[Bools]) -> Bools:
    """Where all hold; everywhere if none are given."""
    if not given:
        return np.ones(size, dtype=np.bool_)
    result = given[0]
    for each in given[1:]:
        result = result & each
    return result


def _any(size: int, given: list[Bools]) -> Bools:
    """Where any holds; nowhere if none are given."""
    if not given:
        return np.zeros(size, dtype=np.bool_)
    result = given[0]
    for each in given[1:]:
        result = result | each
    return result


def describe(node: Node) -> str:
    """A short name for a value: the function, its constants and timeframe, such as ``ema(200, tf=H4)``."""
    if isinstance(node, Series):
        return node.name
    if isinstance(node, Number):
        return f"{node.value:g}"
    if isinstance(node, Call):
        # the close is what a single series stands for where none is written
        parts = [describe(part) for part in node.series if part != Series(name="close")]
        parts += [f"{p:g}" if not isinstance(p, str) else p for p in node.params]
        if node.timeframe is not None:
            parts.append(f"tf={node.timeframe}")
        return f"{node.function}({', '.join(parts)})"
    operands = ", ".join(describe(part) for part in node.parts)
    bars = getattr(node, "bars", None)
    return f"{operands}[{bars}]" if bars is not None else f"({operands})"


def _indicators(node: Node) -> Iterator[Node]:
    """Every indicator on the base bars; one with ``tf=`` stands for all that is inside it."""
    if isinstance(node, Call) and node.gives is Kind.NUMBER:
        yield node
    if home(node) is None:
        for part in node.parts:
            yield from _indicators(part)
    elif isinstance(node, Ago):
        yield from _indicators(node.operand)


def _explain(
    condition: Condition, interpreter: Interpreter, index: int, values: dict[int, float | None]
) -> dict[str, Any]:
    truth = interpreter.truth(condition.tree)
    operands = {}
    for text, node in condition.shown:
        if id(node) not in values:
            values[id(node)] = _value(interpreter, node, index)
        operands[text] = values[id(node)]
    holds = truth.true.item(index)  # what is true is defined
    return {
        "role": str(condition.role),
        "condition": condition.text,
        "meaning": condition.meaning,
        "formula": condition.expression.text,
        "holds": holds if holds or truth.defined.item(index) else None,
        "operands": operands,
    }


def _shown(node: Node) -> list[Node]:
    """The outermost numbers of a condition: what its comparisons compare."""
    if node.gives is Kind.NUMBER:
        return [] if isinstance(node, Number) else [node]
    if isinstance(node, Call) and home(node) is not None:
        return []  # its operands live on another timeframe's bars
    if isinstance(node, Call) and not node.series:
        return (
            [Series(name=name) for name in ("open", "high", "low", "close")]
            if node.function != "session"
            else []
        )
    return [shown for part in node.parts for shown in _shown(part)]


def _value(interpreter: Interpreter, node: Node, index: int) -> float | None:
    value: float = interpreter.number(node).item(index)
    return value if math.isfinite(value) else None
