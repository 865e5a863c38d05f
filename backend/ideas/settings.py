"""The desk's limits as their file is now, and the engine made from them."""

from pathlib import Path

from backend.core.errors import Invalid
from backend.evaluation.confidence import reachable
from backend.evaluation.engine import AIEngine
from backend.risk.limits import FILE, RiskLimits, parse_limits
from backend.risk.rules import DeskRules
from backend.storage.encoding import decode
from backend.strategies.model import Strategy


class LimitsFile:
    """Reads ``config/risk.json`` again when it changed; an absent file is the defaults.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._limits = RiskLimits()
        self._engine: AIEngine | None = None

    def limits(self) -> RiskLimits:
        """The limits in force.

        Raises:
            Invalid: The file is wrong, naming key and what is allowed. Nothing is decided without limits.
        """
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_size)
            if version != self._version:
                self._limits, self._engine = _read(self._path), None
                self._version = version
        except FileNotFoundError:
            if self._version is not None:
                self._version, self._limits, self._engine = None, RiskLimits(), None
        return self._limits

    def engine(self) -> AIEngine:
        """An engine with these limits; `Invalid` as above."""
        limits = self.limits()
        if self._engine is None:
            self._engine = AIEngine(DeskRules(limits), limits=limits.model_dump(mode="json"))
        return self._engine

    def accept(self, strategy: Strategy) -> None:
        """Refuse a strategy that can never reach a configured threshold, as `Invalid`."""
        limits = self.limits()
        reachable(strategy, limits.weights, limits.thresholds)


def _read(path: Path) -> RiskLimits:
    try:
        data = decode(path.read_bytes())
    except ValueError as error:
        raise Invalid("bad_risk_limits", f"{FILE}: it is not JSON: {error}", file=FILE, key="") from error
    return parse_limits(data)
