"""All tables of this folder as calls, and which of them an engine fails."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, Final

from tests.golden.backtest.hand import chosen

MODULES: Final = (
    "test_fill_tables",
    "test_rule_tables",
    "test_order_tables",
    "test_account_tables",
)


def tables() -> dict[str, tuple[Callable[[], None], ...]]:
    """Each table by its name, with a call for each of its cases."""
    found: dict[str, tuple[Callable[[], None], ...]] = {}
    for module in MODULES:
        for name, function in vars(import_module(f"{__package__}.{module}")).items():
            if name.startswith("test_"):
                found[name.removeprefix("test_")] = tuple(_cases(function))
    return found


def failing(run_job: Callable[..., Any], names: Iterator[str] | set[str]) -> set[str]:
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
    except (Exception, BaseException) as error:  # noqa: BLE001 - pytest's own failures are no `Exception`
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return False
    return True
