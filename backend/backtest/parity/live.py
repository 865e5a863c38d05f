"""The live side of the audit: what the broker dealt for the desk's ideas, as closed trades. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from backend.backtest.tester.causes import Sent
from backend.backtest.tester.closing import closed_trades
from backend.backtest.tester.model import Accounting, Deal, Direction, PendingOrder, Tables, TheirTrade
from backend.core.clock import parse_iso
from backend.ideas.rows import DESK
from backend.mt5.orders import Deal as BrokerDeal
from backend.mt5.words import DealEntry, Reason

_DIRECTIONS: Final = {
    DealEntry.IN: Direction.IN,
    DealEntry.OUT: Direction.OUT,
    DealEntry.INOUT: Direction.IN_OUT,
    DealEntry.OUT_BY: Direction.OUT_BY,
}
_LEVELS: Final = {Reason.SL: "sl", Reason.TP: "tp"}

Idea = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveTrade:
    """A closed trade of the desk.

    Attributes:
        trade: As its deals tell; `key` is that of its decision.
        idea: The idea that it was.
        sent: How a market order came to its fill; None where that is not known.
    """

    trade: TheirTrade
    idea: Idea
    sent: Sent | None


def key_of(strategy: str, symbol: str, closed: int) -> str:
    """Names the one trade that a strategy can make of a bar: the bar's close as UTC epoch."""
    return f"{strategy}|{symbol}|{closed}"


def key_of_decision(payload: Mapping[str, Any]) -> str:
    """The key of what a decision leads to."""
    closed = int(parse_iso(payload["bar_close"]).timestamp())
    return key_of(str(payload["strategy_id"]), str(payload["symbol"]), closed)


def live_trades(
    deals: Sequence[BrokerDeal],
    ideas: Iterable[Idea],
    decisions: Mapping[str, Mapping[str, Any]],
    *,
    currency: str,
    hedging: bool,
) -> tuple[list[LiveTrade], list[tuple[TheirTrade, str]]]:
    """The desk's closed trades, and those that are none of its strategies', with the reason.

    Args:
        deals: All deals of every position that was closed.
        ideas: The desk's ideas.
        decisions: The decisions of ideas by id.
        currency: Account currency.
        hedging: Whether several positions of a symbol stand beside each other.
    """
    of_position = {int(idea["position"]["id"]): idea for idea in ideas if idea.get("position")}
    trades = sorted((deal for deal in deals if deal.trade), key=lambda deal: (deal.time, deal.ticket))
    tables = Tables(
        source="the account",
        kind="deals",
        currency=currency,
        deals=tuple(_deal(deal) for deal in trades),
        start=0,
        orders=_pending(of_position.values()),
    )
    closed = closed_trades(tables, Accounting.HEDGING if hedging else Accounting.NETTING)
    positions = {f"deal {deal.ticket}": deal.position_id for deal in trades}
    found: list[LiveTrade] = []
    others: list[tuple[TheirTrade, str]] = []
    for trade in closed.trades:
        idea = of_position.get(positions.get(trade.rows[0], 0))
        if idea is None:
            others.append((trade, "it is no idea of this desk"))
            continue
        decision = decisions.get(str(idea.get("decision_id")))
        if decision is None:
            others.append((trade, "no strategy decided it"))
            continue
        keyed = replace(trade, key=key_of_decision(decision))
        found.append(LiveTrade(trade=keyed, idea=idea, sent=sent_of(idea)))
    return found, others


def sent_of(idea: Idea) -> Sent | None:
    """How a market order came to its fill, as the idea's steps tell."""
    if idea.get("order_type") != "market":
        return None
    approved: Decimal | None = None
    by_person = False
    asked: Decimal | None = None
    spread: Decimal | None = None
    # a step names what it changed; before the first that did, the entry was what that one found
    entry = next(
        (step["changes"]["entry"][0] for step in idea["history"] if "entry" in step["changes"]),
        idea["entry"],
    )
    for step in idea["history"]:
        entry = step["changes"].get("entry", (None, entry))[1]
        if step["action"] == "approve" and step["status"] == "approved":
            by_person = step["by"] != DESK
            approved = None if entry is None else _exact(entry)
        if step["action"] == "send":
            levels = step["details"].get("levels")
            if levels is not None:
                asked = _exact(levels["entry"])
                spread = _exact(levels["tick_size"]) * int(levels["spread_ticks"])
    if asked is None:
        return None
    return Sent(asked=asked, approved=approved, spread=spread, by_person=by_person)


def _deal(deal: BrokerDeal) -> Deal:
    comment = deal.comment
    word = _LEVELS.get(deal.reason)
    if word is not None and f"[{word} " not in comment.casefold():
        comment = f"[{word} {deal.price}]"  # rewritten by the broker: its price is the best that is known
    return Deal(
        where=f"deal {deal.ticket}",
        ticket=deal.ticket,
        time=int(deal.time.timestamp()),
        symbol=deal.symbol,
        kind=str(deal.type),
        direction=_DIRECTIONS[deal.entry],
        volume=deal.volume,
        price=deal.price or Decimal(0),
        order=deal.order or None,
        commission=deal.commission,
        fee=deal.fee,
        swap=deal.swap,
        profit=deal.profit,
        balance=None,
        comment=comment,
        position=deal.position_id or None,
    )


def _pending(ideas: Iterable[Idea]) -> dict[int, PendingOrder]:
    """Limit and stop orders by ticket."""
    found = {}
    for idea in ideas:
        order = idea.get("order") or {}
        kind = str(order.get("type", "")).replace("_", " ")
        if order.get("ticket") and order.get("price") is not None and kind.endswith((" limit", " stop")):
            found[int(order["ticket"])] = PendingOrder(kind=kind, price=_exact(order["price"]))
    return found


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
