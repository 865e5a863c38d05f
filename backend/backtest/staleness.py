"""Whether a kept backtest still tells of the strategy and the engine that there are now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.backtest.model import ENGINE_VERSION
from backend.backtest.provenance import REPORT_VERSION, content_hash
from backend.core.errors import Invalid, NotFound
from backend.strategies.files import LoadedStrategies
from backend.strategies.model import dumped

_FOR_PEOPLE: Final = frozenset({"name", "description", "enabled", "created_at", "updated_at", "created_by"})
"""Of a strategy, what changes no trade."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Traded:
    """A strategy as a run traded it.

    Attributes:
        strategy: Its id.
        rules: Hash of what decides its trades but for their size.
        risk: Of each trade; None where it may have been the run's and not the strategy's.
    """

    strategy: str
    rules: str
    risk: float | None


class Present:
    """Strategies and engine as they are now.

    Args:
        loaded: The strategies.
    """

    def __init__(self, loaded: LoadedStrategies) -> None:
        self._loaded = loaded
        self._known: dict[str, tuple[str, float | None] | str] = {}

    def stale(self, made: Mapping[str, Any], traded: Sequence[Traded]) -> list[str]:
        """Why a run made now could give something else; empty where nothing is known to speak against it.

        Args:
            made: The report's provenance.
            traded: Its strategies.
        """
        versions = (
            ("engine", made.get("engine_version"), ENGINE_VERSION),
            ("report", made.get("report_version"), REPORT_VERSION),
        )
        told = [f"{what} {then}, now {now}" for what, then, now in versions if then != now]
        for one in traded:
            now = self._of(one.strategy)
            if isinstance(now, str):
                told.append(now)
            elif one.rules != now[0] or one.risk not in {None, now[1]}:
                told.append(f"strategy {one.strategy} was changed")
        return [*dict.fromkeys(told)]

    def _of(self, strategy_id: str) -> tuple[str, float | None] | str:
        if strategy_id not in self._known:
            self._known[strategy_id] = self._find(strategy_id)
        return self._known[strategy_id]

    def _find(self, strategy_id: str) -> tuple[str, float | None] | str:
        try:
            return _rules(dumped(self._loaded.get(strategy_id)))
        except NotFound:
            return f"strategy {strategy_id} is gone"
        except Invalid:
            return f"strategy {strategy_id} cannot be used as it is now"


def traded_as(stream: Mapping[str, Any], *, risk_of_run: float | None) -> Traded:
    """The strategy of one of a report's streams; a run that was given a risk has put it into both."""
    rules, risk = _rules(stream["strategy"])
    return Traded(
        strategy=str(stream["strategy_id"]), rules=rules, risk=None if risk == risk_of_run else risk
    )


def _rules(strategy: Mapping[str, Any]) -> tuple[str, float | None]:
    rules = dict(strategy["strategy"])
    risk: float | None = rules.pop("max_risk_pct", None)
    kept = {name: value for name, value in strategy.items() if name not in _FOR_PEOPLE}
    return content_hash({**kept, "strategy": rules}), risk
