"""The feeds in `config/rss_feeds.json` and the tags in `config/news_tags.json`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from backend.core.errors import Invalid
from backend.core.fetching import check_url
from backend.core.problems import Problem

FEEDS_FILE = "config/rss_feeds.json"
TAGS_FILE = "config/news_tags.json"

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Term = Annotated[str, Field(min_length=1, max_length=80)]


class Feed(BaseModel):
    """One feed.

    Attributes:
        name: Unique; shown with each article.
        url: http or https.
        enabled: Whether it is fetched.
        timeout: Seconds for the whole of a fetch.
        max_bytes: Larger answers are refused.
        category: Free word, such as ``central_bank``.
        currencies: What every article of it concerns.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=80)]
    url: str
    enabled: bool = True
    timeout: Annotated[float, Field(gt=0, le=120)] = 15.0
    max_bytes: Annotated[int, Field(ge=1_000, le=50_000_000)] = 10_000_000
    category: Annotated[str, Field(max_length=40)] = ""
    currencies: list[Currency] = []

    @field_validator("url")
    @classmethod
    def _fetchable(cls, value: str) -> str:
        try:
            check_url(value)
        except Invalid as error:
            raise ValueError(error.message) from error
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Feeds:
    """The feeds that can be used, and what is wrong with the rest."""

    feeds: tuple[Feed, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def enabled(self) -> tuple[Feed, ...]:
        """Those to fetch."""
        return tuple(feed for feed in self.feeds if feed.enabled)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tags:
    """Terms per currency and per symbol, and what is wrong with the rest."""

    currencies: dict[str, list[str]] = field(default_factory=dict)
    symbols: dict[str, list[str]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


class _TagRow(BaseModel):
    model_config = ConfigDict(strict=True)

    terms: Annotated[list[Term], Field(max_length=500)]


class _CurrencyTags(_TagRow):
    code: Currency


class _SymbolTags(_TagRow):
    code: Annotated[str, Field(pattern=r"^\S{1,64}$")]


def load_feeds(path: Path) -> Feeds:
    """Read the feed list: an object with ``feeds``, or a plain list.

    Entries that cannot be used become problems with file, pointer and reason; the others go on.

    Raises:
        Invalid: ``bad_config`` if the file as a whole cannot be used.
    """
    document = _read(path, FEEDS_FILE)
    prefix = "/feeds" if isinstance(document, dict) else ""
    rows = document.get("feeds") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise _bad(FEEDS_FILE, '"feeds" must be a list of feeds')
    feeds: dict[str, Feed] = {}
    problems: list[Problem] = []
    for number, row in enumerate(rows):
        pointer = f"{prefix}/{number}"
        try:
            feed = Feed.model_validate(row)
        except ValidationError as error:
            problems += _problems(FEEDS_FILE, pointer, error)
            continue
        if feed.name in feeds:
            reason = f"there is another feed named {feed.name!r}; names are unique"
            problems.append(Problem(file=FEEDS_FILE, pointer=f"{pointer}/name", reason=reason))
            continue
        allowed = ", ".join(Feed.model_fields)
        problems += [
            Problem(
                file=FEEDS_FILE, pointer=f"{pointer}/{key}", reason=f"unknown and ignored; known: {allowed}"
            )
            for key in row
            if key not in Feed.model_fields
        ]
        feeds[feed.name] = feed
    return Feeds(feeds=tuple(feeds.values()), problems=tuple(problems))


def load_tags(path: Path) -> Tags:
    """Read the table of tags: ``{"currencies": {"USD": ["Fed", …]}, "symbols": {"XAUUSD": ["gold"]}}``.

    Nothing here stops the news: what cannot be used becomes a problem, and articles then lack its tags.
    """
    try:
        document = _read(path, TAGS_FILE)
    except Invalid as error:
        return Tags(problems=(Problem(file=TAGS_FILE, pointer="", reason=error.details["reason"]),))
    given = document if isinstance(document, dict) else {}
    problems: list[Problem] = []
    currencies = _terms(given.get("currencies"), "currencies", _CurrencyTags, problems)
    symbols = _terms(given.get("symbols", {}), "symbols", _SymbolTags, problems)
    return Tags(currencies=currencies, symbols=symbols, problems=tuple(problems))


def _terms(
    rows: object, kind: str, row: type[_CurrencyTags] | type[_SymbolTags], problems: list[Problem]
) -> dict[str, list[str]]:
    if not isinstance(rows, dict):
        reason = "it must hold an object: from a code to a list of terms"
        problems.append(Problem(file=TAGS_FILE, pointer=f"/{kind}", reason=reason))
        return {}
    table: dict[str, list[str]] = {}
    for code, terms in rows.items():
        try:
            table[code] = row.model_validate({"code": code, "terms": terms}).terms
        except ValidationError as error:
            problems += _problems(TAGS_FILE, f"/{kind}/{code}", error, drop=1)
    return table


def _read(path: Path, name: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise _bad(name, "the file does not exist") from error
    except OSError as error:
        raise _bad(name, f"it cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise _bad(name, f"it is not JSON: {error}") from error


def _problems(name: str, pointer: str, error: ValidationError, *, drop: int = 0) -> Sequence[Problem]:
    return [
        Problem(
            file=name,
            pointer="/".join([pointer, *(str(part) for part in each["loc"][drop:])]),
            reason=f"{each['msg']}; the entry was left out",
        )
        for each in error.errors(include_url=False, include_input=False)
    ]


def _bad(name: str, reason: str) -> Invalid:
    return Invalid("bad_config", f"{name}: {reason}", file=name, key="", reason=reason)
