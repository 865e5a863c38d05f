"""The four ways in which anything in the desk can fail.

Every error that a person may see is one of these; `backend.routes.errors` maps the category to an
HTTP status once, and only `Unavailable` is ever retried.
"""

from typing import Any, ClassVar

from backend.core import masking


class DeskError(Exception):
    """What happened, where, and what to do about it. A secret that stands in it is masked from the start.

    Args:
        code: Stable machine-readable name in snake case, such as ``unknown_symbol``.
        message: One sentence for a person.
        details: JSON values that say where: file, key, allowed values, a terminal's error code.
    """

    category: ClassVar[str] = "error"

    def __init__(self, code: str, message: str, **details: Any) -> None:
        self.code = code
        self.message = masking.hide(message)
        self.details: dict[str, Any] = masking.hide_in(details)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.code, self.message, self.details)

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON values: category, code, message, details."""
        return {
            "category": self.category,
            "code": self.code,
            "message": self.message,
            "details": self.details,
        }


class NotFound(DeskError):  # noqa: N818 - categories read as words
    """The thing named does not exist."""

    category = "not_found"


class Conflict(DeskError):  # noqa: N818
    """The thing exists, but its state forbids this."""

    category = "conflict"


class Invalid(DeskError):  # noqa: N818
    """The input breaks a rule; trying again with the same input cannot help."""

    category = "invalid"


class Unavailable(DeskError):  # noqa: N818
    """Something outside did not answer; trying again later may help."""

    category = "unavailable"


CATEGORIES: dict[str, type[DeskError]] = {
    kind.category: kind for kind in (NotFound, Conflict, Invalid, Unavailable)
}


def _rebuild(kind: type[DeskError], code: str, message: str, details: dict[str, Any]) -> DeskError:
    return kind(code, message, **details)


def from_dict(data: dict[str, Any]) -> DeskError:
    """Rebuild the error that `DeskError.as_dict` described; an unknown category is `Unavailable`."""
    kind = CATEGORIES.get(str(data.get("category")), Unavailable)
    details = data.get("details")
    return kind(
        str(data.get("code", "unknown")),
        str(data.get("message", "")),
        **(details if isinstance(details, dict) else {}),
    )
