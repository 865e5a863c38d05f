"""The native adapter over a module that behaves as the official one."""

import sys
from typing import Any

import pytest

from backend.adapters.native_terminal import NativeTerminal
from backend.core.errors import Unavailable
from backend.mt5.structures import STRUCTURES, SymbolInfo, Tick
from tests.fakes.terminal import symbol_info


def as_the_module_s(value: Any) -> Any:
    """A structure without `_fields`, of the same name: what the module gives."""
    fields = value._asdict()
    kind = type(type(value).__name__, (tuple,), {"_asdict": lambda self: fields, **fields})
    return kind(fields.values())


class Module:
    """Records its calls."""

    def __init__(self, *, signed_in: int = 7, starts: bool = True) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.signed_in = signed_in
        self.starts = starts
        self.error = (1, "Success")

    def last_error(self) -> tuple[int, str]:
        return self.error

    def initialize(self, *args: Any, **kwargs: Any) -> bool:
        self.calls.append(("initialize", args, kwargs))
        self.error = (1, "Success") if self.starts or "login" in kwargs else (-6, "Authorization failed")
        return self.error[0] == 1

    def login(self, *args: Any, **kwargs: Any) -> bool:
        self.calls.append(("login", args, kwargs))
        return True

    def account_info(self) -> Any:
        return type("AccountInfo", (tuple,), {"login": self.signed_in, "_asdict": lambda _: {}})()

    def symbols_get(self) -> Any:
        return (as_the_module_s(symbol_info()), as_the_module_s(symbol_info("GBPUSD")))

    def symbol_info(self, name: str) -> Any:
        return as_the_module_s(symbol_info(name))

    def symbol_info_tick(self, _name: str) -> Any:
        return type("Tick", (tuple,), {"_asdict": lambda _: {"time": 1}})((1,))


def test_structures_become_ours() -> None:
    api = NativeTerminal(load=Module)
    assert api.symbol_info("EURUSD") == symbol_info()
    infos = api.symbols_get()
    assert [type(info) for info in infos] == [SymbolInfo, SymbolInfo]
    assert infos[1].name == "GBPUSD"


def test_other_fields_than_known_are_no_data() -> None:
    with pytest.raises(Unavailable) as failed:
        NativeTerminal(load=Module).symbol_info_tick("EURUSD")
    assert failed.value.code == "terminal_version"
    assert Tick.__name__ in STRUCTURES


def test_first_without_credentials_then_nothing_if_the_account_is_signed_in() -> None:
    module = Module(signed_in=7)
    api = NativeTerminal(path="C:/mt5/terminal64.exe", login=7, password="p", server="s", load=lambda: module)
    assert api.initialize()
    assert module.calls == [("initialize", ("C:/mt5/terminal64.exe",), {"timeout": 10_000})]


def test_another_account_is_signed_in_by_login() -> None:
    module = Module(signed_in=8)
    assert NativeTerminal(login=7, password="p", server="s", load=lambda: module).initialize()
    assert module.calls[-1] == ("login", (7,), {"password": "p", "server": "s", "timeout": 60_000})


def test_a_terminal_without_any_account_is_given_the_credentials() -> None:
    module = Module(starts=False)
    assert NativeTerminal(login=7, password="p", server="s", portable=True, load=lambda: module).initialize()
    name, _, given = module.calls[-1]
    assert name == "initialize"
    assert given == {"timeout": 60_000, "portable": True, "login": 7, "password": "p", "server": "s"}


def test_without_configured_account_its_refusal_stands() -> None:
    module = Module(starts=False)
    api = NativeTerminal(load=lambda: module)
    assert api.initialize() is False
    assert api.last_error() == (-6, "Authorization failed")


def test_a_caller_s_own_arguments_go_through_as_they_are() -> None:
    module = Module()
    NativeTerminal(login=7, load=lambda: module).initialize("x", timeout=5)
    assert module.calls == [("initialize", ("x",), {"timeout": 5})]


@pytest.mark.skipif(sys.platform == "win32", reason="the package exists there")
def test_without_the_package_it_says_what_to_do() -> None:
    with pytest.raises(Unavailable) as failed:
        NativeTerminal().initialize()
    assert failed.value.code == "no_metatrader5"
    assert "MT5UI_TERMINAL=bridge" in failed.value.message
