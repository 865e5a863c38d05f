"""Compiles plain functions of numbers and arrays, on first use and once for all processes.

Nothing here or in what is compiled imports numba before it is needed. A function is compiled together with
the plain functions of this project that it names, so that a rule written for Python is the rule compiled.
The machine code is kept in a folder named after everything it was made from: a changed source never meets
old code.
"""

import contextlib
import ctypes
import dis
import hashlib
import platform
import sys
import types
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from filelock import FileLock

_ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = _ROOT.parent / ".compiled"
"""In the installation, for every desk that runs from it."""
_SOURCES: Final = ("core", "trading", "risk", "evaluation", "backtest")
_KEPT_FOLDERS: Final = 3
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's mallopt
_NEVER = 2**31 - 1
Function = TypeVar("Function", bound=Callable[..., Any])

_compiled: dict[Any, Any] = {}
_prepared: list[Path] = []


def prepare(other: Path | None = None) -> Path:
    """Say where machine code is kept, before anything is compiled; gives the folder of this version.

    Said twice in a process, the first counts.

    Args:
        other: Taken where the installation cannot be written.
    """
    if not _prepared:
        _keep_memory()
        _prepared.append(_made(FOLDER, other))
        from numba import config

        config.CACHE_DIR = str(_prepared[0])  # type: ignore[attr-defined] # made at import from the environment
    return _prepared[0]


def compiling_alone() -> AbstractContextManager[object]:
    """While one process compiles the others wait, then find it done; without `prepare` nobody is asked."""
    return FileLock(_prepared[0] / "compiling.lock") if _prepared else contextlib.nullcontext()


def _keep_memory() -> None:
    """Let the C library keep what is freed: fetching pages anew costs five times what is computed on them."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library than glibc has no such switch
            library = ctypes.CDLL(None)
            library.mallopt(_MMAP_MAX, 0)  # arrays of any size come from what was freed before
            library.mallopt(_TRIM_THRESHOLD, _NEVER)


def _made(folder: Path, other: Path | None) -> Path:
    mine = folder / _fingerprint()
    try:
        mine.mkdir(parents=True, exist_ok=True)
        (mine / "writable").touch()
    except OSError:
        if other is None:
            raise
        return _made(other, None)
    _remove_old(folder, mine)
    return mine


def compiled(function: Function) -> Function:
    """The function as machine code, to be called from Python; the same one for the same function."""
    machine: Function = _once(function, entry=True)
    return machine


def _once(function: Any, *, entry: bool) -> Any:
    found = _compiled.get((function, entry))
    if found is None:
        import numba

        # only what Python calls is kept on the disk and gets a way in; the rest becomes part of it
        options: dict[str, Any] = {"cache": True}
        if not entry:
            options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        compiler: Any = numba.njit
        found = compiler(nogil=True, error_model="numpy", **options)(_bound(function))
        _compiled[function, entry] = found
    return found


def _bound(function: Any) -> types.FunctionType:
    """The function with the project's own functions that it names replaced by compiled ones."""
    names = dict(function.__globals__)
    for instruction in dis.get_instructions(function):
        other = names.get(instruction.argval) if instruction.opname == "LOAD_GLOBAL" else None
        if isinstance(other, types.FunctionType) and other.__module__.split(".")[0] == "backend":
            names[instruction.argval] = _once(other, entry=False)
    bound = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    bound.__module__, bound.__qualname__ = function.__module__, function.__qualname__
    return bound


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for package in _SOURCES:
        for source in sorted((_ROOT / package).rglob("*.py")):
            digest.update(source.relative_to(_ROOT).as_posix().encode() + b"\0" + source.read_bytes())
    python = ".".join(map(str, sys.version_info[:3]))
    digest.update(f"{version('numba')} {version('numpy')} {python} {platform.machine()}".encode())
    return digest.hexdigest()[:16]


def _remove_old(folder: Path, mine: Path) -> None:
    import shutil

    others = sorted(
        (path for path in folder.iterdir() if path.is_dir() and path != mine),
        key=lambda path: path.stat().st_mtime,
    )
    for path in others[: -(_KEPT_FOLDERS - 1)]:
        shutil.rmtree(path, ignore_errors=True)
