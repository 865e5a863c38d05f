"""Finds bars that cannot be."""

from typing import Any

from backend.core.bars import plausible


def all_plausible(opened: Any, high: Any, low: Any, close: Any, volume: Any, spread: Any) -> bool:
    """Whether every bar of these columns, each of shape (n,), can be."""
    for at in range(len(opened)):
        if not plausible(opened[at], high[at], low[at], close[at], volume[at], spread[at]):
            return False
    return True
