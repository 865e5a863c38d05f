"""Rulebooks of the usual shapes, to begin with. They are no firm's: compare each with your contract."""

from collections.abc import Mapping
from typing import Final

from backend.core.errors import NotFound
from backend.risk.limits import DayLimit
from backend.risk.rulebook import NewsBan, Rulebook, RuleDrawdown

_MIDNIGHT: Final = "Europe/Prague"

PRESETS: Final[Mapping[str, Rulebook]] = {
    "two-step-1": Rulebook(
        name="two-step-1",
        description="First step: +10 %, static drawdown, day's loss from the balance at a zone's midnight.",
        profit_target=0.10,
        daily_loss=DayLimit(limit=0.05, of="initial", reset_from="balance", reset_tz=_MIDNIGHT),
        drawdown=RuleDrawdown(limit=0.10, kind="static"),
        min_trading_days=4,
    ),
    "two-step-2": Rulebook(
        name="two-step-2",
        description="Second step: as the first one with half the target.",
        profit_target=0.05,
        daily_loss=DayLimit(limit=0.05, of="initial", reset_from="balance", reset_tz=_MIDNIGHT),
        drawdown=RuleDrawdown(limit=0.10, kind="static"),
        min_trading_days=4,
    ),
    "one-step": Rulebook(
        name="one-step",
        description="+6 %; the floor follows each end of a day and stays at the initial balance once there.",
        profit_target=0.06,
        daily_loss=DayLimit(limit=0.03, of="initial", reset_from="higher", reset_tz="America/New_York"),
        drawdown=RuleDrawdown(limit=0.05, kind="trailing_end_of_day", of="initial", lock_at_initial=True),
        flat_before_weekend=True,
        consistency=0.5,
    ),
    "instant": Rulebook(
        name="instant",
        description="Funded at once: the floor follows floating equity, no news, no weekend, no target.",
        daily_loss=DayLimit(limit=0.03, of="reference", reset_from="higher"),
        drawdown=RuleDrawdown(limit=0.06, kind="trailing", of="initial"),
        news=NewsBan(minutes_before=5, minutes_after=5, bans="positions"),
        flat_before_weekend=True,
        consistency=0.2,
        risk_fraction=0.01,
    ),
}


def preset(name: str) -> Rulebook:
    """One of them; `NotFound` names those there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise NotFound(
            "unknown_preset", f"there is no preset {name!r}; there are {', '.join(PRESETS)}", preset=name
        ) from None
