"""Keeps the economic calendar current, and tells what was known of it at a moment."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from backend.core.clock import Clock, iso, parse_iso, require_utc
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.files import STATE, CalendarFiles, StoredCalendar
from backend.economic_calendar.imports import Imports
from backend.economic_calendar.model import CalendarView, Event
from backend.economic_calendar.ports import CalendarProvider, ProviderAnswer
from backend.economic_calendar.reading import read_calendar_file
from backend.economic_calendar.revisions import KEEP_PAST, History, merge
from backend.economic_calendar.shapes import Clocks
from backend.economic_calendar.timeline import Timeline
from backend.storage.files import FileStorage

Source = Callable[[], tuple[CalendarConfig, CalendarProvider]]

JITTER_SHARE = 0.2
FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(hours=1)
LONGEST_WAIT = timedelta(hours=25)  # a longer wait on disk comes from a clock that was wrong
LOCK_TIMEOUT = 90.0
MAX_PROBLEMS = 20
KINDS = ("new", "changed", "moved", "withdrawn", "returned")


class CalendarService:
    """The desk's economic calendar.

    Args:
        source: Gives configuration and provider, read anew at each update; raises `Invalid` where the
            configuration is refused.
        storage: Rooted at the desk's data folder.
        clock: Caches and ages follow its wall time.
        jitter: A number from 0 to 1 that spreads desks over time; an argument, so that tests decide.
    """

    def __init__(
        self, source: Source, storage: FileStorage, clock: Clock, *, jitter: Callable[[], float]
    ) -> None:
        self._source = source
        self._files = CalendarFiles(storage)
        self._imports = Imports(storage)
        self._clock = clock
        self._jitter = jitter

    def update(self, *, force: bool = False) -> dict[str, Any]:
        """Ask the provider if it is time to, and keep what it says.

        Args:
            force: Ask although the last answer is younger than `update_minutes`. A provider's own
                "not before" is respected all the same.

        Returns:
            status (``updated``, ``not_modified``, ``cached``), provider, times, counts of events and of
            changes, problems of single rows.

        Raises:
            Unavailable: The provider did not answer with a calendar, or may not be asked yet after a
                failure. What was held stays, with its age.
            Invalid: The configuration is refused.
        """
        with self._files.lock(LOCK_TIMEOUT):
            now = self._clock.wall()
            problems: list[str] = []
            state = self._state(problems)
            held = self._held(problems)
            try:
                config, provider = self._source()
                same = held if held is not None and held.provider == provider.name else None
                if state.get("provider") != provider.name:
                    state = {"provider": provider.name}
                early = self._too_early(state, same, now, force=force)
                if early is not None:
                    return early
                memory = state.get("memory", {}) if same is not None else {}
                answer = provider.fetch(memory, now)
                _check_answer(answer, same, provider.name)
            except DeskError as error:
                if error.code != "calendar_waiting":
                    self._remember_failure(state, held, now, error)
                raise
            return self._keep(config, provider.name, answer, same, now, problems)

    def as_of(self, now: datetime) -> CalendarView:
        """What was known at `now`: the events within reach, how old they are, or why nothing is known.

        The one question of the gate, live and in a replay; `over` is the same for a whole time. Never raises
        for a missing or unreadable calendar: the view says so.
        """
        now = require_utc(now)
        try:
            stored = self._files.load()
            if stored is None or now < stored.checked_at:
                live = self._files.timeline(now).as_of(now)
            else:
                live = stored.look().view(now, stored.events, stored.error if stored.stale else None)
            return live if live.known else self._imports.timeline(now, now).beside(now, live)
        except DeskError as error:
            return CalendarView.unknown(error.message)

    def over(self, begin: datetime, end: datetime) -> CalendarView:
        """What was known at each moment of [begin, end], as one view; for a backtest.

        Never raises for a missing or unreadable calendar: the view says so.
        """
        begin, end = require_utc(begin), require_utc(end)
        try:
            live, imported = self._files.timeline(end), self._imports.timeline(begin, end)
        except DeskError as error:
            return CalendarView.unknown(error.message)
        both = Timeline(
            looks=live.looks, events=live.events, imported=imported.imported, spans=imported.spans
        )
        return both.over(begin, end)

    def between(self, begin: datetime, end: datetime, as_of: datetime) -> tuple[Event, ...]:
        """Every event in [begin, end] as it was known at `as_of`, by the record of that time and by imports.

        Raises:
            DeskError: A file cannot be read.
        """
        as_of = require_utc(as_of)
        live, imported = self._files.timeline(as_of), self._imports.timeline(begin, end)
        both = Timeline(
            looks=live.looks, events=live.events, imported=imported.imported, spans=imported.spans
        )
        return both.between(begin, end, as_of)

    def import_files(self, paths: Sequence[Path], clocks: Clocks) -> dict[str, Any]:
        """Put calendars of the past on record: every event of every file, or nothing.

        Args:
            paths: CSV files in the shapes of `backend.economic_calendar.shapes`; of an event that several
                have the last file's counts.
            clocks: What the files cannot say of their times.

        Returns:
            imported_at, what each file holds, how many events are new, changed, unchanged.

        Raises:
            NotFound: A file that is not there.
            Invalid: As `read_calendar_file`, of the first file that has a fault.
        """
        files = [read_calendar_file(path, clocks) for path in paths]
        events = {event.key: event for file in files for event in file.events}
        now = self._clock.wall()
        described = {"files": [file.described() for file in files]}
        counts = self._imports.add(list(events.values()), [file.span for file in files], now, described)
        return {"imported_at": iso(now), **described, **counts}

    def _held(self, problems: list[str]) -> StoredCalendar | None:
        try:
            return self._files.load()
        except Invalid as error:  # said in the result; the file was set aside or is written anew
            problems.append(error.message)
            return None

    def _state(self, problems: list[str]) -> dict[str, Any]:
        try:
            state = self._files.load_state()
        except Invalid as error:  # same
            problems.append(error.message)
            return {}
        if not isinstance(state.get("failures", 0), int) or not isinstance(state.get("memory", {}), dict):
            problems.append(f"data/{STATE} was not in the desk's form and is written anew")
            return {}
        return state

    def _too_early(
        self, state: dict[str, Any], held: StoredCalendar | None, now: datetime, *, force: bool
    ) -> dict[str, Any] | None:
        barred = _moment(state, "not_before", now)
        due = barred if force or (held is None and not state.get("failures")) else _moment(state, "next", now)
        if due is None or now >= due:
            return None
        if not state.get("failures") and held is not None:
            return {
                "status": "cached",
                "provider": held.provider,
                "fetched_at": iso(held.fetched_at),
                "age_seconds": round((now - held.fetched_at).total_seconds()),
                "events": len(held.events),
                "next_check_at": iso(due),
            }
        raise Unavailable(
            "calendar_waiting",
            f"the economic calendar could not be fetched ({state.get('error')}); "
            f"the provider is asked again from {iso(due)} on",
            retry_after=(due - now).total_seconds(),
            next_check_at=iso(due),
        )

    def _remember_failure(
        self, state: dict[str, Any], held: StoredCalendar | None, now: datetime, error: DeskError
    ) -> None:
        if held is not None:
            self._files.save(replace(held, stale=True, error=error.message, checked_at=now))
        if isinstance(error, Invalid):
            return  # nobody was asked: once the configuration is mended the next look need not wait
        failures = int(state.get("failures", 0)) + 1
        wait = min(FIRST_RETRY * 2 ** min(failures - 1, 10), LAST_RETRY)
        state = {**state, "failures": failures, "error": error.message, "checked_at": iso(now)}
        asked = error.details.get("retry_after")
        if isinstance(asked, int | float) and asked > 0:
            wait = max(wait, min(timedelta(seconds=asked), LONGEST_WAIT))
            state["not_before"] = iso(now + wait)
        self._files.save_state({**state, "next": iso(now + wait)})

    def _keep(
        self,
        config: CalendarConfig,
        provider: str,
        answer: ProviderAnswer,
        held: StoredCalendar | None,
        now: datetime,
        problems: list[str],
    ) -> dict[str, Any]:
        interval = timedelta(minutes=config.update_minutes)
        interval += interval * JITTER_SHARE * min(max(self._jitter(), 0.0), 1.0)
        counts: dict[str, int] = {}
        given_at = min(answer.given_at or now, now)
        if answer.not_modified and held is not None:
            stored = replace(held, checked_at=now, stale=False, error=None)
        else:
            stored, counts = self._merged(provider, answer, held, now, problems)
        problems = [*problems, *answer.problems][:MAX_PROBLEMS]
        stored = replace(
            stored,
            fetched_at=given_at,
            problems=tuple(problems),
            max_age=timedelta(hours=config.max_age_hours),
            overdue_after=3 * timedelta(minutes=config.update_minutes),
        )
        self._files.append_look(stored.look())
        self._files.save(stored)
        self._files.save_state(
            {
                "provider": provider,
                "memory": dict(answer.state),
                "failures": 0,
                "checked_at": iso(now),
                "next": iso(now + interval),
            }
        )
        return {
            "status": "not_modified" if answer.not_modified else "updated",
            "provider": provider,
            "fetched_at": iso(given_at),
            "covered_from": iso(stored.covered_from),
            "covered_to": iso(stored.covered_to),
            "events": len(stored.events),
            **counts,
            "problems": problems,
            "next_check_at": iso(now + interval),
        }

    def _merged(
        self,
        provider: str,
        answer: ProviderAnswer,
        held: StoredCalendar | None,
        now: datetime,
        problems: list[str],
    ) -> tuple[StoredCalendar, dict[str, int]]:
        if answer.covered_from is None or answer.covered_to is None:
            raise Unavailable("calendar_unexpected", f"{provider} did not say which time its events cover")
        known = {event.key for event in held.events} if held is not None else set()
        unseen = any(event.key not in known for event in answer.events)
        unread: list[DeskError] = []
        merged = merge(
            held.events if held is not None else (),
            answer.events,
            covered_from=answer.covered_from,
            covered_to=answer.covered_to,
            now=now,
            history=self._files.history(now, provider, unread) if unseen else History(),
        )
        problems += [error.message for error in unread]
        self._files.append_revisions(merged.revisions, now)
        start, end = _united(held, answer.covered_from, answer.covered_to, now)
        stored = StoredCalendar(
            provider=provider,
            fetched_at=now,
            checked_at=now,
            stale=False,
            error=None,
            covered_from=start,
            covered_to=end,
            max_age=timedelta(0),
            overdue_after=timedelta(0),
            events=merged.events,
        )
        return stored, {kind: merged.count(kind) for kind in KINDS}


def _check_answer(answer: ProviderAnswer, held: StoredCalendar | None, provider: str) -> None:
    if answer.not_modified:
        if held is None:
            raise Unavailable(
                "calendar_unexpected", f"{provider} said 'not modified' to a desk that holds nothing"
            )
    elif not answer.events:
        raise Unavailable(
            "calendar_unexpected",
            f"{provider} answered with no event at all, which no week is; nothing was kept",
        )


def _united(
    held: StoredCalendar | None, start: datetime, end: datetime, now: datetime
) -> tuple[datetime, datetime]:
    """The covered time with what was held before, where both touch; else the later one."""
    if held is None:
        return start, end
    if held.covered_to < start or end < held.covered_from:
        return (start, end) if end >= held.covered_to else (held.covered_from, held.covered_to)
    first = min(start, max(held.covered_from, now - KEEP_PAST))
    return first, max(end, held.covered_to)


def _moment(state: dict[str, Any], key: str, now: datetime) -> datetime | None:
    text = state.get(key)
    try:
        moment = parse_iso(text) if isinstance(text, str) else None
    except Invalid:
        return None  # an unreadable wait is no wait; the next look writes it anew
    return moment if moment is not None and moment - now <= LONGEST_WAIT else None
