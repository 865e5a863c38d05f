"""The published schema and the page on strategies say what the code does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from backend.core.timeframes import Timeframe
from backend.strategies.facts import FACTS
from backend.strategies.functions import FUNCTIONS, SERIES, Kind
from backend.strategies.grammar import parse_condition
from backend.strategies.model import Strategy
from backend.strategies.reference import PAGE, example_of, reference
from backend.strategies.schema import SCHEMA_FILE, schema_text, strategy_schema
from backend.strategies.validation import parse_strategy

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "config" / "ai" / "strategies").glob("*.json"))
PUBLIC = [function for function in FUNCTIONS.values() if not function.internal]


def test_the_schema_file_is_the_schema() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m backend.strategies.schema"
    )


def test_the_page_holds_the_tables_that_the_code_makes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == reference(page), "run: python -m backend.strategies.reference"


def test_the_page_names_every_word_and_every_field() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for word in (*FACTS, *SERIES, *(function.usage for function in PUBLIC)):
        assert f"| `{word}` |" in page
    for field in (
        "/conditions/entry",
        "/short/invalidations",
        "/strategy/management/trail_atr",
        "/indicators/rsi/period",
    ):
        assert f"| `{field}` |" in page
    rows = [line for line in page.splitlines() if line.startswith("| `/")]
    assert len(rows) > 45
    assert all(len(line.split(" | ")[3].rstrip(" |")) > 5 for line in rows), "every field has a meaning"


def test_expressions_on_the_page_are_right() -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page[page.index("## Conditions") : page.index("- Operators")]
    examples = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    assert len(examples) == 5
    for example in examples:
        if example not in FACTS:
            parse_condition(example, Timeframe.H1)
    whole = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert whole is not None
    parse_strategy(json.loads(whole[1]), stem="EURUSD_H1")


@pytest.mark.parametrize("name", [function.name for function in PUBLIC])
def test_what_an_editor_offers_for_a_function_is_a_condition(name: str) -> None:
    condition = strategy_schema()["$defs"]["Condition"]
    usage = FUNCTIONS[name].usage
    (snippet,) = [one for one in condition["defaultSnippets"] if one["label"] == usage]
    tree = parse_condition(snippet["body"], Timeframe.H1).tree
    assert tree.gives is Kind.BOOLEAN
    assert example_of(FUNCTIONS[name]) in condition["examples"]


def test_every_fact_is_offered_with_its_meaning() -> None:
    (choices, expression) = strategy_schema()["$defs"]["Condition"]["anyOf"]
    assert [one["const"] for one in choices["oneOf"]] == [*FACTS]
    assert all(
        fact.meaning in one["description"] for fact, one in zip(FACTS.values(), choices["oneOf"], strict=True)
    )
    assert re.search(expression["pattern"], "close > ema(20)")
    assert not re.search(expression["pattern"], "uptrned")


def nested(schema: dict[str, Any], *path: str) -> dict[str, Any]:
    node = schema
    for name in path:
        node = node["properties"][name]
        options = [one for one in (node, *node.get("anyOf", ())) if "$ref" in one]
        if options:
            node = schema["$defs"][options[0]["$ref"].rpartition("/")[2]]
    return node


def test_bounds_stand_in_the_schema_where_editors_look_for_them() -> None:
    schema = strategy_schema()
    period = nested(schema, "indicators", "rsi", "period")
    assert (period["type"], period["minimum"], period["maximum"]) == ("integer", 2, 2000)
    risk = nested(schema, "strategy", "max_risk_pct")
    assert (risk["type"], risk["exclusiveMinimum"], risk["maximum"]) == ("number", 0, 0.05)
    partial = nested(schema, "strategy", "management", "partial_fraction")["anyOf"][0]
    assert (partial["exclusiveMinimum"], partial["exclusiveMaximum"]) == (0, 1)
    assert nested(schema, "strategy", "management", "timeframe")["enum"] == [*Timeframe]
    assert not re.search(r'"(ge|gt|le|lt)":', schema_text())
    for name in ("entry", "exit", "strong", "weak"):
        assert nested(schema, "conditions", name)["items"] == {"$ref": "#/$defs/Condition"}
        assert nested(schema, "short", name)["items"] == {"$ref": "#/$defs/Condition"}
    assert nested(schema, "strategy", "invalidations")["items"] == {"$ref": "#/$defs/Condition"}


def test_nothing_unknown_is_allowed_anywhere() -> None:
    schema = strategy_schema()
    blocks = [schema, *(one for one in schema["$defs"].values() if one.get("type") == "object")]
    assert len(blocks) == 11
    assert all(block["additionalProperties"] is False for block in blocks)


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_what_is_shipped_loads_and_names_only_fields_of_the_schema(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    strategy = parse_strategy(document, stem=path.stem)
    assert isinstance(strategy, Strategy)
    assert set(document) <= set(strategy_schema()["properties"])
