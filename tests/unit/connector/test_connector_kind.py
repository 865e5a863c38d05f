"""Whether real money may be behind the connector: it says so itself, and silence changes nothing."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.adapters.connector_kind import ASK_AGAIN, ConnectorKind
from backend.config import Settings
from backend.core.errors import Unavailable
from backend.services import Services


class Link:
    """A connector that says what the test gave it, or does not answer."""

    def __init__(self) -> None:
        self.says: Any = {"terminal": "simulated"}
        self.asked = 0

    def request(self, method: str, path: str, **_: Any) -> httpx.Response:
        self.asked += 1
        if self.says is None:
            raise Unavailable("no_connector", "none runs")
        request = httpx.Request(method, f"http://127.0.0.1{path}")
        return httpx.Response(200, json=self.says, request=request)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    return seconds


def test_simulated_and_replayed_markets_hold_no_money_and_all_else_may(clock: list[float]) -> None:
    for says, expected in (("simulated", ""), ("replay", ""), ("native", "native"), ("bridge", "bridge")):
        link = Link()
        link.says = {"terminal": says}
        assert ConnectorKind(link).real() == expected  # type: ignore[arg-type]


def test_it_is_asked_every_few_seconds_and_silence_keeps_what_was_said(clock: list[float]) -> None:
    link = Link()
    kind = ConnectorKind(link)  # type: ignore[arg-type]
    link.says = None
    assert kind.real() == ""
    link.says = {"terminal": "native"}
    assert kind.real() == ""
    clock[0] += ASK_AGAIN
    assert kind.real() == "native"
    silences: list[Any] = [None, [], {"terminals": 1}]
    for silence in silences:
        link.says = silence
        clock[0] += ASK_AGAIN
        assert kind.real() == "native"
    assert link.asked == 5
    link.says = {"terminal": "simulated"}
    clock[0] += ASK_AGAIN
    assert kind.real() == ""


def test_a_desk_whose_settings_say_simulated_asks_for_sign_in_where_the_connector_says_native(
    tmp_path: Path, clock: list[float]
) -> None:
    services = Services(Settings(home=tmp_path))
    link = Link()
    services.__dict__["connector_link"] = link
    assert services.why_sign_in is None
    link.says = {"terminal": "native"}
    clock[0] += ASK_AGAIN
    assert services.why_sign_in == (
        "its connector says that the terminal is native, which may hold real money"
    )
