"""config/simulator.json: what it may say, and how it is refused."""

from decimal import Decimal
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.simulator.faults import Fault
from backend.simulator.symbols import SYMBOLS
from backend.simulator.terms import BrokerTerms, read_terms

EURUSD, GBPUSD = SYMBOLS[:2]


def test_an_empty_file_changes_nothing() -> None:
    assert read_terms({}) == BrokerTerms()
    assert BrokerTerms().applied(EURUSD) is EURUSD


def test_every_part_is_read() -> None:
    terms = read_terms(
        {
            "account": {"balance": 2500.5, "currency": "EUR", "hedging": False, "commission": 3.5},
            "symbols": {"*": {"stops_level": 20, "swap_long": -1}, "EURUSD": {"stops_level": 5}},
            "faults": {"seed": 3, "chances": {"requote": 0.1}, "script": {"4": "no_answer"}},
        }
    )
    account = terms.account
    assert (account.balance, account.currency, account.hedging) == (Decimal("2500.5"), "EUR", False)
    assert account.commission == Decimal("3.5")
    assert (terms.applied(EURUSD).stops_level, terms.applied(GBPUSD).stops_level) == (5, 20)
    assert terms.applied(EURUSD).swap_long == -1.0
    assert (terms.faults.chances, terms.faults.script) == ({Fault.REQUOTE: 0.1}, {4: Fault.NO_ANSWER})


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ([], ""),
        ({"acount": {}}, "/acount"),
        ({"account": {"balance": "much"}}, "/account/balance"),
        ({"account": {"balance": -1}}, "/account/balance"),
        ({"account": {"balance": float("inf")}}, "/account/balance"),
        ({"account": {"leverage": 0}}, "/account/leverage"),
        ({"account": {"hedging": 1}}, "/account/hedging"),
        ({"account": {"leverage": 99.5}}, "/account/leverage"),
        ({"account": {"login": 5}}, "/account/login"),
        ({"symbols": {"EURUSD": {"digits": 3}}}, "/symbols/EURUSD/digits"),
        ({"symbols": {"EURUSD": {"volume_min": 0}}}, "/symbols/EURUSD/volume_min"),
        ({"symbols": {"EURUSD": []}}, "/symbols/EURUSD"),
        ({"faults": {"chances": {"requote": 1.5}}}, "/faults/chances/requote"),
        ({"faults": {"chances": {"requote": 0.6, "slow": 0.6}}}, "/faults/chances"),
        ({"faults": {"chances": {"fire": 0.1}}}, "/faults/chances/fire"),
        ({"faults": {"script": {"0": "slow"}}}, "/faults/script/0"),
        ({"faults": {"script": {"1": "fire"}}}, "/faults/script/1"),
    ],
)
def test_a_mistake_is_named_by_its_place(data: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_terms(data)
    assert refused.value.details["pointer"] == pointer
    assert "config/simulator.json" in refused.value.message
