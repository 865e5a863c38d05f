"""Wakes those who watch when there is something new: one look for all of them, none while nobody watches."""

import asyncio
import logging
from contextlib import suppress
from typing import Final
from weakref import WeakSet

from anyio import to_thread

from backend.core.errors import DeskError, Unavailable
from backend.routes.event_feed import Feed

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.1
MAX_WATCHERS: Final = 32


class Changes:
    """Tells watchers in one event loop that there is something new to read.

    Args:
        feed: Whose position is looked at.
        look_every: Seconds between two looks.
    """

    def __init__(self, feed: Feed, *, look_every: float = LOOK_EVERY) -> None:
        self.feed = feed
        self._look_every = look_every
        # Weak: a stream that its client left before the first byte never gets to say goodbye.
        self._watchers: WeakSet[asyncio.Event] = WeakSet()
        self._looking: asyncio.Task[None] | None = None
        self.stopping = False

    def watch(self) -> asyncio.Event:
        """Begin to watch: the event is set at each change, and when the desk ends.

        Raises:
            Unavailable: There are too many watchers already, or the desk is ending.
        """
        if self.stopping:
            raise Unavailable("desk_ending", "The desk is ending")
        if len(self._watchers) >= MAX_WATCHERS:
            raise Unavailable(
                "too_many_streams", f"{MAX_WATCHERS} event streams are open already", limit=MAX_WATCHERS
            )
        changed = asyncio.Event()
        self._watchers.add(changed)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return changed

    def leave(self, changed: asyncio.Event) -> None:
        """Stop watching."""
        self._watchers.discard(changed)

    def stop(self) -> None:
        """Let every watcher end; safe inside a signal handler, since it only sets a flag."""
        self.stopping = True

    async def close(self) -> None:
        """End the looking."""
        self.stop()
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        known: tuple[int, int] | None = None
        while self._watchers:
            if self.stopping:
                self._wake()
                return
            try:
                position = await to_thread.run_sync(self.feed.position)
            except (DeskError, OSError) as error:
                log.warning("nothing new can be looked for: %s", error)
            else:
                if position != known:
                    known = position
                    self._wake()
            await asyncio.sleep(self._look_every)

    def _wake(self) -> None:
        for changed in self._watchers:
            changed.set()
