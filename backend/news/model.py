"""News articles and what became of each feed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.core.clock import iso, parse_iso
from backend.core.errors import Invalid


@dataclass(frozen=True, kw_only=True, slots=True)
class Article:
    """One article, as text.

    Attributes:
        id: Identity within the desk.
        feed: Name of the feed it was first seen in.
        category: Of that feed.
        title: Without markup.
        summary: Without markup, shortened.
        link: http or https address, None where the feed gives no usable one.
        guid: The feed's own identifier, None where it gives none.
        published: When it was published, aware UTC; where unknown, when it was first fetched.
        date_is_estimated: `published` is not the feed's own date.
        date_note: Why: ``missing``, ``unreadable``, ``future``, ``no_zone``; empty for a good date and
            ``repaired`` for one that was readable by a rule of the desk only.
        fetched_at: When this desk first saw it, aware UTC.
        currencies: Currency codes it concerns, sorted.
        symbols: Canonical symbols it concerns, sorted; as the tags stood when it was first seen.
    """

    id: str
    feed: str
    category: str
    title: str
    summary: str
    link: str | None
    guid: str | None
    published: datetime
    date_is_estimated: bool
    date_note: str
    fetched_at: datetime
    currencies: tuple[str, ...]
    symbols: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The article as JSON values."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        values["published"] = iso(self.published)
        values["fetched_at"] = iso(self.fetched_at)
        values["currencies"] = list(self.currencies)
        values["symbols"] = list(self.symbols)
        return values

    @classmethod
    def from_dict(cls, data: Any) -> "Article":
        """Read what `as_dict` gave.

        Raises:
            Invalid: ``bad_article`` for anything else.
        """
        try:
            read = cls(
                **{
                    **data,
                    "published": parse_iso(data["published"]),
                    "fetched_at": parse_iso(data["fetched_at"]),
                    "currencies": _texts(data["currencies"]),
                    "symbols": _texts(data.get("symbols", [])),
                }
            )
            _texts([read.id, read.feed, read.category, read.title, read.summary, read.date_note])
            _texts([text for text in (read.link, read.guid) if text is not None])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Invalid("bad_article", f"a stored article cannot be read: {error!r}") from error
        return read


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} are not texts")
    return tuple(values)
