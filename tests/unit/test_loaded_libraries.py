"""What a process of the desk may not carry: a library that another process works with costs its memory."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

ARRAYS = {"numpy", "pyarrow", "talib"}
BACKTESTING = {"numba", "llvmlite", "plotly", "duckdb"}
FEEDS = {"feedparser"}
HTTP_CLIENT = {"httpx"}
WEB = {"fastapi", "starlette"}
QUEUE = {"celery", "kombu"}

SUPERVISOR = "import backend.cli.main, backend.supervisor.desk"
BEAT = "import backend.celery_app, backend.jobs.beat, backend.tasks"
WORKER = "import celery.apps.worker, backend.celery_app, backend.tasks"
API = "import backend.app"
CONNECTOR = "import backend.connector.__main__, backend.simulator.build"
ORDERS_BACKTESTS = "import backend.backtest.service"
STORED_BARS = """
from datetime import UTC, datetime
from backend.market.columns import decode, encode
from tests.fakes.bars import bars_at
bars = bars_at([datetime(2026, 3, 2, tzinfo=UTC)])
assert len(decode(encode(bars), symbol=bars.symbol, timeframe=bars.timeframe, where="memory")) == 1
"""


@pytest.mark.parametrize(
    ("work", "unwanted"),
    [
        (SUPERVISOR, ARRAYS | BACKTESTING | FEEDS | HTTP_CLIENT | WEB | QUEUE),
        (BEAT, ARRAYS | BACKTESTING | FEEDS | HTTP_CLIENT | WEB),
        (WORKER, ARRAYS | BACKTESTING | FEEDS | HTTP_CLIENT | WEB),
        (API, {"pyarrow", "talib"} | BACKTESTING | FEEDS | HTTP_CLIENT),
        (CONNECTOR, {"pyarrow", "talib"} | BACKTESTING | FEEDS | HTTP_CLIENT | QUEUE),
        (ORDERS_BACKTESTS, BACKTESTING),
        (STORED_BARS, {"pyarrow.compute", "pyarrow.dataset"}),
    ],
    ids=["supervisor", "beat", "worker", "api", "connector", "orders backtests", "stored bars"],
)
def test_is_not_loaded(work: str, unwanted: set[str]) -> None:
    code = f"{work}\nimport sys; print(sorted(sys.modules.keys() & {unwanted!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
