"""The bar at hand as each side sees it, mirrored for a short so that up is always towards the target."""

from typing import Any


def closing_side(lane: Any, side: int) -> tuple[int, int, int, int]:
    """Open, worst, best and close at which a position of this side could be closed."""
    if side > 0:
        return lane.bid_open, lane.bid_low, lane.bid_high, lane.bid_close
    return -lane.ask_open, -lane.ask_high, -lane.ask_low, -lane.ask_close


def entering_side(lane: Any, side: int) -> tuple[int, int, int, int]:
    """Open, lowest, highest and close at which a position of this side could be opened."""
    if side > 0:
        return lane.ask_open, lane.ask_low, lane.ask_high, lane.ask_close
    return -lane.bid_open, -lane.bid_high, -lane.bid_low, -lane.bid_close
