"""Closing positions and moving their levels. What reduces risk is never held up here."""

from dataclasses import replace
from decimal import Decimal

from backend.core.errors import Conflict, Invalid, NotFound
from backend.mt5.account import Position
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.orders import OrderRequest
from backend.mt5.retcodes import Then
from backend.mt5.words import Filling, OrderType, TradeAction
from backend.orders.asking import Asking, Became, Change
from backend.orders.filling import fillings
from backend.orders.intents import Intent, IntentKind
from backend.orders.owning import KEEP, Keep, Level, Owner, check_level, exact_price

DEVIATION = 100
"""Points by which a closing deal may miss its price: leaving matters more than a point."""


class PositionChanges:
    """Closes positions and moves their stops and targets, each request on record.

    Args:
        asking: Sends.
        dealer: How symbols are traded.
        terminal: Positions and specifications.
        owner: What is ours.
    """

    def __init__(self, asking: Asking, dealer: Dealer, terminal: MT5Client, owner: Owner) -> None:
        self._asking = asking
        self._dealer = dealer
        self._terminal = terminal
        self._owner = owner

    def close(
        self, ticket: int, volume: Decimal | None = None, *, actor: str, why: str, all_: bool = False
    ) -> Change:
        """Close a position, in whole or in part.

        Args:
            ticket: Of the position.
            volume: Lots to close; None is all of it.
            actor: Who asks.
            why: Why.
            all_: Also a position that is not ours.

        Raises:
            NotFound: ``no_position``: there is none of that ticket.
            Invalid: ``bad_volume``.
            Conflict: ``not_ours``.
            Unavailable: The terminal does not answer; nothing was sent.
        """
        position = self._position(ticket)
        if not all_:
            self._owner.require(position.magic, "position", ticket)
        lots = position.volume if volume is None else self._part(position, volume)
        modes = self._fillings(position)

        def attempt(number: int, then: Then | None) -> Intent | None:
            nonlocal position, lots
            if then is Then.NEXT_FILLING:
                modes.pop(0)
            elif then is not None:
                now = self._terminal.position(ticket)
                if now is None:
                    return None
                position, lots = now, min(lots, now.volume)
            return self.closing(position, lots, modes[0], why=why, attempt=number) if modes else None

        change = self._asking.ask(attempt, actor=actor)
        return self._looked_at(change, position, lots) if change.became is Became.UNKNOWN else change

    def closing(
        self, position: Position, lots: Decimal, filling: Filling, *, why: str, attempt: int = 1
    ) -> Intent:
        """The intent to close so much of a position at the present price."""
        request = OrderRequest(
            action=TradeAction.DEAL,
            symbol=position.symbol,
            broker_symbol=position.broker_symbol,
            volume=lots,
            type=OrderType.SELL if position.buy else OrderType.BUY,
            price=exact_price(position.price_current),
            deviation=DEVIATION,
            filling=filling,
            position=position.ticket,
        )
        return self._owner.intent(IntentKind.CLOSE, request, position.identifier, why=why, attempt=attempt)

    def move(
        self,
        ticket: int,
        *,
        stop: Level = KEEP,
        target: Level = KEEP,
        actor: str,
        why: str,
    ) -> Change:
        """Move a position's stop or target. A position keeps a stop.

        Raises:
            NotFound: ``no_position``.
            Invalid: ``bad_stop``, ``bad_target``: on the wrong side of the price, nearer than the broker
                takes, or no price of the symbol.
            Conflict: ``not_ours``, ``stop_required``.
            Unavailable: The terminal does not answer; nothing was sent.
        """
        position = self._position(ticket)
        self._owner.require(position.magic, "position", ticket)
        levels = {
            "stop": exact_price(position.stop) if isinstance(stop, Keep) else stop,
            "target": exact_price(position.target) if isinstance(target, Keep) else target,
        }
        if levels["stop"] is None:
            raise Conflict("stop_required", f"position {ticket} keeps a stop: give its price", ticket=ticket)
        instrument = self._terminal.instrument(position.symbol)
        price = exact_price(position.price_current) or Decimal(0)
        sign = 1 if position.buy else -1
        for name, given, way in (("stop", stop, -sign), ("target", target, sign)):
            level = levels[name]
            if not isinstance(given, Keep) and level is not None:
                check_level(name, level, price, way, instrument)
        request = OrderRequest(
            action=TradeAction.SLTP,
            symbol=position.symbol,
            broker_symbol=position.broker_symbol,
            stop=levels["stop"],
            target=levels["target"],
            position=ticket,
        )

        def attempt(number: int, then: Then | None) -> Intent | None:
            if then is Then.NEXT_FILLING:
                return None
            return self._owner.intent(
                IntentKind.MODIFY, request, position.identifier, why=why, attempt=number
            )

        return self._asking.ask(attempt, actor=actor)

    # Inside

    def _position(self, ticket: int) -> Position:
        position = self._terminal.position(ticket)
        if position is None:
            raise NotFound("no_position", f"there is no open position {ticket}", ticket=ticket)
        return position

    def _fillings(self, position: Position) -> list[Filling]:
        terms = self._dealer.terms(position.symbol, position.broker_symbol)
        return [*fillings(terms, pending=False)]

    def _part(self, position: Position, volume: Decimal) -> Decimal:
        """A volume to close: whole steps, and what is left is none or a position that may stand."""
        instrument = self._terminal.instrument(position.symbol)
        left = position.volume - volume if volume.is_finite() else volume
        fits = volume.is_finite() and volume > 0 and left >= 0
        if fits and left:
            fits = not volume % instrument.volume_step and min(volume, left) >= instrument.volume_min
        if not fits:
            raise Invalid(
                "bad_volume",
                f"{volume} lots of position {position.ticket} cannot be closed: it has {position.volume}, in "
                f"steps of {instrument.volume_step}, and no part may be below {instrument.volume_min}",
                volume=str(volume),
                position_volume=str(position.volume),
                step=str(instrument.volume_step),
                minimum=str(instrument.volume_min),
            )
        return volume

    def _looked_at(self, change: Change, position: Position, lots: Decimal) -> Change:
        """What a close did of which no answer came, as far as the terminal shows it."""
        now = self._terminal.position(position.ticket)
        if now is None:
            return replace(change, became=Became.GONE, message=f"{change.message}; the position is gone")
        if now.volume == position.volume - lots:
            message = f"{change.message}; the position has {now.volume} lots left"
            return replace(change, became=Became.DONE, volume=lots, message=message)
        return change
