"""Accounts that deal at random: what was done is what the import finds, in every format."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.tester.model import Accounting, Imported
from backend.backtest.tester.reading import imported, read_tables
from backend.core.clock import from_epoch
from backend.trading.profit import to_cents
from tests.fakes.tester_reports import Written, deposit, report_html, sheet_rows, spreadsheetml, utf16, xlsx
from tests.unit.tester.conftest import CLOCK

START = 1_704_240_000  # 2024-01-03 00:00 of the server
CONTRACT = Decimal(100_000)
Traded = tuple[str, Decimal, Decimal, Decimal, Decimal]

LOTS = st.integers(1, 50).map(lambda steps: Decimal(steps) / 100)
PRICES = st.integers(105_000, 115_000).map(lambda ticks: Decimal(ticks) / 100_000)
MONEY = st.integers(-300, 0).map(lambda cents: Decimal(cents) / 100)


@st.composite
def one_after_the_other(
    draw: st.DrawFn,
) -> tuple[list[Written], list[Traded]]:
    """Positions of one symbol, each closed in parts before the next; and the trades that this makes."""
    deals = [deposit("10000.00", "2024.01.02 00:00:00")]
    trades = []
    time = START
    for order in range(draw(st.integers(1, 6))):
        side = draw(st.sampled_from(("buy", "sell")))
        sign = 1 if side == "buy" else -1
        volume, entry, commission = draw(LOTS), draw(PRICES), draw(MONEY)
        deals.append(_deal(time, side, "in", volume, entry, commission=commission, order=2 * order + 2))
        left, carried = volume, commission
        for part in range(draw(st.integers(1, 3))):
            time += 3600
            last = part == 2 or left <= Decimal("0.01")
            lots = left if last else min(left, draw(LOTS))
            price, cost, swap = draw(PRICES), draw(MONEY), draw(MONEY)
            profit = to_cents(sign * (price - entry) * CONTRACT * lots)
            share = carried if lots == left else to_cents(carried * lots / left)
            carried -= share
            left -= lots
            deals.append(
                _deal(
                    time,
                    "sell" if side == "buy" else "buy",
                    "out",
                    lots,
                    price,
                    commission=cost,
                    swap=swap,
                    profit=profit,
                )
            )
            trades.append((side, lots, entry, price, profit + cost + share + swap))
            if not left:
                break
        if left:
            deals.append(
                _deal(time, "sell" if side == "buy" else "buy", "out", left, entry, profit=Decimal(0))
            )
            trades.append((side, left, entry, entry, carried))
        time += 3600
    return deals, trades


def _deal(
    time: int,
    kind: str,
    direction: str,
    volume: Decimal,
    price: Decimal,
    *,
    commission: Decimal = Decimal(0),
    swap: Decimal = Decimal(0),
    profit: Decimal = Decimal(0),
    order: int | None = None,
) -> Written:
    return Written(
        from_epoch(time).strftime("%Y.%m.%d %H:%M:%S"),
        kind,
        f"{profit:.2f}",
        direction=direction,
        volume=str(volume),
        price=f"{price:.5f}",
        order=order,
        commission=f"{commission:.2f}",
        swap=f"{swap:.2f}",
    )


def _read(data: bytes, accounting: Accounting | None = None) -> Imported:
    return imported(read_tables(data, "report", CLOCK), accounting)


@given(one_after_the_other())
def test_report_and_import_give_back_the_same_trades(
    dealt: tuple[list[Written], list[Traded]],
) -> None:
    deals, expected = dealt
    found = _read(utf16(report_html(deals)))
    assert [
        (trade.side.value, trade.volume, trade.entry_price, trade.exit_price, trade.net)
        for trade in found.trades
    ] == expected
    assert found.balance.where is None
    assert found.balance.checked == len(deals)
    assert not found.still_open
    # both kinds of account deal alike where positions follow one another
    for accounting in Accounting:
        assert _read(utf16(report_html(deals)), accounting).trades == found.trades
    places = [replace(trade, rows=("", "")) for trade in found.trades]
    for book in (spreadsheetml(sheet_rows(deals)), xlsx(sheet_rows(deals))):
        assert [replace(trade, rows=("", "")) for trade in _read(book).trades] == places


@st.composite
def netted(draw: st.DrawFn) -> list[Written]:
    """Any stream of buys and sells on a netting account, with the directions that the broker would write."""
    deals = [deposit("10000.00", "2024.01.02 00:00:00")]
    held = Decimal(0)
    for step in range(draw(st.integers(1, 12))):
        volume, price = draw(LOTS), draw(PRICES)
        sign = draw(st.sampled_from((1, -1)))
        if held == 0 or (held > 0) == (sign > 0):
            direction = "in"
        else:
            direction = "out" if volume <= abs(held) else "in/out"
        held += sign * volume
        profit = Decimal(0) if direction == "in" else draw(MONEY)
        kind = "buy" if sign > 0 else "sell"
        deals.append(
            _deal(START + 60 * step, kind, direction, volume, price, commission=draw(MONEY), profit=profit)
        )
    return deals


@given(netted())
def test_netting_loses_no_cent_and_no_lot(deals: list[Written]) -> None:
    found = _read(utf16(report_html(deals)), Accounting.NETTING)
    traded = [deal for deal in found.tables.deals if deal.direction]
    bought = sum((deal.volume * (1 if deal.kind == "buy" else -1) for deal in traded), Decimal(0))
    left = sum((one.volume * one.side.sign for one in found.still_open), Decimal(0))
    assert left == bought
    assert len(found.still_open) <= 1
    # every cent of a deal is in a trade, but for the commission of what is still open
    kept = sum((deal.money for deal in traded), Decimal(0)) - sum((t.net for t in found.trades), Decimal(0))
    opening = sum((deal.commission for deal in traded if deal.direction != "out"), Decimal(0))
    assert opening <= kept <= 0
    if not found.still_open:
        assert kept == 0
