"""Files as MetaTrader 5 saves them, read by their shape; every figure worked by hand."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from backend.backtest.tester.model import Accounting, ExitKind, Imported
from backend.core.clock import parse_iso
from tests.fakes.tester_reports import (
    GERMAN,
    Written,
    deposit,
    history_html,
    report_html,
    rows_of,
    sheet_rows,
    spreadsheetml,
    utf16,
    xlsx,
)
from tests.unit.tester.conftest import CLOCK

Read = Callable[..., Imported]

# 0.10 lots of EURUSD bought at 1.10000, target hit at 1.10500: 50 points x 10 pips = +50.00.
# In July 0.20 sold at 1.08000, stopped 0.00002 worse than its stop of 1.08100: -20.40.
DEALS = (
    deposit("10000.00"),
    Written(
        "2024.01.02 03:04:05",
        "buy",
        direction="in",
        volume="0.1",
        price="1.10000",
        order=2,
        commission="-0.35",
    ),
    Written(
        "2024.01.03 12:00:00",
        "sell",
        "50.00",
        direction="out",
        volume="0.1",
        price="1.10500",
        order=3,
        commission="-0.35",
        swap="-0.61",
        comment="tp 1.10500",
    ),
    Written(
        "2024.07.01 10:00:00",
        "sell",
        direction="in",
        volume="0.2",
        price="1.08000",
        order=4,
        commission="-0.70",
    ),
    Written(
        "2024.07.01 15:30:00",
        "buy",
        "-20.40",
        direction="out",
        volume="0.2",
        price="1.08102",
        order=5,
        commission="-0.70",
        comment="[sl 1.08100]",
    ),
)


def epoch(text: str) -> int:
    return int(parse_iso(text).timestamp())


def check_both_trades(imported: Imported) -> None:
    first, second = imported.trades
    assert (first.symbol, first.side.value, first.volume) == ("EURUSD", "buy", Decimal("0.1"))
    # in January the server is two hours ahead of UTC, in July three
    assert (first.entry_time, first.exit_time) == (
        epoch("2024-01-02T01:04:05Z"),
        epoch("2024-01-03T10:00:00Z"),
    )
    assert (first.entry_price, first.exit_price) == (Decimal("1.1"), Decimal("1.105"))
    assert (first.exit_kind, first.exit_level) == (ExitKind.TARGET, Decimal("1.105"))
    assert (first.profit, first.commission, first.swap) == (Decimal(50), Decimal("0.70"), Decimal("-0.61"))
    assert first.net == Decimal("48.69")
    assert (second.side.value, second.entry_time) == ("sell", epoch("2024-07-01T07:00:00Z"))
    assert (second.exit_kind, second.exit_level) == (ExitKind.STOP, Decimal("1.081"))
    assert second.net == Decimal("-21.80")
    assert not imported.still_open
    assert imported.tables.currency == "USD"


def test_a_strategy_tester_report_in_utf16(read: Read) -> None:
    imported = read(report_html(DEALS))
    check_both_trades(imported)
    assert imported.tables.kind == "strategy tester report"
    assert imported.tables.settings["expert"] == "Crossing"
    assert imported.tables.deals[0].profit == Decimal(10_000)  # 10 000.00 with a no-break space
    assert imported.balance.checked == 5
    assert imported.balance.where is None
    assert imported.notes == ()
    # MetaTrader tests from midnight of the first date to midnight of the last: 22:00 UTC in winter
    assert imported.tables.start == epoch("2023-12-31T22:00:00Z")
    assert imported.tables.end == epoch("2024-12-30T22:00:00Z")


@pytest.mark.parametrize("space", ["\u2009", "\u202f", " ", "&nbsp;"])
def test_any_space_may_part_thousands(read: Read, space: str) -> None:
    page = report_html(DEALS).replace("\xa0", space)
    assert read(page).tables.deals[0].balance == Decimal(10_000)


def test_utf8_and_utf16_without_a_mark_are_read_too(read: Read) -> None:
    check_both_trades(read(report_html(DEALS).encode()))
    check_both_trades(read(utf16(report_html(DEALS))[2:]))


def test_headers_in_another_language_are_read_by_place_and_that_is_said(read: Read) -> None:
    page = report_html(
        DEALS,
        header=GERMAN,
        titles=("Strategietester-Bericht", "Einstellungen", "Ergebnisse", "Orders", "Trades"),
        labels=("Expert:", "Symbol:", "Zeitraum:", "Währung:", "Startkapital:"),
    )
    imported = read(page)
    check_both_trades(imported)
    assert len(imported.notes) == 1
    assert "Kontostand" in imported.notes[0]
    assert "by their place" in imported.notes[0]
    # a language may keep the table's title and translate its columns
    assert read(page.replace("<b>Trades</b>", "<b>Deals</b>")).trades == imported.trades


def test_an_account_history_with_hidden_cost_and_fee(read: Read) -> None:
    page = history_html(DEALS, account="123456 (USD, Broker-Demo, demo, Hedge)")
    imported = read(page, "ReportHistory-123456.html")
    check_both_trades(imported)
    assert imported.tables.kind == "account history"
    assert imported.accounting is Accounting.HEDGING
    assert imported.balance.checked == 5


def test_a_netting_account_says_so(read: Read) -> None:
    page = history_html(DEALS, account="123456 (USD, Broker-Demo, real, Netting)")
    assert read(page).accounting is Accounting.NETTING


def test_a_spreadsheetml_workbook(read: Read) -> None:
    check_both_trades(read(spreadsheetml(sheet_rows(DEALS)), "ReportTester-1.xml"))


def test_an_xlsx_workbook_with_numbers_and_day_numbers(read: Read) -> None:
    rows: list[list[str | float]] = [list(row) for row in sheet_rows(DEALS)]
    # 2024-01-02 03:04:05 as Excel keeps it: days since 1899-12-30
    rows[6][0] = 45293 + (3 * 3600 + 4 * 60 + 5) / 86_400
    for row in rows[5:10]:
        for column in (5, 6, 10):
            if row[column]:
                row[column] = float(str(row[column]).replace("\xa0", ""))
    rows[7][6] = 1.1050000000000002  # what arithmetic in doubles leaves
    check_both_trades(read(xlsx(rows), "ReportTester-1.xlsx"))


def test_a_csv_of_deals_needs_the_currency(read: Read) -> None:
    lines = ["Time;Deal;Symbol;Type;Direction;Volume;Price;Order;Commission;Swap;Profit;Balance;Comment"]
    lines += [";".join(row) for row in rows_of(DEALS)]
    imported = read("\r\n".join(lines).encode(), "deals.csv", currency="USD")
    check_both_trades(imported)
    assert imported.tables.kind == "deals"
    more = "\n".join([lines[0] + ";Magic", *(line + ";77" for line in lines[1:])])
    assert read(more.encode(), "deals.csv", currency="USD").trades == imported.trades


def test_deals_of_the_connector_pair_by_position_id(read: Read) -> None:
    from backend.backtest.tester.reading import from_connector

    def deal(
        ticket: int, time: str, kind: int, entry: int, position: int, **other: float
    ) -> dict[str, object]:
        fields: dict[str, object] = dict.fromkeys(("commission", "fee", "swap", "profit"), 0.0)
        fields |= {"ticket": ticket, "time": epoch(time), "time_msc": 1000 * epoch(time), "type": kind}
        fields |= {
            "entry": entry,
            "position_id": position,
            "order": ticket,
            "symbol": "EURUSD",
            "volume": 0.1,
        }
        return fields | {"comment": ""} | other

    # Two alike positions of one symbol; the second is closed first, which only its id tells.
    rows = [
        deal(11, "2024-01-02T03:00:00Z", 0, 0, 11, price=1.1, commission=-0.35, fee=-0.05),
        deal(12, "2024-01-02T04:00:00Z", 0, 0, 12, price=1.102),
        deal(14, "2024-01-02T06:00:00Z", 1, 1, 11, price=1.104, profit=40.0),
        deal(13, "2024-01-02T05:00:00Z", 1, 1, 12, price=1.103, profit=10.0, swap=-0.1),
    ]
    imported = from_connector(rows, CLOCK, currency="USD")
    first, second = imported.trades
    assert (first.entry_price, first.exit_price, first.net) == (
        Decimal("1.102"),
        Decimal("1.103"),
        Decimal("9.9"),
    )
    assert (second.entry_price, second.net) == (Decimal("1.1"), Decimal("39.60"))
    assert first.entry_time == epoch("2024-01-02T02:00:00Z")
    assert not any(trade.assumed for trade in imported.trades)
    assert imported.balance.checked == 0

    # The same rows as a table that another program saved.
    names = list(rows[0])
    text = "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)])
    again = read(text.encode(), "deals.csv", currency="USD")
    assert again.trades == imported.trades


def test_a_balance_that_does_not_follow_is_shown_at_its_first_row(read: Read) -> None:
    deals = list(DEALS)
    wrong = deals[3]
    deals[3] = Written(
        wrong.time,
        wrong.kind,
        direction="in",
        volume=wrong.volume,
        price=wrong.price,
        order=4,
        commission="-0.70",
        balance="10 047.98",
    )
    check = read(report_html(deals)).balance
    # 10 000.00 - 0.35 + 50.00 - 0.35 - 0.61 - 0.70 = 10 047.99
    assert (check.expected, check.stated, check.checked) == (Decimal("10047.99"), Decimal("10047.98"), 3)
    assert check.where is not None
    assert check.where.startswith("line ")


def test_credit_is_not_balance(read: Read) -> None:
    credit = Written("2024.01.02 01:00:00", "credit", "500.00", symbol="", balance="10 000.00")
    page = report_html((DEALS[0], credit))
    check = read(page).balance
    assert (check.where, check.checked) == (None, 2)


def test_deals_around_a_change_of_the_servers_clock(read: Read) -> None:
    # on Sunday 2024-03-10 New York leaps at 07:00 UTC, so the server goes from 09:00 to 10:00; a file that
    # ignores it has a deal in the hour between, which is read after the next one
    deals = [
        deposit("10000.00", "2024.03.10 08:00:00"),
        Written("2024.03.10 09:30:00", "buy", symbol="BTCUSD", direction="in", volume="0.1", price="70000"),
        Written("2024.03.10 10:00:00", "sell", symbol="BTCUSD", direction="out", volume="0.1", price="70000"),
    ]
    trade = read(report_html(deals)).trades[0]
    assert (trade.entry_time, trade.exit_time) == (
        epoch("2024-03-10T07:30:00Z"),
        epoch("2024-03-10T07:00:00Z"),
    )


def test_a_pending_order_gives_its_level(read: Read) -> None:
    order = (
        "2024.01.02 02:00:00",
        "2",
        "EURUSD",
        "buy stop",
        "0.1 / 0.1",
        "1.09998",
        "",
        "",
        "",
        "filled",
        "",
    )
    first, second = read(report_html(DEALS, orders=[order])).trades
    assert (first.entry_level, first.entry_limit) == (Decimal("1.09998"), False)
    assert second.entry_level is None


@pytest.mark.parametrize(
    ("kind", "limit"), [("buy limit", True), ("buy stop limit", False), ("buy stop", False)]
)
def test_only_a_limit_order_cannot_slip(read: Read, kind: str, limit: bool) -> None:
    order = ("2024.01.02 02:00:00", "2", "EURUSD", kind, "0.1 / 0.1", "1.1", "", "", "", "filled", "")
    assert read(report_html(DEALS, orders=[order])).trades[0].entry_limit is limit
