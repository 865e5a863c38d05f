"""All tables of this folder as calls, and which of them an engine fails."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, Final

import pytest

from tests.golden.backtest.hand import chosen

MODULES: Final = (
    "test_fill_tables",
    "test_rule_tables",
    "test_order_tables",
    "test_account_tables",
    "test_cost_tables",
    "test_gap_tables",
    "test_refusal_tables",
    "test_part_tables",
    "test_stream_tables",
    "test_broker_tables",
)


def tables() -> dict[str, tuple[Callable[[], None], ...]]:
    """Each table by its name, with a call for each of its cases."""
    found: dict[str, tuple[Callable[[], None], ...]] = {}
    for module in MODULES:
        for name, function in vars(import_module(f"{__package__}.{module}")).items():
            if name.startswith("test_"):
                found[name.removeprefix("test_")] = tuple(_cases(function))
    return found


def failing(run_job: Callable[..., Any], names: Iterable[str]) -> set[str]:
    """The tables among `names` that this engine fails."""
    known = tables()
    with chosen(run_job):
        return {name for name in names if not all(_passes(case) for case in known[name])}


def _cases(function: Callable[..., None]) -> Iterator[Callable[[], None]]:
    marks = [mark for mark in getattr(function, "pytestmark", ()) if mark.name == "parametrize"]
    if not marks:
        yield function
        return
    (mark,) = marks
    for values in mark.args[1]:
        yield partial(function, *values) if isinstance(values, tuple) else partial(function, values)


def _passes(case: Callable[[], None]) -> bool:
    try:
        case()
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever a changed engine does is a failure
        return False
    return True
