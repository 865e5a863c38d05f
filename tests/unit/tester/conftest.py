"""A file of given bytes, imported on the usual broker's clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.backtest.tester.model import Imported
from backend.backtest.tester.reading import read_file
from backend.mt5.server_time import ServerClock
from tests.fakes.tester_reports import utf16

CLOCK = ServerClock.parse("America/New_York+7")


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Imported]:
    def reading(content: str | bytes, name: str = "ReportTester-1.html", **options: Any) -> Imported:
        path = tmp_path / name
        path.write_bytes(utf16(content) if isinstance(content, str) else content)
        return read_file(path, CLOCK, **options)

    return reading
