"""The part of the composition root behind the settings pages, and what calendar providers are made of."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

from backend.adapters.calendars import Means, build_provider
from backend.adapters.feeds import FeedparserReader
from backend.config import Settings
from backend.control.feeds import FeedDesk
from backend.control.integrations import Fixed, Integrations
from backend.control.symbol_rows import SymbolDesk
from backend.core.clock import Clock
from backend.core.errors import Unavailable
from backend.core.fetching import Fetcher
from backend.economic_calendar.shapes import Clocks
from backend.jobs.schedule_desk import ScheduleDesk
from backend.journal.journal import Journal
from backend.mt5.client import MT5Client
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore
from backend.users.service import Door


class Parts(Protocol):
    """Of a desk, what the settings pages stand on."""

    @property
    def settings(self) -> Settings:
        """Of this process."""

    @property
    def storage(self) -> FileStorage:
        """Files below ``data/``."""

    @property
    def journal(self) -> Journal:
        """Takes every change."""

    @property
    def clock(self) -> Clock:
        """Tells wall time."""

    @property
    def door(self) -> Door:
        """Its log takes every change of a key."""

    @property
    def terminal(self) -> MT5Client:
        """Is asked how it is."""


class SettingsDesks:
    """What the settings pages show, change and try.

    Args:
        parts: The desk's.
        means: What calendar providers are made of.
        password: Under which name the terminal's password is kept.
    """

    def __init__(self, parts: Parts, means: Means, password: str) -> None:
        config, storage, journal = parts.settings.config_dir, parts.storage, parts.journal
        self.symbols: Final = SymbolDesk(config, storage, journal)
        self.feeds: Final = FeedDesk(
            config, storage, journal, parts.clock, means.fetcher, FeedparserReader(), time.monotonic
        )
        self.schedules: Final = ScheduleDesk(config, storage, journal, parts.clock)
        self.integrations: Final = Integrations(
            config_dir=config,
            storage=storage,
            journal=journal,
            clock=parts.clock,
            secrets=means.secrets,
            log=parts.door.log,
            provider=lambda chosen, fetcher: build_provider(chosen, replace(means, fetcher=fetcher)),
            fetcher=means.fetcher,
            fixed=(_terminal(parts.settings, parts.terminal, password), _broker(parts.settings)),
            monotonic=time.monotonic,
        )


def calendar_means(
    settings: Settings,
    fetcher: Fetcher,
    secrets: SecretStore,
    common_folder: Callable[[], str],
    clock: Clock,
    server_clock: ServerClock,
) -> Means:
    """What this desk's calendar providers are made of."""

    def clocks() -> Clocks:
        now = int(clock.wall().timestamp())
        return Clocks(server_offset=timedelta(seconds=server_clock.to_server(now) - now))

    return Means(
        home=settings.home, fetcher=fetcher, secrets=secrets, common_folder=common_folder, clocks=clocks
    )


def _terminal(settings: Settings, terminal: MT5Client, password: str) -> Fixed:
    def look() -> str:
        status = terminal.terminal()
        if not status.connected:
            raise Unavailable(
                "terminal_offline", f"the terminal {status.name} answers, but has no trade server"
            )
        allowed = "" if status.trade_allowed else ", automatic trading switched off"
        return f"the terminal {status.name}, build {status.build}, connected to its trade server{allowed}"

    told = {
        "terminal": settings.terminal.value,
        "server": settings.terminal_server,
        "login": settings.terminal_login,
    }
    return Fixed(
        kind="terminal",
        title="The MetaTrader terminal, through the connector",
        settings={name: value for name, value in told.items() if value is not None},
        secret=password,
        look=look,
    )


def _broker(settings: Settings) -> Fixed:
    from backend.jobs import broker

    address = broker.resolve(settings)
    return Fixed(
        kind="broker",
        title="The broker of the desk's jobs",
        settings={"address": address.describe()},
        secret=None,
        look=lambda: broker.check(broker.resolve(settings)),
    )
