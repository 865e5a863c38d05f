"""What a file's name says of its symbol, timeframe and side."""

import re
from dataclasses import dataclass
from typing import Final

from backend.core.timeframes import Timeframe
from backend.history.formats.model import Side

_SYMBOL: Final = r"(?P<symbol>[A-Za-z0-9#.&]{3,}?)"
_FRAME: Final = "(?P<frame>" + "|".join(sorted(Timeframe, key=len, reverse=True)) + ")"
_WORD: Final = r"(?P<frame>Hourly|Daily|Weekly|Monthly)"
_SHAPES: Final = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        rf"DAT_[A-Z]+_{_SYMBOL}_(?P<frame>M1|T)_.*",  # HistData
        rf"{_SYMBOL}_(?:Candlestick_(?P<count>\d+)_(?P<unit>[A-Z]+)|Ticks)_.*",  # Dukascopy's web page
        rf"{_SYMBOL}_(?:(?P<count>\d+) (?P<unit>[A-Z]+)|{_WORD}|Ticks?)_.*",  # JForex
        rf"{_SYMBOL}[_-]{_FRAME}(?:[_-].*)?",  # MetaTrader 5
        rf"(?:[A-Z]+_)?{_SYMBOL}, ?(?P<count>\d*)(?P<unit>[A-Z]?)(?:[_ ].*)?",  # TradingView
        r"(?P<symbol>[A-Za-z]{6})(?P<minutes>1|5|15|30|60|240|1440|10080|43200)",  # MetaTrader 4
        rf"{_SYMBOL}{_FRAME}",  # glued, as others export
        r"(?P<symbol>[A-Za-z]{6}[A-Za-z.#]*?)(?P<minutes>1|5|15|30|60|240|1440|10080|43200)",  # MetaTrader 4
        rf"{_SYMBOL}_\d{{12}}_\d{{12}}",  # MetaTrader 5, ticks
        r"(?P<symbol>[A-Za-z]{6}[.#]?[A-Za-z]{0,4})",
    )
)
_SIDE: Final = re.compile(r"(?:^|[_ .-])(?P<side>bid|ask)(?:$|[_ .-])", re.IGNORECASE)
_WORDS: Final = {
    "HOURLY": Timeframe.H1,
    "DAILY": Timeframe.D1,
    "WEEKLY": Timeframe.W1,
    "MONTHLY": Timeframe.MN1,
}
_MT4: Final = {
    str(frame.seconds // 60): frame
    for frame in (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1, Timeframe.H4)
} | {"1440": Timeframe.D1, "10080": Timeframe.W1, "43200": Timeframe.MN1}

_MINUTES: Final = {
    frame.seconds // 60: frame for frame in Timeframe if frame.value[0] in "MH" and frame is not Timeframe.MN1
}


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
            frame = frame or _counted(parts.get("count") or "", parts.get("unit") or "")
            return Named(parts["symbol"].upper(), frame, Side(side["side"].lower()) if side else Side.BID)
    return Named(side=Side(side["side"].lower()) if side else Side.BID)


def _frame(text: str) -> Timeframe | None:
    upper = text.upper()
    if upper in _WORDS:
        return _WORDS[upper]
    return Timeframe(upper) if upper in {*Timeframe} else None


def _counted(count: str, unit: str) -> Timeframe | None:
    """``1_M``, ``4 Hours``, ``60``, ``1D``; a number alone is minutes."""
    letter = unit[:1].upper()
    if letter in {"", "M", "H"}:
        minutes = int(count or 0) * (60 if letter == "H" else 1)
        return _MINUTES.get(minutes)
    return _frame(f"{letter}{count or 1}")
