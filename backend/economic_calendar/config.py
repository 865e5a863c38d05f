"""The calendar's part of `config/api_integrations.json`."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from backend.core.errors import Invalid
from backend.core.fetching import check_url

FILE = "config/api_integrations.json"
SECTION = "economic_calendar"
SUPPORTED = ("forexfactory",)


class ForexFactoryConfig(BaseModel):
    """The weekly export of ForexFactory, keyless.

    Attributes:
        base_url: Address without its ending; ``.json``, ``.xml`` and ``.csv`` are added.
        marks: Which second export tells all-day and tentative events apart; ``none`` asks for no second.
        timeout: Seconds for one request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base_url: str = "https://nfs.faireconomy.media/ff_calendar_thisweek"
    marks: Literal["xml", "csv", "none"] = "xml"
    timeout: Annotated[float, Field(gt=0, le=120)] = 20.0

    @field_validator("base_url")
    @classmethod
    def _fetchable(cls, value: str) -> str:
        try:
            check_url(value)
        except Invalid as error:
            raise ValueError(error.message) from error
        return value


class CalendarConfig(BaseModel):
    """Which provider, and how often.

    Attributes:
        provider: One of `SUPPORTED`.
        update_minutes: The provider is asked at most this often; an hour is the least.
        max_age_hours: Data older than this no longer counts as known.
        forexfactory: Of that provider.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    provider: Literal["forexfactory"] = "forexfactory"
    update_minutes: Annotated[int, Field(ge=60, le=24 * 60)] = 60
    max_age_hours: Annotated[int, Field(ge=1, le=24 * 14)] = 48
    forexfactory: ForexFactoryConfig = ForexFactoryConfig()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the section of that file; without a file or section, the defaults.

        Raises:
            Invalid: ``bad_config``, naming file, key, value and what is allowed.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise _bad("", f"it cannot be read: {error}") from error
        except (ValueError, RecursionError) as error:
            raise _bad("", f"it is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise _bad("", "it holds no JSON object")
        section = document.get(SECTION, {})
        try:
            return cls.model_validate(section)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            pointer = "/" + "/".join([SECTION, *(str(part) for part in first["loc"])])
            if first["loc"] == ("provider",):
                allowed = ", ".join(SUPPORTED)
                reason = f"provider {first['input']!r} is not supported; allowed: {allowed}"
                raise _bad(pointer, reason, allowed=list(SUPPORTED)) from error
            raise _bad(pointer, f"{first['msg']} (it is {first['input']!r})") from error


def _bad(pointer: str, reason: str, **details: object) -> Invalid:
    where = f"{FILE} {pointer}".strip()
    return Invalid("bad_config", f"{where}: {reason}", file=FILE, key=pointer, reason=reason, **details)
