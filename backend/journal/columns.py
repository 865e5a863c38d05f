"""The journal in columns: where each record stands, and what of a decision is asked for. Pure.

About 90 bytes a decision instead of its six thousand, so that all of them fit into memory and a question is
a few comparisons of arrays. Words are numbers of a vocabulary; 0 is none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.core.clock import parse_iso
from backend.journal.record import Kind

Rows = npt.NDArray[Any]
"""A structured array, shape (n,)."""

PLACES = np.dtype([("seq", "<i8"), ("offset", "<i8"), ("length", "<i4"), ("kind", "<u4"), ("key", "<u8")])
"""One row a record: number, its line's place in bytes, kind as a word, the key's hash (0 without one)."""
DECISIONS = np.dtype(
    [
        ("row", "<i4"),
        ("at", "<i8"),
        ("strategy", "<u4"),
        ("symbol", "<u4"),
        ("timeframe", "<u4"),
        ("action", "<u4"),
        ("signal", "<u4"),
        ("confidence", "<i2"),
        ("missed", "?"),
        ("idea", "?"),
        ("levels", "?"),
    ]
)
"""One row a decision: its row of `PLACES`, desk time in microseconds, words, the score in tenths or -1."""
REFUSALS = np.dtype([("decision", "<i4"), ("check", "<u4"), ("blocks", "?")])
"""One row a refusal: its row of `DECISIONS`, and the check that refused."""

_WORDS = {"strategy": "strategy_id", "symbol": "symbol", "timeframe": "timeframe", "action": "action"}


class Vocabulary:
    """Words and their numbers, from 1."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words: list[str] = ["", *words]
        self._numbers = {word: number for number, word in enumerate(self.words)}

    def number(self, word: object) -> int:
        """Number of a word, which is new if it was never met; 0 for None."""
        if word is None:
            return 0
        text = str(word)
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.words)
            self.words.append(text)
        return found

    def known(self, word: str) -> int:
        """Number of a word; -1 if no record has it."""
        return self._numbers.get(word, -1)


class Growing:
    """Rows that are appended to, and an array when one is asked for."""

    def __init__(self, dtype: np.dtype[Any], rows: Rows | None = None) -> None:
        self._done: Rows = np.empty(0, dtype) if rows is None else rows
        self._fresh: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._done) + len(self._fresh)

    def append(self, row: tuple[Any, ...]) -> None:
        """Add one row."""
        self._fresh.append(row)

    def row(self, number: int) -> tuple[Any, ...]:
        """One row, as plain values."""
        done = len(self._done)
        return self._fresh[number - done] if number >= done else self._done[number].item()

    @property
    def array(self) -> Rows:
        """All rows; it stays as it is when more are appended."""
        if self._fresh:
            self._done = np.concatenate((self._done, np.array(self._fresh, self._done.dtype)))
            self._fresh = []
        return self._done


@dataclass(slots=True)
class FileColumns:
    """The columns of one file of the journal.

    Attributes:
        name: The file.
        upto: Bytes of it that are read.
        saved: Bytes of it that the side file covers.
        places: See `PLACES`.
        decisions: See `DECISIONS`.
        refusals: See `REFUSALS`.
    """

    name: str
    upto: int = 0
    saved: int = 0
    places: Growing = field(default_factory=lambda: Growing(PLACES))
    decisions: Growing = field(default_factory=lambda: Growing(DECISIONS))
    refusals: Growing = field(default_factory=lambda: Growing(REFUSALS))

    def take(self, record: Mapping[str, Any], offset: int, length: int, key: int, words: Vocabulary) -> None:
        """Add one record; `KeyError`, `TypeError` or `ValueError` if it is none: nothing is added then."""
        kind = str(record["kind"])
        place = (int(record["seq"]), offset, length, words.number(kind), key)
        if kind == Kind.DECISION:
            try:
                self._take_decision(record["payload"], record["at"], words)
            except (ValueError, KeyError, TypeError, AttributeError):
                self.decisions.append((len(self.places), 0, 0, 0, 0, 0, 0, -1, False, False, False))
        self.places.append(place)

    def _take_decision(self, payload: Mapping[str, Any], at: str, words: Vocabulary) -> None:
        number = len(self.decisions)
        refusals = [
            (number, words.number(refusal["check"]), refusal.get("blocks") is not False)
            for refusal in payload.get("refusals") or ()
        ]
        self.decisions.append(self._decision(payload, at, words))
        for refusal in refusals:
            self.refusals.append(refusal)

    def _decision(self, payload: Mapping[str, Any], at: str, words: Vocabulary) -> tuple[Any, ...]:
        confidence = payload.get("confidence")
        score = confidence.get("score") if isinstance(confidence, Mapping) else None
        return (
            len(self.places),
            micros(parse_iso(at)),
            *(words.number(payload.get(name)) for name in _WORDS.values()),
            words.number(payload.get("signal")),
            -1 if score is None else round(float(score) * 10),
            bool(payload.get("missed")),
            payload.get("idea_id") is not None,
            payload.get("levels") is not None and payload.get("size") is not None,
        )


def micros(moment: datetime) -> int:
    """Microseconds since the epoch, exact."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which decisions are asked for; None asks for any.

    Attributes:
        symbol: Canonical symbol.
        strategy: Id of the strategy.
        timeframe: Such as ``H1``.
        action: Such as ``blocked``.
        signal: ``long``, ``short``, ``conflict``, ``none`` for decisions without one, ``any`` for long or
            short.
        refused_by: A check that refused, alone or with others.
        min_confidence: The least score.
        max_confidence: The highest score.
        since: Desk time, included.
        until: Desk time, excluded.
        missed: Whether it came too late for an idea.
        idea: Whether it made an idea.
    """

    symbol: str | None = None
    strategy: str | None = None
    timeframe: str | None = None
    action: str | None = None
    signal: str | None = None
    refused_by: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    since: datetime | None = None
    until: datetime | None = None
    missed: bool | None = None
    idea: bool | None = None

    def mask(self, decisions: Rows, refusals: Rows, words: Vocabulary) -> npt.NDArray[np.bool_]:
        """Which rows of `DECISIONS` are wanted, shape (n,)."""
        kept = self._by_words(decisions, words)
        if self.refused_by is not None:
            refused = np.zeros(len(decisions), np.bool_)
            refused[refusals["decision"][refusals["check"] == words.known(self.refused_by)]] = True
            kept &= refused
        if self.min_confidence is not None:
            kept &= decisions["confidence"] >= round(self.min_confidence * 10, 6)
        if self.max_confidence is not None:
            kept &= decisions["confidence"] <= round(self.max_confidence * 10, 6)
            kept &= decisions["confidence"] >= 0
        if self.since is not None:
            kept &= decisions["at"] >= micros(self.since)
        if self.until is not None:
            kept &= decisions["at"] < micros(self.until)
        for name in ("missed", "idea"):
            flag = getattr(self, name)
            if flag is not None:
                kept &= decisions[name] == flag
        return kept

    def _by_words(self, decisions: Rows, words: Vocabulary) -> npt.NDArray[np.bool_]:
        kept = np.ones(len(decisions), np.bool_)
        for name in ("symbol", "strategy", "timeframe", "action"):
            word = getattr(self, name)
            if word is not None:
                kept &= decisions[name] == words.known(word)
        if self.signal == "any":
            kept &= np.isin(decisions["signal"], [words.known("long"), words.known("short")])
        elif self.signal is not None:
            kept &= decisions["signal"] == (0 if self.signal == "none" else words.known(self.signal))
        return kept
