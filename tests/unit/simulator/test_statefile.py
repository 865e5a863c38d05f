"""The account on disk: nothing acknowledged is lost, nobody's file is taken for another's."""

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backend.core.errors import Unavailable
from backend.simulator.account import SimulatedAccount
from backend.simulator.build import account_file
from backend.simulator.statefile import BookFile
from backend.storage.files import FileStorage
from tests.fakes.scripted_market import START, Stage

ROOT = Path(__file__).resolve().parents[3]
BUY, SELL, BUY_LIMIT = 0, 1, 2


def file_in(folder: Path) -> BookFile:
    return BookFile(FileStorage(folder), "book.jsonl")


def again(stage: Stage, folder: Path) -> None:
    stage.api = stage.terminal(file_in(folder))


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    stage = Stage(SimulatedAccount(commission=Decimal("3.5")), file=file_in(tmp_path))
    long = stage.deal(BUY, 1.0, sl=1.09, magic=5, comment="kept")
    stage.deal(SELL, 0.4, position=long.order)
    stage.pend(BUY_LIMIT, 1.0950, tp=1.2)
    stage.done({"action": 8, "order": stage.pend(BUY_LIMIT, 1.08).order})
    stage.go(days=1)
    ages = (1, 2_000_000_000)

    def everything() -> tuple[object, ...]:
        api = stage.api
        lists = (api.positions_get(), api.orders_get())
        return (*lists, api.history_orders_get(*ages), api.history_deals_get(*ages), api.account_info())

    before = everything()
    again(stage, tmp_path)
    assert everything() == before
    assert stage.deal(BUY, 0.1).request_id == 6  # counting goes on


def test_what_happened_while_nobody_was_there_happens_at_its_time(tmp_path: Path) -> None:
    stage = Stage(file=file_in(tmp_path))
    stage.deal(BUY, 1.0, sl=1.0950)
    stage.price(1.0940, hours=3)
    stage.price(1.1100, hours=3)
    again(stage, tmp_path)
    closed = stage.deals()[-1]
    assert (closed.price, closed.time) == (1.0940, int((START + timedelta(hours=3)).timestamp()))


def test_an_account_of_another_kind_is_not_taken(tmp_path: Path) -> None:
    Stage(file=file_in(tmp_path))
    with pytest.raises(AssertionError):
        Stage(SimulatedAccount(hedging=False), file=file_in(tmp_path))
    stage = Stage()
    stage.terms = stage.terms.__class__(account=SimulatedAccount(currency="EUR"))
    with pytest.raises(AssertionError):
        again(stage, tmp_path)


def test_a_corrupt_line_is_named_and_the_terminal_does_not_connect(tmp_path: Path) -> None:
    stage = Stage(file=file_in(tmp_path))
    stage.deal(BUY, 1.0)
    path = tmp_path / "book.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"positions"', b'"positions', 1))
    from backend.simulator.terminal import SimulatedTerminal

    terminal = SimulatedTerminal(
        stage.market,
        server_clock=stage.api.server_clock,
        now=lambda: stage.now,
        file=file_in(tmp_path),
    )
    assert terminal.initialize() is False
    code, text = terminal.last_error()
    assert code == -1
    assert f"{path}, line 2" in text


def test_a_replay_that_begins_again_has_a_new_account(tmp_path: Path) -> None:
    stage = Stage(file=file_in(tmp_path), replays=True)
    stage.go(hours=1)
    stage.deal(BUY, 1.0)
    again(stage, tmp_path)
    assert stage.api.positions_total() == 1
    stage.now = START
    again(stage, tmp_path)
    assert stage.api.positions_total() == 0
    assert stage.api.account_info().balance == 10_000.0
    (aside,) = tmp_path.glob("book.jsonl.before-*")
    assert b'"positions"' in aside.read_bytes()


def test_a_live_account_waits_for_a_clock_that_was_set_back(tmp_path: Path) -> None:
    stage = Stage(file=file_in(tmp_path))
    stage.go(hours=1)
    held = stage.deal(BUY, 1.0).order
    stage.now = START
    again(stage, tmp_path)
    assert [p.ticket for p in stage.api.positions_get()] == [held]
    stage.deal(SELL, 1.0, position=held)
    first, second = stage.deals()
    assert second.time_msc >= first.time_msc


def test_a_disk_that_refuses_undoes_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(file=file_in(tmp_path))
    kept = stage.deal(BUY, 1.0).order

    def full(*_: object, **__: object) -> int:
        raise Unavailable("disk_full", "The disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(FileStorage, "append_jsonl", full)
        order = {"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": BUY, "type_filling": 1}
        assert stage.api.order_send(order) is None
        assert stage.api.last_error() == (-1, "Terminal: Call failed, The disk is full")
    assert [p.ticket for p in stage.api.positions_get()] == [kept]
    stage.deal(SELL, 1.0, position=kept)
    again(stage, tmp_path)
    assert stage.api.positions_get() == ()


def test_each_market_has_an_account_of_its_own() -> None:
    names = {
        account_file(7, None),
        account_file(8, None),
        account_file(7, Path("/a")),
        account_file(7, Path("/b")),
    }
    assert len(names) == 4


@pytest.mark.parametrize("rounds", [4, pytest.param(25, marks=pytest.mark.full)])
def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path, rounds: int) -> None:
    told: dict[str, set[int]] = {"position": set(), "order": set(), "removed": set(), "closed": set()}
    for round_ in range(rounds):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.order_child", str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            try:
                lines = [process.stdout.readline() for _ in range(7 + 5 * (round_ % 5))]
            finally:
                process.kill()
            lines += process.stdout.readlines()
        for line in lines:
            word, ticket = line.split()
            told[word.decode()].add(int(ticket))
        stage = Stage(file=file_in(tmp_path))
        positions = {p.ticket for p in stage.api.positions_get()}
        orders = {o.ticket for o in stage.api.orders_get()}
        done = {o.ticket for o in stage.api.history_orders_get(1, 2_000_000_000)}
        assert told["position"] <= done
        # The last one or two may have been closed or removed before that was told.
        assert len(told["position"] - told["closed"] - positions) <= round_ + 1
        assert not told["closed"] & positions
        assert told["order"] <= orders | done
        assert not told["removed"] & orders
        book = stage.api._room.broker.book
        assert book.balance == sum(deal.profit + deal.swap + deal.commission for deal in book.deals)
