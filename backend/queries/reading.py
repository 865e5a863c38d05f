"""Whether a question only reads: its parse tree is gone through, and what is not known to read is refused.

DuckDB takes a COPY or an INSERT inside of a WITH for a SELECT, so the kind of the statement says nothing.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from backend.core.errors import Invalid

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_READING: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_FUNCTIONS: Final = frozenset({"range", "generate_series", "unnest"})
_OWN_SCHEMAS: Final = frozenset({"", "main"})
_ONLY: Final = "`mt5ui sql` only reads: one SELECT (or WITH … SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A statement that only reads.

    Attributes:
        text: SQL.
        views: Names of the views that it asks.
    """

    text: str
    views: frozenset[str]


def question(
    connection: "DuckDBPyConnection", text: str, *, views: Collection[str], functions: Collection[str]
) -> Question:
    """The statement, if it only reads.

    Args:
        connection: Parses it.
        text: SQL.
        views: What may be asked.
        functions: Table functions that may be called besides DuckDB's own for ranges and lists.

    Raises:
        Invalid: ``bad_sql`` with line and column where it cannot be parsed or asks what there is not,
            ``not_a_question`` where it would do more than read.
    """
    if not text.strip().strip(";"):
        raise Invalid("bad_sql", f"There is nothing to ask: {_ONLY}")
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error"):
        if tree.get("error_type") != "parser":
            raise Invalid("not_a_question", _ONLY)
        where = position(text, int(tree.get("position") or 0))
        raise Invalid("bad_sql", f"{where}: {tree['error_message']}", sql=text)
    if len(tree["statements"]) != 1:
        raise Invalid("not_a_question", f"{_ONLY}; these are {len(tree['statements'])} statements")
    nodes = [*_nodes(tree["statements"][0])]
    for node in nodes:
        _check(node, text, {*_FUNCTIONS, *functions})
    asked = {name for node in nodes for name in _table(node, text, views, _local(nodes))}
    return Question(text=text, views=frozenset(asked))


def position(text: str, offset: int) -> str:
    """Where a place in SQL is, for a person."""
    before = text.encode()[:offset].decode(errors="ignore")
    return f"SQL line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from _nodes(part)


def _check(node: dict[str, Any], text: str, functions: Collection[str]) -> None:
    kind = node.get("type")
    if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING:
        raise Invalid("not_a_question", _ONLY)
    if kind == "TABLE_FUNCTION":
        function = node["function"]
        name = str(function.get("function_name", "?")).lower()
        if name not in functions:
            where = position(text, _offset(node))
            raise Invalid(
                "not_a_question",
                f"{where}: {name}() is not to be called here: the views are all there is to read; "
                "`mt5ui sql --tables` lists them",
            )


def _local(nodes: Collection[dict[str, Any]]) -> set[str]:
    """Names that the statement itself gives to parts of it."""
    maps = (node["cte_map"]["map"] for node in nodes if isinstance(node.get("cte_map"), dict))
    named = {str(node["cte_name"]).lower() for node in nodes if node.get("cte_name")}
    return named | {str(entry["key"]).lower() for entries in maps for entry in entries}


def _table(node: dict[str, Any], text: str, views: Collection[str], local: Collection[str]) -> Iterator[str]:
    kind = node.get("type")
    if kind == "SHOW_REF" and not node.get("query"):
        name = str(node.get("table_name") or "").strip('"').lower()
        yield from [name] if name in views else views
    if kind == "TABLE_FUNCTION":
        yield from views if node["function"].get("function_name") not in _FUNCTIONS else ()
    if kind != "BASE_TABLE":
        return
    if node.get("schema_name") == "information_schema":
        yield from views
        return
    name = str(node.get("table_name", "")).lower()
    if name in views and node.get("schema_name", "") in _OWN_SCHEMAS:
        yield name
    elif name not in local:
        raise Invalid(
            "bad_sql",
            f"{position(text, _offset(node))}: there is no view {name!r}; there are {', '.join(views)}",
            sql=text,
        )


def _offset(node: dict[str, Any]) -> int:
    offset = int(node.get("query_location") or 0)
    return 0 if offset >= 1 << 62 else offset  # DuckDB's word for none
