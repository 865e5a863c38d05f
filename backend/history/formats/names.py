"""What a file's name says of its symbol, timeframe and side."""

import re
from dataclasses import dataclass
from typing import Final

from backend.core.timeframes import Timeframe
from backend.history.formats.model import Side

_SYMBOL = r"(?P<symbol>[A-Za-z0-9#.&]{3,}?)"
_FRAME = (
    r"(?P<frame>M1|M2|M3|M4|M5|M6|M10|M12|M15|M20|M30|H1|H2|H3|H4|H6|H8|H12|D1|W1|MN1|Daily|Weekly|Monthly)"
)
_SHAPES: Final = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        rf"DAT_[A-Z]+_{_SYMBOL}_(?P<frame>M1|T)_.*",  # HistData
        rf"{_SYMBOL}_(?:Candlestick|Ticks).*",  # Dukascopy's web page
        rf"{_SYMBOL}_(?:\d+ Mins?|Hourly|\d+ Hours?|Daily|Weekly|Monthly|Ticks?)_.*",  # JForex
        rf"{_SYMBOL}[_-]{_FRAME}(?:[_-].*)?",  # MetaTrader 5
        rf"(?:[A-Z]+_)?{_SYMBOL}, ?(?P<step>\d*[A-Z]?)(?:[_ ].*)?",  # TradingView
        rf"{_SYMBOL}{_FRAME}",
        r"(?P<symbol>[A-Za-z]{6}[A-Za-z.#]*?)(?P<minutes>1|5|15|30|60|240|1440|10080|43200)",  # MetaTrader 4
        rf"{_SYMBOL}_\d{{12}}_\d{{12}}",  # MetaTrader 5, ticks
        r"(?P<symbol>[A-Za-z]{6}[.#]?[A-Za-z]{0,4})",
    )
)
_SIDE: Final = re.compile(r"(?:^|[_ .-])(?P<side>bid|ask)(?:$|[_ .-])", re.IGNORECASE)
_WORDS: Final = {"DAILY": Timeframe.D1, "WEEKLY": Timeframe.W1, "MONTHLY": Timeframe.MN1}
_MT4: Final = {
    str(frame.seconds // 60): frame
    for frame in (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1, Timeframe.H4)
} | {"1440": Timeframe.D1, "10080": Timeframe.W1, "43200": Timeframe.MN1}


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says; "", None or `Side.BID` where it says nothing."""

    symbol: str = ""
    timeframe: Timeframe | None = None
    side: Side = Side.BID


def read_name(stem: str) -> Named:
    """What a file's name without its ending says."""
    side = _SIDE.search(stem)
    for shape in _SHAPES:
        match = shape.fullmatch(stem)
        if match:
            parts = match.groupdict()
            frame = _frame(parts.get("frame") or "") or _MT4.get(parts.get("minutes") or "")
            return Named(parts["symbol"].upper(), frame, Side(side["side"].lower()) if side else Side.BID)
    return Named(side=Side(side["side"].lower()) if side else Side.BID)


def _frame(text: str) -> Timeframe | None:
    upper = text.upper()
    if upper in _WORDS:
        return _WORDS[upper]
    return Timeframe(upper) if upper in {*Timeframe} else None
