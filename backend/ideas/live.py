"""Ideas judged with what is true now: quote, specification, account, calendar, limits, pace."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from backend.control.desk import Control
from backend.core.clock import Clock, iso
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe
from backend.economic_calendar.embargo import embargo
from backend.economic_calendar.model import CalendarView
from backend.evaluation.deciding import seconds_to_weekend
from backend.ideas.book import IdeaBook
from backend.ideas.judging import Judged, Prices, judged
from backend.ideas.lifecycle import Status
from backend.ideas.pace import Pace, pace
from backend.ideas.rows import MANUAL
from backend.ideas.wanted import wanted_of
from backend.journal.journal import Journal
from backend.market.service import MarketService
from backend.mt5.server_time import ServerClock
from backend.risk.rules import DeskRules
from backend.trading.account import AccountState, OpenTrade
from backend.trading.conversion import conversion
from backend.trading.desk import Circumstances, Purpose
from backend.trading.sides import Side
from backend.trading.terms import Terms
from backend.trading.verdict import Refusal

QUIET = timedelta(minutes=10)
"""A symbol without a tick for so long does not trade."""
PROMISED = frozenset({Status.APPROVED, Status.SENDING, Status.UNKNOWN})
"""Ideas that may become trades and that the account does not show yet."""
UNDER_WAY = frozenset({Status.SENDING, Status.UNKNOWN})
"""Those of them that went to the broker before one that is sent now."""


class Calendar(Protocol):
    """What judging needs of the economic calendar."""

    def as_of(self, now: datetime) -> CalendarView:
        """What was known at `now`; never raises for want of a calendar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """A symbol now.

    Attributes:
        instrument: Its specification.
        prices: Both sides.
        time: When the last tick came.
    """

    instrument: Instrument
    prices: Prices
    time: datetime


class LiveJudge:
    """Judges ideas at current prices.

    Args:
        book: Idea files.
        journal: The record of decisions and orders.
        market: Quotes, specifications, stored bars.
        server_clock: Rule of the broker's clock.
        clock: Desk time.
        calendar: The economic calendar.
        control: Limits, mode and halts.
        account: The account now; `Unavailable` while the terminal is down.
    """

    def __init__(
        self,
        *,
        book: IdeaBook,
        journal: Journal,
        market: MarketService,
        server_clock: ServerClock,
        clock: Clock,
        calendar: Calendar,
        control: Control,
        account: Callable[[], AccountState],
    ) -> None:
        self._book = book
        self._journal = journal
        self._market = market
        self._server_clock = server_clock
        self._clock = clock
        self._calendar = calendar
        self._control = control
        self._account = account

    def market(self, symbol: str) -> Market:
        """The symbol now; `Unavailable` while the terminal is down."""
        instrument, quote = self._market.instrument(symbol), self._market.quote(symbol)
        prices = Prices(bid=instrument.ticks(float(quote.bid)), ask=instrument.ticks(float(quote.ask)))
        return Market(instrument=instrument, prices=prices, time=quote.time)

    def rules(self) -> DeskRules:
        """The rules under the limits in force."""
        return DeskRules(self._control.limits())

    def pace(self) -> Pace:
        """What the desk has done lately."""
        return pace(self._book.lines(), self._journal, self._server_clock, self._clock.now())

    def judge(
        self,
        idea: Mapping[str, Any],
        *,
        purpose: Purpose,
        market: Market | None = None,
        ahead: frozenset[Status] = PROMISED,
    ) -> Judged:
        """The idea as it would be sent now, and whether it may be.

        Args:
            idea: From the book, or with changes that are not made yet.
            purpose: On whose behalf.
            market: The symbol, if it was looked at already.
            ahead: Other ideas of these statuses count as trades although the account does not show them.

        Raises:
            Unavailable: The terminal is down.
            Invalid: ``config/risk.json`` is wrong.
            Conflict: It cannot be judged any more; see `wanted_of`.
        """
        now, symbol = self._clock.now(), str(idea["symbol"])
        market = market or self.market(symbol)
        wanted = wanted_of(idea, market.instrument)
        wanted = replace(wanted, around=self._around(wanted.around, wanted.terms, market, now))
        account = self._account()
        lines, others = self._book.besides(str(idea["id"]), ahead)
        account = replace(account, trades=(*account.trades, *map(_promised, others)))
        lately = pace(lines, self._journal, self._server_clock, now, besides=str(idea["id"]))
        strategy = wanted.terms.strategy
        desk = lately.of(self._control.desk(), strategy, self._bars_since(lately, idea, wanted.terms))
        found = judged(
            wanted,
            market.prices,
            account=account,
            desk=desk,
            rules=self.rules(),
            conversion=conversion(market.instrument, account.currency),
            now=now,
            purpose=purpose,
        )
        lost = [other for other in others if other["symbol"] == symbol and other["status"] == Status.UNKNOWN]
        return found if not lost else replace(found, faults=(*found.faults, _blocked(symbol, lost[0])))

    def _around(self, decided: Circumstances, terms: Terms, market: Market, now: datetime) -> Circumstances:
        """The session stays that of the bar's close; market, news and weekend are those of now."""
        instrument, view = market.instrument, self._calendar.as_of(now)
        news = embargo(
            view,
            (instrument.currency_base, instrument.currency_profit),
            now,
            self.rules().embargo(terms.embargo),
        )
        is_open = now - market.time <= QUIET
        return replace(
            decided,
            market_open=is_open,
            closed_since="" if is_open else iso(market.time.replace(microsecond=0)),
            embargo=news.reason if news.blocked else "",
            calendar_known=news.known,
            calendar_reason="" if news.known else news.reason or view.reason,
            seconds_to_weekend=float(seconds_to_weekend(self._server_clock.server_epoch(now))),
        )

    def _bars_since(self, lately: Pace, idea: Mapping[str, Any], terms: Terms) -> int | None:
        """Bars since the strategy closed a trade of the symbol; the one that is forming counts."""
        symbol = str(idea["symbol"])
        if not terms.cooldown_bars or (terms.strategy, symbol) not in lately.closes:
            return None
        bars = self._market.bars(symbol, Timeframe(idea["timeframe"]), count=terms.cooldown_bars + 1)
        return lately.bars_since(terms.strategy, symbol, bars, len(bars))


def purpose_of(idea: Mapping[str, Any]) -> Purpose:
    """On whose behalf the gate judges an idea."""
    return Purpose.MANUAL if idea.get("origin") == MANUAL else Purpose.APPROVAL


def _promised(idea: Mapping[str, Any]) -> OpenTrade:
    wanted = Side(idea["side"])
    return OpenTrade(
        symbol=idea["symbol"],
        side=wanted,
        lots=_exact(idea["volume"]),
        price=_exact(idea["entry"]),
        stop=_exact(idea["stop"]),
        pending=True,
        strategy=idea.get("strategy_id"),
    )


def _blocked(symbol: str, lost: Mapping[str, Any]) -> Refusal:
    return Refusal(
        check="unknown_order",
        reason=f"what came of the order of idea {lost['id']} is not known, and {symbol} waits for that",
    )


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
