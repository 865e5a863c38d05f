"""`mt5ui news`: what the feeds said, and how they do. From files, so the desk may run or not."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.output import ago, clip, console, print_json, table
from backend.config import load_settings
from backend.core.clock import SystemClock, iso, parse_iso

if TYPE_CHECKING:
    from backend.news.listing import NewsPage


def news(
    *,
    currency: Annotated[str | None, typer.Option(help="Such as EUR.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Canonical symbol, such as XAUUSD.")] = None,
    feed: Annotated[str | None, typer.Option(help="Its name.")] = None,
    category: Annotated[str | None, typer.Option(help="Such as central_bank.")] = None,
    search: Annotated[str, typer.Option(help="Words that all stand in title or summary.")] = "",
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Published then or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Published then or earlier.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="So many at most.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the one before said.")] = None,
    feeds: Annotated[bool, typer.Option("--feeds", help="How the feeds do, instead of articles.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")] = False,
) -> None:
    """Articles of any time, the newest first; or how each feed does."""
    from backend.news.listing import Wanted
    from backend.services import build_services

    wanted = Wanted(
        currency=None if currency is None else currency.upper(),
        symbol=symbol,
        feed=feed,
        category=category,
        text=search,
        begin=None if since is None else parse_iso(since),
        end=None if until is None else parse_iso(until),
    )
    page = build_services(load_settings()).news_reader.page(wanted, cursor=cursor, limit=limit)
    if as_json:
        print_json(_plain(asdict(page)))
    elif feeds:
        _show_feeds(page)
    else:
        _show_articles(page)


def _show_articles(page: "NewsPage") -> None:
    out = console()
    now = SystemClock().wall()
    if page.articles is None:
        out.print(f"Not known: {page.reason}", style="yellow", markup=False)
    elif page.stale:
        told = (
            "the feeds have not answered"
            if page.fetched_at is None
            else f"last answer {_ago(page.fetched_at, now)}"
        )
        out.print(f"Stale: {told}{f'; {page.error}' if page.error else ''}", style="yellow", markup=False)
    rows = [
        (
            f"{article.published:%Y-%m-%d %H:%M}{'?' if article.date_is_estimated else ''}",
            " ".join(article.currencies),
            article.feed,
            article.title,
            article.link,
        )
        for article in page.articles or ()
    ]
    if page.articles is not None:
        out.print(table(("UTC", "currencies", "feed", "title", "link"), rows) if rows else "No such article.")
    if page.next_cursor is not None:
        out.print(f"more: --cursor {page.next_cursor}", markup=False)
    for problem in page.problems:
        out.print(problem, style="red", markup=False)


def _show_feeds(page: "NewsPage") -> None:
    out = console()
    now = SystemClock().wall()
    rows = [
        (
            one.name,
            one.status,
            _ago(one.answered_at, now),
            _ago(one.newest_at, now),
            _ago(one.failed_at, now),
            clip(one.reason or "-"),
        )
        for one in page.feeds or ()
    ]
    out.print(table(("feed", "is", "answered", "newest article", "last failure", "why it failed"), rows))
    for problem in page.problems:
        out.print(problem, style="red", markup=False)


def _ago(moment: datetime | None, now: datetime) -> str:
    return ago(None if moment is None else iso(moment), now)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return iso(value) if isinstance(value, datetime) else value
