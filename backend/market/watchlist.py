"""Quotes of the watchlist, a file a symbol and day: bounded JSON, and every tick seen in .jsonl beside it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backend.core.clock import age_seconds, day, iso, parse_iso
from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.core.quotes import Quote
from backend.storage.files import FileStorage

FOLDER = "cache/market_data"
MAX_ROWS = 2000
CLOSED_AFTER_SECONDS = 900.0
"""Without a tick for so long, the market counts as closed."""


def seen_ticks(
    storage: FileStorage,
    symbol: str,
    *,
    count: int,
    until: datetime | None = None,
    since: datetime | None = None,
) -> tuple[list[dict[str, Any]], bool]:
    """The newest ticks that were recorded, ascending, and whether there are older ones.

    Lines that cannot be read are left out.

    Args:
        storage: Files below the data folder.
        symbol: Canonical symbol.
        count: So many at most, and those besides that were seen of the oldest one's very tick: pages are cut
            between ticks.
        until: Before that moment.
        since: Then or later.
    """
    names = storage.names(f"{FOLDER}/{FileStorage.safe_name(symbol)}_????????.jsonl")
    found: list[dict[str, Any]] = []
    for name in reversed(names):
        rows = [row for row in storage.read_jsonl(name, problems=[]) if _within(row, since, until)]
        found = rows + found
        if (begin := _page_begin(found, count)) > 0:
            return found[begin:], True
    return found, False


def _page_begin(found: Sequence[Mapping[str, Any]], count: int) -> int:
    """Where the last `count` rows begin, or earlier so that no tick stands on two pages; 0 for all."""
    begin = max(len(found) - count, 0)
    while begin and found[begin - 1]["tick_time"] == found[begin]["tick_time"]:
        begin -= 1
    return begin


def _within(row: Mapping[str, Any], since: datetime | None, until: datetime | None) -> bool:
    try:
        at = parse_iso(row["tick_time"])
    except (KeyError, TypeError, Invalid):
        return False
    return (since is None or at >= since) and (until is None or at < until)


def row_of(quote: Quote, instrument: Instrument, now: datetime) -> dict[str, Any]:
    """One row: prices as the broker's digits, spread in points, times ISO-8601."""
    age = age_seconds(quote.time, now)
    return {
        "collected_at": iso(now),
        "tick_time": iso(quote.time),
        "bid": float(quote.bid),
        "ask": float(quote.ask),
        "spread": int((quote.spread / instrument.point).to_integral_value()),
        "volume": quote.volume,
        "tick_age_seconds": round(age, 3),
        "market": "open" if age <= CLOSED_AFTER_SECONDS else "closed",
    }


def keep_row(storage: FileStorage, symbol: str, row: dict[str, Any], now: datetime) -> bool:
    """Add the row to the day's files; says whether it is a new tick.

    A tick that is already the last one is not repeated: only the head of the day's file then tells
    how old it has become.
    """
    stem = f"{FOLDER}/{FileStorage.safe_name(symbol)}_{day(now)}"
    added = False

    def change(present: Any) -> Any:
        nonlocal added
        rows = list(present.get("rows", ()))
        added = not rows or any(rows[-1].get(key) != row[key] for key in ("tick_time", "bid", "ask"))
        if added:
            rows.append(row)
        return {
            "symbol": symbol,
            "day": day(now),
            "updated_at": row["collected_at"],
            "market": row["market"],
            "tick_time": row["tick_time"],
            "tick_age_seconds": row["tick_age_seconds"],
            "rows": rows[-MAX_ROWS:],
        }

    storage.update_json(f"{stem}.json", change, {})
    if added:
        storage.append_jsonl(f"{stem}.jsonl", [{"symbol": symbol} | row])
    return added
