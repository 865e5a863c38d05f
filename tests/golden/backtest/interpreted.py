"""The backtest's engine as plain Python, from its sources as they are or with one place changed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from backend.backtest.model import Job, Reading, Result
from backend.backtest.tables import Tables

ROOT: Final = Path(__file__).resolve().parents[3]
Engine = Callable[..., Result]

# in the order of their imports: each takes the fresh ones above it
_MODULES: Final[tuple[str, ...]] = (
    "backend.core.ticks",
    "backend.trading.management",
    "backend.risk.gate",
    "backend.risk.sizing",
    "backend.trading.margin",
    "backend.trading.swap",
    "backend.backtest.prices",
    "backend.backtest.kernel.records",
    "backend.backtest.kernel.prices",
    "backend.backtest.kernel.usual",
    "backend.backtest.kernel.money",
    "backend.backtest.kernel.limits",
    "backend.backtest.kernel.fills",
    "backend.backtest.kernel.booking",
    "backend.backtest.kernel.broker",
    "backend.backtest.kernel.deciding",
    "backend.backtest.kernel.events",
    "backend.backtest.kernel.loop",
    "backend.backtest.lanes",
    "backend.backtest.tables",
    "backend.backtest.running",
)


def source_of(file: str) -> str:
    """The text of a source file, told by its path in the repository."""
    return (ROOT / file).read_text(encoding="utf-8")


def interpreted(file: str = "", old: str = "", new: str = "") -> Engine:
    """`run_backtest` without compiling, with `old` replaced by `new` in one of the engine's files.

    Raises:
        ValueError: If the file is none of the engine's, or does not hold `old` exactly once.
    """
    fresh = _fresh_modules(file, old, new)
    running: Any = fresh["backend.backtest.running"]
    made_by = running.tables
    running.compiled = lambda function: function
    running.tables = lambda job, reading, **more: _by_attribute(made_by(job, reading, **more))

    def run(job: Job, *, reading: Reading = Reading.WORST, **more: Any) -> Result:
        with np.errstate(all="ignore"):  # as the machine code: what is no number stays silent
            result: Result = running.run_backtest(job, reading=reading, **more)
        return result

    return run


class _Record:
    """A record of numbers whose fields are attributes, as they are in compiled code."""

    def __init__(self, row: Any) -> None:
        for name in row.dtype.names:
            value = row[name]
            # a float of numpy divides by zero as the machine code does
            setattr(self, name, int(value) if isinstance(value, np.integer) else value)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class _Records(list[_Record]):
    """Records, or one field of all."""

    def __getitem__(self, at: Any) -> Any:
        return np.array([row[at] for row in self]) if isinstance(at, str) else super().__getitem__(at)


def _by_attribute(made: Tables) -> Tables:
    return replace(made, lanes=_Records(map(_Record, made.lanes)), desk=_Records(map(_Record, made.desk)))


def _fresh_modules(file: str, old: str, new: str) -> dict[str, ModuleType]:
    files = {name: f"{name.replace('.', '/')}.py" for name in _MODULES}
    if file and (file not in files.values() or source_of(file).count(old) != 1):
        raise ValueError(f"{file} is not of the engine, or does not hold exactly once:\n{old}")
    fresh: dict[str, ModuleType] = {}
    with _kept_modules():
        for name, path in files.items():
            text = source_of(path)
            if path == file:
                text = text.replace(old, new)
            module = fresh[name] = ModuleType(name)
            module.__file__ = path
            sys.modules[name] = module
            exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - our own sources
            for key, value in module.__dict__.items():
                if isinstance(value, ModuleType) and value.__name__ in fresh:
                    setattr(module, key, fresh[value.__name__])
    return fresh


@contextmanager
def _kept_modules() -> Iterator[None]:
    kept = {name: sys.modules[name] for name in _MODULES if name in sys.modules}
    try:
        yield
    finally:
        for name in _MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(kept)
