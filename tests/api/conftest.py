from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.app import create_app
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk, fake_desk

BASE = "http://127.0.0.1:5001"


@pytest.fixture
def desk(tmp_path: Path) -> FakeDesk:
    return fake_desk(tmp_path)


@pytest.fixture
def client(desk: FakeDesk) -> Iterator[TestClient]:
    with TestClient(create_app(desk, host="127.0.0.1"), base_url=BASE) as client:
        yield client
