"""The shapes in which calendars come, each with its zone, impact scale and currencies. Pure.

A row is a mapping from column names, in small letters without blanks and underscores, to cells; JSON objects
and CSV rows alike.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from backend.core.errors import Invalid
from backend.economic_calendar import rows as cells
from backend.economic_calendar.countries import currency_of
from backend.economic_calendar.marks import Mark, read_row
from backend.economic_calendar.model import Event, Impact

Row = Mapping[str, Any]

FOREXFACTORY: Final = "forexfactory"
FINNHUB: Final = "finnhub"
FMP: Final = "fmp"
TRADINGECONOMICS: Final = "tradingeconomics"
MQL5: Final = "mql5"
CSV: Final = "csv"

_NOT_SET = -(2**63)  # MetaTrader's LONG_MIN
_MILLION = Decimal(10**6)
_TIME_MODES = {
    "0": Mark.TIMED,
    "datetime": Mark.TIMED,
    "1": Mark.ALL_DAY,
    "date": Mark.ALL_DAY,
    "2": Mark.ALL_DAY,  # a day without any time
    "notime": Mark.ALL_DAY,
    "3": Mark.TENTATIVE,
    "tentative": Mark.TENTATIVE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """What a file cannot say of its times.

    Attributes:
        zone: Of a person's own CSV where a time has no offset.
        server_offset: Server time minus UTC of an MQL5 file that does not state it; None if unknown.
    """

    zone: tzinfo = UTC
    server_offset: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One way to write a calendar.

    Attributes:
        name: Of the provider.
        needs: Columns that tell the shape.
        read: Makes the event of a row.
    """

    name: str
    needs: Collection[str]
    read: Callable[[Row, Clocks], Event]


def column(name: str) -> str:
    """A column's name as rows have it."""
    return "".join(each for each in name.strip().lower() if each not in " _-")


def shape_of(columns: Collection[str]) -> Shape:
    """The shape that has these columns.

    Raises:
        Invalid: ``unknown_calendar_shape``, naming what is known.
    """
    for shape in SHAPES:
        if set(shape.needs) <= set(columns):
            return shape
    known = "; ".join(f"{shape.name}: {', '.join(shape.needs)}" for shape in SHAPES)
    raise Invalid("unknown_calendar_shape", f"its columns are those of no known calendar ({known})")


def finnhub(row: Row) -> Event:
    """A row of Finnhub: UTC, ISO country, ``low``, ``medium``, ``high``, numbers."""
    unit = row.get("unit")
    return cells.event(
        row.get("event"),
        _of_country(row),
        cells.moment(row.get("time"), UTC),
        title_column="event",
        impact=_impact(row, "impact"),
        forecast=cells.value(row.get("estimate"), unit),
        previous=cells.value(row.get("prev"), unit),
        actual=cells.value(row.get("actual"), unit),
        source=FINNHUB,
    )


def fmp(row: Row) -> Event:
    """A row of FMP: UTC, a currency or else an ISO country, ``Low`` to ``High`` and ``None``, numbers."""
    unit, named = row.get("unit"), cells.text(row.get("currency"))
    return cells.event(
        row.get("event"),
        cells.currency(named) if named else _of_country(row),
        cells.moment(row.get("date"), UTC, "date"),
        title_column="event",
        impact=_impact(row, "impact"),
        forecast=cells.value(row.get("estimate"), unit),
        previous=cells.value(row.get("previous"), unit),
        actual=cells.value(row.get("actual"), unit),
        source=FMP,
    )


def tradingeconomics(row: Row) -> Event:
    """A row of TradingEconomics: UTC, English country, importance 1 to 3, ``DateSpan`` 1 is all day."""
    return cells.event(
        row.get("event"),
        _of_country(row),
        cells.moment(row.get("date"), UTC, "date"),
        title_column="event",
        all_day=cells.flag(row.get("datespan"), "datespan"),
        impact=_impact(row, "importance"),
        forecast=cells.value(row.get("forecast")),
        previous=cells.value(row.get("previous")),
        actual=cells.value(row.get("actual")),
        source=TRADINGECONOMICS,
    )


def forexfactory(row: Row) -> Event:
    """A row of ForexFactory's CSV: UTC without saying so, ``All Day``, ``Tentative`` or nothing as time."""
    impact = cells.impact(row.get("impact"))
    day, clock = cells.text(row.get("date")), cells.text(row.get("time"))
    told = read_row(cells.text(row.get("title")), cells.text(row.get("country")), day, clock)
    at = told.at
    if at is None:
        try:
            at = datetime.strptime(day, "%m-%d-%Y").replace(tzinfo=UTC)
        except ValueError:
            raise cells.BadCell("date", f"{day!r} is no date such as 01-09-2026") from None
    return cells.event(
        told.title,
        cells.currency(told.country, "country"),
        at,
        all_day=impact is Impact.HOLIDAY or told.mark in {Mark.ALL_DAY, Mark.UNKNOWN},
        tentative=impact is not Impact.HOLIDAY and told.mark is Mark.TENTATIVE,
        impact=impact,
        forecast=cells.value(row.get("forecast")),
        previous=cells.value(row.get("previous")),
        actual=cells.value(row.get("actual")),
        source=FOREXFACTORY,
    )


def mql5(row: Row, clocks: Clocks) -> Event:
    """A row that a program in MetaTrader wrote: server time of the moment of writing, importance 0 to 3.

    The terminal shifts all its times by the offset that its server has *now*, also those of the other half
    of the year; so one offset holds for the whole file.
    """
    offset = server_offset(row, clocks)
    importance = cells.text(row.get("importance")).lower().removeprefix("calendar_importance_")
    mode = cells.text(row.get("timemode")).lower().removeprefix("calendar_timemode_")
    if mode and mode not in _TIME_MODES:
        raise cells.BadCell("timemode", f"{row.get('timemode')!r} is no time mode from 0 to 3")
    mark = _TIME_MODES.get(mode, Mark.TIMED)
    return cells.event(
        row.get("event") or row.get("eventname") or row.get("name"),
        cells.currency(row.get("currency")),
        cells.moment(row.get("time"), UTC) - offset,
        title_column="event",
        all_day=mark is Mark.ALL_DAY,
        tentative=mark is Mark.TENTATIVE,
        impact=cells.impact(importance, "importance"),
        forecast=_figure(row, "forecast", "forecastvalue"),
        previous=_figure(row, "previous", "prevvalue"),
        actual=_figure(row, "actual", "actualvalue"),
        source=MQL5,
    )


def server_offset(row: Row, clocks: Clocks) -> timedelta:
    """Server time minus UTC of a row of `mql5`.

    Raises:
        BadCell: Nothing tells it.
    """
    stated = cells.text(row.get("offsetseconds"))
    if not stated:
        if clocks.server_offset is None:
            raise cells.BadCell(
                "time",
                "the file does not state the server's offset from UTC (a column OffsetSeconds); give it with "
                "--server-offset, such as 3 for UTC+3 at the moment when the file was written",
            )
        return clocks.server_offset
    try:
        seconds = int(stated)
    except ValueError:
        seconds = 10**6
    if abs(seconds) > 15 * 3600:
        raise cells.BadCell("offsetseconds", f"{stated!r} is no offset from UTC in seconds")
    return timedelta(seconds=seconds)


def own(row: Row, clocks: Clocks) -> Event:
    """A row of a person's CSV: ISO times, with an offset or in the zone that is configured."""
    if not cells.text(row.get("impact")):
        raise cells.BadCell("impact", "it has no impact; high, medium, low, holiday or none")
    impact = cells.impact(row.get("impact"))
    return cells.event(
        row.get("title") or row.get("event"),
        cells.currency(row.get("currency")),
        cells.moment(row.get("time"), clocks.zone),
        title_column="title" if "title" in row else "event",
        all_day=impact is Impact.HOLIDAY or cells.flag(row.get("allday"), "allday"),
        tentative=cells.flag(row.get("tentative"), "tentative"),
        impact=impact,
        forecast=cells.value(row.get("forecast")),
        previous=cells.value(row.get("previous")),
        actual=cells.value(row.get("actual")),
        source=CSV,
    )


def _utc(read: Callable[[Row], Event]) -> Callable[[Row, Clocks], Event]:
    """A reader of rows whose times need nothing to be known."""

    def reading(row: Row, _clocks: Clocks) -> Event:
        return read(row)

    return reading


SHAPES: Final = (
    Shape(name=FOREXFACTORY, needs=("title", "country", "date", "time", "impact"), read=_utc(forexfactory)),
    Shape(
        name=TRADINGECONOMICS, needs=("date", "country", "event", "importance"), read=_utc(tradingeconomics)
    ),
    Shape(name=FMP, needs=("date", "country", "event", "impact", "estimate"), read=_utc(fmp)),
    Shape(name=FINNHUB, needs=("time", "country", "event", "impact", "prev"), read=_utc(finnhub)),
    Shape(name=MQL5, needs=("time", "currency", "importance", "event"), read=mql5),
    Shape(name=MQL5, needs=("time", "currency", "importance", "eventname"), read=mql5),
    Shape(name=CSV, needs=("time", "currency", "impact", "title"), read=own),
    Shape(name=CSV, needs=("time", "currency", "impact", "event"), read=own),
)


def _of_country(row: Row) -> str:
    name = cells.text(row.get("country"))
    if not name:
        raise cells.BadCell("country", "it has no country")
    return currency_of(name)


def _impact(row: Row, name: str) -> Impact:
    if name not in row:  # a calendar whose events all lost their impact would never pause anything
        raise cells.BadCell(name, f"it has no {name}")
    return cells.impact(row[name], name)


def _figure(row: Row, plain: str, raw: str) -> str | None:
    """A value as text, or one of MetaTrader's whole numbers in millionths."""
    given = cells.text(row.get(raw))
    if not given:
        found = cells.value(row.get(plain))
        return None if found == str(_NOT_SET) else found
    try:
        millionths = int(given)
    except ValueError:
        raise cells.BadCell(raw, f"{given!r} is no whole number of millionths") from None
    return None if millionths == _NOT_SET else f"{(millionths / _MILLION).normalize():f}"
