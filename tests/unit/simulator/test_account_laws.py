"""Laws of the simulated account, over seeded markets and random requests."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.mt5.server_time import ServerClock
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book
from backend.simulator.build import build_simulated_terminal
from backend.simulator.faults import Fault, Faults
from backend.simulator.market import SyntheticMarket
from backend.simulator.statefile import BookFile
from backend.simulator.symbols import SYMBOLS
from backend.simulator.terminal import SimulatedTerminal
from backend.simulator.terms import BrokerTerms
from backend.storage.files import FileStorage
from tests.unit.simulator.replay_data import write_minutes

CLOCK = ServerClock.parse("America/New_York+7")
FIRST = datetime(2025, 10, 30, 9, 0, tzinfo=UTC)  # a Thursday; New York's clock changes on Sunday
NAMES = ("EURUSD", "USDJPY", "GBPUSD", "AUDUSD")


@dataclass(frozen=True, slots=True)
class Step:
    """What a trader does at a moment; distances are in points."""

    minutes: int
    what: int
    symbol: str
    kind: int
    steps: int
    near: int
    far: int


STEPS = st.builds(
    Step,
    minutes=st.integers(1, 900),
    what=st.integers(0, 9),
    symbol=st.sampled_from(NAMES),
    kind=st.integers(0, 7),
    steps=st.integers(1, 400),
    near=st.integers(5, 400),
    far=st.integers(5, 800),
)


class Trader:
    """Sends what the steps say, prices taken from the terminal's own quotes."""

    def __init__(self, terms: BrokerTerms, seed: int = 3, file: BookFile | None = None) -> None:
        self.now = FIRST
        self._market = SyntheticMarket(seed, SYMBOLS)
        self._terms = terms
        self.api: Any = None
        self.restart(file)

    def restart(self, file: BookFile | None) -> None:
        self.api = SimulatedTerminal(
            self._market, server_clock=CLOCK, now=lambda: self.now, terms=self._terms, file=file
        )
        self.api.initialize()

    def book(self) -> Book:
        self.api.account_info()
        book: Book = self.api._room.broker.book
        return book

    def act(self, step: Step) -> None:
        request = self._request(step)
        if request is not None:
            self.api.order_send(request)

    def _request(self, step: Step) -> dict[str, Any] | None:
        positions, orders = self.api.positions_get(), self.api.orders_get()
        some = positions[step.near % len(positions)] if positions else None
        if step.what == 0 and some is not None:
            return self._deal(some.symbol, 1 - some.type, some.volume, position=some.ticket)
        if step.what == 1 and some is not None:
            volume = max(0.01, round(int(some.volume * 50) / 100, 2))
            return self._deal(some.symbol, 1 - some.type, volume, position=some.ticket)
        if step.what == 2 and some is not None:
            away = step.near * self.api.symbol_info(some.symbol).point * (1 if some.type == 0 else -1)
            digits = self.api.symbol_info(some.symbol).digits
            return {"action": 6, "position": some.ticket, "sl": round(some.price_current - away, digits)}
        if step.what == 3 and orders:
            return {"action": 8, "order": orders[step.far % len(orders)].ticket}
        if step.what == 4 and len(positions) > 1:
            return {"action": 10, "position": positions[0].ticket, "position_by": positions[-1].ticket}
        return self._new(step)

    def _deal(self, symbol: str, kind: int, volume: float, **more: Any) -> dict[str, Any]:
        fields = {"action": 1, "symbol": symbol, "volume": volume, "type": kind, "type_filling": 1}
        return fields | more

    def _new(self, step: Step) -> dict[str, Any]:
        info = self.api.symbol_info(step.symbol)
        buy = step.kind % 2 == 0
        sign = 1 if buy else -1
        price = info.ask if buy else info.bid
        limit = step.kind in {2, 3}
        if step.kind > 1:
            price += (-sign if limit else sign) * step.near * info.point
        levels = {
            "sl": round(price - sign * (step.far + 60) * info.point, info.digits),
            "tp": round(price + sign * (step.far + 60) * info.point, info.digits),
        }
        fields = self._deal(step.symbol, step.kind, step.steps / 100, **levels)
        if step.kind > 1:
            fields |= {"action": 5, "price": round(price, info.digits), "type_filling": 2}
            fields |= {"type_time": step.far % 2}
        if step.kind > 5:
            fields["stoplimit"] = round(price - sign * step.near / 2 * info.point, info.digits)
            fields |= {"sl": 0.0, "tp": 0.0}
        return fields


def terms(*, hedging: bool = True, **more: Any) -> BrokerTerms:
    account = SimulatedAccount(hedging=hedging, commission=Decimal("3.5"), slippage=2)
    return BrokerTerms(account=account, **more)


def moments(steps: Sequence[Step]) -> Iterator[tuple[datetime, Step]]:
    now = FIRST
    for step in steps:
        now += timedelta(minutes=step.minutes)
        yield now, step


def seen(book: Book) -> dict[str, Any]:
    """All of a book but how far time was looked at."""
    return {name: value for name, value in asdict(book).items() if name not in {"seen_ms", "midnight_ms"}}


@given(steps=st.lists(STEPS, min_size=3, max_size=12), hedging=st.booleans())
def test_money_is_conserved_and_no_number_is_given_twice(steps: list[Step], hedging: bool) -> None:
    trader = Trader(terms(hedging=hedging))
    for now, step in moments(steps):
        trader.now = now
        trader.act(step)
        info = trader.api.account_info()
        assert info.equity == pytest.approx(info.balance + info.profit, abs=1e-9)
        assert info.profit == pytest.approx(
            sum(p.profit + p.swap for p in trader.api.positions_get()), abs=1e-9
        )
    trader.now += timedelta(days=3)
    book = trader.book()
    assert book.balance == sum(deal.profit + deal.swap + deal.commission for deal in book.deals)
    assert all(deal.profit == round(deal.profit, 2) for deal in book.deals)
    tickets = [*(d.ticket for d in book.deals), *(o.ticket for o in book.done), *book.orders]
    assert len(tickets) == len(set(tickets))
    assert [deal.time_ms for deal in book.deals] == sorted(deal.time_ms for deal in book.deals)
    assert [order.done_ms for order in book.done] == sorted(order.done_ms for order in book.done)
    # What went into each position and has not come out is what is open.
    left: dict[int, Decimal] = {}
    for deal in book.deals[1:]:
        sign = 1 if deal.kind == 0 else -1
        left[deal.position] = left.get(deal.position, Decimal(0)) + sign * deal.lots
    held = {one.identifier: one.side.sign * one.lots for one in book.positions.values()}
    assert {key: lots for key, lots in left.items() if lots} == held
    if not hedging:
        names = [one.symbol for one in book.positions.values()]
        assert len(names) == len(set(names))


@given(steps=st.lists(STEPS, min_size=2, max_size=8), every=st.sampled_from([607, 3_600, 20_003]))
def test_how_often_somebody_asks_changes_nothing(steps: list[Step], every: int) -> None:
    """Asked at each request only, and asked at `every` seconds as well: the same book."""
    rare, often = Trader(terms()), Trader(terms())
    pause = timedelta(seconds=every)
    for now, step in moments(steps):
        rare.now = now
        rare.act(step)
        while often.now + pause < now:
            often.now += pause
            often.api.positions_total()
        often.now = now
        often.act(step)
    rare.now = often.now = often.now + timedelta(days=4)
    assert seen(rare.book()) == seen(often.book())


def test_asked_each_second_near_a_stop_out_or_once_the_same() -> None:
    big = {"action": 1, "symbol": "EURUSD", "volume": 8.9, "type": 0, "type_filling": 1}
    books = []
    for pause in (timedelta(hours=40), timedelta(seconds=13)):
        trader = Trader(BrokerTerms(account=SimulatedAccount(stop_out=Decimal(85))))
        assert trader.api.order_send(big).retcode == 10_009
        end = FIRST + timedelta(hours=6)
        while trader.now < end:
            trader.now = min(end, trader.now + pause)
            trader.api.positions_total()
        books.append(trader.book())
    assert seen(books[0]) == seen(books[1])
    assert books[0].deals[-1].comment.startswith("[so 8")


@given(steps=st.lists(STEPS, min_size=2, max_size=8), stops=st.sets(st.integers(0, 7)))
def test_a_restart_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], stops: set[int]
) -> None:
    storage = FileStorage(tmp_path_factory.mktemp("book"), fsync=False)
    faults = Faults(seed=1, chances={Fault.REJECT: 0.1, Fault.NO_ANSWER_EXECUTED: 0.2, Fault.PARTIAL: 0.2})
    whole = Trader(terms(faults=faults))
    broken = Trader(terms(faults=faults), file=BookFile(storage, "book.jsonl"))
    for place, (now, step) in enumerate(moments(steps)):
        whole.now = broken.now = now
        whole.act(step)
        broken.act(step)
        if place in stops:
            broken.restart(BookFile(storage, "book.jsonl"))
    whole.now = broken.now = whole.now + timedelta(days=2)
    broken.restart(BookFile(storage, "book.jsonl"))
    assert seen(whole.book()) == seen(broken.book())


def test_deals_of_a_replay_do_not_depend_on_how_often_it_is_asked(tmp_path: Path) -> None:
    write_minutes(tmp_path, "eurusd", first=datetime(2025, 11, 10, tzinfo=UTC), days=5)
    start = datetime(2025, 11, 10, 9, tzinfo=UTC)
    found: list[Any] = []
    for pause in (timedelta(hours=50), timedelta(minutes=1), timedelta(seconds=37)):
        now = [start]
        api: Any = build_simulated_terminal(
            seed=1,
            replay=tmp_path,
            server_clock=CLOCK,
            now=lambda now=now: now[0],  # type: ignore[misc]
        )
        api.initialize()
        while now[0] < start + timedelta(hours=8):
            now[0] += min(pause, timedelta(hours=1) - (now[0] - start) % timedelta(hours=1))
            if (now[0] - start) % timedelta(hours=1) == timedelta(0):
                ask = api.symbol_info_tick("EURUSD").ask
                levels = {"sl": round(ask - 0.0012, 5), "tp": round(ask + 0.0010, 5)}
                request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "type_filling": 1}
                assert api.order_send(request | levels).retcode == 10_009
            else:
                api.positions_total()
        found.append(api.history_deals_get(1, int(now[0].timestamp()) + 86_400))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 8
