"""Tables of what is usual for each stream at each broker's midnight, for the kernel."""

from typing import Any, NamedTuple

import numpy as np

from backend.backtest.compiling import compiled
from backend.backtest.kernel import usual as kernel
from backend.backtest.kernel.records import HOURS, Usual
from backend.backtest.model import Stream
from backend.core.bars import Floats
from backend.core.timeframes import DAY_SECONDS
from backend.evaluation.statistics import SPREAD_BINS


class StreamUsual(NamedTuple):
    """Of one stream, a row for each server day from its first bar's to its last's; see `Usual`."""

    first_day: int
    lowest: int
    medians: Any
    samples: Any
    below: Any


def usual_of(stream: Stream, ranges: Floats) -> StreamUsual:
    """What is usual for a stream; computed without the interpreter's lock.

    Args:
        stream: The stream.
        ranges: Its ATR, shape (n,) of its bars.
    """
    bars, fine = stream.bars, stream.spread_bars
    source = bars if fine is None or not len(fine) else fine
    first = int(bars.server_time[0]) // DAY_SECONDS
    days = int(bars.server_time[-1]) // DAY_SECONDS - first + 1
    medians, samples = np.empty((days, 24)), np.empty((days, 24), dtype=np.int64)
    compiled(kernel.fill_spreads)(
        read_only(source.server_time),
        read_only(source.spread),
        source.timeframe.seconds,
        first,
        np.zeros((HOURS, SPREAD_BINS + 1), dtype=np.int32),
        medians,
        samples,
    )
    bits = read_only(ranges).view(np.int64)
    lowest, highest = compiled(kernel.span_of_atr)(bits)
    bins = highest - lowest + 1
    counts, below = np.zeros((4, bins), dtype=np.int32), np.empty((days, bins + 1), dtype=np.int32)
    server = read_only(bars.server_time)
    compiled(kernel.fill_ranks)(server, bits, bars.timeframe.seconds, first, lowest, counts, below)
    return StreamUsual(first, lowest, medians, samples, below)


def joined_usual(parts: list[StreamUsual], lanes: Any) -> Usual:
    """The tables of all streams one after the other, and in each lane where its own begin."""
    begin, wide = 0, max(part.below.shape[1] for part in parts)
    for lane, part in zip(lanes, parts, strict=True):
        lane["usual_begin"], lane["first_day"], lane["atr_lowest"] = begin, part.first_day, part.lowest
        begin += len(part.medians)
    if len(parts) == 1:
        return Usual(parts[0].medians, parts[0].samples, parts[0].below)
    return Usual(
        np.concatenate([part.medians for part in parts]),
        np.concatenate([part.samples for part in parts]),
        # above the highest bin lie as many as in all
        np.concatenate(
            [np.pad(part.below, ((0, 0), (0, wide - part.below.shape[1])), mode="edge") for part in parts]
        ),
    )


def read_only(column: Any) -> Any:
    """A contiguous view that cannot be written, so that the kernel is compiled for one kind of array."""
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view
