"""The user's strategy and profile files: what is valid goes on, what is not is reported by name."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from backend.core.errors import Invalid, NotFound, Unavailable
from backend.strategies.model import Profile, Strategy
from backend.strategies.validation import parse_profile, parse_strategy

MAX_BYTES = 1_000_000


class FileProblem(NamedTuple):
    """Why a file, or a part of it, is not used.

    Attributes:
        file: Path as seen from the folder that holds strategies/ and profiles/.
        pointer: JSON pointer to the field; empty for the file as a whole.
        reason: What is wrong, and what is allowed.
        column: Of a condition: where in its text, from 1.
    """

    file: str
    pointer: str
    reason: str
    column: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The problem as JSON values."""
        return self._asdict()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStrategies:
    """Everything that loaded, and everything that did not.

    Attributes:
        strategies: Valid strategies by id, disabled ones too.
        profiles: Valid profiles by symbol.
        problems: The rest.
    """

    strategies: tuple[Strategy, ...]
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    problems: tuple[FileProblem, ...] = ()

    def get(self, strategy_id: str) -> Strategy:
        """The strategy of that id.

        Raises:
            Invalid: Code ``bad_strategy`` if its file has problems, with them.
            NotFound: Code ``unknown_strategy``, listing those there are.
        """
        for strategy in self.strategies:
            if strategy.id == strategy_id:
                return strategy
        problems = [p.as_dict() for p in self.problems if p.file == f"strategies/{strategy_id}.json"]
        if problems:
            raise Invalid(
                "bad_strategy",
                f"strategy {strategy_id} cannot be used: {problems[0]['pointer']}: {problems[0]['reason']}",
                problems=problems,
            )
        known = [strategy.id for strategy in self.strategies]
        raise NotFound(
            "unknown_strategy",
            f"there is no strategy {strategy_id!r}; there are {', '.join(known) or 'none'}",
            strategy=strategy_id,
            known=known,
        )

    def of_symbol(self, symbol: str, *, enabled: bool = True) -> tuple[Strategy, ...]:
        """Strategies that trade the symbol; only the enabled ones unless told otherwise."""
        return tuple(s for s in self.strategies if symbol in s.traded_symbols and (s.enabled or not enabled))

    def profile(self, symbol: str) -> Profile:
        """The symbol's profile; one of defaults where the user has none."""
        return self.profiles.get(symbol) or Profile(symbol=symbol)


_State = tuple[int, int, int]
"""What changes when a file does: modification time in ns, size, inode."""


class _Outcome(NamedTuple):
    value: Any
    problems: tuple[FileProblem, ...]


def require_traded(strategy: Strategy, symbol: str) -> None:
    """Refuse a symbol that the strategy does not trade.

    Raises:
        NotFound: Code ``strategy_not_of_symbol``, with those it trades.
    """
    if symbol not in strategy.traded_symbols:
        raise NotFound(
            "strategy_not_of_symbol",
            f"strategy {strategy.id} trades {', '.join(strategy.traded_symbols)}, not {symbol}",
            strategy=strategy.id,
            symbols=list(strategy.traded_symbols),
        )


class StrategyFiles:
    """Reads ``strategies/*.json`` and ``profiles/*.json``; a file is parsed again when it changed.

    Args:
        root: The folder ``config/ai``, or its ``strategies`` folder.
        accept: As in `parse_strategy`.
    """

    def __init__(self, root: Path, *, accept: Callable[[Strategy], None] | None = None) -> None:
        self._root = root.parent if root.name == "strategies" else root
        self._accept = accept
        self._parsed: dict[Path, tuple[_State, _Outcome]] = {}

    def load(self) -> LoadedStrategies:
        """All files as they are now. Never raises for a wrong file: it becomes a problem."""
        strategies: list[Strategy] = []
        problems: list[FileProblem] = []
        seen: dict[str, str] = {}
        for path in self._files("strategies", problems):
            outcome = self._read(path, partial(parse_strategy, accept=self._accept))
            problems += outcome.problems
            if outcome.value is None:
                continue
            earlier = seen.setdefault(outcome.value.id.casefold(), path.name)
            if earlier != path.name:
                reason = (
                    f"the id differs from that of {earlier} only in case; ids must differ on every system"
                )
                problems.append(FileProblem(self._name(path), "/id", reason))
                continue
            strategies.append(outcome.value)
        profiles: dict[str, Profile] = {}
        for path in self._files("profiles", None):
            outcome = self._read(path, parse_profile)
            problems += outcome.problems
            if outcome.value is not None:
                profiles[outcome.value.symbol] = outcome.value
        return LoadedStrategies(strategies=tuple(strategies), profiles=profiles, problems=tuple(problems))

    def _files(self, folder: str, problems: list[FileProblem] | None) -> list[Path]:
        path = self._root / folder
        try:
            return sorted(file for file in path.iterdir() if file.suffix == ".json")
        except FileNotFoundError:
            if problems is not None:
                problems.append(FileProblem(folder, "", "there is no such folder"))
        except OSError as error:
            reported = problems if problems is not None else []
            reported.append(FileProblem(folder, "", f"cannot be listed: {error.strerror or error}"))
        return []

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _read(self, path: Path, parse: Callable[..., Any]) -> _Outcome:
        name = self._name(path)
        try:
            status = path.stat()
            # a file replaced within one tick of the file system's clock is told by its inode
            key = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._parsed.get(path)
            if known is not None and known[0] == key:
                return known[1]
            outcome = _Outcome(parse(_content(path, status.st_size), stem=path.stem), ())
        except OSError as error:
            return _Outcome(None, (FileProblem(name, "", f"cannot be read: {error.strerror or error}"),))
        except Invalid as error:
            found = error.details.get("problems", [{"pointer": "", "reason": error.message}])
            outcome = _Outcome(None, tuple(FileProblem(name, **problem) for problem in found))
        self._parsed[path] = (key, outcome)
        return outcome


def read_strategy(path: Path, *, accept: Callable[[Strategy], None] | None = None) -> Strategy:
    """The strategy of one file anywhere.

    Args:
        path: The file; its name without .json is the id.
        accept: As in `parse_strategy`.

    Raises:
        NotFound: Code ``no_such_file``.
        Invalid: With `problems` where the content is wrong.
    """
    try:
        return parse_strategy(_content(path, path.stat().st_size), stem=path.stem, accept=accept)
    except FileNotFoundError as error:
        raise NotFound("no_such_file", f"there is no file {path}", file=str(path)) from error
    except OSError as error:
        raise Unavailable("cannot_read", f"{path} cannot be read: {error.strerror or error}") from error


def _content(path: Path, size: int) -> Any:
    if size > MAX_BYTES:
        raise Invalid("too_large", f"{size} bytes; a file has at most {MAX_BYTES}")
    return read_document(path.read_bytes())


def read_document(data: bytes) -> Any:
    """The JSON values of a strategy file.

    Raises:
        Invalid: Not UTF-8, not JSON (with line and column), a key twice, NaN.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Invalid("not_utf8", f"byte {error.start} is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise Invalid(
            "not_json", f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from error
    except RecursionError as error:
        raise Invalid("not_json", "nested too deeply") from error
    except ValueError as error:
        raise Invalid("not_json", "a number has too many digits") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise Invalid("not_json", f"the key {key!r} stands twice in one object")
        result[key] = value
    return result


def _no_constant(text: str) -> Any:
    raise Invalid("not_json", f"{text} is not a JSON number")
