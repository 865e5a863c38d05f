"""The limits in force: the desk's own under a rulebook, as their files are now, and the engine of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.control.kept import SettingsFile, SettingsJournal, merged
from backend.evaluation.confidence import reachable
from backend.evaluation.engine import AIEngine
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.risk import limits as own
from backend.risk import rulebook as prop
from backend.risk.limits import RiskLimits, parse_limits
from backend.risk.rulebook import Rulebook, parse_rulebook, tightened
from backend.risk.rules import DeskRules
from backend.storage.files import FileStorage
from backend.strategies.model import Strategy

KNOWN = "control/limits.json"
KNOWN_RULEBOOK = "control/rulebook.json"


def limits_file(config_dir: Path) -> SettingsFile[RiskLimits]:
    """The desk's own limits; an absent file is the defaults."""
    return SettingsFile(
        config_dir / Path(own.FILE).name,
        name=own.FILE,
        parse=parse_limits,
        absent=RiskLimits(),
        code="bad_risk_limits",
    )


def rulebook_file(config_dir: Path) -> SettingsFile[Rulebook | None]:
    """The rulebook in force; without the file there is none."""
    return SettingsFile(
        config_dir / Path(prop.FILE).name,
        name=prop.FILE,
        parse=parse_rulebook,
        absent=None,
        code="bad_rulebook",
    )


class LimitsInForce:
    """Limits and rulebook as their files are now.

    Args:
        config_dir: The user's configuration.
    """

    def __init__(self, config_dir: Path) -> None:
        self.own = limits_file(config_dir)
        self.rulebook = rulebook_file(config_dir)
        self._made: tuple[RiskLimits, Rulebook | None, RiskLimits] | None = None
        self._engine: tuple[RiskLimits, AIEngine] | None = None

    def limits(self) -> RiskLimits:
        """The desk's limits, where the rulebook is stricter the rulebook's.

        Raises:
            Invalid: A file is wrong, naming key and what is allowed. Nothing is decided without limits.
        """
        limits, rulebook, made = self.own.value(), self.rulebook.value(), self._made
        if made is None or made[0] is not limits or made[1] is not rulebook:
            made = self._made = (limits, rulebook, tightened(limits, rulebook))
        return made[2]

    def engine(self) -> AIEngine:
        """An engine with these limits; `Invalid` as above."""
        limits, made = self.limits(), self._engine
        if made is None or made[0] is not limits:
            engine = AIEngine(DeskRules(limits), limits=limits.model_dump(mode="json"))
            made = self._engine = (limits, engine)
        return made[1]

    def accept(self, strategy: Strategy) -> None:
        """Refuse a strategy that can never reach a configured threshold, as `Invalid`."""
        limits = self.own.value()
        reachable(strategy, limits.weights, limits.thresholds)


class LimitsJournal:
    """Changes limits and rulebook, each change on record; see `SettingsJournal`.

    Args:
        files: The files.
        storage: Files below ``data/``.
        journal: Takes the changes.
    """

    def __init__(self, files: LimitsInForce, storage: FileStorage, journal: Journal) -> None:
        self._own = SettingsJournal(
            files.own,
            storage,
            journal,
            known=KNOWN,
            key="limits",
            first=files.own.value,
            kinds=(Kind.SETTINGS_CHANGE, Kind.MODE_CHANGE),
            kind_of=_kind,
        )
        self._rulebook = SettingsJournal(
            files.rulebook, storage, journal, known=KNOWN_RULEBOOK, key="rulebook", first=lambda: None
        )

    def change(self, patch: Mapping[str, Any], *, actor: str, reason: str, if_match: str = "*") -> RiskLimits:
        """Merge a patch (RFC 7396) into the limits; `Invalid` if they would be wrong as a whole."""
        return self._own.change(
            lambda values: merged(values, patch), actor=actor, reason=reason, if_match=if_match
        )

    def put_rulebook(self, rulebook: Mapping[str, Any] | None, *, actor: str, reason: str) -> Rulebook | None:
        """Put another rulebook in force, or none; `Invalid` if it is wrong."""
        return self._rulebook.change(lambda _: rulebook, actor=actor, reason=reason)

    def catch_up(self) -> None:
        """Make what was recorded and not made, and record what was edited by hand."""
        self._own.catch_up()
        self._rulebook.catch_up()


def _kind(before: Mapping[str, Any], after: Mapping[str, Any]) -> Kind:
    return Kind.SETTINGS_CHANGE if before["mode"] == after["mode"] else Kind.MODE_CHANGE
