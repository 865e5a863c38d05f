"""A person's order ticket: an idea of its own, approved by whoever made it, and sent at once."""

import hashlib
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from backend.core.clock import Clock, iso
from backend.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from backend.core.timeframes import Timeframe
from backend.evaluation.indicators import atr
from backend.ideas.book import IdeaBook
from backend.ideas.judging import Judged
from backend.ideas.lifecycle import Status
from backend.ideas.live import LiveJudge, Market
from backend.ideas.overrides import changed_fields, figures, price_of, refuse_faults
from backend.ideas.rows import MANUAL
from backend.ideas.ticket import Level, Unit, resolve_levels
from backend.market.service import MarketService
from backend.orders.sending import Sender
from backend.risk.sizing import check_fraction
from backend.strategies.model import OrderType, Profile
from backend.trading.desk import Circumstances, Purpose
from backend.trading.sides import Side
from backend.trading.terms import Terms

ATR_PERIOD, ATR_BARS = 14, 250
STANDS = timedelta(seconds=60)
"""A ticket that was not sent by then is over: whoever made it has seen another price."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """What a person wants.

    Attributes:
        symbol: Canonical symbol.
        side: Buy or sell.
        type: Market, limit or stop.
        stop: Stop price, or how far from the entry it lies; every order has one.
        price: Of a limit or stop order; None for a market order.
        target: Target price, or how far it lies; None for none.
        timeframe: Of the ATR(14) in which a level is stated.
        volume: Lots; None sizes it by risk.
        risk: Fraction of the account to be risked where there is no volume; None takes the symbol's most.
        expires_at: When an order that waits is over; None for never.
        note: For the record.
        key: Makes it the same ticket however often it is handed in; None makes each one its own.
    """

    symbol: str
    side: Side
    type: OrderType
    stop: float | Level
    price: float | None = None
    target: float | Level | None = None
    timeframe: Timeframe = Timeframe.H1
    volume: float | None = None
    risk: float | None = None
    expires_at: datetime | None = None
    note: str = ""
    key: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; what is no number becomes its text."""
        levels = {name: _stated(getattr(self, name)) for name in ("stop", "target")}
        at = self.expires_at and iso(self.expires_at)
        values = asdict(self) | levels | {"expires_at": at, "timeframe": str(self.timeframe)}
        return {name: _written(value) for name, value in values.items() if value is not None}


def _stated(level: float | Level | None) -> Any:
    return {str(level.unit): _written(level.value)} if isinstance(level, Level) else level


def _written(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def market_atr(market: MarketService) -> Callable[[str, Timeframe], float | None]:
    """ATR(14) of a symbol's closed bars now, in price; None where there are too few."""

    def found(symbol: str, timeframe: Timeframe) -> float | None:
        bars = market.top_up(symbol, timeframe, min_bars=ATR_BARS)
        values = atr(bars.high, bars.low, bars.close, ATR_PERIOD)
        return float(values[-1]) if len(values) and math.isfinite(values[-1]) else None

    return found


class TicketDesk:
    """Takes tickets.

    Args:
        book: The ideas.
        judge: Judges at current prices.
        sender: Sends.
        clock: Desk time.
        profile: A symbol's profile.
        refused: Puts on record that something was asked for and not sent.
        atr: ATR(14) of a symbol on a timeframe, in price; None where none is known.
    """

    def __init__(
        self,
        *,
        book: IdeaBook,
        judge: LiveJudge,
        sender: Sender,
        clock: Clock,
        profile: Callable[[str], Profile],
        refused: Callable[..., None],
        atr: Callable[[str, Timeframe], float | None],
    ) -> None:
        self._book = book
        self._judge = judge
        self._sender = sender
        self._clock = clock
        self._profile = profile
        self._refused = refused
        self._atr = atr

    def send(self, ticket: Ticket, *, actor: str) -> dict[str, Any]:
        """Judge a ticket by the gate and send it; gives its idea.

        Raises:
            NotFound: The symbol map or the broker has no such symbol.
            Invalid: ``bad_ticket``, ``bad_override`` or ``bad_risk``: no price or volume of the symbol, no
                risk, or a level that a broker would refuse. On record, nothing sent.
            Conflict: ``gate_refused``, ``too_much_risk``, ``not_sent`` (halted, over), ``broker_refused``.
                On record, with the idea where there is one.
            Unavailable: The terminal is down: nothing was sent. ``outcome_unknown``: it was, and no answer
                came; the idea is unknown until the terminal was asked.
        """
        try:
            idea, _ = self.judged(ticket)
        except (Invalid, Conflict, NotFound) as error:
            self._refused("open", ticket.as_dict(), error, actor=actor)
            raise
        made = self._book.create(idea, actor=actor, why=ticket.note or "a ticket by hand")
        self._sender.send(str(made["id"]), actor=actor)
        return _answered(self._book.get(str(made["id"])))

    def preview(self, ticket: Ticket) -> dict[str, Any]:
        """What sending it now would lead to; nothing is changed. Errors as `send`, but of the gate."""
        _, judged = self.judged(ticket)
        return {
            "symbol": ticket.symbol,
            "side": str(ticket.side),
            "order_type": str(judged.type),
            **figures(judged),
            "passed": not judged.blocked,
            "refusals": [refusal.as_dict() for refusal in judged.refusals],
        }

    def judged(self, ticket: Ticket) -> tuple[dict[str, Any], Judged]:
        """The ticket as an idea that is not in the book, and what the gate says of it now.

        Refused, as by `send`, where a price or the volume is none that may be sent.
        """
        _checked(ticket, self._clock.now())
        market = self._judge.market(ticket.symbol)
        idea = base_idea(ticket, market, self._profile(ticket.symbol), self._clock.now())
        stop, target = self._levels(ticket, market)
        given = {"stop": stop, "target": target, "volume": ticket.volume}
        wished: dict[str, float | None] = {name: value for name, value in given.items() if value is not None}
        if ticket.type is not OrderType.MARKET:
            wished["entry"] = ticket.price
        idea |= changed_fields(idea, wished, market.instrument, market.prices)
        idea["expiry_bars"] = None
        judged = self._judge.judge(idea, purpose=Purpose.MANUAL, market=market)
        refuse_faults(judged, wished)
        return idea | figures(judged), judged

    def _levels(self, ticket: Ticket, market: Market) -> tuple[float, float | None]:
        """Stop and target as prices, however they were stated."""
        if not isinstance(ticket.stop, Level) and not isinstance(ticket.target, Level):
            return ticket.stop, ticket.target
        instrument = market.instrument
        stated = [each for each in (ticket.stop, ticket.target) if isinstance(each, Level)]
        by_atr = any(each.unit is Unit.ATR for each in stated)
        entry = market.prices.opening(ticket.side)
        if ticket.price is not None:
            entry = int(price_of("price", ticket.price, instrument) / instrument.tick_size)
        found = resolve_levels(
            instrument,
            ticket.side,
            entry=entry,
            spread=market.prices.spread,
            stop=_as_level(ticket.stop),
            target=None if ticket.target is None else _as_level(ticket.target),
            atr=self._atr(ticket.symbol, ticket.timeframe) if by_atr else None,
        )
        reach = found.target_price
        return float(found.stop_price), None if reach is None else float(reach)


def _as_level(stated: float | Level) -> Level:
    return stated if isinstance(stated, Level) else Level(Unit.PRICE, stated)


def base_idea(ticket: Ticket, market: Market, profile: Profile, now: datetime) -> dict[str, Any]:
    """The ticket's idea before what the person set is put into it."""
    terms = Terms.manual(profile)
    if ticket.risk is not None:
        terms = replace(terms, risk_fraction=min(ticket.risk, terms.risk_cap))
    live = market.prices.opening(ticket.side)
    instrument = market.instrument
    number = secrets.token_hex(10)
    if ticket.key is not None:
        number = hashlib.sha256(f"{ticket.symbol}:{ticket.key}".encode()).hexdigest()[:20]
    return {
        "id": f"i-{number}",
        "decision_id": None,
        "status": str(Status.APPROVED),
        "origin": MANUAL,
        "created_at": iso(now),
        "expires_at": iso(now + STANDS),
        "order_expires_at": None if ticket.expires_at is None else iso(ticket.expires_at),
        "strategy_id": None,
        "symbol": ticket.symbol,
        "timeframe": None,
        "bar_close": iso(now),
        "direction": ticket.side.direction,
        "side": str(ticket.side),
        "order_type": str(ticket.type),
        "expiry_bars": None,
        "planned": {"order_type": str(ticket.type), "expiry_bars": None},
        "reference": float(instrument.price(live)),
        "stop_ticks": 1,
        "target_ticks": 0,
        "offset_ticks": 0,
        "spread_ticks": market.prices.spread,
        "tick_size": float(instrument.tick_size),
        "atr": 0.0,
        "half_risk": False,
        "confidence": None,
        "circumstances": Circumstances().as_dict(),
        "terms": terms.as_dict(),
        "fixed": {},
        "reasons": [],
        "notes": [ticket.note] if ticket.note else [],
    }


def _checked(ticket: Ticket, now: datetime) -> None:
    """What a ticket says by itself."""
    if (ticket.type is OrderType.MARKET) is not (ticket.price is None):
        raise _bad("price", "a limit or stop order needs a price, and a market order has none")
    if ticket.volume is not None and ticket.risk is not None:
        raise _bad("risk", "give a volume or a risk, not both")
    if ticket.risk is not None:
        check_fraction(Decimal(repr(float(ticket.risk))))
    if ticket.expires_at is not None and (ticket.type is OrderType.MARKET or ticket.expires_at <= now):
        raise _bad("expires_at", "it is a time to come, of an order that waits")


def _answered(idea: Mapping[str, Any]) -> dict[str, Any]:
    """The idea, or why it is no order."""
    status, step = idea["status"], idea["history"][-1]
    if status in {Status.OPEN, Status.PLACED, Status.CLOSED}:
        return dict(idea)
    where = {"id": idea["id"], "status": status, "refusals": step["details"].get("refusals", [])}
    errors: dict[str, tuple[type[DeskError], str]] = {
        Status.REFUSED: (Conflict, "gate_refused"),
        Status.FAILED: (Conflict, "broker_refused"),
        Status.UNKNOWN: (Unavailable, "outcome_unknown"),
    }
    kind, code = errors.get(status, (Conflict, "not_sent"))
    raise kind(code, f"the ticket is {status}: {step['why']}", **where)


def _bad(field: str, why: str) -> Invalid:
    return Invalid("bad_ticket", f"{field}: {why}", field=field)
