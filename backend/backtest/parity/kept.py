"""The audits that are kept: ``data/parity/{YYYY-MM-DD}.json``. Light: the API reads them."""

from typing import Any, Final

from backend.core.errors import NotFound
from backend.storage.files import FileStorage

FOLDER: Final = "parity"
_LONG: Final = frozenset({"pairs", "excluded"})


def file_of(day: str) -> str:
    """Name of a day's audit."""
    return f"{FOLDER}/{FileStorage.safe_name(day)}.json"


def in_short(page: dict[str, Any]) -> dict[str, Any]:
    """An audit without its trades."""
    return {key: value for key, value in page.items() if key not in _LONG}


def audited_days(storage: FileStorage) -> list[dict[str, Any]]:
    """The days that were audited, the newest first, without their trades."""
    names = reversed(storage.names(f"{FOLDER}/*.json"))
    return [in_short(storage.read_json(name)) for name in names]


def audited_day(storage: FileStorage, day: str) -> dict[str, Any]:
    """One day's audit; `NotFound` if it was not audited."""
    page: dict[str, Any] | None = storage.read_json_or(file_of(day), None)
    if page is None:
        raise NotFound("unknown_day", f"{day} was not audited; POST /api/parity does it", day=day)
    return page
