"""Whatever is asked, nothing is written, nothing else is read, and no setting changes: wall by wall."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from backend.core.errors import Invalid, Unavailable
from backend.queries.finding import Files
from backend.queries.service import VIEWS, _Session
from tests.unit.queries.desk import Desk, filled, untouched

SECRET = "hush-hush"

WRITES = [
    "COPY (SELECT 1) TO '{decisions}'",
    "COPY (SELECT 1) TO '{decisions}' (FORMAT csv, USE_TMP_FILE false)",
    "WITH x AS (COPY (SELECT 7) TO '{decisions}' (FORMAT csv, USE_TMP_FILE false)) SELECT * FROM x",
    "SELECT * FROM (WITH x AS (COPY (SELECT 7) TO '{decisions}' (FORMAT csv, USE_TMP_FILE false)) FROM x)",
    "WITH a AS (WITH x AS (COPY (SELECT 7) TO '{new}') FROM x) SELECT count(*) FROM trades, a",
    "SELECT (WITH x AS (COPY (SELECT 7) TO '{new}') SELECT count(*) FROM x)",
    "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW trades AS SELECT 1",
    "INSERT INTO trades SELECT * FROM trades",
    "EXPORT DATABASE '{new}'",
    "ATTACH '{new}' AS other",
    "DETACH memory",
    "VACUUM",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{new}'",
    "PREPARE q AS COPY (SELECT 1) TO '{new}'",
    "SELECT 1; COPY (SELECT 1) TO '{new}'",
    "SELECT * FROM query('WITH x AS (COPY (SELECT 1) TO ''{new}'') FROM x')",
]
READS = [
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM READ_TEXT('{data}/decisions/../../config/secret.key')",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "SELECT * FROM trades, LATERAL (SELECT * FROM read_text('{secret}'))",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM glob('{config}/*')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM '{config}/symbol_map.csv'",
    'SELECT * FROM "{config}/*.csv"',
    "FROM parquet_metadata('{secret}')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM query_table('trades')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT getenv('HOME')",
]
SETS = [
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "RESET lock_configuration",
    "SET allowed_directories = ['/']",
    "PRAGMA enable_external_access",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE SECRET s (TYPE s3)",
    "CALL pragma_version()",
    "SET VARIABLE x = 1",
    "USE memory",
    "BEGIN",
    "   ",
    "-- nothing",
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = filled(tmp_path_factory.mktemp("desk"))
    config = desk.home.root / "config"
    config.mkdir()
    (desk.home.root / "data/account.json").write_text("{}", encoding="utf-8")
    (config / "secret.key").write_text(SECRET, encoding="utf-8")
    (config / "symbol_map.csv").write_text(f"a\n{SECRET}\n", encoding="utf-8")
    with untouched(desk.home.root):  # whatever is asked
        yield desk


def places(desk: Desk, sql: str) -> str:
    root = desk.home.root
    named = {
        "decisions": next((root / "data/decisions").glob("decisions_*.jsonl")),
        "new": root / "data/decisions/new.csv",
        "secret": root / "config/secret.key",
        "config": root / "config",
        "data": root / "data",
    }
    return sql.format(**{name: path.as_posix() for name, path in named.items()})


@pytest.mark.parametrize("sql", [*WRITES, *READS, *SETS])
def test_is_refused(desk: Desk, sql: str) -> None:
    with pytest.raises(Invalid) as refused:
        desk.ask(places(desk, sql))
    assert refused.value.code in {"not_a_question", "bad_sql"}
    assert SECRET not in refused.value.message


def shut(desk: Desk, spare: Path) -> duckdb.DuckDBPyConnection:
    """A session's connection as a question meets it, without the look at the question."""
    session = _Session(desk.home, desk.history.files, Files(desk.home, spare), spare)
    session.open(session.check("SELECT count(*) FROM trades"))
    return session.connection


@pytest.mark.parametrize("sql", [*READS, *SETS[:8]])
def test_the_door_is_shut_by_itself(desk: Desk, tmp_path_factory: pytest.TempPathFactory, sql: str) -> None:
    connection = shut(desk, tmp_path_factory.mktemp("spare"))
    harmless = ("query_table", "query('SELECT 1')", "json_execute", "duckdb_secrets")
    with connection:
        if any(name in sql for name in harmless):
            connection.execute(places(desk, sql)).fetchall()
            return
        with pytest.raises(duckdb.Error):
            connection.execute(places(desk, sql)).fetchall()


def test_the_desks_other_files_are_out_of_reach(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    with shut(desk, tmp_path_factory.mktemp("spare")) as connection:
        assert connection.execute("SELECT count(*) FROM trades").fetchall() == [(2,)]
        for name in ("data/account.json", "config/secret.key", "data/trade_ideas/../account.json"):
            path = (desk.home.root / name).as_posix()
            with pytest.raises(duckdb.PermissionException):
                connection.execute("SELECT * FROM read_text(?)", [path]).fetchall()


def test_a_variable_of_python_is_no_table(desk: Desk) -> None:
    trades_of_somebody = [1, 2, 3]
    with pytest.raises(Invalid, match="there is no view 'trades_of_somebody'"):
        desk.ask("SELECT * FROM trades_of_somebody")
    assert trades_of_somebody


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM trades;",
        "/* all */ WITH x AS (SELECT * FROM trades) SELECT count(*) FROM x -- of them",
        "FROM trades SELECT count(*)",
        "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
        "VALUES (1), (2)",
        "TABLE trades",
        "DESCRIBE trades",
        "SUMMARIZE trades",
        "SHOW TABLES",
        "SELECT * FROM Trades AS t ASOF JOIN Ideas AS i ON t.entry_time >= i.created_at",
        "SELECT * FROM generate_series(1, 3), unnest([1, 2])",
        "SELECT table_name FROM information_schema.tables",
        "SELECT * FROM main.trades",
        "FROM trades PIVOT (count(*) FOR side IN ('long', 'short'))",
        "SELECT t.* FROM (SELECT * FROM trades) AS t WHERE id IN (SELECT id FROM ideas)",
    ],
)
def test_what_reads_is_answered(desk: Desk, sql: str) -> None:
    assert desk.ask(sql)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", 'SQL line 1, column 1: syntax error at or near "SELEC"'),
        ("SELECT 1,\n  FROM FROM", "SQL line 2, column "),
        ("SELECT nett FROM trades", 'SQL line 1, column 8: Binder Error: Referenced column "nett" not found'),
        ("SELECT\n\n   nett\nFROM trades", "SQL line 3, column 4: Binder Error"),
        ("SELECT 1 AS ä, nosuch(net) FROM trades", "SQL line 1, column 16: Catalog Error"),
        ("SELECT * FROM ideas, trade", "SQL line 1, column 22: there is no view 'trade'; there are ideas,"),
        (
            "SELECT * FROM ideas WHERE\n x IN (SELECT * FROM other.trades)",
            "SQL line 2, column 22: there is no view",
        ),
        ("SELECT * FROM trades, read_csv('x')", "SQL line 1, column 23: read_csv() is not to be called here"),
        ("SELECT CAST(id AS INT) FROM trades", "Conversion Error"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(desk: Desk, sql: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        desk.ask(sql)
    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_memory_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.queries.service.MEMORY", "20MB")
    with pytest.raises(Unavailable) as refused:
        desk.ask("SELECT list(i) FROM (SELECT range::VARCHAR AS i FROM range(2000000))")
    assert refused.value.code == "too_much_memory"


def test_every_view_has_its_columns_without_a_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for view in VIEWS:
        assert desk.ask(f"TABLE {view.name}") == []
        names = [name for name, _ in desk.columns(f"TABLE {view.name}")]
        assert names == [column.name for column in view.columns]
    assert desk.ask("SELECT count(*) FROM calendar_at(now())") == [(0,)]
    assert desk.ask("SELECT * FROM trades WHERE net > 0") == []


def test_columns_have_one_type_with_files_and_without(tmp_path: Path) -> None:
    full, empty = filled(tmp_path / "full"), Desk(tmp_path / "empty")
    for view in VIEWS:
        question = f"TABLE {view.name}"
        assert full.columns(question) == empty.columns(question)


def test_ctrl_c_ends_a_question(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = threading.Event(), threading.Event()
    run: Callable[..., object] = _Session.run

    def running(*given: object) -> object:
        begun.set()
        return run(*given)

    def interrupt() -> None:
        begun.wait()
        while not over.wait(0.2):
            _thread.interrupt_main()

    def once(*_: object) -> None:
        if not over.is_set():
            over.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(_Session, "run", running)
    before = signal.signal(signal.SIGINT, once)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            desk.ask("SELECT count(*) FROM range(100000000) a, range(1000) b WHERE a.range % 7 = b.range % 3")
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGINT, before)
