"""Which calendar provider the configuration chooses."""

from pathlib import Path

from backend.adapters.calendars_forexfactory import ForexFactory
from backend.core.fetching import Fetcher
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.ports import CalendarProvider
from backend.economic_calendar.service import Source


def calendar_source(config_path: Path, fetcher: Fetcher) -> Source:
    """Configuration and provider, read from the file at each call so that an edit needs no restart.

    Args:
        config_path: `config/api_integrations.json` of the desk.
        fetcher: What providers ask through.
    """

    def source() -> tuple[CalendarConfig, CalendarProvider]:
        config = CalendarConfig.load(config_path)
        return config, build_provider(config, fetcher)

    return source


def build_provider(config: CalendarConfig, fetcher: Fetcher) -> CalendarProvider:
    """The provider that the configuration names; the model has refused every name but these."""
    return {"forexfactory": lambda: ForexFactory(config.forexfactory, fetcher)}[config.provider]()
