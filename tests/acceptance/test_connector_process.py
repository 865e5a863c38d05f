"""The connector as a process: where it says it is, how it ends, and who loads MetaTrader5."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.adapters.connector_client import (
    NO_CONNECTION,
    ConnectorAddress,
    ConnectorApi,
    ConnectorClock,
    ConnectorLink,
)
from tests.unit.simulator.replay_data import write_minutes

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).resolve().parents[2]
FIRST_DAY = datetime(2025, 11, 10, tzinfo=UTC)

# Stands for the module of Windows: enough for a sign-in, and a call that keeps the interpreter.
STUB = """
import ctypes
import threading
_error = (1, "Success")
def last_error():
    return _error
def initialize(*args, **kwargs):
    return threading.current_thread().name == "terminal"
def version():
    return (500, 6231, "01 Jan 2026")
def symbols_total():
    return 3
def positions_total():
    # A call of the real module holds the interpreter until the terminal answers.
    ctypes.PyDLL(None).sleep(60)
    return 0
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MT5UI_")}
    return inherited | {"MT5UI_HOME": str(home), "PYTHONPATH": str(ROOT)} | more


@contextmanager
def connector(home: Path, *arguments: str, **more: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A running connector and what it wrote about itself."""
    file = home / "data" / "run" / "connector.json"
    log = (home / "connector.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.connector", *arguments],
        cwd=home,
        env=environment(home, **more),
        stdout=log,
        stderr=log,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            record = json.loads(file.read_text()) if file.exists() else {}
            if record.get("pid") == process.pid:
                break
            assert process.poll() is None, (home / "connector.log").read_text()
            assert time.monotonic() < deadline, "it did not say where it is"
            time.sleep(0.02)
        yield process, record
    finally:
        process.kill()
        process.wait(10)
        log.close()


@contextmanager
def client(record: dict[str, Any]) -> Iterator[tuple[ConnectorApi, ConnectorClock]]:
    link = ConnectorLink(lambda: ConnectorAddress.from_record(record))
    try:
        yield ConnectorApi(link), ConnectorClock(link)
    finally:
        link.close()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and modes")
def test_it_says_where_it_is_to_its_user_alone_and_takes_that_back_when_it_ends(tmp_path: Path) -> None:
    with connector(tmp_path) as (process, record):
        file = tmp_path / "data" / "run" / "connector.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert set(record) == {"url", "token", "pid", "started_at", "terminal"}
        assert record["url"].startswith("http://127.0.0.1:")
        assert len(record["token"]) >= 32
        assert record["terminal"] == "simulated"
        with client(record) as (api, _):
            assert api.initialize()
            assert api.symbols_total() >= 10
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert process.wait(10) == 0
            assert time.monotonic() - began < 2  # although a connection stays open
            assert not file.exists()
            assert api.version() is None
            assert api.last_error() == NO_CONNECTION


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_it_leaves_the_file_of_a_connector_that_came_after(tmp_path: Path) -> None:
    file = tmp_path / "data" / "run" / "connector.json"
    with connector(tmp_path) as (first, _), connector(tmp_path) as (_, record):
        first.send_signal(signal.SIGTERM)
        first.wait(10)
        assert json.loads(file.read_text()) == record


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with connector(tmp_path) as (_, record):
        port = record["url"].rsplit(":", 1)[1]
        second = subprocess.run(
            [sys.executable, "-m", "backend.connector", "--port", port],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 2
        assert second.stderr.startswith(f"The connector cannot listen on 127.0.0.1 port {port}")
        assert second.stderr.count("\n") == 1


def test_a_killed_replay_goes_on_where_it_was(tmp_path: Path) -> None:
    write_minutes(tmp_path / "files", "eurusd", first=FIRST_DAY, days=2)
    replay = {"MT5UI_REPLAY": str(tmp_path / "files"), "MT5UI_SPEED": "3600"}
    noon = FIRST_DAY + timedelta(hours=12)
    with connector(tmp_path, **replay) as (process, record), client(record) as (_, clock):
        assert clock.now() == FIRST_DAY
        assert clock.advance(noon).now == noon
        process.kill()
    with connector(tmp_path, **replay) as (_, record), client(record) as (api, clock):
        said = clock.describe()
        assert clock.now() == noon
        assert (said["mode"], said["speed"], said["finished"]) == ("replay", 3600.0, False)
        assert api.initialize()
        assert api.symbols_total() == 1


@pytest.mark.skipif(sys.platform == "win32", reason="the stub must not shadow the real module")
class TestNative:
    @pytest.fixture
    def stub(self, tmp_path: Path) -> str:
        folder = tmp_path / "stub"
        folder.mkdir()
        (folder / "MetaTrader5.py").write_text(STUB)
        return os.pathsep.join((str(ROOT), str(folder)))

    def test_the_module_is_loaded_by_the_connector_only(self, tmp_path: Path, stub: str) -> None:
        ask = (
            "import sys, json, backend.app, backend.celery_app, backend.tasks, backend.connector.app\n"
            "import backend.adapters.native_terminal, backend.adapters.connector_client\n"
            "from backend.services import build_services\n"
            "from backend.config import load_settings\n"
            "from backend.mt5.client import MT5Client\n"
            "terminal = build_services(load_settings()).terminal\n"
            "print(json.dumps([terminal.api.initialize(), terminal.api.symbols_total(),"
            " 'MetaTrader5' in sys.modules]))"
        )
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "symbol_map.csv").write_text("canonical,broker_symbol,enabled\nA,A,true\n")
        more = {"MT5UI_TERMINAL": "native", "PYTHONPATH": stub}
        with connector(tmp_path, **more) as (_, record):
            assert record["terminal"] == "native"
            worker = subprocess.run(
                [sys.executable, "-c", ask],
                cwd=tmp_path,
                env=environment(tmp_path, **more),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        assert worker.returncode == 0, worker.stderr
        assert json.loads(worker.stdout.splitlines()[-1]) == [True, 3, False]

    @pytest.mark.full
    def test_a_call_that_holds_the_interpreter_ends_the_process(self, tmp_path: Path, stub: str) -> None:
        more = {"MT5UI_TERMINAL": "native", "PYTHONPATH": stub}
        with connector(tmp_path, **more) as (process, record):
            headers = {"authorization": f"Bearer {record['token']}"}
            with pytest.raises(httpx.HTTPError):
                httpx.post(f"{record['url']}/call/positions_total", headers=headers, timeout=30)
            assert process.wait(20) != 0
        assert "positions_total" in (tmp_path / "connector.log").read_text()


def test_an_acknowledged_order_outlives_a_killed_connector(tmp_path: Path) -> None:
    write_minutes(tmp_path / "market", "eurusd", first=FIRST_DAY, days=2)
    replay = {"MT5UI_REPLAY": str(tmp_path / "market")}
    order = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "type_filling": 1, "comment": "kept"}
    with connector(tmp_path, **replay) as (process, record), client(record) as (api, clock):
        assert api.initialize()
        clock.advance(FIRST_DAY + timedelta(hours=9))
        sent = api.order_send(order)
        assert sent is not None
        assert sent.retcode == 10_009
        process.kill()
    with connector(tmp_path, **replay) as (_, record), client(record) as (api, clock):
        assert api.initialize()
        assert clock.now() == FIRST_DAY + timedelta(hours=9)
        assert [p.ticket for p in api.positions_get() or ()] == [sent.order]
        request = {"position": sent.order, "type": 1}
        closed = api.order_send(order | request)
        assert closed is not None
        assert closed.retcode == 10_009
    assert len(list((tmp_path / "data" / "simulator").glob("replay_*.jsonl"))) == 1


def test_the_broker_s_terms_come_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "simulator.json"
    file.write_text('{"account": {"balance": 2500, "hedging": false}, "symbols": {"*": {"stops_level": 7}}}')
    with connector(tmp_path) as (_, record), client(record) as (api, _):
        assert api.initialize()
        account, info = api.account_info(), api.symbol_info("EURUSD")
        assert account is not None
        assert info is not None
        assert (account.balance, account.margin_mode, info.trade_stops_level) == (2500.0, 0, 7)
    file.write_text('{"account": {"balance": "lots"}}')
    ended = subprocess.run(
        [sys.executable, "-m", "backend.connector"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "config/simulator.json, at /account/balance" in ended.stderr
