"""The simulated market for many desks of one process, which all ask for the same past."""

from functools import cache, lru_cache
from typing import Any

from backend.simulator.columns import Columns
from backend.simulator.market import SyntheticMarket


class RememberedMarket(SyntheticMarket):
    """Makes a stretch of whole minutes once: it depends on seed, symbol and time alone."""

    def _minutes(self, maker: Any, start: int, end: int, at_ms: int) -> Columns:
        if end * 1000 > at_ms:
            return super()._minutes(maker, start, end, at_ms)
        made: Columns = self._past(maker.spec.name, start, end)
        return made

    @lru_cache(maxsize=128)  # noqa: B019 - a market lives as long as the process
    def _past(self, symbol: str, start: int, end: int) -> Columns:
        return super()._minutes(self._maker(symbol), start, end, end * 1000)


@cache
def remembered_market(seed: int) -> RememberedMarket:
    """The one of this process."""
    return RememberedMarket(seed)
