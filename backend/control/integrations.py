"""What the desk is joined to: calendar providers, the terminal, the broker of its jobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from backend.control.edited import json_object, with_section
from backend.control.kept import SettingsFile, SettingsJournal, merged
from backend.control.looking import Tried, Watched, try_once
from backend.core import masking
from backend.core.clock import Clock, iso
from backend.core.errors import DeskError, Invalid, NotFound, Unavailable
from backend.core.fetching import Fetcher
from backend.economic_calendar.config import (
    FILE,
    KEYED,
    SECTION,
    SUPPORTED,
    CalendarConfig,
    checked_key,
    secret_name,
)
from backend.economic_calendar.files import CalendarFiles
from backend.economic_calendar.ports import CalendarProvider
from backend.journal.journal import Journal
from backend.news.listing import moment
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore, masked
from backend.users.security_log import Happened, SecurityLog

TITLES: Final[Mapping[str, str]] = {
    "forexfactory": "ForexFactory's weekly export",
    "finnhub": "Finnhub's economic calendar",
    "fmp": "Financial Modeling Prep's economic calendar",
    "tradingeconomics": "TradingEconomics' calendar",
    "mql5": "The terminal's own calendar, by the script MT5UI_CalendarExport",
    "csv": "A calendar file of your own",
}
_OF_ALL: Final = ("update_minutes", "max_age_hours")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """Something that the settings name, which is tried here and changed there.

    Attributes:
        kind: terminal or broker; also its name.
        title: What it is.
        settings: What the settings say of it, without secrets.
        secret: Under which name its password is kept; None where it has none.
        look: Looks at it once and tells what it found.
    """

    kind: str
    title: str
    settings: Mapping[str, Any]
    secret: str | None
    look: Callable[[], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """One of them as it stands.

    Attributes:
        name: Its name in addresses.
        kind: calendar, terminal or broker.
        title: What it is.
        in_use: Whether the desk uses it now.
        host: Which is asked; None where it is none.
        wants_key: Whether it answers only to a key or password.
        key: The key that is kept, masked; None without one.
        key_problem: Why it cannot be used; None where it can.
        settings: What the configuration says of it, defaults written out.
        fetched_at: When its answer was last kept; None where that is not known.
        checked_at: When it was last asked, also in vain.
        failures: In a row, since then; None where nobody counts them.
        error: The last failure; None after a success.
        next_at: Not asked before.
    """

    name: str
    kind: str
    title: str
    in_use: bool
    host: str | None = None
    wants_key: bool = False
    key: str | None = None
    key_problem: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    fetched_at: datetime | None = None
    checked_at: datetime | None = None
    failures: int | None = None
    error: str | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What is on disk of the last looks; `trouble` says why it cannot be read."""

    state: Mapping[str, Any]
    provider: str | None
    fetched_at: datetime | None
    trouble: str | None


class Integrations:
    """Shows, changes and tries them.

    Args:
        config_dir: The user's configuration.
        storage: Files below ``data/``.
        journal: Takes every change of the settings.
        clock: Tells wall time.
        secrets: Where keys are kept.
        log: Takes every change of a key.
        provider: Makes a calendar provider that asks through a fetcher.
        fetcher: Asks over HTTP.
        fixed: What the settings of the process name.
        monotonic: Seconds that only go on.
    """

    def __init__(
        self,
        *,
        config_dir: Path,
        storage: FileStorage,
        journal: Journal,
        clock: Clock,
        secrets: SecretStore,
        log: SecurityLog,
        provider: Callable[[CalendarConfig, Fetcher], CalendarProvider],
        fetcher: Fetcher,
        fixed: tuple[Fixed, ...],
        monotonic: Callable[[], float],
    ) -> None:
        self._file = calendar_file(config_dir)
        self._journal = SettingsJournal(
            self._file,
            storage,
            journal,
            known=f"control/{self._file.path.stem}.json",
            key="economic_calendar",
            first=self._file.value,
        )
        self._calendar = CalendarFiles(storage)
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self._provider = provider
        self._fetcher = fetcher
        self._fixed = {one.kind: one for one in fixed}
        self._monotonic = monotonic

    def etag(self) -> str:
        """The tag of the file."""
        return self._file.etag()

    def config(self) -> CalendarConfig:
        """The calendar's configuration; `Invalid` where the file is wrong."""
        return self._file.value()

    def listed(self) -> list[Integration]:
        """All of them; `Invalid` where the file is wrong."""
        config = self.config()
        kept = self._kept()
        return [
            *(self._of_provider(name, config, kept) for name in SUPPORTED),
            *(self._of_fixed(one) for one in self._fixed.values()),
        ]

    def get(self, name: str) -> Integration:
        """One of them; `NotFound` ``unknown_integration``."""
        self._known(name)
        return next(one for one in self.listed() if one.name == name)

    def change(
        self,
        name: str,
        *,
        actor: str,
        choose: bool = False,
        settings: Mapping[str, Any] | None = None,
        schedule: Mapping[str, Any] | None = None,
        if_match: str = "*",
    ) -> None:
        """Change a calendar provider's settings, and put it in use in place of the present one.

        Args:
            name: Which provider.
            actor: Who does it.
            choose: Whether it is to be used.
            settings: JSON merge patch of its settings; null takes one back to its default.
            schedule: Merge patch of how often the calendar is asked, and how old it may become.
            if_match: Tag of the file that was read; ``*`` for whatever is there.

        Raises:
            NotFound: ``unknown_integration``.
            Invalid: ``bad_config``, with the key, or ``not_here`` for what only the settings change.
            Conflict: ``settings_changed``.
        """
        self._of_calendar(name)
        patch: dict[str, Any] = dict(schedule or {})
        if settings:
            patch[name] = dict(settings)
        if choose:
            patch["provider"] = name
        self._journal.change(
            lambda values: merged(values, patch), actor=actor, reason=f"{name} changed", if_match=if_match
        )

    def put_key(self, name: str, key: str, *, actor: str) -> None:
        """Keep a key or password, encrypted.

        Raises:
            NotFound: ``unknown_integration``.
            Invalid: ``no_key_wanted``, ``bad_key``, or as `SecretStore.put`; nothing was kept then.
        """
        secret = self._secret(name)
        value = masking.remember(checked_key(key))
        self._secrets.put(secret, value)
        self._log.note(Happened.SECRET_KEPT, actor=actor, name=secret)

    def remove_key(self, name: str, *, actor: str) -> None:
        """Forget a key; `NotFound` ``no_secret`` where none is kept."""
        secret = self._secret(name)
        if not self._secrets.remove(secret):
            raise NotFound("no_secret", f"no key of {name} is kept", name=secret)
        self._log.note(Happened.SECRET_REMOVED, actor=actor, name=secret)

    def test(self, name: str) -> Tried:
        """Try a connection once, and keep nothing of what it says.

        A provider that asked to wait is not asked. `NotFound` ``unknown_integration``.
        """
        self._known(name)
        if name in self._fixed:
            return try_once(self._fixed[name].look, monotonic=self._monotonic)
        config = CalendarConfig.parse(self.config().model_dump(mode="json") | {"provider": name})
        watched = Watched(self._fetcher, self._monotonic)
        now = self._clock.wall()

        def look() -> str:
            until = self._waits(name)
            if until is not None and now < until:
                raise Unavailable(
                    "calendar_waiting", f"nobody was asked: {name} asked to wait until {iso(until)}"
                )
            answer = self._provider(config, watched).fetch({}, now)
            if not answer.events or answer.covered_from is None or answer.covered_to is None:
                raise Unavailable("calendar_unexpected", f"{name} answered without any event")
            faults = f"; {len(answer.problems)} rows or extras with problems" if answer.problems else ""
            span = f"{iso(answer.covered_from)} to {iso(answer.covered_to)}"
            return f"a calendar of {len(answer.events)} events, {span}{faults}"

        return try_once(look, monotonic=self._monotonic, watched=watched)

    # Inside

    def _known(self, name: str) -> None:
        known = [*SUPPORTED, *self._fixed]
        if name not in known:
            text = f"there is no integration {name!r}; there are {', '.join(known)}"
            raise NotFound("unknown_integration", text, known=known)

    def _of_calendar(self, name: str) -> None:
        self._known(name)
        if name in self._fixed:
            text = f"the {name} is named by the desk's settings (.env), which are read at start"
            raise Invalid("not_here", text, name=name)

    def _secret(self, name: str) -> str:
        self._known(name)
        if name not in self._fixed:
            return secret_name(name)
        secret = self._fixed[name].secret
        if secret is None:
            raise Invalid("no_key_wanted", f"no key of the {name} is kept here", name=name)
        return secret

    def _waits(self, name: str) -> datetime | None:
        state = self._calendar.load_state()
        return moment(state.get("not_before")) if state.get("provider") == name else None

    def _of_provider(self, name: str, config: CalendarConfig, kept: _Kept) -> Integration:
        part = getattr(config, name).model_dump(mode="json")
        key, problem = self._key(secret_name(name)) if name in KEYED else (None, None)
        state = kept.state if kept.state.get("provider") == name else {}
        failures = state.get("failures")
        return Integration(
            name=name,
            kind="calendar",
            title=TITLES[name],
            in_use=name == config.provider,
            host=urlsplit(part.get("base_url", "")).hostname,
            wants_key=name in KEYED,
            key=key,
            key_problem=problem,
            settings=part,
            fetched_at=kept.fetched_at if kept.provider == name else None,
            checked_at=moment(state.get("checked_at")),
            failures=failures if isinstance(failures, int) else None,
            error=kept.trouble or state.get("error"),
            next_at=moment(state.get("next")),
        )

    def _kept(self) -> _Kept:
        try:
            held = self._calendar.load()
            state = self._calendar.load_state()
        except DeskError as error:
            return _Kept(state={}, provider=None, fetched_at=None, trouble=error.message)
        if held is None:
            return _Kept(state=state, provider=None, fetched_at=None, trouble=None)
        return _Kept(state=state, provider=held.provider, fetched_at=held.fetched_at, trouble=None)

    def _of_fixed(self, one: Fixed) -> Integration:
        key, problem = (None, None) if one.secret is None else self._key(one.secret, wanted=False)
        return Integration(
            name=one.kind,
            kind=one.kind,
            title=one.title,
            in_use=True,
            key=key,
            key_problem=problem,
            settings=one.settings,
        )

    def _key(self, secret: str, *, wanted: bool = True) -> tuple[str | None, str | None]:
        try:
            return masked(self._secrets.get(secret)), None
        except NotFound:
            return None, "no key is kept" if wanted else None
        except DeskError as error:
            return None, error.message


def calendar_file(config_dir: Path) -> SettingsFile[CalendarConfig]:
    """The calendar's section of ``config/api_integrations.json``; an absent one is the defaults."""
    return SettingsFile(
        config_dir / Path(FILE).name,
        name=FILE,
        parse=CalendarConfig.parse,
        absent=CalendarConfig(),
        code="bad_config",
        read=lambda data: json_object(data).get(SECTION, {}),
        write=lambda values, present: with_section(SECTION, values, present, FILE),
    )
