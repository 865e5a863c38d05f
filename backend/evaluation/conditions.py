"""A strategy's conditions, compiled once and evaluated over closed bars: the same live and in backtest."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from backend.core.bars import Bars, Floats
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.evaluation.arrays import (
    Condition,
    ConditionArrays,
    Role,
    SideArrays,
    all_hold,
    any_holds,
    of_role,
)
from backend.evaluation.interpreter import NOTHING_KNOWN, Interpreter
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
        known: Mapping[Node, Floats] = NOTHING_KNOWN,
    ) -> ConditionArrays:
        """All conditions over all bars; a value at a bar comes from bars closed at its close only.

        Args:
            bars: Closed bars of the strategy's timeframe.
            higher: Closed bars of `self.higher`; bars closing later than the newest of `bars` are not seen.
            sessions: Sessions that gate entries; the strategy's own if None.
            known: Numbers on these bars that were computed already, of `indicators` and `atr`.

        Raises:
            Invalid: ``wrong_timeframe`` for bars of another timeframe, ``too_few_bars`` where the
                newest bar cannot be decided, naming timeframe, needed and available.
        """
        if bars.timeframe is not self.strategy.timeframe:
            raise Invalid(
                "wrong_timeframe",
                f"{self.strategy.id} is a strategy of {self.strategy.timeframe}; these are {bars.timeframe}",
            )
        interpreter = Interpreter(bars, higher, known)
        self._require(interpreter)
        sides = {d: _side(d, conditions, interpreter) for d, conditions in self.conditions.items()}
        signals = [side.signal for side in sides.values()]
        return ConditionArrays(
            bars=bars,
            sides=MappingProxyType(sides),
            conflict=signals[0] & signals[1] if len(signals) > 1 else np.zeros(len(bars), dtype=np.bool_),
            atr=interpreter.number(self.atr),
            target=None if self.target is None else interpreter.number(self.target.tree),
            _indicators=self.indicators,
            _interpreter=interpreter,
            _sessions=self.strategy.sessions if sessions is None else sessions,
        )

    def plain_indicators(self, bars: Bars, beside: Executor) -> dict[Node, Floats]:
        """The indicators of the bars' own columns but `atr`; here and beside, who is free takes the next."""
        plain = [
            node
            for node in self.indicators.values()
            if node is not self.atr
            and home(node) is None
            and all(isinstance(part, Series) for part in node.parts)
        ]
        interpreter = Interpreter(bars, NO_HIGHER)
        waiting = [beside.submit(interpreter.number, node) for node in reversed(plain)]
        return {
            node: interpreter.number(node) if there.cancel() else there.result()
            for node, there in zip(plain, reversed(waiting), strict=True)
        }

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
    entry = all_hold(size, [truth.true for truth in of_role(conditions, truths, Role.ENTRY)])
    leaving = of_role(conditions, truths, Role.EXIT)
    spoiling = of_role(conditions, truths, Role.INVALIDATION)
    leave = any_holds(size, [truth.true for truth in leaving])
    invalid = any_holds(size, [truth.true for truth in spoiling])
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
