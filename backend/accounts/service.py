"""MoneyRecords: initial balance, peaks and each day's reference of an account, kept over restarts.

One file for each login and server, ``data/accounts/{login}_{server}.json``. Every look at the account goes
through `observe`. What the desk has not seen is rebuilt from the deals, and equity from bars, as far as they
tell; where they do not, the record says so.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Final, Protocol

from backend.accounts.deals import (
    ZERO,
    Holding,
    earned_since,
    flows_of,
    highest_earned,
    holding_at,
)
from backend.accounts.record import Day, How, MoneyRecord, record_of
from backend.accounts.resets import last_reset, resets
from backend.core.clock import Clock, iso
from backend.core.errors import DeskError, Invalid, NotFound
from backend.mt5.account import Account, Position
from backend.mt5.mapping import exact
from backend.mt5.orders import Deal
from backend.mt5.server_time import ServerClock
from backend.mt5.words import DealEntry
from backend.storage.files import FileState, FileStorage

log = logging.getLogger(__name__)

FOLDER: Final = "accounts"
LOCK_SECONDS: Final = 10.0
SEEN: Final = timedelta(minutes=2)
"""A look so soon after a reset saw the equity at it."""
LATE: Final = timedelta(minutes=1)
"""A balance that no deal explains for so long counts as it is."""
AGAIN: Final = timedelta(days=2)
"""Deals are asked for again from so long before the last look: the server's clock need not be the desk's."""
MOST_REBUILT: Final = 60
_BEGINNING: Final = datetime(1971, 1, 1, tzinfo=UTC)

Worth = Callable[[Sequence[Holding], datetime], Decimal | None]
"""Floating profit of holdings at an instant, in account currency; None where nothing tells it."""


class Terminal(Protocol):
    """The account."""

    def account(self) -> Account:
        """Its money now."""

    def positions(self) -> tuple[Position, ...]:
        """What is open."""


class Deals(Protocol):
    """Its history."""

    def deals(self, since: datetime, until: datetime | None = None) -> tuple[Deal, ...]:
        """Deals of a span."""

    def deals_of_position(self, position_id: int) -> tuple[Deal, ...]:
        """All deals of a position."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """An account's references and peaks as they count now, deposits included; account currency.

    Attributes:
        initial_balance: What was put in, less what was taken out.
        peak: Highest equity.
        day_peak: Highest equity at the end of a day.
        reset_at: When the present day began, aware UTC.
        balance: At the reset.
        equity: At the reset; None if unknown.
        how: How that is known.
        unexplained: Whether no deal explains the balance yet: a deposit, a withdrawal or a trade of which the
            history knows nothing so far. After a minute it counts as it is.
        notes: What is not known, for a person.
    """

    initial_balance: Decimal
    peak: Decimal
    day_peak: Decimal
    reset_at: datetime
    balance: Decimal
    equity: Decimal | None
    how: How
    unexplained: bool
    notes: tuple[str, ...]


class MoneyRecords:
    """Keeps the records. Thread-safe, and safe between processes.

    Args:
        storage: Files below ``data/``.
        terminal: The account.
        deals: Its history.
        clock: Desk time.
        server_clock: The broker's clock.
        worth: What holdings were worth.
    """

    def __init__(
        self,
        storage: FileStorage,
        terminal: Terminal,
        deals: Deals,
        clock: Clock,
        server_clock: ServerClock,
        worth: Worth,
    ) -> None:
        self._storage = storage
        self._terminal = terminal
        self._deals = deals
        self._clock = clock
        self._server_clock = server_clock
        self._worth = worth
        self._read: tuple[str, FileState, MoneyRecord] | None = None

    def observe(self, zone: str | None) -> tuple[Account, Money]:
        """Look at the account and keep what is new; returns it and its references.

        Args:
            zone: Whose midnight resets the day; None is the broker's.

        Raises:
            Unavailable: The terminal does not answer, or the disk refuses.
            Invalid: There is no such zone, or the record is damaged; it is then set aside, and the next look
                rebuilds it from the deals.
        """
        account = self._terminal.account()
        now = self._clock.now()
        name = f"{FOLDER}/{self._storage.safe_name(f'{account.login}_{account.server}')}.json"
        record = self._load(name)
        if record is None or self._changes(record, account, now, zone):
            with self._storage.lock(name, LOCK_SECONDS):
                before = self._load(name)
                record = self._looked(before, account, now, zone)
                if record != before:
                    self._storage.write_json(name, record.as_dict())
        return account, _money_of(record)

    # Inside

    def _load(self, name: str) -> MoneyRecord | None:
        try:
            state = self._storage.state(name)
        except NotFound:
            return None
        seen = self._read
        if seen is not None and seen[:2] == (name, state):
            return seen[2]
        data = self._storage.read_json_or(name, None)
        if data is None:
            return None
        try:
            record = record_of(data, name)
        except Invalid:
            aside = name.removesuffix(".json") + f".damaged-{int(self._clock.wall().timestamp())}.json"
            self._storage.write_json(aside, data)
            self._storage.delete(name)
            raise
        self._read = (name, state, record)
        return record

    def _changes(self, record: MoneyRecord, account: Account, now: datetime, zone: str | None) -> bool:
        """Whether this look has something to keep."""
        return (
            record.zone != zone
            or record.open_since is not None
            or exact(account.balance) + exact(account.credit) != record.money
            or exact(account.equity) - record.put_in > record.peak
            or record.days[-1].reset_at != last_reset(now, zone, self._server_clock)
        )

    def _looked(
        self, record: MoneyRecord | None, account: Account, now: datetime, zone: str | None
    ) -> MoneyRecord:
        if record is not None and now + AGAIN < record.settled_at:
            log.warning("the record of account %s is of a time to come; it begins anew", account.login)
            record = None  # a replay that began again
        if record is None:
            record, fresh = self._begun(account, now, zone), True
        else:
            record, fresh = self._settled(record, account, now), False
        if record.zone != zone:
            record = replace(record, zone=zone, days=())
        record = self._with_days(record, account, now, fresh=fresh)
        if record.open_since is None:
            record = replace(record, peak=max(record.peak, exact(account.equity) - record.put_in))
        return record

    def _begun(self, account: Account, now: datetime, zone: str | None) -> MoneyRecord:
        deals = self._deals.deals(_BEGINNING)
        flows, money = flows_of(deals), exact(account.balance) + exact(account.credit)
        put_in = sum((flow.amount for flow in flows), ZERO)
        earned = sum((deal.net for deal in deals), ZERO) - put_in
        explained = bool(flows) and earned + put_in == money
        notes = []
        if not explained:
            notes.append(
                "the account's deals do not explain its balance, so the balance at the desk's first look "
                f"({iso(now)}) counts as the initial one"
            )
        if not explained or any(deal.trade for deal in deals):
            notes.append(f"the highest equity before {iso(now)} is not known, only the balance of then")
        return MoneyRecord(
            login=account.login,
            server=account.server,
            currency=account.currency,
            began_at=now,
            base=ZERO if explained else money - put_in,
            flows=flows,
            last_ticket=max((deal.ticket for deal in deals), default=0),
            settled_at=now,
            money=money,
            peak=highest_earned(deals) if explained else money - put_in,
            day_peak=ZERO if explained else money - put_in,
            zone=zone,
            notes=tuple(notes),
        )

    def _settled(self, record: MoneyRecord, account: Account, now: datetime) -> MoneyRecord:
        """With what was booked since."""
        money = exact(account.balance) + exact(account.credit)
        if money == record.money and record.open_since is None:
            return record
        deals = [
            deal for deal in self._deals.deals(record.settled_at - AGAIN) if deal.ticket > record.last_ticket
        ]
        deals.sort(key=lambda each: each.ticket)
        totals = [record.money + total for total in accumulate(deal.net for deal in deals)]
        if money in totals:  # deals after that one came when the balance had been read
            explained = len(totals) - totals[::-1].index(money)
            return self._booked(record, deals[:explained], money, now)
        if money == record.money:
            return replace(record, open_since=None)
        if record.open_since is None or now - record.open_since < LATE:
            return replace(record, open_since=record.open_since or now)
        note = f"{iso(now)}: no deal explains why the balance went from {record.money} to {money}"
        log.error("account %s: %s", record.login, note)
        record = replace(record, notes=(*record.notes, note)[-20:])
        return self._booked(record, deals, money, now)

    def _booked(
        self, record: MoneyRecord, deals: Sequence[Deal], money: Decimal, now: datetime
    ) -> MoneyRecord:
        last = max((deal.ticket for deal in deals), default=record.last_ticket)
        return replace(
            record,
            flows=(*record.flows, *flows_of(deals)),
            last_ticket=last,
            settled_at=now,
            money=money,
            open_since=None,
        )

    def _with_days(self, record: MoneyRecord, account: Account, now: datetime, *, fresh: bool) -> MoneyRecord:
        """With every day that began since the last one on record."""
        newest = last_reset(now, record.zone, self._server_clock)
        if record.days and record.days[-1].reset_at == newest:
            return record
        since = newest - timedelta(days=MOST_REBUILT)
        if record.days:
            since = max(since, record.days[-1].reset_at)
        elif fresh:
            since = max(since, min((flow.at for flow in record.flows), default=now))
        else:
            since = now  # another zone: only the day that it begins with
        moments = resets(since, now, record.zone, self._server_clock) or [newest]
        deals = self._deals.deals(moments[0] - timedelta(days=1))
        for moment in moments:
            record = record.with_day(self._day(record, account, deals, moment, now))
        return record

    def _day(
        self, record: MoneyRecord, account: Account, deals: Sequence[Deal], moment: datetime, now: datetime
    ) -> Day:
        counted = [deal for deal in deals if deal.ticket <= record.last_ticket]
        balance = record.money - record.put_in - earned_since(counted, moment)
        if now - moment <= SEEN and record.open_since is None:
            equity = exact(account.equity) - record.put_in
            return Day(reset_at=moment, balance=balance, equity=equity, how=How.SEEN)
        try:
            held = self._held(deals, moment)
            floating = self._worth(held, moment) if held else ZERO
        except DeskError as error:
            log.warning("what was open at %s cannot be told: %s", iso(moment), error.message)
            held, floating = (), None
        if floating is None:
            return Day(reset_at=moment, balance=balance, equity=None, how=How.UNKNOWN)
        how = How.BARS if held else How.FLAT
        return Day(reset_at=moment, balance=balance, equity=balance + floating, how=how)

    def _held(self, deals: Sequence[Deal], moment: datetime) -> tuple[Holding, ...]:
        """What was open just before an instant."""
        numbers = {one.identifier for one in self._terminal.positions() if one.opened_at < moment}
        numbers |= {
            deal.position_id
            for deal in deals
            if deal.trade and deal.time >= moment and deal.entry is not DealEntry.IN
        }
        found = (holding_at(self._deals.deals_of_position(number), moment) for number in sorted(numbers))
        return tuple(one for one in found if one is not None)


def _money_of(record: MoneyRecord) -> Money:
    today, put_in = record.days[-1], record.put_in
    notes = list(record.notes)
    if today.equity is None:
        notes.append(
            f"the equity at the day's reset ({iso(today.reset_at)}) is not known: positions were open and no "
            "bars tell their worth; the balance of then counts"
        )
    if record.open_since is not None:
        notes.append(f"since {iso(record.open_since)} the balance is one that no deal explains yet")
    return Money(
        initial_balance=record.base + put_in,
        peak=record.peak + put_in,
        day_peak=record.day_peak + put_in,
        reset_at=today.reset_at,
        balance=today.balance + put_in,
        equity=None if today.equity is None else today.equity + put_in,
        how=today.how,
        unexplained=record.open_since is not None,
        notes=tuple(notes),
    )
