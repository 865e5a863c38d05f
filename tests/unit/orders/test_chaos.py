"""Hundreds of ideas against a broker that fails in every way: money is conserved and nothing is doubled."""

import contextlib
import json
import random
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import DeskError, Unavailable
from backend.ideas.steps import replayed
from backend.journal.record import Kind
from backend.mt5.words import DealEntry
from backend.orders.intents import named_in
from backend.orders.tickets import Ticket
from backend.simulator.account import SimulatedAccount
from backend.simulator.faults import Fault, Faults
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.fakes.desk import ROOT
from tests.fakes.live_orders import LiveOrders

CHANCES = {
    Fault.REQUOTE: 0.06,
    Fault.REJECT: 0.03,
    Fault.OFF_QUOTES: 0.03,
    Fault.NO_MONEY: 0.02,
    Fault.NO_ANSWER_EXECUTED: 0.06,
    Fault.NO_ANSWER: 0.04,
    Fault.DISCONNECT: 0.01,
    Fault.PARTIAL: 0.06,
    Fault.BLANK_COMMENT: 0.06,
    Fault.REWRITE_COMMENT: 0.06,
}
MOST, MOST_OF_SYMBOL = 12, 5
LIMITS = {
    "max_positions": MOST,
    "max_positions_per_symbol": MOST_OF_SYMBOL,
    "max_trades_per_day": 100_000,
    "max_orders_per_minute": 8,
    "open_risk_limit": 0.05,
    "daily_loss": {"limit": 0.9},
    "drawdown": {"limit": 0.95},
    "no_entries_before_weekend_minutes": 0,
}
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY")


class Chaos:
    """A desk whose broker and line fail by seed, and a person who sends, closes and cancels at random."""

    def __init__(self, tmp: Path, seed: int) -> None:
        config = tmp / "config"
        shutil.copytree(ROOT / "config", config)
        (config / "risk.json").write_text(json.dumps(LIMITS), encoding="utf-8")
        self.chance = random.Random(seed)
        self.live = LiveOrders(
            tmp / "data",
            config=config,
            faults=Faults(seed=seed, chances=CHANCES, slow_seconds=0.0),
            account=SimulatedAccount(commission=Decimal("3.5"), balance=Decimal(100_000)),
            symbols={"*": {"fillings": self.chance.choice([1, 2, 3])}},
        )
        self.asked = 0
        self.outcomes: Counter[str] = Counter()

    def ticket(self) -> Ticket:
        symbol = self.chance.choice(SYMBOLS)
        instrument, quote = (getattr(self.live.desk.market, name)(symbol) for name in ("instrument", "quote"))
        side = self.chance.choice([*Side])
        kind = self.chance.choice([*OrderType])
        live = instrument.ticks(float(quote.ask if side is Side.BUY else quote.bid))
        away = self.chance.randint(20, 150) * side.sign
        entry = live if kind is OrderType.MARKET else live + (away if kind is OrderType.STOP else -away)
        stop = self.chance.randint(100, 400)

        def price(ticks: int) -> float:
            return float(instrument.price(ticks))

        return Ticket(
            symbol=symbol,
            side=side,
            type=kind,
            price=None if kind is OrderType.MARKET else price(entry),
            stop=price(entry - side.sign * stop),
            target=price(entry + side.sign * stop * 2),
            volume=self.chance.randint(1, 30) / 100,
            key=str(self.asked),
        )

    def act(self) -> None:
        """One thing that a person or the desk does."""
        what = self.chance.random()
        try:
            if what < 0.5:
                self.asked += 1
                ticket = self.ticket()
                self.outcomes[str(self.live.orders.tickets.send(ticket, actor="ann")["status"])] += 1
                assert self.live.orders.tickets.send(ticket, actor="ann")["id"], "handed in twice, sent once"
            elif what < 0.75:
                self.close()
            elif what < 0.85:
                orders = self.live.dealer.orders()
                if orders:
                    self.live.orders.cancel(orders[0].ticket, actor="ann", why="chaos")
            else:
                self.live.orders.recovery.run()
        except DeskError as error:
            self.outcomes[error.code] += 1
            if error.code == "state_lost":
                raise
        self.live.desk.clock.move(seconds=self.chance.uniform(1, 40))

    def close(self) -> None:
        positions = self.live.desk.client.positions()
        if positions:
            one = self.chance.choice(positions)
            half = (one.volume / 2).quantize(Decimal("0.01"))
            part = half if self.chance.random() < 0.3 and half and one.volume - half else None
            self.live.orders.close(one.ticket, part, actor="ann", why="chaos")

    # What has to hold

    def check_limits(self) -> None:
        """No order is beyond a limit, whatever went wrong before."""
        positions, orders = self.live.desk.client.positions(), self.live.dealer.orders()
        # A position and the rest of the order that opened it are one trade.
        trades = {position.identifier: position.symbol for position in positions}
        trades |= {order.ticket: order.symbol for order in orders}
        standing = Counter(trades.values())
        assert sum(standing.values()) <= MOST
        assert max(standing.values(), default=0) <= MOST_OF_SYMBOL
        assert all(position.stop is not None for position in positions), "each has its stop at the broker"
        assert all(order.stop is not None for order in orders)

    def settle(self) -> None:
        """The line is good again, and the reconcile has run until it has nothing to do."""
        for _ in range(6):
            self.live.desk.clock.move(seconds=61)
            with contextlib.suppress(Unavailable):  # the terminal may be offline for half a minute
                self.live.orders.recovery.run()

    def check(self) -> None:
        """Money, duplicates, states, journal."""
        desk = self.live.desk
        deals = self.live.dealer.deals(desk.clock.at.replace(year=2020))
        assert sum((deal.net for deal in deals), Decimal(0)) == Decimal(repr(desk.client.account().balance))
        entries = Counter(deal.order for deal in deals if deal.trade and deal.entry is DealEntry.IN)
        intents = {record.key: record.payload for record in desk.journal.newest(kind=Kind.ORDER_INTENT)}
        owners: dict[int, str] = {}
        for idea in desk.book.find():
            assert replayed(idea["history"]) == idea["status"]
            assert idea["status"] not in {"approved", "sending"}, "nothing is stuck"
            ticket = (idea.get("order") or {}).get("ticket")
            if ticket and idea["status"] not in {"unknown", "failed"}:
                assert owners.setdefault(ticket, idea["id"]) == idea["id"], "an order belongs to one idea"
        unknown = [idea for idea in desk.book.find() if idea["status"] == "unknown"]
        known = set(owners)
        for order in entries:
            comment = next(deal.comment for deal in deals if deal.order == order)
            assert order in known or unknown, f"nobody knows order {order} {comment}"
            named = named_in(comment)
            if named is not None and order in owners:
                assert intents[named]["idea"] == owners[order]
        for position in desk.client.positions():
            assert position.identifier in known or unknown
        assert desk.journal.verify().broken_at is None


def run(tmp: Path, seed: int, ideas: int) -> Chaos:
    chaos = Chaos(tmp, seed)
    while chaos.asked < ideas:
        chaos.act()
        chaos.check_limits()
    chaos.settle()
    chaos.check()
    return chaos


def told(chaos: Chaos) -> Any:
    return dict(chaos.outcomes)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(5))
def test_five_hundred_ideas(tmp_path: Path, seed: int) -> None:
    chaos = run(tmp_path, seed, 100)
    assert chaos.outcomes["open"] + chaos.outcomes["placed"] > 15, told(chaos)
    assert chaos.outcomes["outcome_unknown"] > 0, told(chaos)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 120))
def test_ten_thousand_ideas(tmp_path: Path, seed: int) -> None:
    run(tmp_path, seed, 500)
