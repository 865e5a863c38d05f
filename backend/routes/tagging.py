"""ETag and If-Match of settings that several people may edit."""

from typing import Annotated

from fastapi import Header, Response

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        description="The ETag that was read: 409 if somebody changed the file since; absent or * for any",
    ),
]


def tag(response: Response, etag: str) -> None:
    """Put the tag of what is told into its header."""
    response.headers["ETag"] = f'"{etag}"'
