"""What reading feeds needs from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class RawItem:
    """One item as its feed has it; texts may hold markup.

    Attributes:
        title: Or empty.
        summary: Or empty.
        link: As given, perhaps relative; None where there is none.
        guid: Or None.
        date_text: The date's own words, None where there is none.
        date: The date as a parser of feeds reads it, aware UTC; None where it cannot.
    """

    title: str = ""
    summary: str = ""
    link: str | None = None
    guid: str | None = None
    date_text: str | None = None
    date: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedFeed:
    """A feed document.

    Attributes:
        items: In the feed's order.
        malformed: What is wrong with it; empty for a well-formed one. Its items were read all the same.
        unread: How many items beyond the reader's limit were left out.
    """

    items: Sequence[RawItem]
    malformed: str = ""
    unread: int = 0


class FeedParser(Protocol):
    """Reads RSS and Atom."""

    def parse(self, body: bytes, content_type: str) -> ParsedFeed:
        """Read a document as far as it can be read.

        Args:
            body: The document; never a name of one.
            content_type: As the server named it, or empty.

        Raises:
            Unavailable: ``not_a_feed``: a web page, garbage, or a document that declares entities.
        """
