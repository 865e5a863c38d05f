"""Statistics of decisions from their columns. Pure."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from backend.core.clock import from_epoch, iso
from backend.journal.columns import Rows, Vocabulary, Wanted

_HOUR = 3600 * 1_000_000
_HOURS = 24
_COLUMNS = ("action", "signal", "strategy", "symbol", "timeframe")


def counts(parts: Iterable[tuple[Rows, Rows]], wanted: Wanted, words: Vocabulary) -> dict[str, Any]:
    """How many decisions are wanted, as JSON values.

    ``total``; ``first`` and ``last`` desk time; ``by_action``, ``by_signal``, ``by_strategy``, ``by_symbol``,
    ``by_timeframe``, the most frequent first; ``by_check``: for each check that refused, ``decisions`` that
    it refused, and how many ``alone``; ``by_hour``: 24 numbers, hours of desk time in UTC; ``ideas``;
    ``missed``.

    Args:
        parts: Decisions and refusals of each file.
        wanted: Which are counted.
        words: Their vocabulary.
    """
    size = len(words.words)
    columns = {name: np.zeros(size, np.int64) for name in _COLUMNS}
    refused, alone = np.zeros(size, np.int64), np.zeros(size, np.int64)
    hours = np.zeros(_HOURS, np.int64)
    total = ideas = missed = 0
    times: list[int] = []
    for decisions, refusals in parts:
        mask = wanted.mask(decisions, refusals, words)
        rows = decisions[mask]
        if not len(rows):
            continue
        total += len(rows)
        ideas += int(rows["idea"].sum())
        missed += int(rows["missed"].sum())
        times += [int(rows["at"].min()), int(rows["at"].max())]
        for name in _COLUMNS:
            columns[name] += np.bincount(rows[name], minlength=size)
        hours += np.bincount(rows["at"] // _HOUR % _HOURS, minlength=_HOURS)
        kept = refusals[mask[refusals["decision"]]]
        refused += np.bincount(kept["check"], minlength=size)
        each = np.bincount(kept["decision"], minlength=len(decisions))
        alone += np.bincount(kept["check"][each[kept["decision"]] == 1], minlength=size)
    return {
        "total": total,
        "first": iso(from_epoch(min(times) / 1_000_000)) if times else None,
        "last": iso(from_epoch(max(times) / 1_000_000)) if times else None,
        "ideas": ideas,
        "missed": missed,
        **{f"by_{name}": _named(counted, words) for name, counted in columns.items()},
        "by_check": {
            name: {"decisions": count, "alone": int(alone[words.known(name)])}
            for name, count in _named(refused, words).items()
        },
        "by_hour": hours.tolist(),
    }


def _named(counted: Rows, words: Vocabulary) -> dict[str, int]:
    """Words with how often they stand there, the most frequent first; ``none`` where there is no word."""
    order = np.argsort(-counted, kind="stable").tolist()
    return {words.words[code] if code else "none": int(counted[code]) for code in order if counted[code]}
