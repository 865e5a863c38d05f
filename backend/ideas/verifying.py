"""Is what decisions were computed from still what it was? By hash, of every decision on record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.core.clock import parse_iso
from backend.ideas.inputs import INPUTS, NAMES, input_file, input_of
from backend.ideas.kept_bars import KeptBars
from backend.ideas.kept_bars import file_of as bars_file
from backend.journal.record import Kind, Record
from backend.storage.files import FileStorage


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFault:
    """The first input that is not as it was.

    Attributes:
        file: Its file.
        input: Which input: ``account`` … or ``bars H1``.
        decision: The first decision that was computed from it.
        seq: That decision's place in the journal.
        why: What is wrong.
    """

    file: str
    input: str
    decision: str
    seq: int
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The fault as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


class InputCheck:
    """Looks at the inputs of one decision after the other; each file is read once.

    Args:
        storage: Files below ``data/``.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._bars = KeptBars(storage)
        self._looked: dict[str, str | None] = {}
        self.decisions = 0
        self.faults: list[InputFault] = []

    def look(self, record: Record) -> None:
        """Check the inputs of a record, if it is a decision that names any."""
        inputs = record.payload.get("inputs")
        if record.kind != Kind.DECISION or not isinstance(inputs, Mapping):
            return
        self.decisions += 1
        for name in NAMES:
            hashed = str(inputs.get(name, ""))
            if hashed not in self._looked:
                self._looked[hashed] = input_of(self._storage, hashed)[1]
            why = self._looked[hashed]
            if why is not None:
                self._fault(record, name, input_file(hashed) if hashed else INPUTS, why)
        at = parse_iso(record.payload["decided_at"])
        for reference in inputs.get("bars", ()):
            found = self._bars.find(str(record.payload["symbol"]), reference, at)
            if not found.agree:
                why = "they are gone" if found.bars is None else "they are not those that the decision saw"
                file = bars_file(record.payload["decided_at"][:10].replace("-", ""))
                self._fault(record, f"bars {reference['timeframe']}", file, why)

    def _fault(self, record: Record, name: str, file: str, why: str) -> None:
        decision = str(record.payload["id"])
        self.faults.append(InputFault(file=file, input=name, decision=decision, seq=record.seq, why=why))

    def as_dict(self) -> dict[str, Any]:
        """What was found, as JSON values."""
        return {
            "decisions": self.decisions,
            "altered": len(self.faults),
            "first": self.faults[0].as_dict() if self.faults else None,
        }
