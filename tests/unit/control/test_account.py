"""The account as decisions see it, over a terminal of which the test says every price. Worked by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.accounts.record import How
from backend.accounts.service import Money, MoneyRecords
from backend.control.account import DeskAccount, PositionRisk, with_references
from backend.core.errors import DeskError, NotFound
from backend.core.instruments import Instrument
from backend.risk.limits import RiskLimits, parse_limits
from backend.storage.files import FileStorage
from backend.trading.account import BY_HAND, AccountState
from tests.fakes.broker_rows import MAGIC
from tests.fakes.order_desk import UTC_CLOCK, OrderDesk

BUY, SELL, BUY_LIMIT = 0, 1, 2
HERS = 77
"""Another program's number."""


class Desk(OrderDesk):
    """With the account."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.owners: dict[int, str] = {}
        self.first_stops: dict[int, float] = {}
        self.unknown: set[str] = set()
        records = MoneyRecords(
            FileStorage(data, fsync=False), self.client, self.dealer, self, UTC_CLOCK, lambda held, at: None
        )
        self.account = DeskAccount(
            records,
            self.client,
            self.dealer,
            self.instrument,
            RiskLimits,
            magic=MAGIC,
            owners=lambda: self.owners,
            first_stops=lambda: self.first_stops,
        )

    def instrument(self, symbol: str) -> Instrument:
        if symbol in self.unknown:
            raise NotFound("unknown_symbol", symbol)
        return self.client.instrument(symbol)

    def state(self) -> AccountState:
        return self.account.state()

    def risks(self) -> list[PositionRisk]:
        return self.account.risks(self.client.positions(), "USD")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_open_risk_is_from_the_worth_now_down_to_the_stop(desk: Desk) -> None:
    desk.open(BUY, 1.0, sl=1.0900)  # at 1.1002
    desk.stage.price(1.1050)
    assert desk.state().open_risk == Decimal(1500)  # 150 pips of 10 USD, what it earned so far included


def test_a_stop_beyond_the_price_risks_nothing(desk: Desk) -> None:
    ticket = desk.open(BUY, 1.0, sl=1.0900)
    desk.stage.price(1.1100)
    desk.stage.done({"action": 6, "symbol": "EURUSD", "position": ticket, "sl": 1.1050})
    assert desk.state().open_risk == Decimal(500)


def test_risk_in_another_currency_is_converted_at_the_stop(desk: Desk) -> None:
    desk.stage.deal(
        SELL, 1.0, symbol="USDJPY", magic=MAGIC, sl=151.020
    )  # at 150.000; closed at the ask 150.020
    # To the stop: 1.020 × 100,000 ÷ 151.020; now: 0.020 × 100,000 ÷ 150.020.
    found = desk.state().open_risk
    assert found is not None
    assert float(found) == pytest.approx(102_000 / 151.020 - 2_000 / 150.020, abs=0.01)


def test_pending_orders_count_with_their_side_price_risk_and_exposure(desk: Desk) -> None:
    ticket = desk.pend(BUY_LIMIT, 1.0950, sl=1.0930)  # 1 lot, 20 pips
    desk.owners[ticket] = "trend"
    state = desk.state()
    (trade,) = state.trades
    assert (trade.pending, trade.strategy, trade.symbol, trade.side) == (True, "trend", "EURUSD", "buy")
    assert state.open_risk == Decimal(200)
    assert state.exposure == {"EUR": Decimal(109500), "USD": Decimal(-109500)}


def test_what_is_ours_is_told_by_the_number_and_whose_it_is_by_the_ideas(desk: Desk) -> None:
    ours, by_hand = desk.open(), desk.open()
    desk.owners[ours] = "trend"
    desk.open(SELL, magic=HERS)
    assert [trade.strategy for trade in desk.state().trades] == ["trend", BY_HAND, None]
    assert by_hand


@pytest.mark.parametrize(("magic", "risk"), [(MAGIC, None), (HERS, Decimal(0))])
def test_only_a_trade_of_ours_without_a_stop_makes_the_risk_unknown(
    desk: Desk, magic: int, risk: Decimal | None
) -> None:
    desk.stage.deal(BUY, 1.0, magic=magic)
    state = desk.state()
    assert state.open_risk == risk
    assert state.exposure["EUR"] > 0
    assert state.margin > 0


def test_a_trade_of_others_with_a_stop_is_in_the_risk(desk: Desk) -> None:
    desk.stage.deal(BUY, 1.0, magic=HERS, sl=1.0990)
    assert desk.state().open_risk == Decimal(100)


def test_a_trade_of_ours_of_a_symbol_that_cannot_be_told_makes_the_risk_unknown(desk: Desk) -> None:
    desk.open()
    desk.unknown.add("EURUSD")
    told: list[tuple[str, DeskError]] = []
    state = desk.account.state(lambda symbol, error: told.append((symbol, error)))
    assert state.open_risk is None
    assert [symbol for symbol, _ in told] == ["EURUSD"]
    assert len(state.trades) == 1


def test_the_day_s_loss_counts_from_the_reset_and_not_from_the_balance_now(desk: Desk) -> None:
    desk.state()
    ticket = desk.open(BUY, 1.0, sl=1.0900)
    desk.stage.price(1.0950)  # 52 pips down
    assert desk.state().day_loss == Decimal(520)
    desk.stage.done(
        {"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": SELL, "type_filling": 1, "position": ticket}
    )
    state = desk.state()
    assert (str(state.balance), state.day_loss) == ("9480.0", Decimal(520))


def test_the_risk_of_a_position_in_money_and_in_what_its_first_stop_would_have_lost(desk: Desk) -> None:
    ticket = desk.open(BUY, 0.5, sl=1.0902)  # at 1.1002: 100 pips of 5 USD are 1 R
    desk.first_stops[ticket] = 1.0902
    desk.stage.price(1.1052)
    desk.stage.done({"action": 6, "symbol": "EURUSD", "position": ticket, "sl": 1.1027})
    (risk,) = desk.risks()
    assert (risk.money, risk.in_r, risk.moved_r) == (Decimal(125), Decimal("0.25"), Decimal("0.5"))
    assert desk.state().open_risk == risk.money


def test_what_is_not_known_of_a_position_is_told_as_unknown(desk: Desk) -> None:
    desk.stage.deal(BUY, 1.0, magic=HERS, sl=1.0990)
    desk.stage.deal(BUY, 1.0, magic=MAGIC)
    others, bare = desk.risks()
    assert (others.money, others.in_r, others.moved_r) == (Decimal(100), None, None)
    assert (bare.money, bare.in_r, bare.moved_r) == (None, None, None)
    desk.unknown.add("EURUSD")
    assert {one.money for one in desk.risks()} == {None}


REFERENCES: list[tuple[dict[str, Any], dict[str, Any], int, int]] = [
    ({"reset_from": "balance"}, {"kind": "trailing"}, 100, 130),
    ({"reset_from": "equity"}, {"kind": "trailing_end_of_day"}, 90, 120),
    ({"reset_from": "higher"}, {"kind": "static"}, 100, 130),
]


@pytest.mark.parametrize(("day", "drawdown", "reference", "peak"), REFERENCES)
def test_the_limits_choose_reference_and_peak(
    desk: Desk, day: dict[str, Any], drawdown: dict[str, Any], reference: int, peak: int
) -> None:
    money = Money(
        initial_balance=Decimal(80),
        peak=Decimal(130),
        day_peak=Decimal(120),
        reset_at=datetime(2026, 1, 1, tzinfo=UTC) - timedelta(hours=2),
        balance=Decimal(100),
        equity=Decimal(90),
        how=How.SEEN,
        unexplained=False,
        notes=(),
    )
    limits = parse_limits({"daily_loss": day, "drawdown": drawdown})
    state = with_references(desk.state(), money, limits)
    assert (state.day_reference, state.peak, state.initial_balance) == (
        Decimal(reference),
        Decimal(peak),
        Decimal(80),
    )
    unknown = with_references(desk.state(), replace(money, equity=None), limits)
    assert unknown.day_reference == Decimal(100)
