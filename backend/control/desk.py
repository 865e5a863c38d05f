"""Control: mode, limits and halts of the desk, one state for all processes.

What is allowed stands in ``config/risk.json``, the mode among it, and in a rulebook beside it; whether the
desk is halted stands in ``data/control/desk.json``. Every change is in the journal before it is in force,
and a process that is killed between the two leaves what `catch_up` of any other completes. Every look at
the state reads the file again if it changed, so what one process does holds in the others at once.
"""

import logging
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from backend.control.limits import LimitsInForce, LimitsJournal
from backend.control.state import NOT_HALTED, ControlState, Halt, HaltKind, state_of
from backend.core.clock import Clock, iso, stamp
from backend.core.errors import Conflict, DeskError, Invalid, NotFound
from backend.evaluation.engine import AIEngine
from backend.journal.journal import Journal
from backend.journal.record import Kind, Record
from backend.risk.limits import RiskLimits
from backend.risk.rulebook import Rulebook
from backend.storage.encoding import decode
from backend.storage.files import FileStorage
from backend.strategies.model import Strategy
from backend.trading.desk import DeskState, Mode

log = logging.getLogger(__name__)

FILE = "control/desk.json"
LOCK = "control/desk"
LOCK_SECONDS = 10.0
LONGEST_REASON = 500


class Control:
    """Reads and changes what the desk may do. Thread-safe, and safe between processes.

    Args:
        config_dir: The user's configuration.
        storage: Files below ``data/``.
        journal: Takes every change before it is in force.
        clock: Desk time.
    """

    def __init__(self, config_dir: Path, storage: FileStorage, journal: Journal, clock: Clock) -> None:
        self._storage = storage
        self._journal = journal
        self._clock = clock
        self._limits = LimitsInForce(config_dir)
        self._kept = LimitsJournal(self._limits, storage, journal)
        self._seen: tuple[object, ControlState] | None = None

    # Limits and mode

    def limits(self) -> RiskLimits:
        """The limits in force: the desk's own, where a rulebook is stricter the rulebook's.

        Raises:
            Invalid: ``config/risk.json`` or the rulebook is wrong, naming key and what is allowed.
        """
        return self._limits.limits()

    def engine(self) -> AIEngine:
        """An engine with these limits; `Invalid` as above."""
        return self._limits.engine()

    def accept(self, strategy: Strategy) -> None:
        """Refuse a strategy that can never reach a configured threshold, as `Invalid`."""
        self._limits.accept(strategy)

    def limits_etag(self) -> str:
        """The tag of what ``config/risk.json`` says now."""
        return self._limits.own.etag()

    def change_limits(
        self, patch: Mapping[str, Any], *, actor: str, reason: str, if_match: str = "*"
    ) -> RiskLimits:
        """Change ``config/risk.json`` by a JSON merge patch (RFC 7396): null takes a key back to its default.

        Args:
            patch: What changes.
            actor: Who changes it.
            reason: Why; may be empty but for a change of the mode.
            if_match: Tags of what the change was made from; * is anything.

        Raises:
            Conflict: ``settings_changed``: the file says something else by now. Nothing is changed then.
            Invalid: The limits would be wrong as a whole (code ``bad_risk_limits``, with the key), or a
                change of mode has no reason. Nothing is changed then.
        """
        if "mode" in patch:
            reason = _stated(reason, "changing the mode")
        return self._kept.change(patch, actor=actor, reason=reason, if_match=if_match)

    def rulebook(self) -> Rulebook | None:
        """The rulebook in force; `Invalid` where its file is wrong."""
        return self._limits.rulebook.value()

    def put_rulebook(self, rulebook: Mapping[str, Any] | None, *, actor: str, reason: str) -> Rulebook | None:
        """Put another rulebook in force in every process, or none.

        Args:
            rulebook: What ``config/prop_rulebook.json`` shall say; None removes the file.
            actor: Who changes it.
            reason: Why.

        Raises:
            Invalid: It is no rulebook (code ``bad_rulebook``, with the key), or there is no reason. Nothing
                is changed then.
        """
        reason = _stated(reason, "changing the rulebook")
        return self._kept.put_rulebook(rulebook, actor=actor, reason=reason)

    def set_mode(self, mode: Mode, *, actor: str, reason: str) -> RiskLimits:
        """Change who decides; see `change_limits`."""
        return self.change_limits({"mode": str(mode)}, actor=actor, reason=reason)

    # Halts

    def state(self) -> ControlState:
        """The halts in force now. A state that cannot be read halts the desk."""
        try:
            version: object = self._storage.state(FILE)
        except NotFound:
            version = None
        seen = self._seen
        if seen is None or seen[0] != version:
            seen = self._seen = (version, self._read())
        return seen[1]

    def desk(self) -> DeskState:
        """Mode and switches as the gate takes them, without the pace of orders and entries."""
        limits = self.limits()
        return DeskState(mode=limits.mode, ai_enabled=limits.ai_enabled, halted=self.state().reason)

    def halt(self, kind: HaltKind, reason: str, *, actor: str) -> ControlState:
        """Send nothing new until a person resumes; a halt of that kind that is in force stays as it is."""
        halt = Halt(kind=kind, reason=_stated(reason, "a halt"), by=actor, at=iso(self._clock.now()))
        with self._storage.lock(LOCK, LOCK_SECONDS):
            before = self._caught_up()
            if before.of(kind) is not None:
                return before
            payload = {"kind": str(kind), "reason": halt.reason, "by": actor, "at": halt.at}
            record = self._journal.append(Kind.HALT, payload, actor=actor)
            return self._write(before.with_halt(halt, record.seq))

    def pause(self, reason: str, *, actor: str) -> ControlState:
        """Halt because the terminal takes nothing; `reason` says what a person has to click."""
        return self.halt(HaltKind.TERMINAL, reason, actor=actor)

    def resume(self, reason: str, *, actor: str) -> ControlState:
        """Lift every halt: only a person does.

        Raises:
            Conflict: Code ``not_halted``.
            Invalid: Code ``reason_required``.
        """
        reason = _stated(reason, "resuming")
        with self._storage.lock(LOCK, LOCK_SECONDS):
            before = self._caught_up()
            if not before.halted:
                raise Conflict("not_halted", "the desk is not halted")
            at = iso(self._clock.now())
            payload = {"reason": reason, "by": actor, "at": at, "lifted": before.as_dict()["halts"]}
            record = self._journal.append(Kind.RESUME, payload, actor=actor)
            return self._write(before.resumed(at, record.seq))

    def catch_up(self) -> None:
        """Complete what a killed process left between journal and file, and journal an edit by hand.

        Raises:
            Invalid: ``config/risk.json`` or the rulebook is wrong; the halts are caught up all the same.
        """
        with self._storage.lock(LOCK, LOCK_SECONDS):
            self._caught_up()
        self._kept.catch_up()

    # Inside

    def _read(self) -> ControlState:
        try:
            return state_of(decode(self._storage.read_bytes(FILE)))
        except NotFound:
            return self._journalled(NOT_HALTED)
        except (DeskError, ValueError) as error:
            why = error.message if isinstance(error, DeskError) else f"it is not JSON: {error}"
            log.exception("data/%s cannot be read, so the desk is halted", FILE)
            reason = f"data/{FILE} cannot be read, so nothing new is sent: {why}"
            lost = Halt(kind=HaltKind.STATE_LOST, reason=reason, by="desk", at=iso(self._clock.now()))
            return self._journalled(NOT_HALTED).with_halt(lost, 0)

    def _caught_up(self) -> ControlState:
        """The state with what only the journal has, also in the file; the caller holds the lock."""
        self._seen = None
        state = self.state()
        now = state if state.of(HaltKind.STATE_LOST) else self._journalled(state)
        unseen = now.seq > 0 and not self._storage.exists(FILE)  # others look at the file alone
        if now is not state or unseen:
            self._write(now)
        return now

    def _journalled(self, state: ControlState) -> ControlState:
        """The state with the halts and resumes that the journal has after it."""
        later = [
            record
            for kind in (Kind.HALT, Kind.RESUME)
            for record in takewhile(lambda each: each.seq > state.seq, self._journal.newest(kind=kind))
        ]
        for record in sorted(later, key=lambda each: each.seq):
            state = _after(state, record)
        return state

    def _write(self, state: ControlState) -> ControlState:
        if self.state().of(HaltKind.STATE_LOST) is not None and self._storage.exists(FILE):
            aside = f"control/desk.damaged-{stamp(self._clock.wall())}.json"
            self._storage.write_bytes(aside, self._storage.read_bytes(FILE))
        self._storage.write_json(FILE, state.as_dict())
        self._seen = None
        return state


def _after(state: ControlState, record: Record) -> ControlState:
    told = record.payload
    if record.kind is Kind.RESUME:
        return state.resumed(str(told["at"]), record.seq)
    halt = Halt(
        kind=HaltKind(told["kind"]), reason=str(told["reason"]), by=str(told["by"]), at=str(told["at"])
    )
    return state.with_halt(halt, record.seq)


def _stated(reason: str, what: str) -> str:
    stated = " ".join(reason.split())[:LONGEST_REASON]
    if not stated:
        raise Invalid("reason_required", f"{what} needs a reason", field="reason")
    return stated
