"""Which calendar provider the configuration chooses."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from backend.adapters.calendars_files import FileProvider
from backend.adapters.calendars_forexfactory import ForexFactory
from backend.adapters.calendars_keyed import KeyedProvider
from backend.core.errors import Invalid
from backend.core.fetching import Fetcher
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.ports import CalendarProvider
from backend.economic_calendar.service import Source
from backend.economic_calendar.shapes import CSV, MQL5, Clocks
from backend.storage.secrets import SecretStore

EXPORT = "MT5UI_calendar.csv"
"""What the script in the terminal writes into the common folder."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What providers are made of.

    Attributes:
        home: The desk's folder.
        fetcher: What they ask through.
        secrets: Where their keys are kept.
        common_folder: Tells the terminal's common data folder; empty where it has none.
        clocks: What MetaTrader's file cannot say of its times, at this moment.
    """

    home: Path
    fetcher: Fetcher
    secrets: SecretStore
    common_folder: Callable[[], str]
    clocks: Callable[[], Clocks]


def calendar_source(config_path: Path, means: Means) -> Source:
    """Configuration and provider, read from the file at each call so that an edit needs no restart.

    Args:
        config_path: `config/api_integrations.json` of the desk.
        means: What the provider is made of.
    """

    def source() -> tuple[CalendarConfig, CalendarProvider]:
        config = CalendarConfig.load(config_path)
        return config, build_provider(config, means)

    return source


def build_provider(config: CalendarConfig, means: Means) -> CalendarProvider:
    """The provider that the configuration names; the model has refused every name but these."""
    match config.provider:
        case "forexfactory":
            return ForexFactory(config.forexfactory, means.fetcher)
        case "mql5":
            return FileProvider(MQL5, _export(config, means), means.clocks())
        case "csv":
            path = means.home / Path(config.csv.path).expanduser()
            return FileProvider(CSV, path, Clocks(zone=ZoneInfo(config.csv.timezone)))
        case _:
            section = getattr(config, config.provider)
            return KeyedProvider(config.provider, section, means.fetcher, means.secrets)


def _export(config: CalendarConfig, means: Means) -> Path:
    if config.mql5.path is not None:
        return means.home / Path(config.mql5.path).expanduser()
    folder = means.common_folder()
    if not folder:
        raise Invalid(
            "bad_config",
            "config/api_integrations.json /economic_calendar/mql5/path: the terminal has no common folder; "
            "name the file that the script writes",
        )
    return Path(folder) / "Files" / EXPORT
