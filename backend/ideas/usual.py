"""Profile statistics of the broker's day, computed once a day and process."""

import logging
from collections import OrderedDict

from backend.core.bars import Bars
from backend.core.errors import DeskError
from backend.core.timeframes import DAY_SECONDS, Timeframe
from backend.evaluation.statistics import (
    ATR_DAYS,
    SPREAD_DAYS,
    ProfileStatistics,
    broker_midnight,
    profile_statistics,
    spread_timeframe,
)
from backend.market.service import MarketService
from backend.mt5.server_time import ServerClock

log = logging.getLogger(__name__)

_KEPT = 4096
_WARM_UP_DAYS = 10  # before the year, so that its first ATR is settled


class UsualFigures:
    """Gives the statistics that hold for a bar.

    Args:
        market: Stored bars, topped up.
        server_clock: Rule of the broker's clock.
    """

    def __init__(self, market: MarketService, server_clock: ServerClock) -> None:
        self._market = market
        self._clock = server_clock
        self._kept: OrderedDict[tuple[str, Timeframe, int, int], ProfileStatistics] = OrderedDict()

    def of(self, symbol: str, timeframe: Timeframe, atr_period: int, server_open: int) -> ProfileStatistics:
        """The statistics fixed at the midnight before a bar's open.

        Args:
            symbol: Canonical symbol.
            timeframe: Of the strategy.
            atr_period: Of the strategy.
            server_open: Server epoch of the bar's open.

        Raises:
            Unavailable: The terminal failed and had to be asked.
        """
        midnight = broker_midnight(server_open)
        key = (symbol, timeframe, atr_period, midnight)
        found = self._kept.get(key)
        if found is None:
            year = self._bars(symbol, timeframe, midnight, ATR_DAYS + _WARM_UP_DAYS)
            fine = spread_timeframe(timeframe)
            spreads = None if fine is timeframe else self._spreads(symbol, fine, midnight)
            found = profile_statistics(year, atr_period, midnight, spreads)
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def _spreads(self, symbol: str, timeframe: Timeframe, midnight: int) -> Bars | None:
        try:
            return self._bars(symbol, timeframe, midnight, SPREAD_DAYS)
        except DeskError as error:
            log.warning("%s %s: no bars for the usual spread: %s", symbol, timeframe, error.message)
            return None

    def _bars(self, symbol: str, timeframe: Timeframe, midnight: int, days: int) -> Bars:
        since = self._clock.utc_datetime(midnight - days * DAY_SECONDS)
        return self._market.top_up(symbol, timeframe, since=since)
