"""When news will pause entries: shown before it happens, by the rule that then refuses."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol

from backend.core.clock import iso, require_utc
from backend.core.errors import DeskError
from backend.core.instruments import Instrument
from backend.economic_calendar.embargo import EmbargoRule, EmbargoWindow, embargo, windows
from backend.economic_calendar.model import CalendarView
from backend.risk.limits import RiskLimits
from backend.strategies.files import LoadedStrategies, StrategyFiles

REACH = timedelta(days=7)
MANUAL = "manual tickets"


class Symbols(Protocol):
    """The symbol map."""

    def enabled(self) -> tuple[str, ...]:
        """Canonical symbols that the desk trades."""


class Calendar(Protocol):
    """The economic calendar."""

    def as_of(self, now: datetime) -> CalendarView:
        """What was known at `now`; never raises for want of a calendar."""


class Embargoes:
    """Tells the pauses ahead.

    Args:
        strategies: Strategy and profile files.
        symbols: The symbols there are.
        instrument: Gives a symbol's specification.
        limits: The desk's.
        calendar: The economic calendar.
    """

    def __init__(
        self,
        *,
        strategies: StrategyFiles,
        symbols: Symbols,
        instrument: Callable[[str], Instrument],
        limits: Callable[[], RiskLimits],
        calendar: Calendar,
    ) -> None:
        self._strategies = strategies
        self._symbols = symbols
        self._instrument = instrument
        self._limits = limits
        self._calendar = calendar

    def ahead(
        self, now: datetime, *, symbol: str | None = None, reach: timedelta = timedelta(days=2)
    ) -> dict[str, Any]:
        """Pauses that are on or begin within `reach`, at most `REACH`, by what is known at `now`.

        Args:
            now: Desk time.
            symbol: One symbol; every enabled one if not given.
            reach: How far to look.

        Returns:
            as_of, known and reason of the calendar, until, `windows` ascending by start (symbol, start, end,
            event, whom it pauses, a sentence), `shown` (events without a clock time, which pause nothing),
            `problems` (symbols without a specification).
        """
        now = require_utc(now)
        until = now + min(reach, REACH)
        view, loaded, desk = self._calendar.as_of(now), self._strategies.load(), self._limits()
        found: list[dict[str, Any]] = []
        shown: dict[str, dict[str, Any]] = {}
        problems: list[dict[str, str]] = []
        for name in self._symbols.enabled() if symbol is None else (symbol,):
            try:
                instrument = self._instrument(name)
            except DeskError as error:
                problems.append({"symbol": name, "reason": error.message})
                continue
            currencies = (instrument.currency_base, instrument.currency_profit)
            rules = _rules(name, loaded, desk.news_embargo.rule)
            found += _windows(name, view, currencies, rules, now, until)
            for _, rule in rules:
                shown |= {event.key: event.as_dict() for event in embargo(view, currencies, now, rule).shown}
        return {
            "as_of": iso(now),
            "until": iso(until),
            "known": view.known,
            "reason": view.reason or None,
            "windows": sorted(found, key=lambda each: (each["start"], each["symbol"])),
            "shown": sorted(shown.values(), key=lambda each: str(each["at"])),
            "problems": problems,
        }


def _rules(symbol: str, loaded: LoadedStrategies, desk: EmbargoRule) -> list[tuple[str, EmbargoRule]]:
    """Whom each rule pauses."""
    profile = loaded.profile(symbol)
    rules = [
        (strategy.id, desk | profile.embargo(strategy))
        for strategy in loaded.strategies
        if strategy.enabled and symbol in strategy.traded_symbols
    ]
    return [*rules, (MANUAL, desk | profile.own_embargo())]


def _windows(
    symbol: str,
    view: CalendarView,
    currencies: tuple[str, str],
    rules: Iterable[tuple[str, EmbargoRule]],
    now: datetime,
    until: datetime,
) -> list[dict[str, Any]]:
    paused: dict[tuple[datetime, datetime, str], tuple[EmbargoWindow, list[str]]] = {}
    for whom, rule in rules:
        for window in windows(view.events, currencies, rule):
            if now < window.end and window.start < until:
                key = (window.start, window.end, window.event.key)
                paused.setdefault(key, (window, []))[1].append(whom)
    return [
        {
            "symbol": symbol,
            "start": iso(window.start),
            "end": iso(window.end),
            "on": window.start <= now,
            "event": window.event.as_dict(),
            "pauses": names,
            "text": _sentence(symbol, window),
        }
        for window, names in paused.values()
    ]


def _sentence(symbol: str, window: EmbargoWindow) -> str:
    start, end, event = window.start, window.end, window.event
    last = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    title = event.title if event.title.startswith(event.currency) else f"{event.currency} {event.title}"
    guess = " (tentative time)" if event.tentative else ""
    return f"{symbol} blocked {start:%Y-%m-%d %H:%M}–{last} UTC for {title}{guess}"
