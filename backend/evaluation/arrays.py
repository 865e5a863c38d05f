"""What a strategy's conditions say over closed bars, as arrays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from backend.core.bars import Bars, Floats
from backend.evaluation.interpreter import Interpreter, Truth
from backend.evaluation.patterns import Bools
from backend.strategies.model import Direction
from backend.strategies.tree import Expression, Node


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
        return all_hold(len(self.entry), [truth.defined for truth in self.truths])

    def of_role(self, role: Role) -> list[Truth]:
        """The truths of the conditions of one role."""
        return of_role(self.conditions, self.truths, role)

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
        whole = any_holds(base.size, gates) if gates else np.ones(base.size, dtype=np.bool_)
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

    def indicators(self) -> dict[str, Floats]:
        """Every indicator that a condition uses, by its text, each of shape (n,); NaN where undefined."""
        part = slice(self._offset, self._offset + len(self.bars))
        return {name: self._interpreter.number(node)[part] for name, node in self._indicators.items()}

    def values(self, index: int = -1) -> dict[str, float | None]:
        """Every indicator that a condition uses, by its text, at one bar; undefined is None."""
        index = self._offset + range(len(self.bars))[index]
        return {name: _value(self._interpreter, node, index) for name, node in self._indicators.items()}


def of_role(conditions: tuple[Condition, ...], truths: tuple[Truth, ...], role: Role) -> list[Truth]:
    """The truths of the conditions of one role."""
    return [truth for condition, truth in zip(conditions, truths, strict=True) if condition.role is role]


def all_hold(size: int, given: list[Bools]) -> Bools:
    """Where all hold; everywhere if none are given."""
    if not given:
        return np.ones(size, dtype=np.bool_)
    result = given[0]
    for each in given[1:]:
        result = result & each
    return result


def any_holds(size: int, given: list[Bools]) -> Bools:
    """Where any holds; nowhere if none are given."""
    if not given:
        return np.zeros(size, dtype=np.bool_)
    result = given[0]
    for each in given[1:]:
        result = result | each
    return result


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


def _value(interpreter: Interpreter, node: Node, index: int) -> float | None:
    value: float = interpreter.number(node).item(index)
    return value if math.isfinite(value) else None
