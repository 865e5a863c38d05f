"""Markup to text. Pure."""

import html
import re
from html.entities import html5
from html.parser import HTMLParser

MAX_RAW = 8_000
TITLE_LENGTH = 300
SUMMARY_LENGTH = 1_000

_SILENT = frozenset({"script", "style", "noscript", "template", "iframe", "object", "svg", "head"})
_BREAKS = frozenset(
    {"br", "p", "div", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "ul", "ol", "blockquote"}
)
_ESCAPED = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});|</?[a-zA-Z][^<>]*>")
_TAG = re.compile(r"<[^>]*>")
_CUT_TAG = re.compile(r"<[a-zA-Z/!]")
_OPEN_TAG = re.compile(r"<(?:!|[a-zA-Z][\w-]{0,30}\s{1,9}[\w-]{1,30}\s{0,9}=)")
_LOOSE_AMPERSAND = re.compile(r"&([A-Za-z]\w{0,7});")


def clean(text: str, limit: int, *, loose: bool = False) -> str:
    """Plain text on one line, at most `limit` characters.

    Tags go, scripts and styles with their content. Text that is still escaped after that was escaped
    twice, and is undone once more, not oftener.

    Args:
        text: As the feed has it.
        limit: Characters; a cut text ends in an ellipsis.
        loose: The feed was not well-formed, and its reader makes ``S&P;`` of ``S&P``: mend that.
    """
    cut = len(text) > MAX_RAW
    text = _without_open_tag(text[:MAX_RAW], _CUT_TAG if cut else _OPEN_TAG)
    if loose:
        text = _LOOSE_AMPERSAND.sub(_mended, text)
    plain = _stripped(text)
    if _ESCAPED.search(plain):
        plain = _stripped(plain)
    if not plain.isprintable():
        plain = "".join(each if each.isprintable() else " " for each in plain)
    plain = " ".join(plain.split())
    if len(plain) > limit or cut:
        plain = plain[: limit - 1].rstrip() + "…"
    return plain


def _without_open_tag(text: str, begin: re.Pattern[str]) -> str:
    """Without a last tag that never closes; "profits <loss" is no tag unless the text was cut there."""
    open_tag = begin.search(text, text.rfind(">") + 1)
    return text[: open_tag.start()] if open_tag else text


def _stripped(text: str) -> str:
    if "<" not in text:
        return html.unescape(text) if "&" in text else text
    reader = _Reader()
    try:
        reader.feed(text)
        reader.close()
    except (AssertionError, ValueError):  # declarations that the standard parser gives up on
        return html.unescape(_TAG.sub(" ", text))
    return "".join(reader.parts)


def _mended(match: re.Match[str]) -> str:
    return match[0] if f"{match[1]};" in html5 else f"&{match[1]}"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(
        self,
        tag: str,
        attrs: list[tuple[str, str | None]],  # noqa: ARG002 - the base class's signature
    ) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag in _BREAKS:
            self.parts.append(" ")

    def handle_startendtag(
        self,
        tag: str,
        attrs: list[tuple[str, str | None]],  # noqa: ARG002 - the base class's signature
    ) -> None:
        if tag in _BREAKS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _BREAKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)
