"""Writes the description from which the types of the console are made, to `console/openapi.json`."""

import sys
from pathlib import Path

import orjson

from backend.app import create_app


def main(arguments: list[str]) -> int:
    """Write the description where the console takes its types from, or say whether it is as it was."""
    path = Path(__file__).resolve().parents[2] / "console" / "openapi.json"
    now = orjson.dumps(create_app().openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    if arguments != ["--check"]:
        path.write_bytes(now)
        return 0
    if path.read_bytes() == now:
        return 0
    sys.stderr.write(
        f"{path} is not what the API describes. `python -m backend.cli.description` writes it anew; "
        "then `npm run types` and `npm run check` in console/ show what the page must follow\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
