from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.jobs.runtime import Runtime
from tests.fakes.jobs import FakePublisher, SetClock, make_runtime


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def runtime(tmp_path: Path, clock: SetClock, publisher: FakePublisher) -> Iterator[Runtime]:
    made = make_runtime(tmp_path, clock, publisher)
    yield made
    made.stopping.set()
    made.ledger.close()
