"""What a look at one thing found."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the doctor.

    Attributes:
        name: What was looked at.
        level: ok; warn where the desk works with less; fail where it cannot do its work.
        detail: What was found.
        mend: What to do about it; empty when it is ok.
    """

    name: str
    level: Level
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return asdict(self)


def good(name: str, detail: str) -> Finding:
    """It does."""
    return Finding(name=name, level="ok", detail=detail)


def warn(name: str, detail: str, mend: str) -> Finding:
    """The desk works with less."""
    return Finding(name=name, level="warn", detail=detail, mend=mend)


def fail(name: str, detail: str, mend: str) -> Finding:
    """The desk cannot do its work."""
    return Finding(name=name, level="fail", detail=detail, mend=mend)


def looked(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of one look; a look that breaks is itself a finding, and the others go on."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - the doctor must finish, whatever is ill
        yield fail(name, f"it could not be looked at: {type(error).__name__}: {error}", "Please report this")
