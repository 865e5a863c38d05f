"""What is kept of an account's money, against a broker's books of which the test says every entry."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.accounts.deals import Holding
from backend.accounts.record import How
from backend.accounts.service import Money, MoneyRecords
from backend.core.errors import Invalid
from backend.mt5.account import Account, AccountKind, Position
from backend.mt5.orders import Deal
from backend.mt5.server_time import ServerClock
from backend.mt5.words import DealEntry, DealType
from backend.storage.files import FileStorage
from tests.fakes import broker_rows
from tests.fakes.desk import MovedClock

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
NOON = MIDNIGHT - timedelta(hours=12)
NAME = "accounts/7_Broker-Demo.json"


class Books:
    """An account, its deals, and what floats."""

    def __init__(self) -> None:
        self.clock = MovedClock(NOON)
        self.listed: list[Deal] = []
        self.hidden = 0  # the newest deals that the terminal does not show yet
        self.floating = Decimal(0)
        self.open: list[Position] = []
        self.worth: dict[datetime, Decimal] = {}
        self.asked: list[tuple[Holding, ...]] = []
        self.money(100_000, before=timedelta(days=1))

    def money(
        self, amount: float, kind: DealType = DealType.BALANCE, *, before: timedelta | None = None
    ) -> None:
        at = self.clock.at - (before or timedelta(0))
        self._add(type=kind, profit=Decimal(str(amount)), time=at, symbol="", volume=Decimal(0), price=None)

    def earn(self, amount: float, **fields: Any) -> None:
        self._add(profit=Decimal(str(amount)), entry=DealEntry.OUT, time=self.clock.at, **fields)

    def enter(self, number: int, **fields: Any) -> None:
        self._add(position_id=number, time=self.clock.at, **fields)
        self.open.append(broker_rows.position(number, opened_at=self.clock.at))

    def _add(self, **fields: Any) -> None:
        number = len(self.listed) + 1
        self.listed.append(broker_rows.deal(number, number, **fields))

    def account(self) -> Account:
        total = sum((deal.net for deal in self.listed), Decimal(0))
        credit = sum((d.net for d in self.listed if d.type is DealType.CREDIT), Decimal(0))
        equity = float(total + self.floating)
        return Account(
            login=7,
            name="",
            server="Broker-Demo",
            company="",
            kind=AccountKind.DEMO,
            currency="USD",
            currency_digits=2,
            leverage=100,
            hedging=True,
            balance=float(total - credit),
            equity=equity,
            credit=float(credit),
            profit=float(self.floating),
            margin=0.0,
            margin_free=equity,
            margin_level=None,
            margin_call=50.0,
            margin_stop_out=30.0,
            trade_allowed=True,
            trade_expert=True,
        )

    def positions(self) -> tuple[Position, ...]:
        return tuple(self.open)

    def deals(self, since: datetime, until: datetime | None = None) -> tuple[Deal, ...]:
        shown = self.listed[: len(self.listed) - self.hidden]
        return tuple(deal for deal in shown if deal.time >= since)

    def deals_of_position(self, position_id: int) -> tuple[Deal, ...]:
        return tuple(deal for deal in self.listed if deal.position_id == position_id)

    def then(self, held: Sequence[Holding], moment: datetime) -> Decimal | None:
        self.asked.append(tuple(held))
        return self.worth.get(moment)

    def records(self, folder: Path, shown: Account | None = None) -> MoneyRecords:
        storage = FileStorage(folder, fsync=False)
        terminal = self if shown is None else Stale(shown, self)
        return MoneyRecords(storage, terminal, self, self.clock, ServerClock.parse("UTC"), self.then)


class Stale:
    """An account as it was read a moment ago."""

    def __init__(self, account: Account, books: Books) -> None:
        self._account = account
        self.positions = books.positions

    def account(self) -> Account:
        return self._account


@pytest.fixture
def books() -> Books:
    return Books()


def look(books: Books, folder: Path, zone: str | None = None) -> Money:
    """As a process that has just been started sees it."""
    return books.records(folder).observe(zone)[1]


def of(money: Money, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(money, name) for name in names)


def test_at_first_what_was_put_in_is_the_beginning(books: Books, tmp_path: Path) -> None:
    money = look(books, tmp_path)
    assert money.initial_balance == money.peak == money.balance == money.equity == 100_000
    assert money.how is How.FLAT
    assert money.notes == ()


def test_the_peak_is_of_floating_equity_and_survives_a_restart(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    for floating, peak in ((250, 100_250), (-400, 100_250), (251, 100_251), (0, 100_251)):
        books.floating = Decimal(floating)
        assert look(books, tmp_path).peak == peak
    assert look(books, tmp_path).day_peak == 100_000  # no day has ended with it


def test_a_new_day_begins_with_balance_and_equity_of_its_midnight(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    books.earn(-300)
    books.floating = Decimal(700)
    books.clock.at = MIDNIGHT - timedelta(seconds=5)
    assert look(books, tmp_path).balance == 100_000
    books.clock.at = MIDNIGHT + timedelta(seconds=5)
    money = look(books, tmp_path)
    assert of(money, "balance", "equity", "how") == (99_700, 100_400, How.SEEN)
    assert money.reset_at == MIDNIGHT
    assert money.day_peak == 100_400
    books.floating = Decimal(-700)  # later moves change nothing of it
    books.clock.move(hours=3)
    assert look(books, tmp_path).equity == 100_400


def test_of_a_midnight_that_the_desk_did_not_see_deals_tell_the_balance_and_bars_the_equity(
    books: Books, tmp_path: Path
) -> None:
    look(books, tmp_path)
    books.enter(50, volume=Decimal("0.30"), commission=Decimal(-3))
    books.clock.at = MIDNIGHT - timedelta(hours=2)
    books.earn(120, position_id=50, type=DealType.SELL, volume=Decimal("0.10"))
    books.clock.at = MIDNIGHT + timedelta(hours=4)
    books.earn(-500, position_id=50, type=DealType.SELL, volume=Decimal("0.20"))
    books.open.clear()
    books.worth[MIDNIGHT] = Decimal("-80.50")
    money = look(books, tmp_path)
    assert of(money, "balance", "equity", "how") == (100_117, Decimal("100036.50"), How.BARS)
    lots = Decimal("0.20")
    assert books.asked == [(Holding(symbol="EURUSD", buy=True, lots=lots, price=Decimal("1.10000")),)]


def test_where_no_bars_tell_the_equity_it_is_unknown_and_said_so(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    books.enter(50)
    books.clock.at = MIDNIGHT + timedelta(hours=4)
    money = look(books, tmp_path)
    assert of(money, "balance", "equity", "how") == (100_000, None, How.UNKNOWN)
    assert "no bars tell their worth" in money.notes[-1]


def test_every_day_that_was_missed_counts_for_the_highest_end_of_a_day(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    for days, earned in ((0, 900), (1, -400), (2, 100)):
        books.clock.at = NOON + timedelta(days=days, hours=1)
        books.earn(earned)
    books.clock.at = NOON + timedelta(days=4)
    money = look(books, tmp_path)
    assert money.day_peak == 100_900
    assert money.balance == 100_600
    stored = json.loads((tmp_path / NAME).read_text())
    assert [day["balance"] for day in stored["days"]] == ["0", "900", "500", "600", "600"]


@pytest.mark.parametrize("kind", [DealType.BALANCE, DealType.CREDIT, DealType.BONUS, DealType.CORRECTION])
@pytest.mark.parametrize("amount", [5_000, -20_000])
def test_money_put_in_or_taken_out_moves_every_reference(
    books: Books, tmp_path: Path, kind: DealType, amount: int
) -> None:
    books.floating = Decimal(300)
    before = look(books, tmp_path)
    books.money(amount, kind)
    account, money = books.records(tmp_path).observe(None)
    for name in ("initial_balance", "peak", "day_peak", "balance", "equity"):
        assert getattr(money, name) - getattr(before, name) == amount, name
    assert Decimal(str(account.equity)) == money.peak  # neither a profit nor a loss
    assert look(books, tmp_path) == money


def test_a_broker_s_charge_is_a_loss(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    books.money(-25, DealType.COMMISSION_MONTHLY)
    money = look(books, tmp_path)
    assert of(money, "initial_balance", "balance", "peak") == (100_000, 100_000, 100_000)


def test_a_deposit_that_the_history_shows_late_is_never_a_profit(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    books.money(50_000)
    books.hidden = 1
    assert look(books, tmp_path).peak == 100_000
    books.clock.move(seconds=10)
    books.hidden = 0
    money = look(books, tmp_path)
    assert of(money, "peak", "initial_balance") == (150_000, 150_000)
    assert money.notes == ()


def test_a_balance_that_nothing_explains_counts_after_a_while_and_is_named(
    books: Books, tmp_path: Path
) -> None:
    look(books, tmp_path)
    books.earn(-1_000)
    books.hidden = 1
    assert "no deal explains" in look(books, tmp_path).notes[-1]
    books.clock.move(minutes=2)
    money = look(books, tmp_path)
    assert "from 100000 to 99000" in money.notes[-1]
    assert money.initial_balance == 100_000


def test_deals_that_came_while_the_account_was_read_are_counted_once(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    books.earn(200)
    old = books.account()
    books.money(1_000)
    assert books.records(tmp_path, old).observe(None)[1].peak == 100_200
    money = look(books, tmp_path)
    assert of(money, "peak", "initial_balance") == (101_200, 101_000)


def test_an_account_that_traded_before_has_the_peak_of_its_balance_and_says_what_is_not_known(
    books: Books, tmp_path: Path
) -> None:
    books.clock.at = NOON - timedelta(hours=2)
    books.earn(4_000)
    books.earn(-1_500)
    books.clock.at = NOON
    money = look(books, tmp_path)
    assert of(money, "initial_balance", "peak") == (100_000, 104_000)
    assert "before 2026-03-02T12:00:00Z is not known" in money.notes[0]


def test_a_history_that_does_not_explain_the_balance_begins_with_the_balance(
    books: Books, tmp_path: Path
) -> None:
    books.earn(500)
    books.hidden = len(books.listed)
    money = look(books, tmp_path)
    assert money.initial_balance == money.peak == money.day_peak == 100_500
    assert "do not explain its balance" in money.notes[0]


def test_another_zone_begins_another_day(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    books.earn(-300)
    books.clock.move(hours=6)  # 18:00 UTC: in Tokyo it is 03:00 of the day after
    assert look(books, tmp_path).balance == 100_000
    money = look(books, tmp_path, "Asia/Tokyo")
    assert of(money, "balance", "reset_at") == (99_700, MIDNIGHT - timedelta(hours=9))


def test_logins_and_servers_have_records_of_their_own(books: Books, tmp_path: Path) -> None:
    books.floating = Decimal(900)
    look(books, tmp_path)
    books.floating = Decimal(0)
    live = books.records(tmp_path, replace(books.account(), server="Broker-Live"))
    assert live.observe(None)[1].peak == 100_000
    assert look(books, tmp_path).peak == 100_900


@pytest.mark.parametrize("damage", [b'{"login": 7', b'{"login": 7}', b"[]"])
def test_a_damaged_record_is_kept_aside_told_once_and_made_again(
    books: Books, tmp_path: Path, damage: bytes
) -> None:
    look(books, tmp_path)
    (tmp_path / NAME).write_bytes(damage)
    with pytest.raises(Invalid):
        look(books, tmp_path)
    assert any("7_Broker-Demo" in path.name for path in (tmp_path / "accounts").glob("*.*-*"))
    assert look(books, tmp_path).initial_balance == 100_000


def test_a_replay_that_begins_again_begins_anew(books: Books, tmp_path: Path) -> None:
    books.floating = Decimal(900)
    look(books, tmp_path)
    books.floating = Decimal(0)
    books.clock.move(days=-30)
    books.listed.clear()
    books.money(100_000)
    books.earn(10)
    assert look(books, tmp_path).peak == 100_010


def test_many_who_look_at_once_lose_nothing(books: Books, tmp_path: Path) -> None:
    look(books, tmp_path)
    books.earn(10)
    books.money(1_000)
    books.floating = Decimal(5)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: look(books, tmp_path), range(24)))
    assert {(money.initial_balance, money.peak, money.balance) for money in found} == {
        (Decimal(101_000), Decimal(101_015), Decimal(101_000))
    }


def test_a_look_at_which_nothing_is_new_writes_nothing(books: Books, tmp_path: Path) -> None:
    records = books.records(tmp_path)
    records.observe(None)
    before = (tmp_path / NAME).stat()
    books.floating = Decimal(-100)
    books.clock.move(seconds=10)
    records.observe(None)
    after = (tmp_path / NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
