"""The bridge against a real RPyC classic server, which serves a stub of the MetaTrader5 module."""

import socket
import struct
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

rpyc = pytest.importorskip("rpyc")

from rpyc.core.service import SlaveService  # noqa: E402 - after the check that it is there
from rpyc.utils.server import ThreadedServer  # noqa: E402

from backend.adapters.bridge_terminal import NO_CONNECTION, BridgeTerminal  # noqa: E402
from backend.core.errors import Invalid  # noqa: E402
from backend.mt5.api import FUNCTIONS, Mt5Api  # noqa: E402
from backend.mt5.structures import SymbolInfo, Tick  # noqa: E402
from tests.contracts.test_mt5_api import CLOCK, NOW, Mt5ApiContract  # noqa: E402
from tests.contracts.test_trading_api import TradingContract  # noqa: E402
from tests.fakes.terminal import FakeTerminal, symbol_info  # noqa: E402


class Unpicklable:
    """As the module's structures: a tuple with attributes, `_asdict` and a name, no `_fields`."""

    @staticmethod
    def of(value: Any) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            fields = {name: Unpicklable.of(item) for name, item in value._asdict().items()}
            kind = type(type(value).__name__, (tuple,), {"_asdict": lambda self: fields, **fields})
            return kind(fields.values())
        if isinstance(value, tuple):
            return tuple(Unpicklable.of(item) for item in value)
        return value


def module_of(terminal: Any) -> types.ModuleType:
    module = types.ModuleType("MetaTrader5")
    for name in FUNCTIONS:

        def function(*args: Any, _name: str = name, **kwargs: Any) -> Any:
            return Unpicklable.of(getattr(terminal, _name)(*args, **kwargs))

        setattr(module, name, function)
    return module


@pytest.fixture
def port() -> Iterator[int]:
    """A classic server on loopback; it and we are one process, so its MetaTrader5 is ours."""
    server = ThreadedServer(SlaveService, hostname="127.0.0.1", port=0, auto_register=False)
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.active:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    yield server.port
    server.close()
    thread.join(10)


def serve(monkeypatch: pytest.MonkeyPatch, terminal: Any) -> None:
    monkeypatch.setitem(sys.modules, "MetaTrader5", module_of(terminal))


class TestThroughBridge(Mt5ApiContract):
    """The simulated terminal behind RPyC is the simulated terminal."""

    @pytest.fixture
    def api(self, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        from backend.simulator.build import build_simulated_terminal

        serve(
            monkeypatch,
            build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW),
        )
        api = BridgeTerminal(port=port)
        assert api.version() is None
        assert api.last_error() == NO_CONNECTION
        assert api.initialize(), api.last_error()
        yield api
        api.close()


class TestTradingThroughBridge(TradingContract):
    """And so is its trading."""

    @pytest.fixture
    def api(self, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        from backend.simulator.build import build_simulated_terminal

        serve(
            monkeypatch,
            build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW),
        )
        api = BridgeTerminal(port=port)
        assert api.initialize(), api.last_error()
        yield api
        api.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    terminal = FakeTerminal(connected=False)
    terminal.infos["EURUSD"] = symbol_info()
    terminal.put_tick("EURUSD", 1_700_000_000_123)
    serve(monkeypatch, terminal)
    return terminal


def test_structures_become_ours_and_can_be_kept(port: int, fake: FakeTerminal) -> None:
    api = BridgeTerminal(port=port)
    assert api.initialize()
    tick, infos = api.symbol_info_tick("EURUSD"), api.symbols_get()
    assert isinstance(tick, Tick)
    assert tick.time_msc == 1_700_000_000_123
    assert infos == (symbol_info(),)
    assert isinstance(infos[0], SymbolInfo)
    api.close()


def test_arguments_are_data_never_code(port: int, fake: FakeTerminal) -> None:
    api = BridgeTerminal(port=port)
    assert api.initialize()
    assert api.symbol_info("__import__('os').getpid()") is None
    assert api.last_error()[0] == -4
    assert api.order_check({"action": 1, "symbol": "EURUSD", "volume": np.float32(1)}) is None
    assert api.last_error() == (-2, 'Invalid "volume" argument')
    with pytest.raises(SystemError):
        api.copy_rates_from_pos("EURUSD", "H1", 0, 1)
    api.close()


def test_signing_in_follows_the_recipe(port: int, fake: FakeTerminal) -> None:
    fake._login = lambda *_args, **_given: True  # type: ignore[attr-defined]
    same = BridgeTerminal(port=port, login=7, password="p", server="s")
    assert same.initialize()
    assert fake.asked("login") == 0  # that account is signed in already
    other = BridgeTerminal(port=port, login=8, password="p", server="s")
    assert other.initialize()
    assert fake.calls[-1] == ("login", (8,))
    assert all(not args for name, args in fake.calls if name == "initialize")  # without credentials
    same.close()
    other.close()


@pytest.mark.parametrize("host", ["192.168.1.5", "example.com", "::", "8.8.8.8"])
def test_a_host_that_is_not_this_computer_is_refused(host: str) -> None:
    with pytest.raises(Invalid) as refused:
        BridgeTerminal(host)
    assert refused.value.code == "remote_bridge"
    assert "ssh -L" in refused.value.message
    BridgeTerminal(host, allow_remote=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_by_any_name_is_spoken_to(host: str) -> None:
    BridgeTerminal(host)


def test_nobody_there_is_no_connection() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        api = BridgeTerminal(port=closed.getsockname()[1], timeout_scale=0.2)
        assert api.initialize() is False
        assert api.last_error()[0] == -10_004
        assert api.symbols_total() is None


def test_a_server_that_went_away_is_found_again(port: int, fake: FakeTerminal) -> None:
    api = BridgeTerminal(port=port)
    assert api.initialize()
    api._connection._channel.stream.sock.shutdown(socket.SHUT_RDWR)
    assert api.symbols_total() is None
    assert api.last_error()[0] == -10_004
    assert api.initialize()
    assert api.symbols_total() == 1
    api.close()


def test_a_line_that_breaks_in_a_trade_request_is_not_taken_for_none(port: int, fake: FakeTerminal) -> None:
    api = BridgeTerminal(port=port)
    assert api.initialize()
    line = api._connection._channel.stream.sock
    fake.during = lambda name: line.shutdown(socket.SHUT_RDWR) if name == "order_send" else None
    assert api.order_send({"action": 1}) is None
    assert api.last_error()[0] == -10_002  # it may have been carried out
    assert fake.asked("order_send") == 1
    assert api.order_send({"action": 1}) is None
    assert api.last_error()[0] == -10_004  # this one cannot have been
    assert fake.asked("order_send") == 1
    api.close()


def test_a_call_without_answer_times_out_and_its_late_answer_is_nobody_s(
    port: int, fake: FakeTerminal
) -> None:
    api = BridgeTerminal(port=port, timeout_scale=0.05)  # 0.45 s a call
    assert api.initialize()
    release = threading.Event()

    def during(name: str) -> None:
        if name == "symbols_total":
            release.wait(20)

    fake.during = during
    began = time.monotonic()
    assert api.symbols_total() is None
    assert time.monotonic() - began < 5
    assert api.last_error() == (-10_005, "IPC timeout")
    release.set()
    assert api.positions_total() is None  # not connected any more
    assert api.initialize()
    assert api.positions_total() == 0
    api.close()


def test_an_older_rpyc_on_the_other_side_is_named_with_its_cure() -> None:
    """RPyC 5 begins a message with the tag of a tuple (18), where 6 has the kind of the message."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def old_server() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                body = bytes([18]) + b"\x00" * 8
                connection.sendall(struct.pack("!LB", len(body), 0) + body + b"\n")
                connection.recv(4096)

        thread = threading.Thread(target=old_server, daemon=True)
        thread.start()
        api = BridgeTerminal(port=listener.getsockname()[1])
        assert api.initialize() is False
        code, text = api.last_error()
        thread.join(10)
    assert code == -5
    assert "invalid message type: 18" in text
    assert "pip install" in text


def test_a_python_without_the_module_is_named_with_its_cure(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "MetaTrader5", None)
    api = BridgeTerminal(port=port)
    assert api.initialize() is False
    assert api.last_error()[0] == -10_003
    assert "pip install MetaTrader5" in api.last_error()[1]


def test_what_is_no_rpyc_is_told(port: int) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def web_server() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=web_server, daemon=True)
        thread.start()
        api = BridgeTerminal(port=listener.getsockname()[1], timeout_scale=0.2)
        assert api.initialize() is False
        assert api.last_error()[0] in {-10_004, -10_005}
        thread.join(10)


def test_it_is_a_terminal() -> None:
    def as_terminal(api: Mt5Api) -> Mt5Api:
        return api

    assert as_terminal(BridgeTerminal()).version() is None
