"""The JSON Schema of a strategy file: served to the console, and written for editors.

``python -m backend.strategies.schema`` writes docs/strategy.schema.json again after the model changed.
"""

import json
from pathlib import Path
from typing import Any

from backend.strategies.facts import FACTS
from backend.strategies.model import Strategy

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
    }
    schema["$defs"]["Condition"] = condition
    for block in ("ConditionLists", "ShortLists", "Rules"):
        for name, field in schema["$defs"][block]["properties"].items():
            if name in {"entry", "exit", "strong", "weak", "invalidations"}:
                field["items"] = {"$ref": "#/$defs/Condition"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(strategy_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8", newline="\n")
