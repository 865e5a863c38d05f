"""The JSON Schema of a strategy file: served to the console, and written for editors.

``python -m backend.strategies.schema`` writes docs/strategy.schema.json again after the model changed.
"""

import json
from pathlib import Path
from typing import Any

from backend.strategies.facts import FACTS
from backend.strategies.functions import FUNCTIONS, Function, Kind
from backend.strategies.model import Strategy
from backend.strategies.reference import example_of

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "strategy.schema.json"


def strategy_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of ``config/ai/strategies/{id}.json``; named facts are offered with meanings."""
    schema = Strategy.model_json_schema(mode="validation")
    condition = {
        "description": "A named fact, or an expression such as crosses_above(ema(20), ema(50))",
        "type": "string",
        "minLength": 1,
        "maxLength": 1000,
        "anyOf": [
            {
                "oneOf": [
                    {"const": f.name, "description": f"{f.meaning}: {f.formula}"} for f in FACTS.values()
                ]
            },
            {"pattern": r"[^A-Za-z0-9_\s]", "description": "An expression"},
        ],
        "examples": [
            *FACTS,
            *(example_of(function) for function in FUNCTIONS.values() if not function.internal),
        ],
        "defaultSnippets": [_snippet(function) for function in FUNCTIONS.values() if not function.internal],
    }
    schema["$defs"]["Condition"] = condition
    for block in ("ConditionLists", "ShortLists", "Rules"):
        for name, field in schema["$defs"][block]["properties"].items():
            if name in {"entry", "exit", "strong", "weak", "invalidations"}:
                field["items"] = {"$ref": "#/$defs/Condition"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _snippet(function: Function) -> dict[str, str]:
    """What editors that know snippets offer: a condition that uses the function."""
    call = example_of(function)
    condition = call if function.gives is Kind.BOOLEAN else f"close > {call}"
    return {"label": function.usage, "description": function.meaning, "body": condition}


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(strategy_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8", newline="\n")
