"""The reference of strategy files in docs/strategies.md: tables made of what the code itself uses.

``python -m backend.strategies.reference`` writes the tables again after fields, facts or functions changed.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from backend.core.timeframes import Timeframe
from backend.strategies.facts import FACTS
from backend.strategies.functions import FUNCTIONS, MAX_PERIOD, SERIES, Function
from backend.strategies.grammar import MAX_LOOKBACK, parse_condition
from backend.strategies.model import Strategy
from backend.strategies.parser import MAX_BARS_AGO, MAX_DEPTH, MAX_LENGTH, MAX_NODES
from backend.strategies.sessions import SESSIONS

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"
_EXAMPLE_PERIOD: Final = 20


def reference(page: str) -> str:
    """The page with every table between its markers, ``<!-- facts -->`` to ``<!-- /facts -->``, made anew."""
    for name, lines in _TABLES.items():
        table = "\n".join(lines())
        between = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
        page, found = between.subn(partial(_filled, table), page)
        if found != 1:
            raise ValueError(f"the page has {found} places for {name}")
    return page


def _filled(table: str, match: re.Match[str]) -> str:
    return match[1] + table + match[2]


def _rows(*columns: str) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fields() -> Iterator[str]:
    schema = Strategy.model_json_schema()
    yield from _rows("field", "allowed", "default", "meaning")
    for pointer, field, required in _walk(schema, schema, ""):
        default = "required" if required else _shown(field.get("default"))
        described = field.get("description") or _target(field, schema).get("description", "")
        meaning = " ".join(described.split())
        yield _row(f"`{pointer}`", _allowed(field, schema), default, meaning)


def _walk(
    node: dict[str, Any], schema: dict[str, Any], base: str
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    for name, field in node["properties"].items():
        pointer = f"{base}/{name}"
        target = _target(field, schema)
        required = name in node.get("required", ())
        if "properties" in target:
            if pointer == "/short":  # the one block that may be absent
                yield pointer, {"description": field["description"]}, required
            yield from _walk(target, schema, pointer)
        else:
            yield pointer, field, required


def _target(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What a field refers to, null left out."""
    for option in (field, *field.get("anyOf", ())):
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rpartition("/")[2]]
            return found
    return field


def _allowed(field: dict[str, Any], schema: dict[str, Any]) -> str:
    options = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    stated = _target(options[0], schema) if options else {}
    if "enum" in stated:
        return ", ".join(f"`{one}`" for one in stated["enum"])
    if stated.get("type") == "array":
        return f"list of {_allowed(stated['items'], schema)}"
    words = {"integer": "whole number", "number": "number", "boolean": "true, false", "string": "text"}
    word = words.get(str(stated.get("type")), "block")
    bounds = [
        f"{sign} {stated[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in stated
    ]
    return " ".join([word, " and ".join(bounds)]).strip()


def _shown(default: Any) -> str:
    if default is None or default in ("", [], ()):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _facts() -> Iterator[str]:
    yield from _rows("fact", "meaning", "formula")
    for fact in FACTS.values():
        yield _row(f"`{fact.name}`", fact.meaning, f"`{fact.formula}`")


def _functions() -> Iterator[str]:
    yield from _rows("function", "gives", "meaning", "for example", "needs")
    for function in FUNCTIONS.values():
        if not function.internal:
            example = example_of(function)
            yield _row(
                f"`{function.usage}`",
                str(function.gives),
                function.meaning,
                f"`{example}`",
                _needed(example, function),
            )


def example_of(function: Function) -> str:
    """One way to write a call of the function."""
    arguments = ["close", "ema(20)"][: function.series] if function.series >= 0 else ["open", "close"]
    for param in function.params:
        if param.choices:
            arguments.append(f'"{param.choices[-2]}"')
        elif param.default is None:
            arguments.append(str(_EXAMPLE_PERIOD))
        else:
            arguments.append(f"{param.default:g}")
    return f"{function.name}({', '.join(arguments)})"


def _needed(example: str, function: Function) -> str:
    text = example if function.gives == "condition" else f"{example} > 0"
    ((_, bars),) = parse_condition(text, Timeframe.H1).needs
    return f"{bars} bar{'s' if bars > 1 else ''}"


def _series() -> Iterator[str]:
    yield from _rows("name", "meaning")
    yield from (_row(f"`{name}`", meaning) for name, meaning in SERIES.items())


def _sessions() -> Iterator[str]:
    yield from _rows("session", "from", "until", "on the clocks of")
    for name, session in SESSIONS.items():
        yield _row(f"`{name}`", f"{session.start:02}:00", f"{session.end:02}:00", session.zone)


def _limits() -> Iterator[str]:
    yield from _rows("limit", "at most")
    yield _row("characters of an expression", str(MAX_LENGTH))
    yield _row("parts of an expression (names, numbers, operators, calls)", str(MAX_NODES))
    yield _row("nesting", str(MAX_DEPTH))
    yield _row("`n` of a function", str(MAX_PERIOD))
    yield _row("`[n]` bars ago", str(MAX_BARS_AGO))
    yield _row("bars of one timeframe that an expression looks back over in all", str(MAX_LOOKBACK))


_TABLES: Final = {
    "fields": _fields,
    "facts": _facts,
    "functions": _functions,
    "series": _series,
    "sessions": _sessions,
    "limits": _limits,
}


if __name__ == "__main__":
    PAGE.write_text(reference(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
