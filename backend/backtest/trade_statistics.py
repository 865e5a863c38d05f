"""The desk's own closed trades by group and by day, with the very functions of a backtest's report."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import numpy as np

from backend.backtest.measures import Measures
from backend.backtest.trade_metrics import put_held, put_money, put_r, put_runs
from backend.core.bars import Floats, Ints
from backend.core.clock import from_epoch, parse_iso
from backend.core.errors import Invalid
from backend.mt5.server_time import ServerClock

Row = Mapping[str, Any]

DIGITS: Final = 8
"""Money of files in whole units of 1e-8, which any currency's amounts are exact in."""
NONE: Final = ""
"""The group of trades without such a thing: of persons, without a tag, without a time."""
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR: Final = 3600
_NO_KNOWN: Final = "the result of no trade is known"


class By(StrEnum):
    """What trades are grouped by; weekday and hour are those of the entry in UTC, as in a report."""

    SYMBOL = "symbol"
    STRATEGY = "strategy"
    SIDE = "side"
    WEEKDAY = "weekday"
    HOUR = "hour"
    TAG = "tag"
    REASON = "reason"


def figures(rows: Sequence[Row]) -> Measures:
    """What trades of which the result is known earned; of those without it only how many there are.

    Args:
        rows: Rows of `backend.orders.trade_list`, in any order.
    """
    known = sorted((row for row in rows if row["net"] is not None), key=_place)
    measures = Measures()
    net = _units(known)
    measures.put("unknown", len(rows) - len(known))
    measures.put("net", int(net.sum()) / 10.0**DIGITS if len(net) else None, _NO_KNOWN)
    put_money(measures, net, DIGITS)
    put_r(measures, np.array([row["r"] for row in known if row["r"] is not None], dtype=np.float64))
    put_held(measures, _hours(known))
    put_runs(measures, net)
    fall = _deepest_fall(net) / 10.0**DIGITS
    measures.put("max_drawdown_of_closed", fall if len(net) else None, _NO_KNOWN)
    return measures


def grouped(rows: Sequence[Row], by: By, tags: Mapping[str, Sequence[str]]) -> list[tuple[str, Measures]]:
    """The figures of each group, by its name; a trade with several tags stands in the group of each.

    Args:
        rows: As in `figures`.
        by: What they are grouped by.
        tags: Of each trade's id, where it has some.
    """
    groups: dict[str, list[Row]] = defaultdict(list)
    of = _names(by, tags)
    for row in rows:
        for name in of(row):
            groups[name].append(row)
    order = _WEEKDAYS.index if by is By.WEEKDAY else lambda name: name
    names = sorted((name for name in groups if name != NONE), key=order)
    return [(name, figures(groups[name])) for name in [*names, *([NONE] if NONE in groups else [])]]


def by_day(rows: Sequence[Row], clock: ServerClock) -> list[dict[str, Any]]:
    """Of each of the broker's days on which trades were closed: how many, and what they earned."""
    days: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        days[_server(parse_iso(row["exit_time"]), clock).date().isoformat()].append(row)
    found = []
    for day in sorted(days):
        known = [row for row in days[day] if row["net"] is not None]
        net = int(_units(known).sum()) / 10**DIGITS if known else None
        found.append(
            {"day": day, "trades": len(days[day]), "unknown": len(days[day]) - len(known), "net": net}
        )
    return found


def _names(by: By, tags: Mapping[str, Sequence[str]]) -> Callable[[Row], Sequence[str]]:
    match by:
        case By.TAG:
            return lambda row: tags.get(row["id"]) or (NONE,)
        case By.WEEKDAY:
            return lambda row: (
                NONE if (at := _time(row["entry_time"])) is None else _WEEKDAYS[at.weekday()],
            )
        case By.HOUR:
            return lambda row: (_of_entry(row, "{:%H}".format),)
        case By.REASON:
            return lambda row: (row["exit_reason"] or NONE,)
        case _:
            return lambda row: (row[by.value] or NONE,)


def _of_entry(row: Row, name: Callable[[datetime], str]) -> str:
    at = _time(row["entry_time"])
    return NONE if at is None else name(at)


def _units(rows: Sequence[Row]) -> Ints:
    return np.array([round(row["net"] * 10**DIGITS) for row in rows], dtype=np.int64)


def _hours(rows: Sequence[Row]) -> Floats:
    spans = ((_time(row["entry_time"]), parse_iso(row["exit_time"])) for row in rows)
    hours = [(end - begin).total_seconds() / _HOUR for begin, end in spans if begin is not None]
    return np.array(hours, dtype=np.float64)


def _deepest_fall(net: Ints) -> int:
    """The deepest fall of the sum of results below its highest so far, the beginning included."""
    sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(net)))
    return int((np.maximum.accumulate(sums) - sums).max())


def _place(row: Row) -> tuple[datetime, str]:
    return parse_iso(row["exit_time"]), row["id"]


def _server(at: datetime, clock: ServerClock) -> datetime:
    epoch = int(at.timestamp())
    return from_epoch(epoch).astimezone(UTC) + timedelta(seconds=clock.to_server(epoch) - epoch)


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_iso(text)
    except Invalid:
        return None
