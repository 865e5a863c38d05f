"""Constants, structures and dtypes equal the table that was read off the module."""

import json
import pickle
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from backend.core.timeframes import Timeframe
from backend.mt5 import constants
from backend.mt5.api import FUNCTIONS
from backend.mt5.checked import CheckedApi
from backend.mt5.constants import CONSTANTS
from backend.mt5.groups import in_group
from backend.mt5.retcodes import RETCODES, SUCCESS, Then, is_success, retcode
from backend.mt5.structures import RATES_DTYPE, STRUCTURES, TICKS_DTYPE, TradeRequest
from backend.mt5.timeframes import CODES, timeframe_of

SPEC: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "mt5_api_spec.json").read_text(encoding="utf-8")
)
PYTHON_TYPES = {"float": float, "str": str, "bool": bool}


def test_the_223_constants_are_those_of_the_module() -> None:
    assert dict(CONSTANTS) == SPEC["constants"]
    assert len(CONSTANTS) == 223


def test_constants_stand_on_every_terminal_as_on_the_module() -> None:
    api: Any = CheckedApi()
    assert api.TIMEFRAME_H1 == 16_385
    assert {name: getattr(api, name) for name in CONSTANTS} == SPEC["constants"]


def test_what_the_module_forgot_is_there_but_not_among_its_constants() -> None:
    assert constants.TRADE_RETCODE_HEDGE_PROHIBITED == 10_046
    # Bits of a mask, not values of ORDER_FILLING_*.
    assert (constants.SYMBOL_FILLING_FOK, constants.SYMBOL_FILLING_IOC) == (1, 2)
    assert (constants.ORDER_FILLING_FOK, constants.ORDER_FILLING_IOC) == (0, 1)
    assert "SYMBOL_FILLING_FOK" not in CONSTANTS


@pytest.mark.parametrize("name", sorted(SPEC["structs"]))
def test_structures_have_the_module_s_fields_in_its_order_and_types(name: str) -> None:
    kind = STRUCTURES[name]
    fields = SPEC["structs"][name]
    assert kind._fields == tuple(field for field, _ in fields)
    hints = get_type_hints(kind)
    for field, type_name in fields:
        expected = TradeRequest if type_name == "TradeRequest" else PYTHON_TYPES.get(type_name, int)
        assert hints[field] is expected, field


@pytest.mark.parametrize("name", sorted(SPEC["structs"]))
def test_structures_can_be_pickled_and_turned_into_dicts(name: str) -> None:
    kind = STRUCTURES[name]
    value = kind(*range(len(kind._fields)))
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own bytes
    assert value._asdict() == dict(zip(kind._fields, range(len(kind._fields)), strict=True))


def test_arrays_have_the_module_s_packed_rows() -> None:
    for dtype, rows in ((RATES_DTYPE, SPEC["rates_dtype"]), (TICKS_DTYPE, SPEC["ticks_dtype"])):
        assert dtype.descr == [tuple(row) for row in rows]
        assert dtype.itemsize == 60


def test_the_32_functions_are_all_there() -> None:
    named = {signature.split("(")[0] for signature in SPEC["docstring_signatures"]}
    assert set(FUNCTIONS) == named
    assert len(FUNCTIONS) == 32
    assert all(callable(getattr(CheckedApi, name)) for name in named)


def test_timeframes_have_their_bit_codes() -> None:
    assert (CODES[Timeframe.M30], CODES[Timeframe.H4]) == (30, 4 | 0x4000)
    assert (CODES[Timeframe.D1], CODES[Timeframe.W1], CODES[Timeframe.MN1]) == (16_408, 32_769, 49_153)
    assert all(timeframe_of(code) is timeframe for timeframe, code in CODES.items())
    assert timeframe_of(7) is None


def test_only_three_return_codes_are_success() -> None:
    assert set(SUCCESS) == {10_008, 10_009, 10_010}
    # The earlier platform took any code from 10000 on for success: 10004 to 10046 but three are not.
    assert [code for code in range(10_000, 10_050) if is_success(code)] == [10_008, 10_009, 10_010]


def test_every_return_code_has_a_row_and_says_what_follows() -> None:
    codes = {value for name, value in CONSTANTS.items() if name.startswith("TRADE_RETCODE_")}
    assert set(RETCODES) == codes | {10_046}
    for code in (10_004, 10_020, 10_021):
        assert retcode(code).then is Then.FRESH_PRICE
    for code in (10_011, 10_012, 10_031):
        assert retcode(code).then is Then.UNKNOWN
    for code in (10_017, 10_026, 10_027):
        assert retcode(code).then is Then.PAUSE
    assert retcode(10_030).then is Then.NEXT_FILLING
    assert retcode(10_036).then is Then.RECONCILE
    assert retcode(10_019).name == "NO_MONEY"
    assert retcode(99_999).then is Then.FINAL


@pytest.mark.parametrize(
    ("group", "taken"),
    [
        ("*", ["EURUSD", "USDJPY", "XAUUSD"]),
        ("*USD", ["EURUSD", "XAUUSD"]),
        ("*,!*EUR*", ["USDJPY", "XAUUSD"]),
        ("EURUSD,USD*", ["EURUSD", "USDJPY"]),
        ("EUR", []),  # without a star the name must be equal
        ("!XAU*", ["EURUSD", "USDJPY"]),
        ("", []),
    ],
)
def test_groups_take_inclusions_then_exclusions(group: str, taken: list[str]) -> None:
    assert [name for name in ("EURUSD", "USDJPY", "XAUUSD") if in_group(name, group)] == taken
