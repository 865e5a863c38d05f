"""What an evaluation run tells, as small JSON values."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from backend.ideas.evaluating import SymbolOutcome

_MOST_LISTED = 50


class Result:
    """Counts and names of one run.

    Args:
        trigger: Who or what asked for it.
    """

    def __init__(self, trigger: str) -> None:
        self.trigger = trigger
        self.busy: list[str] = []
        self.problems: list[dict[str, Any]] = []
        self._symbols = 0
        self._unchanged = 0
        self._skipped = 0
        self._missed = 0
        self._actions: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._ideas: list[str] = []
        self._open = 0
        self._closed: dict[str, str] = {}

    def add(self, outcome: SymbolOutcome) -> None:
        """One symbol."""
        self._symbols += 1
        self._unchanged += len(outcome.unchanged)
        self._skipped += outcome.skipped
        self.problems += outcome.problems
        if outcome.market_open:
            self._open += 1
        elif outcome.market_open is False:
            self._closed[outcome.symbol] = outcome.closed_since

    def decided(self, payloads: Iterable[Mapping[str, Any]]) -> None:
        """Decisions that are on record now."""
        for payload in payloads:
            self._actions[payload["action"]] += 1
            self._missed += bool(payload["missed"])
            self._refusals.update(refusal["check"] for refusal in payload["refusals"])
            if payload["idea_id"] is not None:
                self._ideas.append(payload["idea_id"])

    def as_dict(self) -> dict[str, Any]:
        """JSON values; lists are bounded, with their counts."""
        return {
            "trigger": self.trigger,
            "symbols": self._symbols,
            "decisions": sum(self._actions.values()),
            "actions": dict(self._actions),
            "refusals": dict(self._refusals),
            "missed": self._missed,
            "unchanged": self._unchanged,
            "skipped": self._skipped,
            "ideas": self._ideas[:_MOST_LISTED],
            "idea_count": len(self._ideas),
            "busy": self.busy[:_MOST_LISTED],
            "problems": self.problems[:_MOST_LISTED],
            "problem_count": len(self.problems),
            "market": {"open": self._open, "closed": dict(list(self._closed.items())[:_MOST_LISTED])},
        }
