"""The account driven bar by bar: each reading of a bar worked by hand.

EURUSD, one lot, 10 dollars a pip, an ask of 2 pips above the bid. `rise` and the like write bars in pips
above 1.1000 at the bid: open, high, low, close.
"""

from decimal import Decimal
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.mt5.arguments import EMPTY_REQUEST
from backend.simulator.account import SimulatedAccount
from backend.simulator.driven import DrivenAccount, DrivenBar
from backend.simulator.symbols import SYMBOLS
from backend.simulator.ways import Candle

BUY, SELL, BUY_LIMIT, SELL_LIMIT, BUY_STOP, SELL_STOP, BUY_STOP_LIMIT = range(7)
START = 1_763_373_600  # Monday 2025-11-17 10:00
EURUSD = "EURUSD"
D = Decimal


def price(pips: float) -> Decimal:
    return D("1.1000") + D(str(pips)) / 10_000


def candle(pips: tuple[float, float, float, float], above: float = 0) -> Candle:
    opened, high, low, close = (price(one + above) for one in pips)
    return Candle(open=opened, high=high, low=low, close=close)


class Run:
    """An account and its bars, a minute apart."""

    def __init__(self, **terms: Any) -> None:
        self.account = DrivenAccount(SYMBOLS, SimulatedAccount(**terms), start=START)
        self.time = START

    def begin(self, opened: float, high: float, low: float, close: float, *, after: int = 60) -> None:
        self.time += after
        pips = (opened, high, low, close)
        self.account.begin({EURUSD: DrivenBar(time=self.time, bid=candle(pips), ask=candle(pips, 2))})

    def bar(self, opened: float, high: float, low: float, close: float, *, after: int = 60) -> None:
        self.begin(opened, high, low, close, after=after)
        self.account.end()

    def send(self, kind: int, pips: float = 0, *, before: bool = False, **fields: Any) -> int:
        """A request whose prices are in pips, maybe from before the open; the ticket of its order."""
        action = 1 if kind in {BUY, SELL} else 5
        for name in ("sl", "tp", "stoplimit"):
            if name in fields:
                fields[name] = float(price(fields[name]))
        request = EMPTY_REQUEST._replace(
            action=action,
            symbol=EURUSD,
            volume=fields.pop("volume", 1.0),
            type=kind,
            type_filling=1,
            price=float(price(pips)) if action == 5 else 0.0,
            **fields,
        )
        result = self.account.rest(request) if before else self.account.send(request)
        assert result.retcode in {10_008, 10_009}, result
        return result.order

    def closed(self) -> list[tuple[float, str, bool]]:
        """Price in pips, reason and ambiguity of each deal that closed something."""
        reasons = {3: "asked", 4: "stop", 5: "target", 6: "stop_out"}
        return [
            (float((deal.price - D("1.1")) * 10_000), reasons[deal.reason], deal.ambiguous)
            for deal in self.account.book.deals
            if deal.entry == 1
        ]

    def opened(self) -> list[float]:
        """Price in pips of each deal that opened something."""
        deals = [deal for deal in self.account.book.deals if deal.entry == 0 and deal.order]
        return [float((deal.price - D("1.1")) * 10_000) for deal in deals]


LONG = {"sl": -20, "tp": 30}
SHORT = {"sl": 22, "tp": -28}


@pytest.mark.parametrize(
    ("kind", "levels", "bar", "closed"),
    [
        (BUY, LONG, (0, 10, -19.9, 5), None),
        (BUY, LONG, (0, 10, -20, 5), (-20, "stop", False)),
        (BUY, LONG, (0, 30, -5, 5), (30, "target", False)),
        (BUY, LONG, (0, 30, -20, 5), (-20, "stop", True)),  # both inside: the stop first
        (BUY, LONG, (-25, 40, -26, 5), (-25, "stop", False)),  # opens beyond: at the open
        (BUY, LONG, (33, 40, 31, 35), (30, "target", False)),  # no improvement
        (BUY, LONG, (35, 40, -40, 0), (30, "target", False)),  # what the open decides is decided
        # A short looks at the ask, 2 pips above these.
        (SELL, SHORT, (0, 19.9, -10, 5), None),
        (SELL, SHORT, (0, 20, -10, 5), (22, "stop", False)),
        (SELL, SHORT, (0, 5, -30, 0), (-28, "target", False)),
        (SELL, SHORT, (0, 5, -29.9, 0), None),
        (SELL, SHORT, (0, 20, -30, 0), (22, "stop", True)),
        (SELL, SHORT, (28, 30, -30, 0), (30, "stop", False)),
        (SELL, SHORT, (-35, 30, -40, 0), (-28, "target", False)),
    ],
)
def test_stop_and_target_of_an_open_position(
    kind: int,
    levels: dict[str, Any],
    bar: tuple[float, float, float, float],
    closed: tuple[float, str, bool] | None,
) -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(kind, **levels)
    run.bar(*bar)
    assert run.closed() == ([] if closed is None else [closed])


@pytest.mark.parametrize(
    ("kind", "at", "levels", "bar", "opened", "closed"),
    [
        # Limits: a long at −10, which the ask reaches when the bid is at −12.
        (BUY_LIMIT, -10, {}, (0, 5, -11.9, 0), [], []),
        (BUY_LIMIT, -10, {}, (0, 5, -12, 0), [-10], []),
        (BUY_LIMIT, -10, {}, (-30, 5, -40, 0), [-10], []),  # opens beyond: no improvement
        (SELL_LIMIT, 10, {}, (0, 10, -5, 0), [10], []),
        # Stop entries: a long at 10, which the ask reaches when the bid is at 8.
        (BUY_STOP, 10, {}, (0, 7.9, -5, 0), [], []),
        (BUY_STOP, 10, {}, (0, 8, -5, 0), [10], []),
        (BUY_STOP, 10, {}, (15, 20, 12, 15), [17], []),  # a gap: the ask's open
        (SELL_STOP, -10, {}, (-15, -10, -20, -15), [-15], []),
        # The bar that filled a limit: the stop counts if it is possible, for the price was falling to it …
        (BUY_LIMIT, -10, {"sl": -20, "tp": 20}, (0, 5, -20, 0), [-10], [(-20, "stop", False)]),
        (BUY_LIMIT, -10, {"sl": -20, "tp": 20}, (0, 25, -20, 0), [-10], [(-20, "stop", True)]),
        # … the target only where the close proves it.
        (BUY_LIMIT, -10, {"sl": -20, "tp": 20}, (0, 25, -15, 21), [-10], [(20, "target", False)]),
        (BUY_LIMIT, -10, {"sl": -20, "tp": 20}, (0, 25, -15, 19), [-10], []),
        # The bar that filled a stop entry: the target was ahead of the price, so a touch proves it …
        (BUY_STOP, 10, {"sl": -20, "tp": 20}, (0, 20, -15, 0), [10], [(20, "target", False)]),
        # … and the stop counts if it is possible, surely only where the close is beyond it.
        (BUY_STOP, 10, {"sl": -20, "tp": 20}, (0, 15, -20, 0), [10], [(-20, "stop", True)]),
        (BUY_STOP, 10, {"sl": -20, "tp": 40}, (0, 15, -20, -20), [10], [(-20, "stop", False)]),
        # Filled at the open, the whole bar lies ahead.
        (BUY_LIMIT, -10, {"sl": -20, "tp": 20}, (-15, 25, -19, 0), [-10], [(20, "target", False)]),
        (BUY_STOP, 10, {"sl": -20, "tp": 40}, (12, 15, -20, 0), [14], [(-20, "stop", False)]),
        # A stop limit becomes a limit inside the bar, and only the close is known to come after that.
        (BUY_STOP_LIMIT, 10, {"stoplimit": 0}, (0, 8, -40, -1.9), [], []),
        (BUY_STOP_LIMIT, 10, {"stoplimit": 0}, (0, 8, -40, -2), [0], []),
        (BUY_STOP_LIMIT, 10, {"stoplimit": 0}, (0, 7.9, -40, -40), [], []),
    ],
)
def test_pending_orders_in_a_bar(
    kind: int,
    at: float,
    levels: dict[str, Any],
    bar: tuple[float, float, float, float],
    opened: list[float],
    closed: list[tuple[float, str, bool]],
) -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(kind, at, **levels)
    run.bar(*bar)
    assert (run.opened(), run.closed()) == (opened, closed)


def test_a_target_left_open_by_the_entry_bar_marks_the_trade() -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(BUY_LIMIT, -10, sl=-20, tp=20)
    run.bar(0, 25, -15, 0)  # the high may have come before the fill
    run.bar(0, 20, 0, 20)
    assert run.closed() == [(20, "target", True)]


def test_slippage_in_bars() -> None:
    run = Run(slippage=5)  # half a pip
    run.bar(0, 0, 0, 0)
    run.send(BUY_STOP, 10, sl=-20, tp=40)
    run.bar(0, 8, 0, 8)
    run.bar(-25, -20, -30, -30)
    run.send(SELL)
    assert run.opened() == [10.5, -30.5]
    assert run.closed() == [(-25.5, "stop", False)]


def test_what_is_sent_at_the_open_is_dealt_at_the_open() -> None:
    run = Run(commission=D("3.5"))
    run.bar(0, 5, -5, 3)
    run.begin(8, 20, 0, 10)
    ticket = run.send(BUY, sl=-10, tp=18)
    run.account.end()
    assert (run.opened(), run.closed()) == ([10.0], [(18.0, "target", False)])
    # 8 pips less twice the commission.
    assert run.account.book.balance == D("10073.00")
    assert [deal.time_ms for deal in run.account.book.deals[1:]] == [run.time * 1000] * 2
    assert run.account.book.deals[1].position == ticket


def test_swap_of_the_midnights_between_two_bars_at_the_last_close() -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(BUY)
    run.bar(0, 0, 0, 0, after=5 * 86_400)  # Monday to Saturday: Mo, Tu, We × 3, Th, Fr
    (position,) = run.account.book.positions.values()
    assert position.swap == D("-49.00")
    assert run.account.equity == D("9931.00")  # 2 pips of spread as well


def test_orders_of_the_day_end_before_the_next_day_s_first_bar() -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(BUY_LIMIT, -10, type_time=1)
    run.bar(-30, 0, -40, 0, after=14 * 3600 - 60)  # midnight itself
    assert run.opened() == []
    assert run.account.book.done[-1].state == 6


def test_a_stop_out_inside_a_bar_is_dealt_at_the_first_price_that_brings_it() -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(BUY, volume=8.0)  # 8,801.60 of margin; 30 % of it is 2,640.48
    run.bar(0, 10, -89.9, 0)  # equity 10,000 − 80 × 91.9 = 2,648
    assert run.closed() == []
    run.bar(0, 10, -120, 0)  # at −90 it is 2,640
    assert run.closed() == [(-90, "stop_out", False)]
    assert run.account.book.balance == D("2640.00")
    assert run.account.margin == 0


def test_a_short_is_stopped_out_on_the_way_up() -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(SELL, volume=8.0)  # at 0; 8,800 of margin, 30 % of it is 2,640
    run.bar(0, 120, -10, 0)  # 10,000 − 80 × 92 at an ask of 92
    assert run.closed() == [(92, "stop_out", False)]


@pytest.mark.parametrize(("stop", "closed"), [(-50, (-50, "stop", False)), (-95, (-90, "stop_out", False))])
def test_a_stop_protects_from_the_stop_out_behind_it_alone(
    stop: float, closed: tuple[float, str, bool]
) -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(BUY, volume=8.0, sl=stop)
    run.bar(0, 10, -99, 0)
    assert run.closed() == [closed]


def test_one_stop_on_the_way_saves_what_comes_after_it() -> None:
    run = Run(stop_out=D(50))
    run.bar(0, 0, 0, 0)
    # 8.8 lots take 9,681.76, half of it is 4,840.88: without stops −57 (10,000 − 88 × 59 = 4,808) is too low.
    run.send(BUY, volume=4.4, sl=-40)
    run.send(BUY, volume=4.4)
    run.bar(0, 0, -60, -60)  # the first loses 44 × 42; then 8,152 − 44 × 62 = 5,424 over 2,420
    assert run.closed() == [(-40, "stop", False)]


def test_a_hedged_account_is_not_at_both_extremes_at_once() -> None:
    run = Run(stop_out=D(100))
    run.bar(0, 0, 0, 0)
    run.send(BUY, volume=4.0)
    run.send(SELL, volume=4.0)
    # Both legs at their worst would be 400 pips of 4 lots; hedged they only cost the spread.
    run.bar(0, 200, -200, 0)
    assert run.closed() == []


@pytest.mark.parametrize(
    "bars",
    [
        {},
        {"NOPE": DrivenBar(time=START + 600, bid=candle((0, 0, 0, 0)), ask=candle((0, 0, 0, 0), 2))},
        {EURUSD: DrivenBar(time=START - 60, bid=candle((0, 0, 0, 0)), ask=candle((0, 0, 0, 0), 2))},
        {EURUSD: DrivenBar(time=START + 60, bid=candle((0, 0, 0, 0)), ask=candle((0, 0, 0, 0), 2))},
    ],
)
def test_a_step_that_is_none_is_refused(bars: dict[str, DrivenBar]) -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    with pytest.raises(Invalid):
        run.account.begin(bars)


def test_a_symbol_without_a_bar_in_the_step_is_closed() -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    request = EMPTY_REQUEST._replace(action=1, symbol="USDJPY", volume=1.0, type_filling=1)
    assert run.account.send(request).retcode == 10_021  # no price yet
    still = Candle.still(D("150.000"))
    run.account.step({"USDJPY": DrivenBar(time=run.time + 60, bid=still, ask=still)})
    assert run.account.check(request).retcode == 0
    assert run.account.check(request._replace(symbol=EURUSD)).retcode == 10_018


def test_a_position_that_a_bar_left_unclear_stays_so_whoever_closes_it() -> None:
    run = Run()
    run.bar(0, 0, 0, 0)
    run.send(BUY_LIMIT, -10, sl=-30, tp=10)
    run.bar(0, 10, -12, 0)  # the ask falls to the order; the target's price may have come before it
    (position,) = run.account.positions()
    closing = EMPTY_REQUEST._replace(
        action=1, symbol=EURUSD, volume=1.0, type=SELL, type_filling=1, position=position.ticket
    )
    assert run.account.send(closing).retcode == 10_009
    assert run.closed() == [(0, "asked", True)]


@pytest.mark.parametrize(
    ("kind", "levels", "at", "filled"),
    [
        (BUY_LIMIT, LONG, 5, [5]),  # the ask opens at 2: at its own price, no better
        (BUY_LIMIT, LONG, 2, [2]),
        (BUY_LIMIT, LONG, 1.9, []),
        (SELL_LIMIT, SHORT, -4, [-4]),  # the bid opens at 0
        (SELL_LIMIT, SHORT, 0, [0]),
        (SELL_LIMIT, SHORT, 0.1, []),
    ],
)
def test_a_limit_that_was_there_before_the_open_is_filled_by_it(
    kind: int, levels: dict[str, Any], at: float, filled: list[float]
) -> None:
    run = Run()
    run.bar(0, 1, -1, 0)
    run.begin(0, 1, -1, 0)
    run.send(kind, at, before=True, **levels)
    assert run.opened() == filled
    assert len(run.account.orders()) == 1 - len(filled)
