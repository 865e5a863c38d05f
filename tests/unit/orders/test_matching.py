"""What became of an order whose answer was lost: found by what the broker keeps, never guessed."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.mt5.orders import Deal, Order
from backend.mt5.words import DealEntry, DealType, OrderState, OrderType, Reason
from backend.orders.intents import Intent, named_in
from backend.orders.matching import Found, Match, Seen, match_all
from tests.fakes.broker_rows import LOTS, MAGIC, NOW, deal, intent, order, position

MINE = intent()


def found(seen: Seen, *others: Intent, of: Intent = MINE, taken: frozenset[int] = frozenset()) -> Match:
    return match_all([of, *others], seen, taken)[of.id]


def dealt(ticket: int, **fields: Any) -> tuple[Order, Deal]:
    mine = {"comment": fields.get("comment", "")}
    return order(ticket, **fields), deal(ticket + 1000, ticket, **mine)


def test_nothing_is_absent() -> None:
    assert found(Seen()).found is Found.ABSENT


def test_a_dealt_order_is_found_without_its_comment() -> None:
    one, its_deal = dealt(11)
    match = found(Seen(history=[one], deals=[its_deal], positions=[position(11)]))
    assert (match.found, match.ticket, match.position_id, match.volume) == (Found.OPEN, 11, 11, LOTS)
    assert match.price == Decimal("1.10000")


def test_deals_alone_are_enough_and_so_is_the_position() -> None:
    assert found(Seen(deals=[deal(1, 11)])).found is Found.OPEN
    match = found(Seen(positions=[position(11)]))
    assert (match.found, match.ticket, match.volume, match.price) == (Found.OPEN, 11, LOTS, None)


@pytest.mark.parametrize(
    "other",
    [
        {"magic": 0},
        {"symbol": "GBPUSD"},
        {"type": OrderType.SELL},
        {"type": OrderType.BUY_LIMIT},
        {"volume": Decimal("0.11")},
        {"placed_at": NOW - timedelta(seconds=5, milliseconds=1)},
        {"reason": Reason.SL},
        {"comment": intent("i-2").id},
    ],
)
def test_each_trait_has_to_fit(other: dict[str, Any]) -> None:
    assert found(Seen(history=[order(11)])).found is Found.PENDING
    assert found(Seen(history=[order(11, **other)])).found is Found.ABSENT


def test_the_servers_clock_may_be_five_seconds_behind() -> None:
    assert found(Seen(history=[order(11, placed_at=NOW - timedelta(seconds=5))])).ticket == 11


def test_an_order_that_is_on_record_for_another_is_no_candidate() -> None:
    one, its_deal = dealt(11)
    assert found(Seen(history=[one], deals=[its_deal]), taken=frozenset({11})).found is Found.ABSENT


def test_two_candidates_are_uncertain_and_both_are_named() -> None:
    match = found(Seen(history=[order(11), order(12)]))
    assert (match.found, match.candidates) == (Found.UNCERTAIN, (11, 12))


def test_a_surviving_comment_decides_between_them() -> None:
    match = found(Seen(history=[order(11), order(12, comment=MINE.id)], deals=[deal(1, 11), deal(2, 12)]))
    assert (match.found, match.ticket) == (Found.OPEN, 12)


def test_a_comment_survives_inside_another_text_and_on_any_of_the_rows() -> None:
    match = found(Seen(deals=[deal(1, 11), deal(2, 12, comment=f"#{MINE.id}/x")]))
    assert match.ticket == 12
    assert found(Seen(positions=[position(11), position(12, comment=MINE.id)])).ticket == 12


def test_one_comment_on_two_orders_is_uncertain() -> None:
    seen = Seen(history=[order(11, comment=MINE.id), order(12, comment=MINE.id)])
    assert found(seen).found is Found.UNCERTAIN


def test_one_order_that_either_of_two_could_be_is_nobodys() -> None:
    twin = intent("i-2", at=NOW + timedelta(seconds=1))
    seen = Seen(history=[order(11, placed_at=NOW + timedelta(seconds=2))])
    assert found(seen, twin).found is Found.UNCERTAIN
    assert found(seen, MINE, of=twin).found is Found.UNCERTAIN
    named = Seen(history=[*seen.history, order(12, comment=twin.id)])
    assert found(named, twin).ticket == 11, "the twin has its own"


def test_a_waiting_order_is_placed_and_its_ends_are_told() -> None:
    mine = intent(type=OrderType.BUY_LIMIT)
    waits = order(11, type=OrderType.BUY_LIMIT, state=OrderState.PLACED, volume_left=LOTS)
    assert found(Seen(orders=[waits]), of=mine).found is Found.PLACED
    for state, end in (
        (OrderState.CANCELED, Found.CANCELLED),
        (OrderState.EXPIRED, Found.EXPIRED),
        (OrderState.REJECTED, Found.REJECTED),
        (OrderState.FILLED, Found.PENDING),
    ):
        assert found(Seen(history=[replace(waits, state=state)]), of=mine).found is end
    started = replace(waits, state=OrderState.STARTED)
    assert found(Seen(orders=[started]), of=mine).found is Found.PENDING


def test_a_partial_fill_counts_what_was_dealt() -> None:
    mine = intent(type=OrderType.BUY_LIMIT)
    part = Decimal("0.04")
    waits = order(11, type=OrderType.BUY_LIMIT, state=OrderState.PARTIAL, volume_left=LOTS - part)
    seen = Seen(orders=[waits], deals=[deal(1, 11, volume=part)], positions=[position(11, volume=part)])
    match = found(seen, of=mine)
    assert (match.found, match.volume) == (Found.PARTLY, part)
    ended = replace(waits, state=OrderState.CANCELED)
    match = found(replace(seen, orders=[], history=[ended]), of=mine)
    assert (match.found, match.volume) == (Found.OPEN, part)


def test_a_position_that_was_closed_meanwhile_is_told() -> None:
    one, its_deal = dealt(11)
    out = deal(2, 99, position_id=11, type=DealType.SELL, entry=DealEntry.OUT, reason=Reason.SL)
    match = found(Seen(history=[one], deals=[its_deal, out]))
    assert (match.found, match.position_id) == (Found.CLOSED, 11)
    part = replace(out, volume=Decimal("0.05"))
    left = position(11, volume=Decimal("0.05"))
    assert found(Seen(history=[one], deals=[its_deal, part], positions=[left])).found is Found.OPEN


def test_an_order_that_closes_a_position_opens_nothing() -> None:
    closing = order(12, position_id=7)
    out = deal(2, 12, position_id=7, entry=DealEntry.OUT)
    assert found(Seen(history=[closing], deals=[out])).found is Found.ABSENT
    assert found(Seen(history=[closing])).found is Found.ABSENT
    netted = found(Seen(history=[closing], deals=[out], hedging=False))
    assert netted.ticket == 12, "on a netting account an opposite order takes from the position"


def test_the_mean_price_is_weighted() -> None:
    two = [deal(1, 11, volume=Decimal("0.03"), price=Decimal("1.1")), deal(2, 11, volume=Decimal("0.07"))]
    two[1] = replace(two[1], price=Decimal("1.2"))
    assert found(Seen(deals=two)).price == Decimal("1.17")


def test_an_intent_is_named_only_by_its_whole_id() -> None:
    assert named_in(MINE.id) == MINE.id
    assert named_in(f"o-o-{MINE.id[2:]}") == MINE.id
    assert named_in(MINE.id[:-1]) is None
    assert named_in("o-" + "z" * 20) is None
    assert named_in("") is None


# Laws over any account.


@dataclass
class World:
    """Intents, those of them that are on record, and what the broker shows."""

    open: list[Intent] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    truth: dict[str, int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    orders: list[Order] = []
    history: list[Order] = []
    deals: list[Deal] = []
    positions = []
    for number in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from([OrderType.BUY, OrderType.SELL, OrderType.BUY_LIMIT]))
        volume = draw(st.sampled_from([Decimal("0.10"), Decimal("0.20")]))
        at = NOW + timedelta(seconds=draw(st.integers(0, 3)))
        mine = intent(f"i-{number}", at=at, type=kind, volume=volume)
        ticket = 10 + number
        recorded = draw(st.booleans())
        if recorded:
            world.taken.add(ticket)
        else:
            world.open.append(mine)
        if not recorded and draw(st.booleans()):
            continue  # it never reached the broker
        world.truth[mine.id] = ticket
        comment = draw(st.sampled_from([mine.id, "", "broker", f"{mine.id[:16]}"]))
        filled = (
            draw(st.sampled_from([Decimal(0), Decimal(1), Decimal("0.5")])) if kind.pending else Decimal(1)
        )
        waits = filled < 1 and draw(st.booleans())
        row = order(
            ticket,
            type=kind,
            volume=volume,
            comment=comment,
            placed_at=at + timedelta(milliseconds=draw(st.integers(-4000, 2000))),
            state=OrderState.PLACED if waits else OrderState.FILLED if filled == 1 else OrderState.CANCELED,
            magic=MAGIC,
        )
        (orders if waits else history).append(row)
        if filled:
            side = DealType.BUY if kind.buy else DealType.SELL
            when = row.placed_at
            deals.append(
                deal(100 + ticket, ticket, type=side, volume=volume * filled, comment=comment, time=when)
            )
            positions.append(
                position(ticket, buy=kind.buy, volume=volume * filled, comment=comment, opened_at=when)
            )
    world.seen = Seen(orders=orders, history=history, deals=deals, positions=positions)
    return world


def alike(one: Intent, other: Intent) -> bool:
    return (one.request.type, one.request.volume) == (other.request.type, other.request.volume)


@given(worlds())
def test_what_is_found_is_the_intents_own(world: World) -> None:
    for name, match in match_all(world.open, world.seen, world.taken).items():
        if match.ticket:
            assert world.truth.get(name) == match.ticket


@given(worlds())
def test_what_reached_the_broker_is_never_absent(world: World) -> None:
    matches = match_all(world.open, world.seen, world.taken)
    for mine in world.open:
        if mine.id in world.truth:
            assert matches[mine.id].found is not Found.ABSENT
        else:
            assert matches[mine.id].ticket == 0


@given(worlds())
def test_without_a_twin_it_is_found(world: World) -> None:
    matches = match_all(world.open, world.seen, world.taken)
    for mine in world.open:
        twins = [other for other in world.open if other is not mine and alike(mine, other)]
        if mine.id in world.truth and not twins:
            assert matches[mine.id].ticket == world.truth[mine.id]


@given(worlds(), st.randoms())
def test_the_order_of_rows_does_not_matter(world: World, chance: Any) -> None:
    before = match_all(world.open, world.seen, world.taken)
    shuffled = {
        name: chance.sample(list(getattr(world.seen, name)), len(getattr(world.seen, name)))
        for name in ("orders", "history", "positions")
    }
    assert match_all(world.open[::-1], replace(world.seen, **shuffled), world.taken) == before
