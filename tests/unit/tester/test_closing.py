"""From deals to trades on hedging and netting accounts, worked by hand."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from backend.backtest.tester.model import Accounting, ExitKind, Imported, TheirTrade
from backend.core.errors import Invalid
from tests.fakes.tester_reports import Written, deposit, history_html, report_html

Read = Callable[..., Imported]


def deal(at: str, kind: str, direction: str, volume: str, price: str, **more: object) -> Written:
    return Written(f"2024.01.02 {at}:00", kind, direction=direction, volume=volume, price=price, **more)  # type: ignore[arg-type]


def told(trades: tuple[TheirTrade, ...]) -> list[tuple[str, str, str, str]]:
    return [
        (trade.side.value, str(trade.volume), f"{trade.entry_price:.5f}", f"{trade.exit_price:.5f}")
        for trade in trades
    ]


def test_a_position_closed_in_parts_shares_its_opening_commission_to_the_cent(read: Read) -> None:
    # 0.07 over 0.3 lots: 0.10 lots carry 0.02, what is left carries the 0.05 that remain
    imported = read(
        report_html(
            (
                deposit("1000.00"),
                deal("10:00", "buy", "in", "0.3", "1.10000", commission="-0.07"),
                deal("11:00", "sell", "out", "0.1", "1.10100", profit="10.00", commission="-0.03"),
                deal(
                    "12:00", "sell", "out", "0.2", "1.10200", profit="40.00", commission="-0.06", swap="-0.10"
                ),
            )
        )
    )
    first, second = imported.trades
    assert told(imported.trades) == [
        ("buy", "0.1", "1.10000", "1.10100"),
        ("buy", "0.2", "1.10000", "1.10200"),
    ]
    assert (first.commission, first.net) == (Decimal("0.05"), Decimal("9.95"))
    assert (second.commission, second.net) == (Decimal("0.11"), Decimal("39.79"))
    assert first.rows[0] == second.rows[0] != first.rows[1]
    assert not imported.still_open


def test_an_order_filled_in_two_parts_is_one_position(read: Read) -> None:
    imported = read(
        report_html(
            (
                deposit("1000.00"),
                deal("10:00", "buy", "in", "0.1", "1.10000", order=2),
                deal("10:00", "buy", "in", "0.3", "1.10004", order=2),
                deal("11:00", "sell", "out", "0.4", "1.10103", order=3, profit="40.00"),
            )
        ),
        accounting=Accounting.HEDGING,
    )
    assert told(imported.trades) == [("buy", "0.4", "1.10003", "1.10103")]
    assert not imported.trades[0].assumed


def test_netting_adds_at_the_average_price(read: Read) -> None:
    # 0.1 at 1.10000 and 0.3 at 1.10400 are 0.4 at 1.10300
    deals = (
        deposit("1000.00"),
        deal("10:00", "buy", "in", "0.1", "1.10000"),
        deal("11:00", "buy", "in", "0.3", "1.10400", commission="-1.05", swap="-0.20"),
        deal("12:00", "sell", "out", "0.4", "1.10500", profit="80.00"),
    )
    imported = read(report_html(deals))
    assert imported.trades[0].net == Decimal("78.75")
    # one exit larger than each entry: only a netting account deals so
    assert imported.accounting is Accounting.NETTING
    assert told(imported.trades) == [("buy", "0.4", "1.10300", "1.10500")]
    with pytest.raises(Invalid, match=r"0\.4 lots that no deal before it opened"):
        read(report_html(deals), accounting=Accounting.HEDGING)


def test_netting_reverses_in_one_deal(read: Read) -> None:
    # long 0.2, then 0.5 sold: 0.2 close, 0.3 stand short; of the 0.50 commission 0.20 fall on the close
    imported = read(
        report_html(
            (
                deposit("1000.00"),
                deal("10:00", "buy", "in", "0.2", "1.10000", commission="-0.20"),
                deal("11:00", "sell", "in/out", "0.5", "1.10100", profit="20.00", commission="-0.50"),
                deal("12:00", "buy", "out", "0.3", "1.09900", profit="60.00", commission="-0.30"),
            )
        )
    )
    assert imported.accounting is Accounting.NETTING
    assert told(imported.trades) == [
        ("buy", "0.2", "1.10000", "1.10100"),
        ("sell", "0.3", "1.10100", "1.09900"),
    ]
    assert [trade.net for trade in imported.trades] == [Decimal("19.60"), Decimal("59.40")]


def test_a_reversal_of_exactly_the_position_is_none(read: Read) -> None:
    opened = deal("10:00", "buy", "in", "0.5", "1.10000")
    page = report_html((deposit("1000.00"), opened, deal("11:00", "sell", "in/out", "0.5", "1.10100")))
    with pytest.raises(Invalid, match="reverses a position"):
        read(page)


def test_a_reversal_of_nothing_is_refused(read: Read) -> None:
    page = report_html((deposit("1000.00"), deal("11:00", "sell", "in/out", "0.5", "1.10100")))
    with pytest.raises(Invalid, match="reverses a position"):
        read(page)


def test_hedging_closes_two_positions_by_each_other(read: Read) -> None:
    # the broker books the gain on one of the two deals
    imported = read(
        report_html(
            (
                deposit("1000.00"),
                deal("10:00", "buy", "in", "0.1", "1.10000", order=2),
                deal("11:00", "sell", "in", "0.1", "1.10300", order=3),
                deal("12:00", "sell", "out by", "0.1", "1.10300", profit="30.00", comment="close #2 by #3"),
                deal("12:00", "buy", "out by", "0.1", "1.10300", comment="close #3 by #2"),
            )
        )
    )
    assert imported.accounting is Accounting.HEDGING
    assert told(imported.trades) == [
        ("buy", "0.1", "1.10000", "1.10300"),
        ("sell", "0.1", "1.10300", "1.10300"),
    ]
    assert [trade.exit_kind for trade in imported.trades] == [ExitKind.CLOSE_BY] * 2
    assert sum(trade.net for trade in imported.trades) == Decimal(30)


TWO_ALIKE = (
    deposit("1000.00"),
    deal("10:00", "buy", "in", "0.1", "1.10000", order=2),
    deal("10:30", "sell", "out", "0.1", "1.10100", order=3, profit="10.00"),
    deal("11:00", "buy", "in", "0.1", "1.10000", order=4),
    deal("12:00", "buy", "in", "0.1", "1.10400", order=5),
)


def test_what_a_deal_earned_tells_which_of_two_positions_it_closed(read: Read) -> None:
    # 0.1 lots earn 10.00 for 0.001, as the first trade showed: 20.00 at 1.10600 is the entry at 1.10400
    closing = deal("13:00", "sell", "out", "0.1", "1.10600", profit="20.00")
    last = deal("14:00", "sell", "out", "0.1", "1.10600", profit="60.00")
    imported = read(report_html((*TWO_ALIKE, closing, last)))
    assert told(imported.trades)[1:] == [
        ("buy", "0.1", "1.10400", "1.10600"),
        ("buy", "0.1", "1.10000", "1.10600"),
    ]
    assert [trade.assumed for trade in imported.trades] == [False, True, False]
    assert any("leaves open which position" in note for note in imported.notes)


def test_what_was_assumed_teaches_nothing(read: Read) -> None:
    # nothing tells which was closed first, so the oldest is taken; what it would earn at that is no measure
    deals = (
        deposit("1000.00"),
        deal("10:00", "buy", "in", "0.1", "1.10000", order=2),
        deal("11:00", "buy", "in", "0.1", "1.10400", order=3),
        deal("12:00", "buy", "in", "0.1", "1.10500", order=4),
        deal("13:00", "sell", "out", "0.1", "1.10600", profit="20.00"),
        deal("14:00", "sell", "out", "0.1", "1.10600", profit="3.30"),
    )
    imported = read(report_html(deals), accounting=Accounting.HEDGING)
    assert [f"{trade.entry_price:.5f}" for trade in imported.trades] == ["1.10000", "1.10400"]
    assert all(trade.assumed for trade in imported.trades)


def test_where_nothing_else_tells_the_position_of_the_same_volume_is_closed(read: Read) -> None:
    deals = (
        deposit("1000.00"),
        deal("10:00", "buy", "in", "0.3", "1.10000", order=2),
        deal("11:00", "buy", "in", "0.1", "1.10400", order=3),
        deal("13:00", "sell", "out", "0.1", "1.10600", profit="20.00"),
    )
    assert told(read(report_html(deals)).trades) == [("buy", "0.1", "1.10400", "1.10600")]


def test_what_pairs_on_neither_kind_of_account_is_told_as_hedging_sees_it(read: Read) -> None:
    deals = (
        deposit("1000.00"),
        deal("10:00", "buy", "in", "0.1", "1.10000"),
        deal("11:00", "sell", "in", "0.1", "1.10000"),
        deal("12:00", "sell", "out", "0.5", "1.10000"),
    )
    with pytest.raises(Invalid, match=r"closes 0\.5 lots"):
        read(report_html(deals))


def test_a_position_row_of_one_closed_in_parts_is_no_hint(read: Read) -> None:
    held = ("2024.01.02 10:00:00", "2", "EURUSD", "buy", "0.1 / 0.3", "1.1", "", "", "2024.01.02 11:00:00")
    deals = (
        deposit("1000.00"),
        deal("10:00", "buy", "in", "0.3", "1.10000", order=2),
        deal("11:00", "sell", "out", "0.1", "1.10100", profit="10.00"),
    )
    page = history_html(deals, account="1 (USD, Broker, demo, Hedge)", positions=[held])
    assert told(read(page).trades) == [("buy", "0.1", "1.10000", "1.10100")]


def test_the_positions_of_an_account_history_tell_it_for_certain(read: Read) -> None:
    closing = deal("13:00", "sell", "out", "0.1", "1.10600", profit="20.00")
    held = ("2024.01.02 12:00:00", "5", "EURUSD", "buy", "0.1", "1.10400", "", "", "2024.01.02 13:00:00")
    page = history_html(
        (*TWO_ALIKE, closing),
        account="1 (USD, Broker, demo, Hedge)",
        positions=[(*held, "1.10600", "0.00", "0.00", "20.00")],
    )
    imported = read(page)
    assert told(imported.trades)[1] == ("buy", "0.1", "1.10400", "1.10600")
    assert not any(trade.assumed for trade in imported.trades)
    assert [(one.side.value, str(one.volume)) for one in imported.still_open] == [("buy", "0.1")]


def test_symbols_do_not_mix(read: Read) -> None:
    imported = read(
        report_html(
            (
                deposit("1000.00"),
                deal("10:00", "buy", "in", "0.1", "1.10000"),
                deal("10:00", "buy", "in", "0.1", "150.000", symbol="USDJPY"),
                deal("11:00", "sell", "out", "0.1", "151.000", symbol="USDJPY", profit="66.23"),
            )
        )
    )
    assert [trade.symbol for trade in imported.trades] == ["USDJPY"]
    assert [one.symbol for one in imported.still_open] == ["EURUSD"]


def test_a_stop_out_is_told_by_its_comment(read: Read) -> None:
    deals = (
        deposit("1000.00"),
        deal("10:00", "buy", "in", "0.1", "1.10000"),
        deal("11:00", "sell", "out", "0.1", "1.00000", profit="-1000.00", comment="so 49.8%/-1000.00"),
    )
    assert read(report_html(deals)).trades[0].exit_kind is ExitKind.STOP_OUT
