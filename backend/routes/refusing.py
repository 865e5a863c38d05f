"""A request that goes no further."""

from collections.abc import Mapping


class Refused(Exception):  # noqa: N818 - a refusal is the ordinary outcome of a guard
    """The request goes no further.

    Args:
        status: Of the answer.
        code: For programs.
        message: For people.
        headers: Of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def not_signed_in(why: str = "Sign in first") -> Refused:
    """401: nobody is known to be asking."""
    return Refused(401, "not_signed_in", why, {"WWW-Authenticate": "Bearer"})


def not_allowed() -> Refused:
    """403: whoever asks has not the right, whether there is what they ask for or not."""
    return Refused(403, "not_allowed", "Your role does not have the right to do this")
