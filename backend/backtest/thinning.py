"""A long curve as few points that still show how far it went."""

import numpy as np
import numpy.typing as npt

from backend.core.bars import Floats

_EACH = 3


def thinned(high: Floats, low: Floats, *, most: int) -> npt.NDArray[np.int64]:
    """Ascending places to keep: first, last, and of each equal part the highest, lowest and lowest `low`.

    Args:
        high: The curve, shape (n,).
        low: What lay below it, shape (n,).
        most: At most so many, 5 or more.
    """
    count = len(high)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, (most - 2) // _EACH + 1).astype(np.int64)
    kept = {0, count - 1}
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = high[begin:end]
        kept |= {begin + int(part.argmax()), begin + int(part.argmin()), begin + int(low[begin:end].argmin())}
    return np.array(sorted(kept), dtype=np.int64)
