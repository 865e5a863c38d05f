"""Which bars a value at the newest bar is made of, and whether they are there."""

from typing import NamedTuple

from backend.core.timeframes import Timeframe
from backend.evaluation.interpreter import Frame, Interpreter
from backend.strategies.tree import Node, home, lookback


class Shortage(NamedTuple):
    """Too few closed bars of a timeframe."""

    timeframe: Timeframe
    needed: int
    available: int


def shortage(tree: Node, interpreter: Interpreter) -> Shortage | None:
    """What is missing for a value at the newest bar, the shortest timeframe first; None if nothing is.

    Exact for the bars that there are: gaps in either timeframe count. Only where history of a shorter
    timeframe is itself missing is the need of a longer one an estimate.
    """
    oldest: dict[Timeframe, int] = {}
    _reach(tree, interpreter.base, interpreter.base.size - 1, interpreter, oldest)
    for timeframe, index in sorted(oldest.items(), key=lambda item: item[0].seconds):
        if index < 0:
            available = interpreter.seen(timeframe)
            return Shortage(timeframe, available - index, available)
    return None


def _reach(node: Node, frame: Frame, at: int, interpreter: Interpreter, oldest: dict[Timeframe, int]) -> None:
    """Note the oldest bar of each frame that the node reads for its value at bar `at`."""
    timeframe = home(node)
    inner = frame if timeframe is None else interpreter.frame(timeframe)
    if inner is not frame:
        at = _seen_from(frame, inner, at, interpreter)
        frame = inner
    at -= lookback(node)
    own = frame.bars.timeframe
    oldest[own] = min(at, oldest.get(own, at))
    for part in node.parts:
        _reach(part, frame, at, interpreter, oldest)


def _seen_from(outer: Frame, inner: Frame, at: int, interpreter: Interpreter) -> int:
    """The newest inner bar that had closed by outer bar `at`; for one before all, by the clock."""
    if not outer.size:
        return at
    visible = interpreter.visible(outer, inner)
    if at >= 0:
        return int(visible[at])
    return int(visible[0]) + at * outer.bars.timeframe.seconds // inner.bars.timeframe.seconds
