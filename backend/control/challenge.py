"""The challenge of the rulebook in force on the account: profit, days, room, passed or broken.

What was booked comes from the account's deals, so it holds also for the time before the desk looked and for
trades of others. That equity broke a rule only a look can tell: the watch notes it, once for each account and
rulebook, in ``data/control/challenge.json``.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from backend.accounts.deals import FLOWS, ZERO
from backend.accounts.resets import last_reset
from backend.accounts.service import Money
from backend.core.clock import Clock, from_epoch, iso, parse_iso
from backend.core.errors import DeskError
from backend.core.instruments import Instrument
from backend.economic_calendar.model import CalendarView
from backend.mt5.orders import Deal
from backend.mt5.server_time import ServerClock
from backend.mt5.words import DealEntry, DealType
from backend.risk.bans import Ban, Stay, bans_of, first_broken, not_judged
from backend.risk.challenge import AccountDay, Breach, Challenge, challenge, earliest
from backend.risk.limits import RiskLimits
from backend.risk.numbers import Measured, day_losses, drawdowns, exact
from backend.risk.rulebook import Rulebook, rulebook_of
from backend.storage.files import FileStorage
from backend.trading.account import AccountState
from backend.trading.profit import to_cents

FILE: Final = "control/challenge.json"
_BEGINNING: Final = datetime(1971, 1, 1, tzinfo=UTC)


class Deals(Protocol):
    """The account's history."""

    def deals(self, since: datetime, until: datetime | None = None) -> tuple[Deal, ...]:
        """Deals of a span."""


Calendar = Callable[[datetime, datetime], CalendarView]
"""The economic calendar as it was known at each moment from the first to the second."""


class Account(Protocol):
    """The account now."""

    def standing(self) -> tuple[AccountState, Money]:
        """Money and its references; `Unavailable` while the terminal is down."""


def rule_used(state: AccountState, limits: RiskLimits) -> dict[str, Measured]:
    """How much of the rulebook's own day's loss and drawdown is used."""
    named = {"daily_loss": day_losses(state, limits)[1:], "drawdown": drawdowns(state, limits)[1:]}
    return {name: one for name, found in named.items() for one in found if one is not None}


def note_breach(
    storage: FileStorage, state: AccountState, limits: RiskLimits, *, reset_at: datetime, now: datetime
) -> None:
    """Keep the first time that the account broke the rulebook in force."""
    rulebook = rulebook_of(limits)
    if rulebook is None:
        return
    broken = next(((name, one) for name, one in rule_used(state, limits).items() if one.reached), None)
    if broken is None:
        return
    name, one = broken
    told = {
        "rule": name,
        "at": iso(now),
        "reset_at": iso(reset_at),
        "lost": str(one.lost),
        "allowed": str(exact(one.limit) * one.of),
    }
    key = _key(state, rulebook)
    storage.update_json(FILE, lambda before: before if _of(before, key) else {**key, "breach": told}, {})


def _key(state: AccountState, rulebook: Rulebook) -> dict[str, Any]:
    return {"login": state.login, "server": state.server, "rulebook": rulebook.model_dump(mode="json")}


def _of(kept: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    return all(kept.get(name) == value for name, value in key.items())


class ChallengeDesk:
    """Tells how the challenge stands.

    Args:
        account: The account.
        deals: Its history.
        limits: The limits in force.
        storage: Files below ``data/``.
        clock: Desk time.
        server_clock: The broker's clock.
        calendar: The economic calendar as it was known over a time.
        instrument: Gives a symbol's specification.
    """

    def __init__(
        self,
        account: Account,
        deals: Deals,
        limits: Callable[[], RiskLimits],
        storage: FileStorage,
        clock: Clock,
        server_clock: ServerClock,
        *,
        calendar: Calendar,
        instrument: Callable[[str], Instrument],
    ) -> None:
        self._account = account
        self._deals = deals
        self._limits = limits
        self._storage = storage
        self._clock = clock
        self._server_clock = server_clock
        self._calendar = calendar
        self._instrument = instrument

    def standing(self) -> dict[str, Any]:
        """How it stands, as JSON values: money exact as text.

        Returns:
            ``measured`` and ``reason``: whether it can be told, and why not; ``challenge``: see
            `Challenge.as_dict`; ``room``: what may still be lost of ``daily_loss`` and ``drawdown``;
            ``bans``: how positions kept to those on weekend and news; ``notes``: what is not known.

        Raises:
            Invalid: A settings file is wrong.
        """
        limits = self._limits()
        rulebook = rulebook_of(limits)
        if rulebook is None:
            return _unknown("no rulebook is in force")
        try:
            state, money = self._account.standing()
            deals = self._deals.deals(_BEGINNING)
        except DeskError as error:
            return _unknown(error.message)
        booked = sum((deal.net for deal in deals if deal.type not in FLOWS), ZERO)
        if to_cents(state.balance - money.initial_balance) != to_cents(booked):
            return _unknown(
                f"the account's deals book {to_cents(booked)} of its profit of "
                f"{to_cents(state.balance - money.initial_balance)}: its days cannot be told"
            )
        bans = self._bans(rulebook, deals)
        found = self._challenge(rulebook, limits, state, money, deals, bans)
        return {
            "measured": True,
            "reason": "",
            "rulebook": rulebook.name,
            "challenge": found.as_dict(),
            "room": {
                name: str(to_cents(max(one.room, ZERO))) for name, one in rule_used(state, limits).items()
            },
            "bans": {ban.rule: ban.as_dict() for ban in bans},
            "notes": [*money.notes, *not_judged(rulebook, bans)],
        }

    def _bans(self, rulebook: Rulebook, deals: Sequence[Deal]) -> list[Ban]:
        """How all positions of the account, whoever traded them, kept to the rulebook's bans."""
        now, of_position = self._clock.now(), dict[int, list[Deal]]()
        for deal in deals:
            if deal.trade:
                of_position.setdefault(deal.position_id, []).append(deal)
        stays = [self._stay(each, now) for _, each in sorted(of_position.items())]
        calendar = CalendarView.unknown("nothing was traded")
        if rulebook.news is not None and stays:
            calendar = self._calendar(min(deal.time for deal in deals), now)
        return bans_of(rulebook, stays, calendar)

    def _stay(self, deals: Sequence[Deal], now: datetime) -> Stay:
        """One position, from its first deal to the one that closed it."""
        ordered = sorted(deals, key=lambda deal: (deal.time, deal.ticket))
        first, last = ordered[0], ordered[-1]
        left = sum((deal.volume if deal.type is DealType.BUY else -deal.volume for deal in deals), ZERO)
        try:
            symbol = self._instrument(first.symbol)
            currencies = symbol.currency_base, symbol.currency_profit
        except DeskError:  # the broker offers it no more; its name tells
            currencies = first.symbol[:3], first.symbol[3:6]
        opened = first.time.timestamp()
        return Stay(
            currencies=currencies,
            opened=int(opened),
            closed=int((now if left else last.time).timestamp()),
            ahead=int(self._server_clock.server_epoch(first.time) - opened),
        )

    def _challenge(
        self,
        rulebook: Rulebook,
        limits: RiskLimits,
        state: AccountState,
        money: Money,
        deals: tuple[Deal, ...],
        bans: Sequence[Ban],
    ) -> Challenge:
        zone, today = limits.reset_tz, self._day(self._clock.now(), limits.reset_tz)
        booked: dict[date, Decimal] = {}
        opened: dict[date, set[int]] = {}
        for deal in deals:
            if deal.type in FLOWS:
                continue
            day = self._day(deal.time, zone)
            booked[day] = booked.get(day, ZERO) + deal.net
            if deal.trade and deal.entry in {DealEntry.IN, DealEntry.INOUT}:
                opened.setdefault(day, set()).add(deal.position_id)
        first = min((deal.time for deal in deals), default=self._clock.now())
        stated = rulebook.initial_balance
        return challenge(
            rulebook,
            money.initial_balance,
            [
                AccountDay(day=day, booked=amount, opened=len(opened.get(day, ())))
                for day, amount in sorted(booked.items())
            ],
            began=min(self._day(first, zone), today),
            today=today,
            ended=False,
            breach=earliest(self._breach(_key(state, rulebook), zone), self._banned(bans, zone)),
            carried=ZERO if stated is None else money.initial_balance - exact(stated),
        )

    def _breach(self, key: Mapping[str, Any], zone: str | None) -> Breach | None:
        kept = self._storage.read_json_or(FILE, {})
        if not _of(kept, key):
            return None
        told = kept["breach"]
        return Breach(
            rule=told["rule"],
            day=self._day(parse_iso(told["reset_at"]), zone),
            at=told["at"],
            lost=Decimal(told["lost"]),
            allowed=Decimal(told["allowed"]),
        )

    def _banned(self, bans: Sequence[Ban], zone: str | None) -> Breach | None:
        """The first thing that was done although the rulebook bans it."""
        ban = first_broken(bans)
        if ban is None or ban.first is None or ban.of_day is None:
            return None
        day = self._day(from_epoch(ban.of_day), zone)
        return Breach(rule=ban.rule, day=day, at=iso(from_epoch(ban.first)), allowed=ZERO)

    def _day(self, moment: datetime, zone: str | None) -> date:
        """The account's day of an instant."""
        reset = last_reset(moment, zone, self._server_clock)
        if zone is not None:
            return reset.astimezone(ZoneInfo(zone)).date()
        return datetime.fromtimestamp(self._server_clock.server_epoch(reset), UTC).date()


def _unknown(reason: str) -> dict[str, Any]:
    return {
        "measured": False,
        "reason": reason,
        "rulebook": None,
        "challenge": None,
        "room": None,
        "bans": None,
        "notes": [],
    }
