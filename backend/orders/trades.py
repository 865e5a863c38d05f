"""Closed trades: the broker's figures from its deals, and one row each in ``logs/trades_{YYYYmmdd}.csv``."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from backend.core.clock import day, iso, parse_iso
from backend.core.instruments import Instrument
from backend.mt5.orders import Deal
from backend.mt5.words import DealEntry
from backend.mt5.words import Reason as DealReason
from backend.orders.facts import number
from backend.orders.matching import mean_price
from backend.storage.files import FileStorage
from backend.trading.conversion import conversion
from backend.trading.profit import loss_per_lot
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from backend.trading.trade_table import TRADE_COLUMNS

PERSON = "person"
"""Exit reason of what neither a rule nor a level closed."""

_BY_PEOPLE = frozenset({DealReason.CLIENT, DealReason.MOBILE, DealReason.WEB})


def is_closed(deals: Sequence[Deal]) -> bool:
    """Whether deals of a position show that all of it was closed."""
    opened = sum((deal.volume for deal in deals if deal.entry is DealEntry.IN), Decimal(0))
    closed = sum((deal.volume for deal in deals if deal.entry is not DealEntry.IN), Decimal(0))
    return Decimal(0) < opened <= closed


def result_of(
    idea: Mapping[str, Any],
    deals: Sequence[Deal],
    *,
    instrument: Instrument,
    currency: str,
    asked: Callable[[str], str | None],
) -> dict[str, Any]:
    """What a closed position earned, by the broker's figures; money in account currency.

    ``r`` is the net result ÷ what the first stop would have lost; None without a stop.

    Args:
        idea: The idea whose position it is.
        deals: All deals of the position.
        instrument: Its symbol.
        currency: Of the account.
        asked: Why the desk asked for a deal, by its comment; None if it did not.
    """
    leaving = [deal for deal in deals if deal.entry is not DealEntry.IN]
    last = max(leaving, key=lambda deal: (deal.time, deal.ticket))
    gross = sum((deal.profit for deal in deals), Decimal(0))
    costs = -sum((deal.commission + deal.fee for deal in deals), Decimal(0))
    swap = sum((deal.swap for deal in deals), Decimal(0))
    volume = sum((deal.volume for deal in leaving), Decimal(0))
    net = gross - costs + swap
    risk = _risk(idea, instrument, currency, volume)
    return {
        "closed_at": iso(last.time),
        "exit_price": number(mean_price(leaving)),
        "exit_reason": _reason(idea, last, asked),
        "volume": number(volume),
        "gross": number(gross),
        "commission": number(costs),
        "swap": number(swap),
        "net": number(net),
        "r": round(float(net / risk), 6) if risk else None,
        "deals": [deal.ticket for deal in deals],
    }


def trade_row(idea: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a closed idea; what is not known live stays empty."""
    position, result = idea["position"], idea["result"]
    return dict.fromkeys(TRADE_COLUMNS) | {
        "id": idea["id"],
        "symbol": idea["symbol"],
        "side": Side(idea["side"]).direction,
        "volume": result["volume"],
        "signal_time": idea.get("bar_close"),
        "entry_time": position["opened_at"],
        "entry_price": position["price_open"],
        "initial_stop": position["initial_stop"],
        "initial_target": position["initial_target"],
        "exit_time": result["closed_at"],
        "exit_price": result["exit_price"],
        "exit_reason": result["exit_reason"],
        "gross": result["gross"],
        "commission": result["commission"],
        "swap": result["swap"],
        "net": result["net"],
        "r": result["r"],
        "strategy": idea.get("strategy_id"),
    }


class TradeLog:
    """Appends closed trades to the day's file, each once.

    Args:
        storage: Files below the desk's folder.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage

    def write(self, idea: Mapping[str, Any]) -> str:
        """Append a closed idea's row, if it is not there; returns the file's name."""
        name = f"logs/trades_{day(parse_iso(idea['result']['closed_at']))}.csv"
        with self._storage.lock(f"{name}.once", 10.0):
            if not self._has(name, str(idea["id"])):
                self._storage.append_csv(name, TRADE_COLUMNS, [trade_row(idea)], sync=True)
        return name

    def _has(self, name: str, idea_id: str) -> bool:
        if not self._storage.exists(name):
            return False
        begins = f"{idea_id},".encode()
        return any(line.startswith(begins) for line in self._storage.read_bytes(name).splitlines())


def _risk(idea: Mapping[str, Any], instrument: Instrument, currency: str, volume: Decimal) -> Decimal | None:
    position = idea["position"]
    if position["initial_stop"] is None or position["price_open"] is None:
        return None
    entry, stop = (Decimal(repr(position[name])) for name in ("price_open", "initial_stop"))
    return volume * loss_per_lot(
        instrument, Side(idea["side"]), entry, stop, conversion(instrument, currency)
    )


def _reason(idea: Mapping[str, Any], last: Deal, asked: Callable[[str], str | None]) -> str:
    managed = idea.get("management") or {}
    if last.reason is DealReason.TP:
        return Reason.TARGET.value
    if last.reason is DealReason.SL:
        return str(managed.get("stop_reason") or Reason.STOP)
    if last.reason is DealReason.SO:
        return Reason.STOP_OUT.value
    why = asked(last.comment)
    if why in set(Reason):
        return str(why)
    if last.reason not in _BY_PEOPLE and why is None and managed.get("leaving"):
        # Management asked for the close, and the broker blanked its comment.
        return str(managed["leaving"])
    return PERSON
