"""Reports in the shapes in which MetaTrader 5 saves them, from deals written down by a test."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

ENGLISH = (
    "Time",
    "Deal",
    "Symbol",
    "Type",
    "Direction",
    "Volume",
    "Price",
    "Order",
    "Commission",
    "Swap",
    "Profit",
    "Balance",
    "Comment",
)
GERMAN = (
    "Zeit",
    "Trade",
    "Symbol",
    "Typ",
    "Richtung",
    "Volumen",
    "Preis",
    "Order",
    "Kommission",
    "Swap",
    "Gewinn",
    "Kontostand",
    "Kommentar",
)
HISTORY = (*ENGLISH[:8], "Cost", "Commission", "Fee", *ENGLISH[9:])
LEVELS = ("Volume", "Price", "S / L", "T / P", "Time")
ORDERS = ("Open Time", "Order", "Symbol", "Type", *LEVELS, "State", "Comment")
POSITIONS = ("Time", "Position", "Symbol", "Type", *LEVELS, "Price", "Commission", "Swap", "Profit")
NO_BREAK = "\xa0"


@dataclass(frozen=True)
class Written:
    """A deal as the terminal writes it; times on the server's clock."""

    time: str
    kind: str
    profit: str = "0.00"
    symbol: str = "EURUSD"
    direction: str = ""
    volume: str = ""
    price: str = ""
    order: int | None = None
    commission: str = "0.00"
    swap: str = "0.00"
    comment: str = ""
    balance: str | None = None


def deposit(amount: str, time: str = "2024.01.02 00:00:00") -> Written:
    return Written(time, "balance", profit=amount, symbol="")


def rows_of(deals: Sequence[Written]) -> list[list[str]]:
    """Cells in the thirteen columns, the balance counted as the terminal counts it."""
    running = Decimal(0)
    rows = []
    for number, deal in enumerate(deals, 1):
        running += sum(map(Decimal, (deal.profit, deal.commission, deal.swap)), Decimal(0))
        rows.append(
            [
                deal.time,
                str(number),
                deal.symbol,
                deal.kind,
                deal.direction,
                deal.volume,
                deal.price,
                "" if deal.order is None else str(deal.order),
                parted(deal.commission),
                parted(deal.swap),
                parted(deal.profit),
                parted(f"{running:.2f}") if deal.balance is None else deal.balance,
                deal.comment,
            ]
        )
    return rows


def parted(number: str) -> str:
    """Thousands parted by a no-break space, as in ``10 000.00``."""
    whole, _, rest = number.partition(".")
    sign = "-" if whole.startswith("-") else ""
    digits = whole.lstrip("-")
    groups: list[str] = []
    while digits:
        groups.insert(0, digits[-3:])
        digits = digits[:-3]
    return sign + NO_BREAK.join(groups) + (f".{rest}" if rest else "")


def utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def report_html(
    deals: Sequence[Written],
    *,
    orders: Sequence[Sequence[str]] = (),
    currency: str | None = "USD",
    header: Sequence[str] = ENGLISH,
    titles: Sequence[str] = ("Strategy Tester Report", "Settings", "Results", "Orders", "Deals"),
    labels: Sequence[str] = ("Expert:", "Symbol:", "Period:", "Currency:", "Initial Deposit:"),
    period: str = "H1 (2024.01.01 - 2024.12.31)",
) -> str:
    """The report of one test; encode it with `utf16`."""
    values = ("Crossing", "EURUSD", period, currency, f"10{NO_BREAK}000.00")
    settings = "\n".join(
        f'   <tr align="right">\n      <td nowrap colspan="3">{label}</td>\n'
        f'      <td nowrap colspan="10" align="left"><b>{value}</b></td>\n   </tr>'
        for label, value in zip(labels, values, strict=True)
        if value is not None
    )
    rows = rows_of(deals)
    return f"""<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<html>
<head><title>{titles[0]}</title><meta name="generator" content="client terminal">
<style type="text/css"><!-- td {{ font: 8pt Tahoma; }} .hidden {{ display: none; }} //--></style></head>
<body><div align="center">
<table cellspacing="1" cellpadding="3" border="0">
   <tr align="center"><td colspan="13"><div style="font: 14pt"><b>{titles[0]}</b><br></div></td></tr>
{_title(titles[1])}
{settings}
{_title(titles[2])}
   <tr align="right"><td nowrap colspan="3">Bars:</td><td nowrap><b>6239</b></td></tr>
</table>
<table cellspacing="1" cellpadding="3" border="0">
{_title(titles[3])}
{_head(ORDERS)}
{chr(10).join(map(_row, orders))}
{_title(titles[4])}
{_head(header)}
{chr(10).join(map(_row, rows))}
{_totals(rows)}
</table>
</div></body>
</html>
"""


def history_html(deals: Sequence[Written], *, account: str, positions: Sequence[Sequence[str]] = ()) -> str:
    """The report of an account's history: a hidden Cost, a Fee, and the table of positions."""
    rows = [[*row[:8], "", row[8], "0.00", *row[9:]] for row in rows_of(deals)]
    held = [[*row[:4], "", *row[4:]] for row in positions]
    head = _head(HISTORY).replace("<td nowrap><b>Cost", '<td nowrap class="hidden"><b>Cost')
    return f"""<html><head><title>{account} - Trade History Report</title></head><body><table>
<tr><td colspan="14"><div><b>Trade History Report</b><br></div></td></tr>
<tr align="left"><th colspan="4">Name:</th><th colspan="10"><b>A Trader</b></th></tr>
<tr align="left"><th colspan="4">Account:</th><th colspan="10"><b>{account}</b></th></tr>
{_title("Positions")}
{_head(POSITIONS)}
{chr(10).join(_row(row, hidden=4) for row in held)}
{_title("Deals")}
{head}
{chr(10).join(_row(row, hidden=8) for row in rows)}
<tr align="right"><td colspan="8"></td><td><b>0.00</b></td></tr>
<tr align="right"><td colspan="3">Balance:</td><td colspan="2"><b>{rows[-1][-2]}</b></td></tr>
</table></body></html>
"""


def spreadsheetml(rows: Sequence[Sequence[str]], sheet: str = "Report") -> bytes:
    """A SpreadsheetML 2003 workbook of text cells; empty cells are skipped by ss:Index, as writers do."""
    lines = []
    for row in rows:
        cells = "".join(
            f'<Cell ss:Index="{place}"><Data ss:Type="String">{escape(cell)}</Data></Cell>'
            for place, cell in enumerate(row, 1)
            if cell
        )
        lines.append(f"<Row>{cells}</Row>")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<?mso-application progid="Excel.Sheet"?>\n'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">\n'
        f'<Worksheet ss:Name="{sheet}"><Table>\n' + "\n".join(lines) + "\n</Table></Worksheet></Workbook>\n"
    ).encode()


def xlsx(rows: Sequence[Sequence[str | float]]) -> bytes:
    """An .xlsx workbook: text shared, numbers as numbers."""
    shared: list[str] = []
    lines = []
    for number, row in enumerate(rows, 1):
        cells = []
        for place, cell in enumerate(row):
            name = f"{chr(ord('A') + place)}{number}"
            if isinstance(cell, float):
                cells.append(f'<c r="{name}"><v>{cell:.17g}</v></c>')
            elif cell:
                shared.append(cell)
                cells.append(f'<c r="{name}" t="s"><v>{len(shared) - 1}</v></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {space}><sheetData>{''.join(lines)}</sheetData></worksheet>",
        )
        texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared)
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{texts}</sst>")
    return packed.getvalue()


def sheet_rows(deals: Sequence[Written], currency: str = "USD") -> list[list[str]]:
    """The rows that the terminal puts into a workbook."""
    return [
        ["Strategy Tester Report"],
        ["Settings"],
        ["Currency:", "", "", currency],
        ["Deals"],
        list(ENGLISH),
        *rows_of(deals),
        ["", "", "", "", "", "", "", "", "0.00", "0.00", "0.00", "0.00"],
    ]


def _title(text: str) -> str:
    return (
        '<tr align="center"><th colspan="13" style="height: 25px"><div style="font: 10pt Tahoma">'
        f"<b>{text}</b></div></th></tr>"
    )


def _head(names: Sequence[str]) -> str:
    cells = "".join(f"<td nowrap><b>{name}</b></td>" for name in names)
    return f'<tr align="center" bgcolor="#E5F0FC">{cells}</tr>'


def _row(cells: Sequence[str], hidden: int | None = None) -> str:
    written = [
        f"<td{' class=hidden colspan=8' if place == hidden else ''}>{escape(cell)}</td>"
        for place, cell in enumerate(cells)
    ]
    return '<tr bgcolor="#FFFFFF" align=right>' + "".join(written) + "</tr>"


def _totals(rows: Sequence[Sequence[str]]) -> str:
    sums = [*(_total(rows, column) for column in (8, 9, 10)), rows[-1][11] if rows else ""]
    cells = "".join(f"<td nowrap><b>{cell}</b></td>" for cell in sums)
    return f'<tr align="right"><td nowrap colspan="8" style="height: 30px"></td>{cells}<td nowrap></td></tr>'


def _total(rows: Sequence[Sequence[str]], column: int) -> str:
    total = sum((Decimal(row[column].replace(NO_BREAK, "")) for row in rows), Decimal(0))
    return parted(f"{total:.2f}")
