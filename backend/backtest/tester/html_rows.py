"""Rows of the tables of an HTML report, by the standard library's parser.

The terminal writes one plain table after another: no scripts make rows, nothing is nested that matters,
so a tree is not needed, and the standard parser keeps the line of every row for messages.
"""

from html.parser import HTMLParser

from backend.backtest.tester.cells import Row, tidy
from backend.core.errors import Invalid

_BREAKS = frozenset({"br", "p", "div"})


def html_rows(text: str, source: str) -> list[Row]:
    """All rows of all tables; cells that the report hides are left out.

    Raises:
        Invalid: Code ``cut_file`` if the document has no end.
    """
    parser = _Parser()
    parser.feed(text)
    parser.close()
    if not parser.ended:
        raise Invalid(
            "cut_file",
            f"{source} ends at line {parser.getpos()[0]} without </html>: the file was cut; save it again",
            line=parser.getpos()[0],
        )
    return parser.rows


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[Row] = []
        self.ended = False
        self._line = 0
        self._cells: list[str] | None = None
        self._text: list[str] | None = None
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._end_row()
            self._line, self._cells = self.getpos()[0], []
        elif tag in {"td", "th"} and self._cells is not None:
            self._end_cell()
            self._text = []
            self._hidden = "hidden" in (dict(attrs).get("class") or "").split()
        elif tag in _BREAKS and self._text is not None:
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._end_cell()
        elif tag in {"tr", "table"}:
            self._end_row()
        elif tag == "html":
            self._end_row()
            self.ended = True

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _end_cell(self) -> None:
        if self._text is not None and self._cells is not None and not self._hidden:
            self._cells.append(tidy("".join(self._text)))
        self._text = None

    def _end_row(self) -> None:
        self._end_cell()
        if self._cells:
            self.rows.append(Row(f"line {self._line}", tuple(self._cells)))
        self._cells = None
