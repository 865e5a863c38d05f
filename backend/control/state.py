"""What holds the desk back: the halts in force. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from backend.core.errors import Invalid


class HaltKind(StrEnum):
    """Why nothing new is sent."""

    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    KILL_SWITCH = "kill_switch"
    PERSON = "person"
    TERMINAL = "terminal"
    """The terminal or the broker lets nothing be sent until a person clicks something."""
    STATE_LOST = "state_lost"
    """The file that says whether the desk is halted cannot be read: it is, until a person says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt:
    """One reason not to send anything new; it stands until a person resumes.

    Attributes:
        kind: Which.
        reason: A sentence for a person, with numbers.
        by: Who or what halted.
        at: Desk time, ISO-8601 UTC.
    """

    kind: HaltKind
    reason: str
    by: str
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlState:
    """The halts in force, the first one first.

    Attributes:
        halts: At most one of a kind.
        lifted: Desk time at which a halt of each kind was last lifted by a person, ISO-8601 UTC.
        seq: Place in the journal of the record that made this state; 0 for none.
    """

    halts: tuple[Halt, ...] = ()
    lifted: Mapping[HaltKind, str]
    seq: int = 0

    @property
    def halted(self) -> bool:
        """Whether anything holds the desk back."""
        return bool(self.halts)

    @property
    def reason(self) -> str:
        """Why, in a sentence; empty when not halted."""
        return "; ".join(halt.reason for halt in self.halts)

    def of(self, kind: HaltKind) -> Halt | None:
        """The halt of a kind, if it is in force."""
        return next((halt for halt in self.halts if halt.kind is kind), None)

    def with_halt(self, halt: Halt, seq: int) -> "ControlState":
        """With one more; one of its kind that is in force already stays as it is."""
        halts = self.halts if self.of(halt.kind) else (*self.halts, halt)
        return ControlState(halts=halts, lifted=self.lifted, seq=seq)

    def resumed(self, at: str, seq: int) -> "ControlState":
        """Without any."""
        lifted = {**self.lifted, **{halt.kind: at for halt in self.halts}}
        return ControlState(halts=(), lifted=lifted, seq=seq)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "halts": [asdict(halt) for halt in self.halts],
            "lifted": {str(kind): at for kind, at in self.lifted.items()},
            "seq": self.seq,
        }


NOT_HALTED = ControlState(lifted={})


def state_of(data: Any) -> ControlState:
    """What `as_dict` gave.

    Raises:
        Invalid: Code ``bad_state``: it is something else.
    """
    try:
        return ControlState(
            halts=tuple(Halt(**{**each, "kind": HaltKind(each["kind"])}) for each in data["halts"]),
            lifted={HaltKind(kind): str(at) for kind, at in data["lifted"].items()},
            seq=int(data["seq"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid("bad_state", f"it does not say whether the desk is halted: {error!r}") from error
