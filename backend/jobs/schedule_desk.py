"""The schedules of ``config/schedules.json``, edited one by one; beat follows within seconds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backend.control.edited import entries_file, entries_journal, json_object
from backend.core.clock import Clock
from backend.core.errors import Invalid, NotFound
from backend.jobs.schedules import DEFAULT_OF, FILE, Schedule, checked_entry
from backend.jobs.ticks import Every
from backend.journal.journal import Journal
from backend.storage.files import FileStorage

NAME = f"config/{FILE}"
EDITED = ("crontab", "every", "offset", "enabled", "overlap", "catch_up", "at_start")
"""What is edited here; task, queue, arguments and clock are edited in the file."""
_TICKS = frozenset({"crontab", "every", "offset"})


class ScheduleDesk:
    """Shows and changes when things are done.

    Args:
        config_dir: The user's configuration.
        storage: Files below ``data/``.
        journal: Takes every change.
        clock: Tells wall time.
    """

    def __init__(self, config_dir: Path, storage: FileStorage, journal: Journal, clock: Clock) -> None:
        self._file = entries_file(config_dir / FILE, name=NAME, code="bad_schedules", read=json_object)
        self._journal = entries_journal(self._file, storage, journal)
        self._clock = clock

    def etag(self) -> str:
        """The tag of the file."""
        return self._file.etag()

    def get(self, name: str) -> Schedule:
        """A schedule as it is configured.

        Raises:
            NotFound: ``unknown_schedule``.
            Invalid: ``bad_schedule`` for an entry that is wrong, ``bad_schedules`` for such a file.
        """
        entries = self._file.value().root
        _known(name, entries)
        return checked_entry(name, entries.get(name, {}))

    def edit(self, name: str, patch: Mapping[str, Any], *, actor: str, if_match: str = "*") -> None:
        """Change keys of a schedule; None takes one back to its default, ticks of another kind included.

        Args:
            name: Which.
            patch: Keys of `EDITED`.
            actor: Who does it.
            if_match: Tag of the file that was read.

        Raises:
            NotFound: ``unknown_schedule``.
            Invalid: ``bad_schedule``, with the key, or ``never`` for ticks that never come.
            Conflict: ``settings_changed``.
        """

        def changed(entry: dict[str, Any]) -> dict[str, Any]:
            if patch.get("crontab") is not None:
                entry = {key: value for key, value in entry.items() if key not in _TICKS}
            elif patch.get("every") is not None:
                entry.pop("crontab", None)
            entry = {key: value for key, value in {**entry, **patch}.items() if value is not None}
            default = DEFAULT_OF.get(name)
            every = "every" in entry or (default is not None and isinstance(default.when, Every))
            if "offset" in entry and ("crontab" in entry or not every):
                raise Invalid("bad_schedule", "offset goes with every; nothing was changed", key="offset")
            when = checked_entry(name, entry).when
            if when.following(self._clock.wall()) is None:
                raise Invalid("never", f"{when} does not come for years; nothing was changed", key="crontab")
            return entry

        self._change(name, changed, actor=actor, reason=f"schedule {name} changed", if_match=if_match)

    def reset(self, name: str, *, actor: str, if_match: str = "*") -> None:
        """Take a schedule back to its default in everything.

        Raises:
            NotFound: ``unknown_schedule``.
            Invalid: ``no_default``: it is one of your own.
            Conflict: ``settings_changed``.
        """

        def changed(_: dict[str, Any]) -> None:
            if name not in DEFAULT_OF:
                text = f"{name} is a schedule of your own, which has no default; edit it in {NAME}"
                raise Invalid("no_default", text, name=name)

        self._change(name, changed, actor=actor, reason=f"schedule {name} reset", if_match=if_match)

    def _change(
        self,
        name: str,
        changed: Callable[[dict[str, Any]], dict[str, Any] | None],
        *,
        actor: str,
        reason: str,
        if_match: str,
    ) -> None:
        def change(present: Any) -> dict[str, Any]:
            entries: dict[str, Any] = dict(present or {})
            _known(name, entries)
            entry = entries.get(name, {})
            if (made := changed(dict(entry) if isinstance(entry, dict) else {})) is not None:
                return {**entries, name: made}
            entries.pop(name, None)
            return entries

        self._journal.change(change, actor=actor, reason=reason, if_match=if_match)


def _known(name: str, entries: Mapping[str, Any]) -> None:
    known = sorted({*DEFAULT_OF, *(key for key in entries if not key.startswith("$"))})
    if name not in known:
        raise NotFound("unknown_schedule", f"there is no schedule {name}", known=known)
