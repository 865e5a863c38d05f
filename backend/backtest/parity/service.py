"""The parity audit: a live day beside the same day as a backtest, in ``data/parity/{YYYY-MM-DD}.json``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

from backend.backtest.parity.kept import file_of
from backend.backtest.process import run_in_child
from backend.backtest.running import Progress
from backend.core.clock import Clock, FixedClock, iso, parse_iso
from backend.core.errors import Invalid
from backend.mt5.account import Account
from backend.mt5.orders import Deal
from backend.mt5.server_time import ServerClock
from backend.mt5.words import DealEntry, DealType
from backend.storage.files import FileStorage

DEADLINE_SECONDS: Final = 1800.0
_MOST_DECISIONS: Final = 200_000
_ZERO: Final = Decimal(0)


class Deals(Protocol):
    """What the broker dealt."""

    def deals(self, since: datetime, until: datetime | None = None) -> Sequence[Deal]:
        """Deals of a time."""

    def deals_of_position(self, position_id: int) -> Sequence[Deal]:
        """All deals of a position."""


class Terminal(Protocol):
    """The account."""

    def account(self) -> Account:
        """The account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayWork:
    """What the child is to do; see `ParityService.audit`.

    Attributes:
        root: The data folder.
        server_clock: Rule of the broker's clock.
        now: Desk time.
        day: The broker's day.
        deals: All deals of the positions that were closed on it.
        currency: Account currency.
        digits: Decimals to which the broker books money.
        hedging: Whether several positions of a symbol stand beside each other.
    """

    root: Path
    server_clock: str
    now: datetime
    day: str
    deals: tuple[Deal, ...]
    currency: str
    digits: int
    hedging: bool

    def run(self, progress: Progress) -> dict[str, Any]:
        """Run the day again, compare, write; gives the whole audit."""
        from backend.backtest.compiling import prepare

        prepare(self.root / "compiled")
        page = self.compared()
        progress(1, 1)
        FileStorage(self.root).write_json(file_of(self.day), page)
        return page

    def compared(self) -> dict[str, Any]:
        """The audit as JSON values."""
        from backend.backtest.parity.audit import audit, described, excluded_live, money
        from backend.backtest.parity.live import live_trades
        from backend.backtest.parity.twin import TwinRun, Twins, day_of
        from backend.ideas.book import IdeaBook
        from backend.ideas.replaying import Replayer
        from backend.journal.columns import Wanted
        from backend.journal.journal import Journal
        from backend.journal.record import Kind
        from backend.market.store import MarketStore

        clock, server = FixedClock(self.now), ServerClock.parse(self.server_clock)
        storage = FileStorage(self.root)
        journal = Journal(storage, clock)
        store = MarketStore(storage, server, clock=clock)
        span = day_of(self.day, server)
        book = IdeaBook(storage, journal, clock)
        ideas = book.find()
        positions = {deal.position_id for deal in self.deals}
        mine = [idea for idea in ideas if (idea.get("position") or {}).get("id") in positions]
        asked = [str(idea["decision_id"]) for idea in mine if idea.get("decision_id")]
        began = {key: found.payload for key, found in journal.find_many(Kind.DECISION, asked).items()}
        live, others = live_trades(self.deals, mine, began, currency=self.currency, hedging=self.hedging)
        begin = min([span[0], *(parse_iso(payload["bar_close"]) for payload in began.values())])
        # of the day and of the days before on which its trades began; some bars were decided later
        records = journal.decisions(Wanted(since=begin), limit=_MOST_DECISIONS)
        decided = [record.payload for record in records if isinstance(record.payload.get("inputs"), dict)]
        complete = sorted(
            (each for each in decided if begin <= parse_iso(each["bar_close"]) <= span[1]),
            key=lambda payload: str(payload["bar_close"]),
        )
        twins = Twins(trades=(), bars={}, signals={}, notes=("No strategy decided anything that day.",))
        if complete:
            runner = TwinRun(Replayer(storage, journal, store), store, server, self.now)
            twins = runner.run(complete, begin, self.digits, hedging=self.hedging)
        of_decision = {str(idea["decision_id"]): idea for idea in ideas if idea.get("decision_id")}
        result = audit(live, twins, complete, of_decision, span)
        live_net = sum((gap.live.trade.net for gap in result.gaps if gap.live is not None), start=_ZERO)
        twin_net = sum((gap.twin.net for gap in result.gaps if gap.twin is not None), start=_ZERO)
        return {
            "day": self.day,
            "from": iso(span[0]),
            "to": iso(span[1]),
            "at": iso(self.now),
            "complete": self.now >= span[1],
            "currency": self.currency,
            "live_trades": sum(gap.live is not None for gap in result.gaps),
            "twin_trades": sum(gap.twin is not None for gap in result.gaps),
            "paired": sum(gap.live is not None and gap.twin is not None for gap in result.gaps),
            "live_net": money(live_net),
            "twin_net": money(twin_net),
            "gap": money(live_net - twin_net),
            "causes": {name: money(part) for name, part in result.causes.items()},
            "pairs": [described(gap) for gap in result.gaps],
            "excluded": excluded_live(others) + result.excluded,
            "notes": list(twins.notes),
        }


class ParityService:
    """Audits days and keeps what was found.

    Args:
        storage: Files below ``data/``.
        clock: Desk time.
        server_clock: Rule of the broker's clock.
        dealer: The broker's deals.
        terminal: The account.
        check: Called between steps; what it raises ends the child.
        progress: Told what is done.
    """

    def __init__(
        self,
        *,
        storage: FileStorage,
        clock: Clock,
        server_clock: ServerClock,
        dealer: Deals,
        terminal: Terminal,
        check: Callable[[], None] = lambda: None,
        progress: Progress | None = None,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._server_clock = server_clock
        self._dealer = dealer
        self._terminal = terminal
        self._check = check
        self._progress = progress

    def audit(self, day: str | None = None) -> dict[str, Any]:
        """Run a broker's day again as a backtest and put each live trade that closed on it beside its twin.

        Args:
            day: ``YYYY-MM-DD``; the broker's last whole day if not given.

        Returns:
            What the day's file holds.

        Raises:
            Invalid: ``bad_day``: no day, or one that has not begun.
            Unavailable: The terminal does not answer.
        """
        work = self.work(day)
        return run_in_child(work, check=self._check, progress=self._progress, deadline=DEADLINE_SECONDS)

    def work(self, day: str | None) -> DayWork:
        """What the child is given; errors as in `audit`."""
        from backend.backtest.parity.twin import day_of

        now = self._clock.now()
        if day is None:
            before = self._server_clock.server_epoch(now) - 86_400
            day = f"{datetime.fromtimestamp(before, now.tzinfo):%Y-%m-%d}"
        begin, end = day_of(day, self._server_clock)
        if begin >= now:
            raise Invalid("bad_day", f"{day} has not begun on the broker's clock", day=day)
        account = self._terminal.account()
        of_day = self._dealer.deals(begin - timedelta(hours=1), end + timedelta(hours=1))
        closed = {
            deal.position_id
            for deal in of_day
            if deal.trade and deal.position_id and deal.entry != DealEntry.IN and begin <= deal.time < end
        }
        deals: list[Deal] = []
        for position in sorted(closed):
            whole = [deal for deal in self._dealer.deals_of_position(position) if deal.time < end]
            if _is_closed(whole):  # with its last part; until then its day is still to come
                deals += whole
        return DayWork(
            root=self._storage.root,
            server_clock=self._server_clock.rule,
            now=now,
            day=day,
            deals=tuple(deals),
            currency=account.currency,
            digits=account.currency_digits,
            hedging=account.hedging,
        )


def _is_closed(deals: Sequence[Deal]) -> bool:
    """Whether the deals of a position leave nothing of it."""
    left = _ZERO
    for deal in deals:
        left += deal.volume if deal.type == DealType.BUY else -deal.volume
    return left == _ZERO
