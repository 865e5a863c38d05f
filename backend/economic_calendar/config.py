"""The calendar's part of `config/api_integrations.json`."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from backend.core.errors import Invalid
from backend.core.fetching import check_url

FILE = "config/api_integrations.json"
SECTION = "economic_calendar"
SUPPORTED = ("forexfactory", "finnhub", "fmp", "tradingeconomics", "mql5", "csv")
KEYED = ("finnhub", "fmp", "tradingeconomics")

_SHOWN = {"provider", "update_minutes", "max_age_hours", "marks", "timeout", "days_back", "days_ahead"}
"""Fields whose value a message may show; anything else could be a key put into the wrong place."""


def _fetchable(value: str) -> str:
    try:
        check_url(value)
    except Invalid as error:
        raise ValueError(error.details["reason"]) from error
    if urlsplit(value).query:
        raise ValueError("an address without a query is wanted")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("a time zone such as Europe/London is wanted") from error
    return value


Address = Annotated[str, AfterValidator(_fetchable)]
Seconds = Annotated[float, Field(gt=0, le=120)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class ForexFactoryConfig(_Part):
    """The weekly export of ForexFactory, keyless.

    Attributes:
        base_url: Address without its ending; ``.json``, ``.xml`` and ``.csv`` are added.
        marks: Which second export tells all-day and tentative events apart; ``none`` asks for no second.
        timeout: Seconds for one request.
    """

    base_url: Address = "https://nfs.faireconomy.media/ff_calendar_thisweek"
    marks: Literal["xml", "csv", "none"] = "xml"
    timeout: Seconds = 20.0


class KeyedConfig(_Part):
    """A provider that wants a key, which is kept encrypted and never in this file.

    Attributes:
        base_url: Address without its query.
        days_back: Days before today that are asked for.
        days_ahead: Days after today that are asked for.
        timeout: Seconds for one request.
    """

    base_url: Address
    days_back: Annotated[int, Field(ge=0, le=30)] = 3
    days_ahead: Annotated[int, Field(ge=1, le=55)] = 14
    timeout: Seconds = 20.0


class FinnhubConfig(KeyedConfig):
    """Finnhub's economic calendar."""

    base_url: Address = "https://finnhub.io/api/v1/calendar/economic"


class FmpConfig(KeyedConfig):
    """Financial Modeling Prep's economic calendar."""

    base_url: Address = "https://financialmodelingprep.com/stable/economic-calendar"


class TradingEconomicsConfig(KeyedConfig):
    """TradingEconomics' calendar; the days asked for are put behind the address."""

    base_url: Address = "https://api.tradingeconomics.com/calendar/country/All"


class Mql5Config(_Part):
    """The file that ``mql5/Scripts/MT5UI_CalendarExport.mq5`` writes.

    Attributes:
        path: The file; null is ``MT5UI_calendar.csv`` in the terminal's common folder.
    """

    path: Annotated[str, Field(min_length=1)] | None = None


class CsvConfig(_Part):
    """A person's own file.

    Attributes:
        path: The file, from the desk's folder where it is not absolute.
        timezone: Of times without an offset.
    """

    path: Annotated[str, Field(min_length=1)] = "config/calendar.csv"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"


class CalendarConfig(_Part):
    """Which provider, and how often.

    Attributes:
        provider: One of `SUPPORTED`.
        update_minutes: The provider is asked at most this often; an hour is the least.
        max_age_hours: Data older than this no longer counts as known.
        forexfactory: Of that provider; so the others.
    """

    provider: Literal["forexfactory", "finnhub", "fmp", "tradingeconomics", "mql5", "csv"] = "forexfactory"
    update_minutes: Annotated[int, Field(ge=60, le=24 * 60)] = 60
    max_age_hours: Annotated[int, Field(ge=1, le=24 * 14)] = 48
    forexfactory: ForexFactoryConfig = ForexFactoryConfig()
    finnhub: FinnhubConfig = FinnhubConfig()
    fmp: FmpConfig = FmpConfig()
    tradingeconomics: TradingEconomicsConfig = TradingEconomicsConfig()
    mql5: Mql5Config = Mql5Config()
    csv: CsvConfig = CsvConfig()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the section of that file; without a file or section, the defaults.

        Raises:
            Invalid: ``bad_config``, naming file, key, value and what is allowed; never a value that could be
                a key.
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
        return cls.parse(document.get(SECTION, {}))

    @classmethod
    def parse(cls, section: object) -> Self:
        """The configuration that the section states; `Invalid` as in `load`."""
        try:
            return cls.model_validate(section)
        except ValidationError as error:
            raise _refused(error) from None


def secret_name(provider: str) -> str:
    """Under which name a provider's key is kept; `Invalid` for one that wants none."""
    if provider not in KEYED:
        raise Invalid(
            "no_key_wanted",
            f"{provider!r} is no provider that wants a key; those are {', '.join(KEYED)}",
            allowed=list(KEYED),
        )
    return f"calendar.{provider}"


def checked_key(given: str) -> str:
    """A key as it was given, without blanks around it; `Invalid` ``bad_key``, never showing it."""
    key = given.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Invalid("bad_key", "a key is one word of printable ASCII; nothing was kept")
    return key


def _refused(error: ValidationError) -> Invalid:
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    pointer = "/" + "/".join([SECTION, *place])
    if first["loc"] == ("provider",):
        allowed = ", ".join(SUPPORTED)
        reason = f"provider {first['input']!r} is not supported; allowed: {allowed}"
        return _bad(pointer, reason, allowed=list(SUPPORTED))
    if first["type"] == "extra_forbidden" and any(
        word in place[-1].lower() for word in ("key", "token", "secret", "password")
    ):
        name = place[0] if place[0] in KEYED else "PROVIDER"
        return _bad(
            pointer,
            f"keys do not stand in this file. Give it with `mt5ui calendar key {name}`, where it is kept "
            "encrypted, and take it out here",
        )
    shown = f" (it is {first['input']!r})" if not place or place[-1] in _SHOWN else ""
    return _bad(pointer, str(first["msg"]).removeprefix("Value error, ") + shown)


def _bad(pointer: str, reason: str, **details: object) -> Invalid:
    where = f"{FILE} {pointer}".strip()
    return Invalid("bad_config", f"{where}: {reason}", file=FILE, key=pointer, reason=reason, **details)
