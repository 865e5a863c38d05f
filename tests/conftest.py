"""What every test may ask for."""

import gc
import os
import shutil
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from backend.core import masking

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "short", max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "full", max_examples=500, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("full" if os.environ.get("MT5UI_TEST_FULL") else "short")

NOT_INHERITED = ("MT5UI_", "REDIS_URL", "CELERY_")
for _name in [name for name in os.environ if name.startswith(NOT_INHERITED) and name != "MT5UI_TEST_FULL"]:
    del os.environ[_name]


@pytest.fixture(scope="module", autouse=True)
def secrets_are_forgotten() -> Iterator[None]:
    """What one module's tests used as a secret is an ordinary word to those of the next in this process."""
    before = masking._known
    yield
    masking._known = before


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real market data beside the checkout; its absence fails where CI is set."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        reason = f"no real market data at {folder}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def desk_home(tmp_path: Path) -> Path:
    """A fresh desk's folder: the shipped configuration, no data."""
    home = tmp_path / "desk home"
    home.mkdir()
    shutil.copytree(ROOT / "config", home / "config")
    return home


@pytest.fixture
def desk_env(desk_home: Path) -> Callable[..., dict[str, str]]:
    """Builds the environment of a process that belongs to `desk_home`: `desk_env(MT5UI_BROKER="memory")`."""

    def build(**extra: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
        return kept | {"MT5UI_HOME": str(desk_home), "PYTHONPATH": str(ROOT)} | extra

    return build


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: who looks for garbage need not go through 8,000 tests and all modules."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes, tests that share a desk run in one of them, and those that wait are spread."""
    if getattr(config.option, "loadgroup", False):
        apart = [i.nodeid for i in items if i.get_closest_marker("xdist_group") and "@" not in i.nodeid]
        if apart:
            raise pytest.UsageError(f"pytest-xdist does not see the group of {apart[0]}: see pyproject.toml")
        items[:] = spread(items)


def spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """Tests that start processes, and wait for them, evenly among those that compute all the time.

    They end before the others do: the last one to run, alone, would leave the other cores without work.
    """
    waiting: dict[str, list[pytest.Item]] = {}
    computing: list[pytest.Item] = []
    for item in items:
        if item.get_closest_marker("acceptance"):
            waiting.setdefault(item.nodeid.rpartition("@")[2], []).append(item)
        else:
            computing.append(item)
    total = len(items) - len(computing)
    begun, placed = 0, [(at / len(computing), [item]) for at, item in enumerate(computing)]
    for group in sorted(waiting.values(), key=len, reverse=True):
        placed.append((begun / total * 0.85, group))
        begun += len(group)
    return [item for _, group in sorted(placed, key=lambda each: each[0]) for item in group]
