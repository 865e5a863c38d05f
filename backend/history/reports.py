"""A quality report as text, for people."""

from collections.abc import Iterator
from typing import Any, Final

WORDS: Final = {
    "unsorted": "rows were out of order: sorted",
    "doubled": "rows stood twice with the same values: taken once",
    "float_noise": "rows had float noise: rounded",
    "negative_spread": "rows had an ask below the bid or a negative spread: the spread is unknown there",
    "weekend_flats": "bars of the weekend at one price without volume: left out",
    "still_forming": "bars had not closed yet: left out",
    "left_out": "rows cannot be: left out, as asked",
}
_LISTED: Final = 10


def as_text(page: dict[str, Any]) -> str:
    """The report of an import as lines of text."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: dict[str, Any]) -> Iterator[str]:
    quality = page["quality"]
    yield f"{page['symbol']} {page['timeframe']}: {quality['verdict']}"
    yield f"made {page['made_at']}"
    yield ""
    for one in page["files"][:_LISTED]:
        stated = "as the file states" if one["states_clock"] else "as was said"
        yield f"{one['file']}: {one['format']}, {one['rows']:,} rows, clock {one['clock']} ({stated})"
    if page["file_count"] > _LISTED:
        yield f"and {page['file_count'] - _LISTED:,} more files"
    yield ""
    for side in ("bid", "ask"):
        if side in page:
            one = page[side]
            yield (
                f"{side}: {one['bars']:,} bars, {one['first']} to {one['last']}; {one['added']:,} new, "
                f"{one['already_there']:,} were there, {one['replaced']:,} replaced, "
                f"{one['kept_though_other']:,} stand otherwise in the store and were kept"
            )
    for name, count in page["mended"].items():
        yield f"{count:,} {WORDS[name]}"
    yield from page["notes"]
    yield ""
    yield from quality_lines(quality)


def quality_lines(quality: dict[str, Any]) -> Iterator[str]:
    """What a series is worth, as lines of text."""
    yield "What a backtest may trust:"
    for line in quality["trust"]:
        yield f"- {line}"
    for title, key in (("Longest gaps", "longest_gaps"), ("Largest outliers", "largest_outliers")):
        if quality[key]:
            yield f"{title}:"
            for one in quality[key][:_LISTED]:
                yield "- " + ", ".join(f"{name} {value}" for name, value in one.items())
