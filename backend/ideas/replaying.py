"""A decision computed again from what it holds and refers to: the same bytes, or what differs and where."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from backend.core.bars import COLUMNS, Bars
from backend.core.clock import from_epoch, iso, parse_iso
from backend.core.errors import DeskError, Invalid, NotFound
from backend.core.timeframes import Timeframe
from backend.economic_calendar.model import CalendarView
from backend.evaluation.deciding import Known
from backend.evaluation.engine import ENGINE_VERSION, AIEngine
from backend.evaluation.snapshots import bars_reference
from backend.evaluation.statistics import ProfileStatistics
from backend.ideas.inputs import NAMES, input_file, input_of
from backend.ideas.kept_bars import KeptBars
from backend.ideas.kept_bars import file_of as bars_file
from backend.ideas.rows import payload_of
from backend.journal.journal import Journal
from backend.journal.record import Kind, Record, digest
from backend.market.specifications import from_values
from backend.market.store import MarketStore
from backend.risk.rulebook import limits_of_record
from backend.risk.rules import DeskRules
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage
from backend.strategies.model import Profile, Strategy
from backend.trading.account import AccountState
from backend.trading.desk import DeskState

_MOST_DIFFERENCES = 200
_MOST_BARS = 20
_ABSENT = "(absent)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One place at which the decision on record and the one computed now are not the same."""

    pointer: str
    recorded: Any
    computed: Any

    def as_dict(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return {"pointer": self.pointer, "recorded": self.recorded, "computed": self.computed}


@dataclass(kw_only=True, slots=True)
class Replayed:
    """What computing a decision again gave.

    Attributes:
        decision: The decision on record.
        seq: Its place in the journal.
        same: Whether the same bytes came out.
        record_intact: Whether the record still has the content of its hash.
        engine: Version of the engine that made it.
        inputs: Each input: name, file, whether it is the very one, and why not.
        differences: Where the two decisions differ, in the order of the record.
        notes: What else should be known, such as a market that was corrected since.
        computed: The decision as computed now.
    """

    decision: Mapping[str, Any]
    seq: int
    same: bool
    record_intact: bool
    engine: str
    inputs: list[dict[str, Any]]
    differences: list[Difference]
    notes: list[str] = field(default_factory=list)
    computed: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "decision_id": self.decision["id"],
            "seq": self.seq,
            "same": self.same,
            "record_intact": self.record_intact,
            "engine": {"recorded": self.engine, "present": ENGINE_VERSION},
            "inputs": self.inputs,
            "differences": [each.as_dict() for each in self.differences[:_MOST_DIFFERENCES]],
            "more_differences": max(len(self.differences) - _MOST_DIFFERENCES, 0),
            "notes": self.notes,
            "computed": dict(self.computed),
        }


class Replayer:
    """Computes decisions again, from files alone.

    Args:
        storage: Files below ``data/``.
        journal: The record of decisions.
        store: Stored bars: where none were kept with the decision, and to tell what was corrected since.
    """

    def __init__(self, storage: FileStorage, journal: Journal, store: MarketStore) -> None:
        self._storage = storage
        self._journal = journal
        self._store = store
        self._bars = KeptBars(storage)
        self._contents: dict[str, tuple[Any, str | None]] = {}
        self._read: dict[tuple[str, str], Any] = {}

    def replay(self, decision_id: str) -> Replayed:
        """Compute one decision again.

        Raises:
            NotFound: ``unknown_record``: no such decision; ``inputs_gone``: something that it was computed
                from is nowhere to be found.
            Invalid: ``inputs_damaged``: an input cannot be read any more; ``no_inputs``: the record names
                none.
        """
        record = self._journal.find(Kind.DECISION, decision_id)
        work = _Replay(record, self)
        return work.run()

    def content(self, hashed: str) -> tuple[Any, str | None]:
        """An input's content and what is wrong with it, read once."""
        found = self._contents.get(hashed)
        if found is None:
            found = self._contents[hashed] = input_of(self._storage, hashed)
        return found

    def made(self, name: str, hashed: str) -> Any:
        """The object of an input's content, made once."""
        key = name, hashed
        if key not in self._read:
            content, _ = self.content(hashed)
            try:
                self._read[key] = _MAKERS[name](content)
            except (KeyError, TypeError, ValueError, ArithmeticError, DeskError) as error:
                raise Invalid(
                    "inputs_damaged",
                    f"{input_file(hashed)}: {name} cannot be read: {type(error).__name__}: {error}",
                    file=input_file(hashed),
                ) from error
        return self._read[key]

    def bars(self, symbol: str, reference: Mapping[str, Any], at: str) -> tuple[Bars | None, str, list[str]]:
        """The bars of a reference, where they come from, and notes on them."""
        moment = parse_iso(at)
        kept = self._bars.find(symbol, reference, moment)
        stored = self._stored(symbol, reference)
        timeframe = reference["timeframe"]
        agrees = stored is not None and bars_reference(stored) == reference
        if kept.agree:
            notes = []
            if not agrees and kept.bars is not None:
                notes = [f"{timeframe}: {_since(kept.bars, stored)}"]
            return kept.bars, bars_file(at[:10].replace("-", "")), notes
        if agrees:
            return stored, "history", []
        then = "none were kept" if kept.bars is None else "those kept were altered"
        now = "none of that time" if stored is None else "others"
        notes = [
            f"{timeframe}: the bars that the decision saw are nowhere: {then}, and the market store has {now}"
        ]
        if kept.bars is not None:
            notes.append(f"{timeframe}: kept beside stored: {_since(kept.bars, stored)}")
        return (kept.bars if kept.bars is not None else stored), "", notes

    def _stored(self, symbol: str, reference: Mapping[str, Any]) -> Bars | None:
        timeframe = Timeframe(reference["timeframe"])
        if not reference["count"]:
            return None
        first, last = parse_iso(reference["first"]), parse_iso(reference["last"])
        until = last + timedelta(seconds=2 * timeframe.seconds)
        try:
            bars = self._store.bars(symbol, timeframe, since=first, until=until)
        except DeskError:
            return None
        bars = bars[: int((bars.time <= int(last.timestamp())).sum())]
        return bars if len(bars) else None


class _Replay:
    """One decision."""

    def __init__(self, record: Record, source: Replayer) -> None:
        self._record = record
        self._payload = record.payload
        self._source = source
        self._notes: list[str] = []
        self._rows: list[dict[str, Any]] = []

    def run(self) -> Replayed:
        payload, inputs = self._payload, self._payload.get("inputs")
        if not isinstance(inputs, Mapping):
            raise Invalid("no_inputs", f"decision {self._record.key} names nothing that it was computed from")
        made = {name: self._input(name, str(inputs.get(name, ""))) for name in NAMES}
        bars = [self._window(reference) for reference in inputs["bars"]]
        engine = str(inputs["engine"])
        if engine != ENGINE_VERSION:
            self._notes.append(
                f"engine {engine} made it and this is engine {ENGINE_VERSION}: the same inputs may give "
                "another decision"
            )
        limits = made["limits"]
        known = Known(
            instrument=made["instrument"],
            statistics=made["statistics"],
            account=made["account"],
            calendar=made["calendar"],
            desk=made["desk"],
            market_open=inputs["market"]["open"],
            closed_since=inputs["market"]["closed_since"],
            now=parse_iso(payload["decided_at"]),
        )
        evaluation = AIEngine(DeskRules(limits), limits=limits.model_dump(mode="json")).evaluate(
            strategy=made["strategy"],
            profile=made["profile"],
            bars=bars[0],
            higher={part.timeframe: part for part in bars[1:]},
            known=known,
        )
        stated = payload_of(
            evaluation.decision,
            newest=not payload["missed"],
            now=known.now,
            mode=known.desk.mode,
            expires_after=limits.idea_expires_after_seconds,
        )
        data = encode(stated, where="replay")
        computed = decode(data)
        same = data == encode(dict(payload), where="journal")
        intact = digest(self._record.as_dict()) == self._record.hash
        if not intact:
            self._notes.append("the record was altered: `mt5ui verify-journal` names the first such record")
        return Replayed(
            decision=payload,
            seq=self._record.seq,
            same=same and intact,
            record_intact=intact,
            engine=engine,
            inputs=self._rows,
            differences=list(differences(payload, computed)),
            notes=self._notes,
            computed=computed,
        )

    def _input(self, name: str, hashed: str) -> Any:
        content, why = self._source.content(hashed)
        file = input_file(hashed)
        self._rows.append({"input": name, "file": file, "same": why is None, "why": why})
        if content is None:
            raise NotFound(
                "inputs_gone",
                f"decision {self._payload['id']} cannot be computed again: its {name}, {file}: {why}",
                input=name,
                file=file,
            )
        return self._source.made(name, hashed)

    def _window(self, reference: Mapping[str, Any]) -> Bars:
        symbol, at = str(self._payload["symbol"]), str(self._payload["decided_at"])
        bars, file, notes = self._source.bars(symbol, reference, at)
        self._notes += notes
        name = f"bars {reference['timeframe']}"
        why = None if file else notes[0]
        self._rows.append({"input": name, "file": file or None, "same": bool(file), "why": why})
        if bars is None:
            raise NotFound(
                "inputs_gone",
                f"decision {self._payload['id']} cannot be computed again: {notes[0]}",
                input=name,
                file=bars_file(at[:10].replace("-", "")),
            )
        return bars


def differences(recorded: Any, computed: Any, pointer: str = "") -> Iterator[Difference]:
    """Where two JSON values differ, as JSON pointers, in the order of the first."""
    if isinstance(recorded, Mapping) and isinstance(computed, Mapping):
        for key in [*recorded, *(key for key in computed if key not in recorded)]:
            place = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from differences(recorded.get(key, _ABSENT), computed.get(key, _ABSENT), place)
    elif isinstance(recorded, list | tuple) and isinstance(computed, list | tuple):
        for index in range(max(len(recorded), len(computed))):
            one = recorded[index] if index < len(recorded) else _ABSENT
            other = computed[index] if index < len(computed) else _ABSENT
            yield from differences(one, other, f"{pointer}/{index}")
    elif type(recorded) is not type(computed) or recorded != computed:
        yield Difference(pointer=pointer, recorded=recorded, computed=computed)


def _since(kept: Bars, stored: Bars | None) -> str:
    """What the market store has otherwise than was kept, in a sentence."""
    if stored is None:
        return "the market store no longer has these bars"
    there = {int(time): index for index, time in enumerate(stored.time)}
    gone = [time for time in kept.time.tolist() if time not in there]
    told = []
    for index, time in enumerate(kept.time.tolist()):
        if time not in there:
            continue
        for name in COLUMNS:
            one, other = getattr(kept, name)[index].item(), getattr(stored, name)[there[time]].item()
            if one != other:
                told.append(f"{iso(from_epoch(time))} {name} {one!r} then, {other!r} now")
    extra = len(stored) - (len(kept) - len(gone))
    parts = []
    if told:
        more = f" and {len(told) - _MOST_BARS} more" if len(told) > _MOST_BARS else ""
        parts.append(f"{'; '.join(told[:_MOST_BARS])}{more}")
    if gone:
        parts.append(f"{len(gone)} bars are gone, the first {iso(from_epoch(gone[0]))}")
    if extra:
        parts.append(f"{extra} bars were added between them")
    return f"history was changed since: {'; '.join(parts)}" if parts else "the market store has the same"


_MAKERS: Mapping[str, Callable[[Any], Any]] = {
    "account": AccountState.from_dict,
    "calendar": CalendarView.from_dict,
    "instrument": from_values,
    "strategy": Strategy.model_validate,
    "profile": Profile.model_validate,
    "desk": DeskState.from_dict,
    "statistics": ProfileStatistics.from_dict,
    "limits": limits_of_record,
}
