"""A Redis of a test's own; where CI is set, a machine without one fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.config import load_settings
from backend.jobs.private_redis import PrivateRedis, find_server, start_private_redis, stop_private_redis


def redis_server() -> Path:
    """The server's program."""
    server = find_server()
    if server is None:
        reason = "no Redis on this machine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return server


@contextmanager
def running_redis(home: Path) -> Iterator[PrivateRedis]:
    """A private Redis of the desk in that folder."""
    settings = load_settings(home=home)
    running = start_private_redis(settings, redis_server())
    try:
        yield running
    finally:
        stop_private_redis(running, settings.run_dir)
    assert not (settings.run_dir / "broker.json").exists()
