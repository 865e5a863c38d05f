"""Does the broker's clock keep its rule? Measured from fresh ticks, never guessed from old ones."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.core.clock import from_epoch, iso, require_utc
from backend.mt5.asking import Asker
from backend.mt5.server_time import ServerClock

FRESH_SECONDS = 60
_QUARTER = 900
_LOOKS = 4  # for a tick to advance
_LOOK_PAUSE = 0.5


class OffsetVerdict(StrEnum):
    """Whether the broker's clock keeps its rule."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOffset:
    """The broker's clock as measured from ticks, against its rule.

    Attributes:
        verdict: Agrees, differs, or unknown: without a fresh tick nothing is guessed.
        rule: The configured rule.
        expected_seconds: Server − UTC by the rule.
        measured_seconds: Server − UTC by the ticks, in quarter hours; None if unknown.
        tick_time: When the newest tick came if the rule holds, aware UTC; None if there is none.
        reason: For a person.
    """

    verdict: OffsetVerdict
    rule: str
    expected_seconds: int
    measured_seconds: int | None
    tick_time: datetime | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON values."""
        return asdict(self) | {"tick_time": iso(self.tick_time) if self.tick_time else None}


def check_offset(
    asker: Asker,
    names: Iterable[str],
    server_clock: ServerClock,
    now: datetime,
    pause: Callable[[float], None] = time.sleep,
) -> ServerOffset:
    """Measure server − UTC from the ticks of these broker symbols and compare it with the rule.

    Only a tick that keeps the rule to the minute, or one seen to advance while looking, is evidence.

    Raises:
        Unavailable: The terminal is down, which is not a quiet market.
    """
    symbols = list(names)
    utc = require_utc(now).timestamp()
    expected = int(server_clock.offset_at_utc(int(utc)))

    def answer(
        verdict: OffsetVerdict, measured: int | None, newest: int, reason: str, rule: str = server_clock.rule
    ) -> ServerOffset:
        return ServerOffset(
            verdict=verdict,
            rule=rule,
            expected_seconds=expected,
            measured_seconds=measured,
            tick_time=from_epoch(server_clock.to_utc(newest // 1000)) if newest else None,
            reason=reason,
        )

    first = newest = _newest_tick(asker, symbols)
    if newest and abs(newest / 1000 - utc - expected) <= FRESH_SECONDS:
        return answer(OffsetVerdict.AGREES, expected, newest, "fresh ticks keep the rule")
    for _ in range(_LOOKS if newest else 0):
        pause(_LOOK_PAUSE)
        newest = _newest_tick(asker, symbols)
        if newest > first:
            break
    if newest <= first:
        return answer(
            OffsetVerdict.UNKNOWN,
            None,
            newest,
            "no fresh tick to measure from: the market is closed or quiet",
        )
    measured = round((newest / 1000 - utc) / _QUARTER) * _QUARTER
    if measured == expected:
        return answer(OffsetVerdict.AGREES, measured, newest, "fresh ticks keep the rule")
    return answer(
        OffsetVerdict.DIFFERS,
        measured,
        newest,
        f"fresh ticks say that the server is at UTC{measured / 3600:+g} h, the rule says "
        f"{expected / 3600:+g} h; correct MT5UI_SERVER_CLOCK or this computer's clock",
    )


def _newest_tick(asker: Asker, names: list[str]) -> int:
    """Server time of the newest tick in milliseconds; 0 if no symbol has one."""
    newest = 0
    for name in names:
        tick = asker.api.symbol_info_tick(name)
        if tick is not None:
            newest = max(newest, tick.time_msc or tick.time * 1000)
    if not newest:
        asker.answer("terminal_info", asker.api.terminal_info)
    return newest
