"""What travels to the terminal arrives as the same Python type."""

import enum
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from backend.mt5 import wire
from backend.mt5.structures import RATES_DTYPE, OrderCheckResult, Tick, TradeRequest
from tests.fakes.terminal import structure


class Action(enum.IntEnum):
    DEAL = 1


def there_and_back(value: Any) -> Any:
    args, kwargs = wire.load_arguments(wire.dump_arguments((value,), {"name": value}))
    assert type(kwargs["name"]) is type(args[0])
    return args[0]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        1,
        1.0,
        -0.0,
        2**80,
        -(2**63),
        0.1 + 0.2,
        float("inf"),
        "",
        "é – 日本",
        "\ud800",
        [1, 1.0, [True]],
        (1, (2.0,)),
        {"volume": 1.0, "magic": 1},
        {"$": "not a kind"},
        {1: 2, "x": (3,)},
        np.int64(5),
        np.uint8(200),
        np.float32(1.5),
        np.True_,
    ],
    ids=repr,
)
def test_types_stay_apart(value: Any) -> None:
    back = there_and_back(value)
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_nan_stays_nan() -> None:
    assert np.isnan(there_and_back(float("nan")))


def test_subclasses_of_plain_types_are_what_they_look_like() -> None:
    assert type(there_and_back(np.float64(1.5))) is float
    assert type(there_and_back(Action.DEAL)) is int


def test_dates_are_numbers() -> None:
    assert there_and_back(datetime(2025, 1, 1, tzinfo=UTC)) == 1_735_689_600.0


def test_anything_else_is_something_that_no_terminal_accepts() -> None:
    for strange in (object(), {1, 2}, b"x", 1j, np.datetime64("2025-01-01")):
        assert isinstance(there_and_back(strange), wire.Opaque)


def test_results_keep_their_structure() -> None:
    tick = structure(Tick, time=1, bid=1.1, flags=6)
    check = structure(OrderCheckResult, request=structure(TradeRequest, symbol="EURUSD"), comment="Done")
    for result in (tick, (tick, tick), (), check, (500, 1, "x"), 3, 3.0, True, None):
        back = wire.load_result(wire.dump_result(result))
        assert back == result
        assert type(back) is type(result)
    assert type(wire.load_result(wire.dump_result(check)).request) is TradeRequest


def test_arrays_travel_as_bytes() -> None:
    rates = np.zeros(3, dtype=RATES_DTYPE)
    rates["close"] = [1.1, np.nan, 2.0]
    back = wire.load_array(wire.array_kind(rates), rates.tobytes())
    assert (back.dtype, back.tobytes()) == (rates.dtype, rates.tobytes())
    with pytest.raises(ValueError, match="dtype"):
        wire.array_kind(np.zeros(3))


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b'{"args": {}}',
        b'{"args": [], "more": 1}',
        b'{"kwargs": []}',
        b'{"args": [{"$": "exec", "code": "1"}]}',
        b'{"args": [{"$": "struct", "type": "Popen", "fields": {}}]}',
        b'{"args": [{"$": "struct", "type": "Tick", "fields": {"time": 1}}]}',
        b'{"args": [{"$": "numpy", "dtype": "no", "value": 1}]}',
        b'{"args": [{"$": "tuple"}]}',
        b'{"args": [{"$": ["list"]}]}',
        b'{"args"',
    ],
)
def test_other_text_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        wire.load_arguments(text)


def test_only_the_terminal_s_own_exceptions_come_back_as_themselves() -> None:
    assert type(wire.exception_of("SystemError", "x")) is SystemError
    assert type(wire.exception_of("KeyboardInterrupt", "x")) is RuntimeError
