"""Questions in SQL over the desk's files: DuckDB in memory, shut off from all but what the views read."""

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from backend.core.errors import DeskError, Invalid, Unavailable
from backend.history.service import SeriesFiles
from backend.market.store import FOLDER as BAR_FOLDER
from backend.queries.calendar_views import AT, AT_SQL, CALENDAR_VIEW, REVISIONS_VIEW, wordings
from backend.queries.finding import Files
from backend.queries.market_views import MARKET, select_bars
from backend.queries.model import View, literal, quoted
from backend.queries.reading import Question, question
from backend.queries.views import RECORDS
from backend.storage.encoding import encode_line
from backend.storage.files import FileStorage

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VIEWS: Final = (*RECORDS, CALENDAR_VIEW, REVISIONS_VIEW, *MARKET)
_BY_NAME: Final = {view.name: view for view in VIEWS}
_OPEN: Final = sorted(
    {pattern.rpartition("/")[0] for view in VIEWS for pattern in view.files} | {f"data/{BAR_FOLDER}"}
)

MEMORY: Final = "512MB"
SPILL: Final = "4GB"
MOST_THREADS: Final = 4
_PIECE: Final = 5_000
_TRIES: Final = 3
_LOOK_SECONDS: Final = 0.2  # a wait without an end would not hear of Ctrl-C on Windows
_CARET: Final = re.compile(r"\n\nLINE (\d+): (.*)\n( *)\^")

T = TypeVar("T")
Bars = Callable[[], Sequence[SeriesFiles]]


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of an answer.

    Attributes:
        name: As the question names it.
        type: DuckDB's.
    """

    name: str
    type: str


Take = Callable[[tuple[Heading, ...], Iterator[tuple[Any, ...]]], T]


class Queries:
    """Answers questions in SQL. Nothing is written, whatever is asked.

    Args:
        home: Files below the desk's folder.
        bars: Tells where the bars of every series are.
    """

    def __init__(self, home: FileStorage, bars: Bars) -> None:
        self._home = home
        self._bars = bars

    def ask(self, sql: str, take: Take[T], *, warn: Callable[[str], None] = lambda _: None) -> T:
        """What `take` makes of the answer's columns and rows.

        It is called again from the beginning where a file turned out to be broken, or was replaced, while
        it was read.

        Args:
            sql: One statement that only reads.
            take: Gets the columns and the rows.
            warn: Told of files that are not read, or not wholly.

        Raises:
            Invalid: The statement is wrong, with line and column, or would do more than read.
            Unavailable: The answer needs more memory than it may have, or files changed again and again.
        """
        import duckdb

        with tempfile.TemporaryDirectory(prefix="mt5ui-sql-", ignore_cleanup_errors=True) as folder:
            spare = Path(folder).resolve()
            files = Files(self._home, spare)
            tries = 0
            while True:
                tries += 1
                session = _Session(self._home, self._bars, files, spare)
                with session.connection:
                    asked = session.check(sql)
                    try:
                        session.open(asked)
                        answer = session.run(asked, take)
                    except duckdb.Error as error:
                        if tries == _TRIES or not session.examine(asked, error):
                            _refuse(error, asked.text)
                    else:
                        for problem in files.problems:
                            warn(problem)
                        return answer


class _Session:
    """One connection that knows the views of one question and nothing else.

    Args:
        home: Files below the desk's folder.
        bars: Tells where the bars of every series are.
        files: What to read.
        spare: Where temporary files may be.
    """

    def __init__(self, home: FileStorage, bars: Bars, files: Files, spare: Path) -> None:
        import duckdb

        self._home = home
        self._bars = bars
        self._files = files
        self._spare = spare
        self._ended = threading.Event()
        threads = min(MOST_THREADS, os.cpu_count() or 1)
        self.connection: DuckDBPyConnection = duckdb.connect(
            ":memory:",
            config={
                "threads": threads,
                "memory_limit": MEMORY,
                "temp_directory": str(spare / "spill"),
                "max_temp_directory_size": SPILL,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "allow_persistent_secrets": False,
                "python_enable_replacements": False,
            },
        )
        self.connection.execute("SET TimeZone = 'UTC'")
        # where the main module has no file, DuckDB takes its reader for a person and writes among the answer
        self.connection.execute("SET enable_progress_bar = false")

    def check(self, sql: str) -> Question:
        """The question, if it only reads."""
        return question(self.connection, sql, views=_BY_NAME, functions=(AT,))

    def open(self, asked: Question) -> None:
        """Make the views that are asked, and shut the door."""
        for view in VIEWS:
            if view.name in asked.views:
                self.connection.execute(f"CREATE VIEW {quoted(view.name)} AS {self._select(view)}")
        if CALENDAR_VIEW.name in asked.views:
            self.connection.execute(AT_SQL)
        folders = [*(self._home.root / name for name in _OPEN), self._spare]
        allowed = ", ".join(literal(folder.as_posix()) for folder in folders)
        self.connection.execute(f"SET allowed_directories = [{allowed}]")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def run(self, asked: Question, take: Take[T]) -> T:
        """Ask, and hand the answer over piece by piece.

        In a thread of its own: DuckDB looks for Ctrl-C too seldom, so it is told of it from here.
        """
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self._run, asked, take)
            try:
                while not wait([answer], timeout=_LOOK_SECONDS).done:
                    pass
            except KeyboardInterrupt:
                self._ended.set()
                self.connection.interrupt()
                raise
            return answer.result()

    def _run(self, asked: Question, take: Take[T]) -> T:
        cursor = self.connection.execute(asked.text)
        heads = tuple(Heading(str(column[0]), str(column[1])) for column in cursor.description or ())
        return take(heads, self._rows(cursor))

    def examine(self, asked: Question, error: Exception) -> bool:
        """Whether files explain the error, and are read otherwise from now on."""
        import duckdb

        misworded = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
        if isinstance(error, (*misworded, duckdb.OutOfMemoryException)):
            return False
        changed = isinstance(error, duckdb.IOException)  # a file was replaced or removed while it was read
        for name in sorted(asked.views):
            view = _BY_NAME[name]
            changed |= self._files.examine([*self._paths(view)], view)
        return changed

    def _rows(self, cursor: "DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
        while not self._ended.is_set() and (piece := cursor.fetchmany(_PIECE)):
            yield from piece

    def _paths(self, view: View) -> Iterator[Path]:
        if view in MARKET:
            for one in self._bars():
                yield from one.files if one.series.kept is MARKET[view] else ()
        else:
            yield from (
                self._home.root / name for pattern in view.files for name in self._home.names(pattern)
            )

    def _select(self, view: View) -> str:
        if view in MARKET:
            return select_bars(view, self._bars(), lambda path: self._files.usable(path, view))
        if view is CALENDAR_VIEW:
            return view.select(self._calendar())
        return view.select(self._files.of(view))

    def _calendar(self) -> list[Path]:
        """The calendar's wordings as a file of one's own."""
        unread: list[DeskError] = []
        path = self._spare / "calendar.jsonl"
        with path.open("wb") as file:
            file.writelines(
                encode_line(row, where="calendar")
                for row in wordings(FileStorage(self._home.root / "data"), unread)
            )
        self._files.problems += [each.message for each in unread if each.message not in self._files.problems]
        return [path] if path.stat().st_size else []


def _refuse(error: Exception, sql: str) -> NoReturn:
    """DuckDB's error as one sentence with its place."""
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        raise Unavailable(
            "too_much_memory",
            f"The answer needs more than the {MEMORY} that it may have: ask for fewer rows or columns, "
            "or group and sort less at once",
        ) from error
    text = str(error)
    told, _, _ = text.partition("\n\nLINE ")
    sentence = " ".join(told.split()).partition(" Possible solutions:")[0]
    place = _place(text, sql)
    raise Invalid("bad_sql", f"{place}: {sentence}" if place else sentence, sql=sql) from error


def _place(text: str, sql: str) -> str:
    """Where the caret of DuckDB's message points to: ``SQL line 1, column 8``; empty without one."""
    found = _CARET.search(text)
    if found is None:
        return ""
    number, shown, spaces = int(found[1]), found[2], len(found[3]) - len(f"LINE {found[1]}: ")
    lines = sql.splitlines()
    cut = shown.startswith("...")
    part = shown.removeprefix("...").removesuffix("...")
    start = lines[number - 1].find(part) if 0 < number <= len(lines) else -1
    if start < 0:
        return f"SQL line {number}"
    return f"SQL line {number}, column {start + spaces - (3 if cut else 0) + 1}"
