"""What each condition of a strategy says at one bar, and of what: for a person who asks why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import from_epoch, iso
from backend.core.timeframes import Timeframe
from backend.evaluation.arrays import Condition, ConditionArrays, Role, SideArrays
from backend.evaluation.conditions import NO_HIGHER, CompiledStrategy, describe
from backend.evaluation.interpreter import Frame, Interpreter
from backend.evaluation.patterns import Bools
from backend.strategies.functions import Kind
from backend.strategies.model import Direction, Strategy
from backend.strategies.tree import Ago, Call, Compare, Expression, Logic, Node, Number, Series, home

_MOST_STEPS = 5
_OHLC = tuple(Series(name=name) for name in ("open", "high", "low", "close"))


@dataclass(frozen=True, slots=True)
class _Place:
    """A bar of a frame; negative where there is none."""

    frame: Frame
    index: int

    def ago(self, bars: int) -> "_Place":
        return _Place(self.frame, self.index - bars)


def explain_bar(
    compiled: CompiledStrategy,
    bars: Bars,
    higher: Mapping[Timeframe, Bars] = NO_HIGHER,
    *,
    sessions: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """Everything that the conditions say at the newest bar, as JSON values; undefined is None.

    Per direction each condition with its truth, the bars that it needs, and its parts: their truth and
    the values that they compare, each with the timeframe and the open of the bar at which it was read.

    Args:
        compiled: The strategy.
        bars: Closed bars of its timeframe, the newest being the one to explain.
        higher: Closed bars of `compiled.higher`.
        sessions: Sessions that gate entries; the strategy's own if None.

    Raises:
        Invalid: As `CompiledStrategy.evaluate`.
    """
    arrays = compiled.evaluate(bars, higher, sessions=sessions).at(len(bars) - 1)
    interpreter = Interpreter(bars, higher)
    reading = _Reading(interpreter)
    strategy = compiled.strategy
    return {
        "strategy": strategy.id,
        "symbol": bars.symbol,
        "timeframe": str(bars.timeframe),
        "bar": _bar(interpreter.base, interpreter.base.size - 1),
        "needs": [
            {
                "timeframe": str(timeframe),
                "needed": needed,
                "available": interpreter.seen(timeframe),
                "settled": compiled.history[timeframe],
            }
            for timeframe, needed in compiled.requirements.items()
        ],
        "longer_bars": [
            _bar(interpreter.frame(timeframe), interpreter.seen(timeframe) - 1)
            for timeframe in compiled.higher
        ],
        "sessions": list(strategy.sessions if sessions is None else sessions),
        "in_session": bool(arrays.in_session[0]),
        "conflict": bool(arrays.conflict[0]),
        "atr": _json(arrays.atr[0]),
        "target": None if arrays.target is None else _json(arrays.target[0]),
        "sides": [_side(strategy, arrays, side, reading) for side in arrays.sides.values()],
    }


def series_of(
    compiled: CompiledStrategy,
    bars: Bars,
    higher: Mapping[Timeframe, Bars] = NO_HIGHER,
    *,
    sessions: tuple[str, ...] | None = None,
    count: int,
) -> dict[str, Any]:
    """Indicators and the truth of every condition at the newest bars, as JSON values; undefined is None.

    What stands at a bar is what `explain_bar` says of it. Every list has one entry a bar, the oldest first.

    Args:
        compiled: The strategy.
        bars: Closed bars of its timeframe.
        higher: Closed bars of `compiled.higher`.
        sessions: Sessions that gate entries; the strategy's own if None.
        count: How many of the newest bars are told; where there are fewer, all.

    Raises:
        Invalid: As `CompiledStrategy.evaluate`.
    """
    arrays = compiled.evaluate(bars, higher, sessions=sessions)
    told = slice(max(len(bars) - count, 0), len(bars))
    quiet = ~arrays.conflict[told]
    return {
        "strategy": compiled.strategy.id,
        "symbol": bars.symbol,
        "timeframe": str(bars.timeframe),
        "times": bars.time[told].tolist(),
        "indicators": [
            {"text": name, "values": [_json(value) for value in values[told]]}
            for name, values in arrays.indicators().items()
        ],
        "in_session": arrays.in_session[told].tolist(),
        "sides": [
            {
                "direction": str(side.direction),
                "signal": (side.signal[told] & quiet).tolist(),
                "conditions": [
                    {
                        "role": str(condition.role),
                        "pointer": pointer,
                        "condition": condition.text,
                        "meaning": condition.meaning,
                        "holds": _truths(truth.true[told], truth.defined[told]),
                    }
                    for condition, truth, pointer in zip(
                        side.conditions, side.truths, _pointers(compiled.strategy, side), strict=True
                    )
                ],
            }
            for side in arrays.sides.values()
        ],
    }


def _truths(true: Bools, defined: Bools) -> list[bool | None]:
    both = zip(true.tolist(), defined.tolist(), strict=True)
    return [holds if known else None for holds, known in both]


def _side(
    strategy: Strategy, arrays: ConditionArrays, side: SideArrays, reading: "_Reading"
) -> dict[str, Any]:
    pointers = _pointers(strategy, side)
    conditions = [
        reading.condition(condition, pointer)
        for condition, pointer in zip(side.conditions, pointers, strict=True)
    ]
    return {
        "direction": str(side.direction),
        "signal": bool(side.signal[0]) and not bool(arrays.conflict[0]),
        "entry": bool(side.entry[0]),
        "exit": bool(side.exit[0]),
        "invalidation": bool(side.invalidation[0]),
        "strong": float(side.strong[0]),
        "weak": float(side.weak[0]),
        "conditions": conditions,
    }


def _pointers(strategy: Strategy, side: SideArrays) -> Iterator[str]:
    places = dict.fromkeys(Role, 0)
    for condition in side.conditions:
        yield _pointer(strategy, side.direction, condition.role, places[condition.role])
        places[condition.role] += 1


def _pointer(strategy: Strategy, direction: Direction, role: Role, index: int) -> str:
    """JSON pointer of a condition in its file."""
    name = "invalidations" if role is Role.INVALIDATION else str(role)
    block = "conditions" if role is not Role.INVALIDATION else "strategy"
    if strategy.short is not None and direction is Direction.SHORT:
        block = "short"
    return f"/{block}/{name}/{index}"


class _Reading:
    """Reads values and truths at single bars."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    def condition(self, condition: Condition, pointer: str) -> dict[str, Any]:
        expression = condition.expression
        base = self._interpreter.base
        told = self._part(expression, expression.tree, _Place(base, base.size - 1))
        return {
            "role": str(condition.role),
            "pointer": pointer,
            "condition": condition.text,
            "meaning": condition.meaning,
            "needs": {str(timeframe): bars for timeframe, bars in expression.needs},
            "formula": expression.text,
            "holds": told["holds"],
            "operands": told["operands"],
            "parts": told["parts"],
        }

    def _part(self, expression: Expression, node: Node, at: _Place) -> dict[str, Any]:
        text, holds = expression.source(node) or describe(node), self._holds(node, at)
        at = self._within(node, at)
        while isinstance(node, Ago):
            at, node = at.ago(node.bars), node.operand
        parts = (
            [self._part(expression, part, at) for part in node.operands] if isinstance(node, Logic) else []
        )
        return {
            "text": text,
            "holds": holds,
            "operands": list(self._operands(expression, node, at)),
            "parts": parts,
        }

    def _operands(self, expression: Expression, node: Node, at: _Place) -> Iterator[dict[str, Any]]:
        """What a condition that is not made of others compares."""
        shown: list[tuple[Node, int]] = []
        if isinstance(node, Compare):
            shown = [(part, 0) for part in node.operands]
        elif isinstance(node, Call) and node.function.startswith("crosses_"):
            shown = [(part, ago) for part in node.series for ago in (1, 0)]
        elif isinstance(node, Call) and node.function in {"rising", "falling"}:
            steps = min(int(node.params[0]), _MOST_STEPS)
            shown = [(node.series[0], ago) for ago in range(steps, -1, -1)]
        elif isinstance(node, Call) and node.function != "session":
            shown = [(part, 0) for part in node.series or _OHLC]
        told: set[tuple[str, int]] = set()
        for part, ago in shown:
            for each in self._numbers(part):
                text = (expression.source(each) or describe(each)) + (f"[{ago}]" if ago else "")
                if (text, ago) not in told:
                    told.add((text, ago))
                    yield self._operand(text, each, at.ago(ago))

    def _numbers(self, node: Node) -> Iterator[Node]:
        """A number, and the numbers of the same bars that it is made of; constants explain themselves."""
        if isinstance(node, Number):
            return
        yield node
        if home(node) is None and not isinstance(node, Ago):
            plain = not isinstance(node, Call) or node.function in {"abs", "min", "max"}
            for part in node.parts if plain else ():
                yield from self._numbers(part)

    def _operand(self, text: str, node: Node, at: _Place) -> dict[str, Any]:
        value = None
        if at.index >= 0:
            value = _json(self._interpreter.number(node, at.frame)[at.index])
        at = self._within(node, at)
        while isinstance(node, Ago):
            at, node = at.ago(node.bars), node.operand
        opened = iso(at.frame.bars.opened(at.index)) if at.index >= 0 else None
        return {"text": text, "value": value, "timeframe": str(at.frame.bars.timeframe), "bar": opened}

    def _holds(self, node: Node, at: _Place) -> bool | None:
        if at.index < 0 or node.gives is not Kind.BOOLEAN:
            return None
        truth = self._interpreter.truth(node, at.frame)
        return bool(truth.true[at.index]) if truth.defined[at.index] else None

    def _within(self, node: Node, at: _Place) -> _Place:
        """The bar of the node's own timeframe that is seen from a bar."""
        timeframe = home(node)
        inner = at.frame if timeframe is None else self._interpreter.frame(timeframe)
        if inner is at.frame:
            return at
        if at.index < 0 or not inner.size:
            return _Place(inner, -1)
        return _Place(inner, int(self._interpreter.visible(at.frame, inner)[at.index]))


def _bar(frame: Frame, index: int) -> dict[str, Any]:
    bars = frame.bars
    return {
        "timeframe": str(bars.timeframe),
        "opened": iso(bars.opened(index)),
        "closed": iso(from_epoch(int(frame.close_utc[index]))),
        "open": float(bars.open[index]),
        "high": float(bars.high[index]),
        "low": float(bars.low[index]),
        "close": float(bars.close[index]),
        "volume": int(bars.volume[index]),
        "spread": int(bars.spread[index]) or None,
    }


def _json(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
