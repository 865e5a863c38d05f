"""The strictness of the module's arguments, rule by rule."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from backend.mt5.api import CallFailed
from backend.mt5.checked import CheckedApi
from backend.mt5.constants import RES_E_FAIL
from backend.mt5.structures import TradeRequest


class Recorder(CheckedApi):
    """A terminal that answers with the arguments that came through."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: tuple[Any, ...] = ()

    def _call(self, function: str, *args: Any, **given: Any) -> Any:
        self.seen = (function, args, given)
        if function == "symbols_total":
            raise CallFailed(RES_E_FAIL, "Terminal: Call failed")
        return True


@pytest.fixture
def api() -> Recorder:
    return Recorder()


def refused(api: Any, answer: Any, text: str) -> None:
    assert answer is None
    assert api.last_error() == (-2, text)
    assert api.seen == ()


def test_wrong_count_is_invalid_arguments(api: Any) -> None:
    refused(api, api.copy_rates_from_pos("EURUSD", 1, 0), "Invalid arguments")
    refused(api, api.symbol_info(), "Invalid arguments")
    refused(api, api.symbol_info_tick("EURUSD", 1), "Invalid arguments")


def test_functions_that_answer_bool_give_false(api: Any) -> None:
    assert api.symbol_select() is False
    assert api.market_book_add("x" * 30) is False
    assert api.login() is False


def test_positions_and_orders_take_no_unnamed_arguments(api: Any) -> None:
    refused(api, api.positions_get("EURUSD"), "Unnamed arguments not allowed")
    refused(api, api.orders_get(1), "Unnamed arguments not allowed")


def test_ticket_wins_over_symbol_over_group(api: Any) -> None:
    api.positions_get(group="*", symbol="EURUSD", ticket=7)
    assert api.seen == ("positions_get", (), {"ticket": 7})
    api.positions_get(group="*", symbol="EURUSD")
    assert api.seen == ("positions_get", (), {"symbol": "EURUSD"})


@pytest.mark.parametrize("units", [29, 30])
def test_symbols_have_at_most_29_utf16_units(api: Any, units: int) -> None:
    good = units == 29
    assert (api.symbol_info("x" * units) is True) == good
    # One emoji is two units.
    assert (api.symbol_info("x" * (units - 2) + "\N{CHART WITH UPWARDS TREND}") is True) == good


@pytest.mark.parametrize("value", [None, 5, b"EURUSD", "\ud800"])
def test_symbols_are_str(api: Any, value: Any) -> None:
    refused(api, api.symbol_info(value), 'Invalid "symbol" argument')


@pytest.mark.parametrize("value", ["H1", None, 1.0, 2**40])
def test_wrong_type_of_a_timeframe_is_a_system_error(api: Any, value: Any) -> None:
    with pytest.raises(
        SystemError, match="<built-in function copy_rates_from_pos> returned a result with an exception set"
    ):
        api.copy_rates_from_pos("EURUSD", value, 0, 10)


def test_numpy_integers_pass_where_an_index_is_enough(api: Any) -> None:
    api.copy_rates_from_pos("EURUSD", np.int64(16_385), np.int32(0), np.uint8(10))
    assert api.seen[1] == ("EURUSD", 16_385, 0, 10)


def test_prices_and_volumes_of_calculations_may_be_ints_but_not_text(api: Any) -> None:
    api.order_calc_margin(0, "EURUSD", 1, 1)
    assert api.seen[1] == (0, "EURUSD", 1.0, 1.0)
    with pytest.raises(SystemError):
        api.order_calc_margin(0, "EURUSD", "1", 1.1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000.9, 1_700_000_000),
        (datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), 1_700_000_000),
        (datetime(2023, 11, 14, 22, 13, 20, 999_999, tzinfo=UTC), 1_700_000_000),
        (2**31, -(2**31)),  # cut to 32 bits, as C does
        (2**32 + 5, 5),
    ],
)
def test_dates_become_int32_seconds(api: Any, value: Any, seconds: int) -> None:
    api.copy_rates_from("EURUSD", 1, value, 10)
    assert api.seen[1] == ("EURUSD", 1, seconds, 10)


def test_naive_datetimes_are_in_the_computer_s_zone(api: Any) -> None:
    naive = datetime(2024, 6, 1, 12)  # noqa: DTZ001 - the rule is about these
    api.copy_rates_from("EURUSD", 1, naive, 10)
    assert api.seen[1][2] == int(naive.timestamp())


def test_zero_is_a_date_not_given(api: Any) -> None:
    refused(api, api.copy_rates_from("EURUSD", 1, 0, 10), "Invalid arguments")
    refused(api, api.history_deals_total(0, 1_700_000_000), "Invalid arguments")


@pytest.mark.parametrize("value", ["2024-01-01", None, float("nan"), float("inf"), np.int64(5)])
def test_what_is_no_date(api: Any, value: Any) -> None:
    refused(api, api.copy_rates_range("EURUSD", 1, value, 1_700_000_000), 'Invalid "date_from" argument')


def test_history_wants_an_interval_or_a_ticket_or_a_position(api: Any) -> None:
    refused(api, api.history_deals_get(), "Invalid arguments")
    refused(api, api.history_deals_get(1_700_000_000), "Invalid arguments")
    api.history_deals_get(1_600_000_000, 1_700_000_000, group="*USD*")
    assert api.seen[1:] == ((1_600_000_000, 1_700_000_000), {"group": "*USD*"})
    api.history_deals_get(position=5, ticket=6)
    assert api.seen[1:] == ((), {"ticket": 6})


@pytest.mark.parametrize("field", ["volume", "price", "stoplimit", "sl", "tp"])
def test_a_request_s_prices_must_be_float(api: Any, field: str) -> None:
    refused(api, api.order_send({field: 1}), f'Invalid "{field}" argument')
    api.order_send({field: np.float64(1.5)})
    assert getattr(api.seen[1][0], field) == 1.5


@pytest.mark.parametrize(
    "field",
    [
        "action",
        "magic",
        "order",
        "deviation",
        "type",
        "type_filling",
        "type_time",
        "expiration",
        "position",
        "position_by",
    ],
)
def test_a_request_s_integers_must_be_python_int(api: Any, field: str) -> None:
    refused(api, api.order_check({field: np.int64(1)}), f'Invalid "{field}" argument')
    refused(api, api.order_check({field: 1.0}), f'Invalid "{field}" argument')
    with pytest.raises(SystemError):
        api.order_check({field: -1})
    with pytest.raises(SystemError):
        api.order_check({field: 2**64})


def test_expiration_is_an_epoch_and_no_datetime(api: Any) -> None:
    refused(
        api, api.order_send({"expiration": datetime(2024, 1, 1, tzinfo=UTC)}), 'Invalid "expiration" argument'
    )


def test_a_comment_of_30_units_is_refused(api: Any) -> None:
    refused(api, api.order_send({"comment": "c" * 30}), 'Invalid "comment" argument')
    assert api.order_send({"comment": "c" * 29}) is True


def test_a_request_is_one_dict_or_keywords(api: Any) -> None:
    refused(api, api.order_send([1]), "Unnamed arguments not allowed")
    refused(api, api.order_send({"action": 1}, action=1), "Invalid arguments")
    refused(api, api.order_send({}, {}), "Invalid arguments")
    api.order_send(action=1, symbol="EURUSD", volume=0.1, unheard_of="ignored")
    sent = api.seen[1][0]
    assert isinstance(sent, TradeRequest)
    assert (sent.action, sent.symbol, sent.volume, sent.comment, sent.sl) == (1, "EURUSD", 0.1, "", 0.0)


def test_initialize_and_login_take_what_the_module_takes(api: Any) -> None:
    assert api.initialize() is True
    assert api.initialize("C:/terminal64.exe", login=5, password="p", server="s", timeout=3000, portable=True)
    assert api.seen == (
        "initialize",
        ("C:/terminal64.exe",),
        {"login": 5, "password": "p", "server": "s", "timeout": 3000, "portable": True},
    )
    assert api.login(5, "p", "s") is True
    assert api.seen == ("login", (5,), {"password": "p", "server": "s"})
    assert api.initialize("p" * 258) is False
    assert api.last_error() == (-2, 'Invalid "path" argument')
    assert api.login(5, password="p" * 254) is False
    assert api.initialize(unheard_of=1) is False


def test_every_call_forgets_the_last_error(api: Any) -> None:
    assert api.last_error() == (1, "Success")
    assert api.symbols_total() is None
    assert api.last_error() == (-1, "Terminal: Call failed")
    assert api.last_error() == (-1, "Terminal: Call failed")  # asking is no call
    api.symbol_info("EURUSD")
    assert api.last_error() == (1, "Success")


def test_functions_without_arguments_refuse_them_as_python_does(api: Any) -> None:
    with pytest.raises(TypeError):
        api.version(1)
    with pytest.raises(TypeError):
        api.symbol_info(symbol="EURUSD")
