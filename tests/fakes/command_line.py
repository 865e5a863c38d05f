"""`mt5ui` run inside a test: its words, what it said, how it ended."""

import io
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from backend.cli.main import main


class Said(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def only_line(self) -> str:
        """The one line that a refusal is."""
        assert self.code == 1
        assert self.out == ""
        (line,) = self.err.strip().splitlines()
        return line


Run = Callable[..., Said]


def command_line(monkeypatch: pytest.MonkeyPatch, captured: Any, *first: str) -> Run:
    """Runs `mt5ui` with the words it is called with behind `first`; `piped` is its standard input."""

    def call(*words: str, piped: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["mt5ui", *first, *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = captured.readouterr()
        return Said(code, out, err)

    return call
