"""What is fetched from the terminal and from outside."""

from typing import Any

from backend.celery_app import desk_task
from backend.jobs.spec import RetryPolicy
from backend.services import services


@desk_task(queue="data_collection", deadline=120)
def collect_market_data() -> dict[str, Any]:
    """Record bid, ask, spread, volume and tick time of every watched symbol."""
    return services().market.collect_quotes()


@desk_task(queue="data_collection", deadline=120)
def update_economic_calendar() -> dict[str, Any]:
    """Fetch the upcoming economic events from the configured provider."""
    return services().calendar.update()


@desk_task(queue="data_collection", deadline=180)
def collect_rss_news() -> dict[str, Any]:
    """Fetch the articles of the configured feeds, each once."""
    return services().news.collect()


@desk_task(
    queue="research",
    deadline=1800,
    retry=RetryPolicy(tries=1),
    bounds={"digits": (-1, 10), "skip_bad": (0, 1), "replace": (0, 1), "dry_run": (0, 1)},
)
def import_history(
    file: str,
    symbol: str = "as named",
    tz: str = "as stated",
    digits: int = -1,
    skip_bad: int = 0,
    replace: int = 0,
    dry_run: int = 0,
) -> dict[str, Any]:
    """Import a history file or folder of ``data/incoming``, all of it or nothing; digits=-1 as they show."""
    from backend.history.pieces import Choices

    choices = Choices(
        symbol="" if symbol == "as named" else symbol,
        clock="" if tz == "as stated" else tz,
        digits=None if digits < 0 else digits,
        skip_bad=bool(skip_bad),
        replace=bool(replace),
    )
    return services().import_history(file, choices, dry_run=bool(dry_run))


@desk_task(queue="research", deadline=1800)
def fetch_history(symbol: str, timeframe: str, since: str) -> dict[str, Any]:
    """Fill the desk's bars from its terminal back to a time; a run that was cut off goes on there."""
    return services().fetch_history(symbol, timeframe, since)


@desk_task(queue="data_collection", deadline=180)
def update_symbol_info() -> dict[str, Any]:
    """Record the specifications of every watched symbol as the terminal has them today."""
    return services().market.update_symbols()
