"""Filling modes and lifetimes come from masks, whose bits are not the modes' numbers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.mt5.answers import CheckAnswer
from backend.mt5.orders import OrderRequest
from backend.mt5.terms import TradingTerms
from backend.mt5.words import Filling, OrderType, TimeType, TradeAction
from backend.orders.filling import fillings, lifetimes, negotiate, variants

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, 22, tzinfo=UTC)
FOK, IOC, RETURN = Filling.FOK, Filling.IOC, Filling.RETURN


def terms(*, fillings: int = 3, expirations: int = 15) -> TradingTerms:
    return TradingTerms(
        mode=4,
        execution=2,
        fillings=fillings,
        expirations=expirations,
        orders=127,
        stops_level=0,
        freeze_level=0,
    )


def answer(retcode: int) -> CheckAnswer:
    zero = Decimal(0)
    return CheckAnswer(
        retcode=retcode,
        comment="",
        balance=zero,
        equity=zero,
        profit=zero,
        margin=zero,
        margin_free=zero,
        margin_level=0.0,
    )


@pytest.mark.parametrize(
    ("mask", "market", "waiting"),
    [
        (0, (RETURN,), (RETURN,)),
        (1, (FOK, RETURN), (RETURN, FOK)),
        (2, (IOC, RETURN), (RETURN, IOC)),
        (3, (FOK, IOC, RETURN), (RETURN, FOK, IOC)),
        (4, (RETURN,), (RETURN,)),  # book or cancel is nothing for an order that must be filled
        (7, (FOK, IOC, RETURN), (RETURN, FOK, IOC)),
    ],
)
def test_fillings_of_each_mask(mask: int, market: tuple[Filling, ...], waiting: tuple[Filling, ...]) -> None:
    assert fillings(terms(fillings=mask), pending=False) == market
    assert fillings(terms(fillings=mask), pending=True) == waiting


GTC, DAY = (TimeType.GTC, None), (TimeType.DAY, None)


@pytest.mark.parametrize(
    ("mask", "hours", "wanted"),
    [
        (15, 2, ["specified", "specified_day", "day", "gtc"]),
        (15, 20, ["specified", "specified_day", "gtc", "day"]),  # the day ends before the order shall
        (1, 2, ["gtc"]),
        (2, 20, ["day"]),
        (3, 2, ["day", "gtc"]),
        (3, 20, ["gtc", "day"]),
        (7, 2, ["specified", "day", "gtc"]),
        (8, 2, ["specified_day"]),
        (0, 2, ["gtc"]),
    ],
)
def test_lifetimes_of_each_mask(mask: int, hours: int, wanted: list[str]) -> None:
    expires = NOON + timedelta(hours=hours)
    found = lifetimes(terms(expirations=mask), expires, MIDNIGHT)
    assert [str(kind) for kind, _ in found] == wanted
    assert all((at == expires) is kind.has_expiry for kind, at in found)


def test_an_order_without_an_end_waits_as_long_as_it_can() -> None:
    assert lifetimes(terms(), None, MIDNIGHT) == (GTC, DAY)
    assert lifetimes(terms(expirations=2), None, MIDNIGHT) == (DAY,)


REQUEST = OrderRequest(
    action=TradeAction.PENDING,
    symbol="EURUSD",
    volume=Decimal("0.1"),
    type=OrderType.BUY_LIMIT,
    price=Decimal("1.09"),
)


def negotiated(refuse: dict[tuple[str, str], int]) -> tuple[list[tuple[str, str]], int]:
    wanted = variants(REQUEST, (RETURN, FOK), ((TimeType.SPECIFIED, MIDNIGHT), GTC))
    asked = []

    def check(request: OrderRequest) -> CheckAnswer:
        assert request.filling is not None
        key = (str(request.time_type), str(request.filling))
        asked.append(key)
        return answer(refuse.get(key, 0))

    left, last = negotiate(wanted, check)
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    return [(str(one.time_type), str(one.filling)) for one in left], last.retcode


def test_what_is_taken_at_once_is_asked_once() -> None:
    left, code = negotiated({})
    assert (left[0], len(left), code) == (("specified", "return"), 4, 0)


def test_a_refused_filling_leads_to_the_next() -> None:
    left, code = negotiated({("specified", "return"): 10030})
    assert (left, code) == ([("specified", "fok"), ("gtc", "return"), ("gtc", "fok")], 0)


def test_a_refused_lifetime_leads_to_the_next_lifetime() -> None:
    assert negotiated({("specified", "return"): 10022}) == ([("gtc", "return"), ("gtc", "fok")], 0)


def test_any_other_refusal_is_the_answer() -> None:
    left, code = negotiated({("specified", "return"): 10019})
    assert (left[0], code) == (("specified", "return"), 10019)


def test_where_nothing_is_offered_the_last_refusal_is_told() -> None:
    everything = {(time, mode): 10030 for time in ("specified", "gtc") for mode in ("return", "fok")}
    assert negotiated(everything) == ([], 10030)
    assert negotiated(dict.fromkeys(everything, 10022)) == ([], 10022)
