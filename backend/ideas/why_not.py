"""Which check refused most, and what it cost or saved.

What a refused idea would have earned is computed elsewhere, by the engine itself, and kept in
``data/decisions/what_if/``. Where it is not known yet, or cannot be, that is said with its reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backend.core.clock import Clock, iso
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.storage.files import FileStorage

FOLDER = "decisions/what_if"
OPEN = f"{FOLDER}/open.json"
PATTERN = f"{FOLDER}/results_*.jsonl"
NOT_COMPUTED = "not computed yet: `mt5ui decisions why-not --compute`, or tonight"


def results_file(month: str) -> str:
    """Name of the file of results of a month of decisions, ``YYYYmm``."""
    return f"{FOLDER}/results_{month}.jsonl"


@dataclass(slots=True)
class _Sum:
    """Results of some refused ideas."""

    ideas: int = 0
    known: int = 0
    not_filled: int = 0
    wins: int = 0
    losses: int = 0
    cost: float = 0.0
    saved: float = 0.0
    net_r: float = 0.0
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, result: Mapping[str, Any] | None, why: str, currency: str | None) -> None:
        self.ideas += 1
        trade = None if result is None else result["trade"]
        if result is None or result["status"] == "unknown":
            self.unknown[why if result is None else result["reason"]] += 1
        elif trade is None:
            self.known += 1
            self.not_filled += 1
        elif trade["currency"] != currency:
            self.unknown[f"in {trade['currency']}"] += 1
        else:
            net = trade["net"]
            self.known += 1
            self.wins += net > 0
            self.losses += net < 0
            self.cost += max(net, 0.0)
            self.saved += max(-net, 0.0)
            self.net_r += trade["r"] or 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; money is null where no result is known."""
        money = self.known > 0
        return {
            "ideas": self.ideas,
            "known": self.known,
            "not_filled": self.not_filled,
            "wins": self.wins,
            "losses": self.losses,
            "cost": round(self.cost, 2) if money else None,
            "saved": round(self.saved, 2) if money else None,
            "net": round(self.cost - self.saved, 2) if money else None,
            "net_r": round(self.net_r, 4) if money else None,
            "unknown": dict(self.unknown.most_common()),
        }


def why_not(storage: FileStorage, journal: Journal, wanted: Wanted) -> dict[str, Any]:
    """Checks that refused, the most frequent first, with what became of the ideas that they refused.

    For each check: ``decisions`` that it refused and how many ``alone``; of those with a signal and levels,
    refused ``together`` with others or not, and ``alone``: `cost` is the profit that was missed, `saved` the
    loss that was avoided, `net` their difference, ``net_r`` the same in R.
    """
    counts = journal.count(wanted)
    results = known_results(storage)
    waiting: dict[str, str] = storage.read_json_or(OPEN, {})
    currencies = Counter(
        result["trade"]["currency"] for result in results.values() if result["trade"] is not None
    )
    currency = currencies.most_common(1)[0][0] if currencies else None
    together: dict[str, _Sum] = {}
    alone: dict[str, _Sum] = {}
    signalled = replace(wanted, signal=wanted.signal or "any")
    for place, checks in journal.refused(signalled):
        result, why = results.get(place.seq), waiting.get(str(place.seq), NOT_COMPUTED)
        for check in checks:
            together.setdefault(check, _Sum()).add(result, why, currency)
        if len(checks) == 1:
            alone.setdefault(checks[0], _Sum()).add(result, why, currency)
    return {
        "total": counts["total"],
        "currency": currency,
        "checks": [
            {
                "check": check,
                **count,
                "together": together.get(check, _Sum()).as_dict(),
                "alone_only": alone.get(check, _Sum()).as_dict(),
            }
            for check, count in counts["by_check"].items()
        ],
    }


def known_results(storage: FileStorage) -> dict[int, Mapping[str, Any]]:
    """Final results by the decision's place in the journal."""
    found: dict[int, Mapping[str, Any]] = {}
    for name in storage.names(PATTERN):
        for row in storage.read_jsonl(name, problems=[]):
            found[int(row["seq"])] = row
    return found


def keep_results(
    storage: FileStorage,
    clock: Clock,
    final: Iterable[tuple[int, str, Mapping[str, Any]]],
    waiting: Mapping[int, str],
) -> None:
    """Keep results for good, and why the others are not known yet.

    Args:
        storage: Files below ``data/``.
        clock: Tells when.
        final: Place in the journal, the month of the decision, result.
        waiting: Place in the journal, and why it is not known.
    """
    months: dict[str, list[dict[str, Any]]] = {}
    for seq, month, result in final:
        months.setdefault(month, []).append({"seq": seq, "at": iso(clock.now()), **result})
    for month, rows in months.items():
        storage.append_jsonl(results_file(month), rows)
    storage.write_json(OPEN, {str(seq): why for seq, why in waiting.items()})
