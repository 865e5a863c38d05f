"""What is fetched from the terminal and from outside."""

from typing import Any

from backend.celery_app import desk_task
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


@desk_task(queue="data_collection", deadline=180)
def update_symbol_info() -> dict[str, Any]:
    """Record the specifications of every watched symbol as the terminal has them today."""
    return services().market.update_symbols()
