"""What a system's keyring may do: be missing or locked, hang, raise anything, and lose what it got."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked

from backend.adapters.system_keyring import SystemKeyring
from backend.core.errors import Unavailable


class Backend(KeyringBackend):
    """One in memory; `during` happens in each call."""

    priority: Any = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.calls = 0

    def during(self) -> None:
        """Nothing, unless a test says otherwise."""

    def get_password(self, service: str, username: str) -> str | None:
        self.calls += 1
        self.during()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls += 1
        self.during()
        self.kept[service, username] = password


@pytest.fixture
def backend() -> Iterator[Backend]:
    before = keyring.get_keyring()
    made = Backend()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def refusal(ring: SystemKeyring, *, writes: bool = False) -> str:
    with pytest.raises(Unavailable) as told:
        ring.write("a key") if writes else ring.read()
    assert told.value.code == "no_keyring"
    assert told.value.message.endswith("nothing was changed")
    return told.value.message


def test_each_desk_has_its_own(backend: Backend) -> None:
    one, other = SystemKeyring("/one"), SystemKeyring("/other")
    assert one.read() is None
    one.write("key of one")
    other.write("key of other")
    assert (one.read(), other.read()) == ("key of one", "key of other")
    assert set(backend.kept) == {("mt5ui", "/one"), ("mt5ui", "/other")}


@pytest.mark.parametrize("writes", [False, True])
def test_where_there_is_none_it_says_so(backend: Backend, writes: bool) -> None:
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    message = refusal(SystemKeyring("/a"), writes=writes)
    assert "there is none" in message
    assert "Unlock" not in message


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(
    "error", [KeyringLocked("Failed to unlock the collection!"), ConnectionResetError("gone"), EOFError()]
)
def test_whatever_it_raises_is_told(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, error: Exception, writes: bool
) -> None:
    """A Secret Service that ends in between raises what its own library raises, not keyring's errors."""

    def fails() -> None:
        raise error

    monkeypatch.setattr(backend, "during", fails)
    assert (str(error) or "EOFError") in refusal(SystemKeyring("/a"), writes=writes)


def test_one_that_keeps_nothing_is_not_believed(backend: Backend) -> None:
    keyring.set_keyring(null.Keyring())  # type: ignore[no-untyped-call]
    assert "did not keep" in refusal(SystemKeyring("/a"), writes=True)


@pytest.mark.parametrize("writes", [False, True])
def test_one_that_hangs_holds_nobody_up_and_is_not_asked_again_meanwhile(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, writes: bool
) -> None:
    over = threading.Event()
    monkeypatch.setattr(backend, "during", lambda: over.wait(30) and None)
    ring = SystemKeyring("/a", patience=0.05)
    began = time.monotonic()
    assert "within 0.05 seconds" in refusal(ring, writes=writes)
    for _ in range(20):
        assert "still does not answer" in refusal(ring, writes=writes)
    assert time.monotonic() - began < 10
    assert backend.calls == 1
    (hanging,) = [thread for thread in threading.enumerate() if thread.name == "keyring"]
    assert hanging.daemon, "a process can end while it hangs"
    over.set()
    hanging.join(10)
    ring.write("a key")
    assert ring.read() == "a key"
