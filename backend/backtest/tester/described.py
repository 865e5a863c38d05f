"""An import and a comparison as JSON values: money and prices exact text, times UTC ISO-8601."""

from decimal import Decimal
from typing import Any

from backend.backtest.tester.comparing import Comparison, Pair
from backend.backtest.tester.model import Imported, TheirTrade
from backend.backtest.tester.ours import OurTrade
from backend.core.clock import from_epoch, iso
from backend.trading.profit import to_cents

_PRICE = Decimal("1e-8")


def import_as_dict(imported: Imported) -> dict[str, Any]:
    """The file, its trades and whether its balance adds up."""
    tables, balance = imported.tables, imported.balance
    nets = [trade.net for trade in imported.trades]
    return {
        "source": tables.source,
        "kind": tables.kind,
        "currency": tables.currency,
        "accounting": imported.accounting.value,
        "settings": dict(tables.settings),
        "from": iso(from_epoch(tables.deals[0].time)),
        "to": iso(from_epoch(tables.deals[-1].time)),
        "deals": len(tables.deals),
        "trades": [their_trade(trade) for trade in imported.trades],
        "still_open": [
            {
                "symbol": one.symbol,
                "side": one.side.direction,
                "volume": f"{one.volume:f}",
                "entry_time": iso(from_epoch(one.entry_time)),
                "where": one.where,
            }
            for one in imported.still_open
        ],
        "totals": {
            "net": _money(sum(nets, Decimal(0))),
            "profit": _money(sum((trade.profit for trade in imported.trades), Decimal(0))),
            "commission": _money(sum((trade.commission for trade in imported.trades), Decimal(0))),
            "swap": _money(sum((trade.swap for trade in imported.trades), Decimal(0))),
            "wins": sum(net > 0 for net in nets),
            "losses": sum(net < 0 for net in nets),
        },
        "balance": {
            "checked": balance.checked,
            "agrees": balance.where is None if balance.checked else None,
            "first_difference": None
            if balance.where is None
            else {
                "where": balance.where,
                "expected": str(balance.expected),
                "stated": str(balance.stated),
            },
        },
        "notes": list(imported.notes),
    }


def comparison_as_dict(comparison: Comparison) -> dict[str, Any]:
    """The causes, every pair, and what was left out."""
    theirs = [pair.theirs.net for pair in comparison.pairs if pair.theirs]
    ours = [pair.ours.net for pair in comparison.pairs if pair.ours]
    return {
        "source": comparison.imported.tables.source,
        "run": comparison.run.id,
        "currency": comparison.run.currency,
        "paired": sum(1 for pair in comparison.pairs if pair.theirs and pair.ours),
        "only_theirs": sum(1 for pair in comparison.pairs if pair.ours is None),
        "only_ours": sum(1 for pair in comparison.pairs if pair.theirs is None),
        "their_net": _money(sum(theirs, Decimal(0))),
        "our_net": _money(sum(ours, Decimal(0))),
        "difference": _money(comparison.difference),
        "causes": {cause.value: _money(amount) for cause, amount in comparison.causes.items()},
        "our_bars": comparison.bars,
        "balance_agrees": comparison.imported.balance.where is None
        if comparison.imported.balance.checked
        else None,
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "excluded": [
            {
                "theirs": their_trade(trade) if isinstance(trade, TheirTrade) else None,
                "ours": _our_trade(trade) if isinstance(trade, OurTrade) else None,
                "reason": reason,
            }
            for trade, reason in comparison.excluded
        ],
        "notes": list(comparison.notes),
    }


def their_trade(trade: TheirTrade) -> dict[str, Any]:
    """One of their trades."""
    return {
        "id": trade.id,
        "symbol": trade.symbol,
        "side": trade.side.direction,
        "volume": f"{trade.volume:f}",
        "entry_time": iso(from_epoch(trade.entry_time)),
        "entry_price": _price(trade.entry_price),
        "entry_level": None if trade.entry_level is None else _price(trade.entry_level),
        "exit_time": iso(from_epoch(trade.exit_time)),
        "exit_price": _price(trade.exit_price),
        "exit_kind": trade.exit_kind.value,
        "exit_level": None if trade.exit_level is None else _price(trade.exit_level),
        "profit": _money(trade.profit),
        "commission": _money(trade.commission),
        "swap": _money(trade.swap),
        "net": _money(trade.net),
        "rows": list(trade.rows),
        "assumed": trade.assumed,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "theirs": their_trade(pair.theirs) if pair.theirs else None,
        "ours": _our_trade(pair.ours) if pair.ours else None,
        "difference": _money(pair.difference),
        "causes": {cause.value: _money(amount) for cause, amount in pair.parts.items()},
    }


def _our_trade(trade: OurTrade) -> dict[str, Any]:
    return {
        "id": trade.id,
        "symbol": trade.symbol,
        "side": trade.side.direction,
        "volume": f"{trade.volume:f}",
        "entry_time": iso(from_epoch(trade.entry_time)),
        "entry_price": str(trade.entry_price),
        "exit_time": iso(from_epoch(trade.exit_time)),
        "exit_price": str(trade.exit_price),
        "exit_reason": trade.exit_reason,
        "net": str(trade.net),
    }


def _money(amount: Decimal) -> str:
    return str(to_cents(amount) + 0)


def _price(price: Decimal) -> str:
    """A price with at most eight decimals: the average of several deals has no end."""
    short = price.quantize(_PRICE)
    return f"{short if short != price else price:f}"
