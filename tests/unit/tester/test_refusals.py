"""What is no whole report is refused by name, with the place; nothing is half imported."""

import contextlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.tester.model import Imported
from backend.backtest.tester.reading import imported, read_tables
from backend.core.errors import DeskError, Invalid, NotFound
from tests.fakes.tester_reports import (
    ENGLISH,
    GERMAN,
    Written,
    report_html,
    rows_of,
    sheet_rows,
    spreadsheetml,
    utf16,
    xlsx,
)
from tests.unit.tester.conftest import CLOCK
from tests.unit.tester.test_reports import DEALS

Read = Callable[..., Imported]

WHOLE = {
    "html": utf16(report_html(DEALS)),
    "xml": spreadsheetml(sheet_rows(DEALS)),
    "xlsx": xlsx(sheet_rows(DEALS)),
    "csv": "\n".join(";".join(row) for row in (ENGLISH, *rows_of(DEALS))).encode(),
}


def refusal(read: Read, content: str | bytes, name: str = "report.html", **options: object) -> DeskError:
    with pytest.raises(DeskError) as caught:
        read(content, name, **options)
    assert isinstance(caught.value, Invalid)
    return caught.value


def test_a_page_without_deals(read: Read) -> None:
    page = "<html><body><table><tr><td>Profit</td><td>5</td></tr></table></body></html>"
    error = refusal(read, page)
    assert error.code == "not_a_report"
    assert "report.html" in error.message
    assert "save the report" in error.message


def test_an_optimisation_is_named_as_one(read: Read) -> None:
    rows = [["Pass", "Result", "Profit", "Trades"], ["1", "10500", "500", "20"]]
    assert refusal(read, spreadsheetml(rows, "Tester Optimizator Results")).code == "optimisation_results"


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95, 0.995])
def test_a_cut_page(read: Read, share: float) -> None:
    whole = utf16(report_html(DEALS))
    assert refusal(read, whole[: int(len(whole) * share)]).code == "cut_file"


def test_a_page_cut_inside_a_character(read: Read) -> None:
    assert refusal(read, utf16(report_html(DEALS))[:-1]).code == "cut_file"


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_cut_workbook(read: Read, share: float) -> None:
    for whole in (spreadsheetml(sheet_rows(DEALS)), xlsx(sheet_rows(DEALS))):
        assert refusal(read, whole[: int(len(whole) * share)]).code == "cut_file"


def test_a_workbook_that_unfolds_itself(read: Read) -> None:
    page = spreadsheetml(sheet_rows(DEALS)).replace(
        b"<Workbook", b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Workbook', 1
    )
    error = refusal(read, page)
    assert error.code == "bad_file"
    assert "document type" in error.message


def test_a_cell_in_an_impossible_column(read: Read) -> None:
    page = spreadsheetml(sheet_rows(DEALS)).replace(b'ss:Index="13"', b'ss:Index="999999"')
    assert refusal(read, page).code == "bad_file"


def test_a_zip_that_is_no_workbook(read: Read) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as book:
        book.writestr("readme.txt", "nothing")
    assert refusal(read, packed.getvalue()).code == "bad_file"


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\x03" * 50, b"hello"])
def test_what_is_no_report_at_all(read: Read, content: bytes) -> None:
    assert refusal(read, content).code in {"bad_file", "not_a_report", "bad_encoding", "cut_file"}


def test_no_file(read: Read, tmp_path_factory: pytest.TempPathFactory) -> None:
    from backend.backtest.tester.reading import read_file

    with pytest.raises(NotFound, match="no file"):
        read_file(tmp_path_factory.mktemp("none") / "report.html", CLOCK)


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"time": "2024-13-45 99:00:00"}, "bad_time", "2024-13-45"),
        ({"price": "1,10500"}, "bad_number", "price is '1,10500'"),
        ({"profit": "fifty"}, "bad_number", "profit"),
        ({"volume": "0.00"}, "bad_deal", "above zero"),
        ({"volume": "NaN"}, "bad_number", "volume"),
        ({"kind": "bought"}, "bad_deal", "'bought'"),
        ({"direction": "through"}, "bad_deal", "in, out, in/out, out by"),
        ({"time": "2023.12.31 00:00:00"}, "unsorted_deals", "earlier"),
    ],
)
def test_a_cell_that_cannot_be(read: Read, change: dict[str, str], code: str, says: str) -> None:
    changed = {name: value for name, value in change.items() if name != "profit"}
    deals = [*DEALS[:2], replace(DEALS[2], **changed)]  # type: ignore[arg-type]
    bad_profit = report_html(DEALS).replace(">50.00<", ">fifty<")
    page = bad_profit if "profit" in change else report_html(deals)
    error = refusal(read, page)
    assert error.code == code
    assert says in error.message
    line = next(n for n, text in enumerate(page.splitlines(), 1) if "<td>3</td>" in text)
    assert error.details["where"] == f"line {line}"


def test_a_deal_with_too_few_cells(read: Read) -> None:
    page = report_html(DEALS).replace("<td>0.1</td><td>1.10500</td>", "", 1)
    assert refusal(read, page).code == "ragged_row"


def test_a_column_that_is_missing_is_named(read: Read) -> None:
    page = report_html(DEALS).replace("<b>Profit</b>", "<b>Gain</b>")
    error = refusal(read, page)
    assert (error.code, error.details["missing"]) == ("missing_column", ["profit"])


def test_deals_after_the_end_of_their_table(read: Read) -> None:
    lines = report_html(DEALS).splitlines()
    where = next(n for n, text in enumerate(lines) if "<td>4</td>" in text)
    lines.insert(where, "<tr><td></td><td></td></tr>")
    assert refusal(read, "\n".join(lines)).code == "split_table"


def test_a_deal_without_a_time_is_not_taken_for_the_totals(read: Read) -> None:
    page = report_html(DEALS).replace("<td>2024.07.01 15:30:00</td>", "<td></td>")
    assert refusal(read, page).code == "bad_time"


def test_a_first_deal_that_is_broken_is_not_taken_for_a_header(read: Read) -> None:
    page = report_html(DEALS, header=GERMAN).replace("<td>2024.01.02 00:00:00</td>", "<td>2024.01</td>")
    assert refusal(read, page).code == "bad_deal"


def test_a_csv_with_an_endless_cell(read: Read) -> None:
    page = b"Time;Deal\n" + b'"' + b"x" * 200_000 + b'";1\n'
    assert refusal(read, page, "deals.csv", currency="USD").code == "bad_file"


def test_a_csv_drops_no_row(read: Read) -> None:
    rows = [";".join(row) for row in (ENGLISH, *rows_of(DEALS))]
    for odd in (";".join([""] * len(ENGLISH[:-1]) + ["note"]), "Total;5", ";2;;;;"):
        page = "\n".join([*rows[:3], odd, *rows[3:]]).encode()
        assert refusal(read, page, "deals.csv", currency="USD").code in {"bad_time", "ragged_row"}


def test_an_exit_that_nothing_opened(read: Read) -> None:
    error = refusal(read, report_html((DEALS[0], DEALS[2])))
    assert error.code == "unpaired_deal"
    assert error.details["ticket"] == 2
    assert "2024-01-03T10:00:00Z" in error.message
    assert "earlier date" in error.message


@pytest.mark.parametrize("wrong", [None, "dollars", "U$"])
def test_a_currency_that_is_not_known(read: Read, wrong: str | None) -> None:
    assert refusal(read, report_html(DEALS, currency=wrong)).code == "unknown_currency"


def test_an_empty_table_of_deals(read: Read) -> None:
    assert refusal(read, report_html(())).code == "no_deals"


def test_a_currency_given_against_the_file(read: Read) -> None:
    assert refusal(read, report_html(DEALS), currency="EUR").code == "other_currency"
    assert read(report_html(DEALS), currency="USD").tables.currency == "USD"
    assert read(report_html(DEALS, currency="U$"), currency="USD").tables.currency == "USD"


def test_a_currency_given_by_hand(read: Read) -> None:
    assert read(report_html(DEALS, currency=None), currency="EUR").tables.currency == "EUR"


@given(
    book=st.sampled_from(("html", "xml", "xlsx", "csv")),
    cuts=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.booleans()), min_size=1, max_size=20
    ),
)
def test_whatever_happened_to_a_file_it_is_read_or_refused(
    book: str, cuts: list[tuple[int, int, bool]]
) -> None:
    data = bytearray(WHOLE[book])
    for place, value, drop in cuts:
        if drop:
            del data[place % len(data) : place % len(data) + value]
        else:
            data[place % len(data)] = value
        if not data:
            return
    found = None
    with contextlib.suppress(DeskError):  # and nothing else
        found = imported(read_tables(bytes(data), "report", CLOCK, currency="USD"))
    assert found is None or found.tables.deals


def test_a_comment_with_markup_stays_text(read: Read) -> None:
    deal = Written("2024.01.02 00:00:00", "balance", "5.00", symbol="", comment="<b>a & b</b>")
    assert read(report_html((deal,))).tables.deals[0].comment == "<b>a & b</b>"
