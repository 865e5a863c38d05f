"""Management where things go wrong between the broker and the desk's files."""

import os
from pathlib import Path
from typing import Any

import pytest

from backend.ideas.lifecycle import Act, Status
from backend.maintenance.retention import Maintenance
from backend.orders.managing import Manager
from backend.trading.sides import Side
from tests.unit.orders.test_managing import ALWAYS, Managed


class Killed(BaseException):
    """The process is gone."""


def killed_at(monkeypatch: pytest.MonkeyPatch, desk: Managed, target: Any, name: str, **by: float) -> None:
    """One look of a process that is killed where it would call `name`."""

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    desk.live.desk.clock.move(**by)
    with monkeypatch.context() as patch:
        patch.setattr(target, name, dies)
        with pytest.raises(Killed):
            desk.manager.run()


_record = Manager._record


def dying_after_a_part(self: Manager, idea: Any, why: str, **facts: Any) -> Any:
    if "lots closed" in why:
        raise Killed
    return _record(self, idea, why, **facts)


def kinds(desk: Managed) -> list[str]:
    deals = desk.live.dealer.deals_of_position(desk.idea["position"]["id"])
    return [f"{deal.entry} {deal.volume}" for deal in deals]


def test_a_part_is_taken_once_where_the_process_is_killed_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Managed(tmp_path, management={"partial_at_r": 0.2, "partial_fraction": 0.5})
    desk.open(stop=300)
    for _ in range(90):
        desk.live.desk.clock.move(minutes=1)
        with monkeypatch.context() as patch:
            patch.setattr(Manager, "_record", dying_after_a_part)
            try:
                desk.manager.run()
            except Killed:
                break
    else:
        pytest.fail("the market of this seed reaches the part")
    dealt = kinds(desk)
    for _ in range(5):
        desk.later(minutes=1)
        if not desk.live.desk.client.positions():
            break
    assert kinds(desk)[: len(dealt)] == dealt
    assert sum(deal.endswith("0.02") for deal in kinds(desk)) <= 2  # the part, and what was left of it
    assert desk.idea["management"]["parted"] is True
    assert not any("changed elsewhere" in step["why"] for step in desk.idea["history"])


def test_a_stop_that_was_moved_keeps_its_name_where_the_process_is_killed_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Managed(tmp_path, management={"trail_atr": 1.0})
    opened = desk.open(stop=400)
    for _ in range(30):
        desk.live.desk.clock.move(minutes=1)
        with monkeypatch.context() as patch:

            def dies(*_: Any, **__: Any) -> None:
                raise Killed

            patch.setattr(Manager, "_record", dies)
            try:
                desk.manager.run()
            except Killed:
                break
    assert desk.position.stop != opened.stop
    desk.later(seconds=1)
    assert desk.idea["management"]["stop_reason"] == "trail"
    assert not any("changed elsewhere" in step["why"] for step in desk.idea["history"])


@pytest.mark.parametrize("at", ["write", "step"])
def test_a_closed_trade_has_one_row_wherever_the_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    desk.open()
    if at == "write":
        killed_at(monkeypatch, desk, desk.manager._parts.trades, "write", minutes=6)
    else:
        step = desk.live.desk.book.step

        def dies(idea_id: str, act: Act, **more: Any) -> Any:
            if "logged" in (more.get("changes") or {}):
                raise Killed
            return step(idea_id, act, **more)

        desk.live.desk.clock.move(minutes=6)
        with monkeypatch.context() as patch:
            patch.setattr(desk.live.desk.book, "step", dies)
            with pytest.raises(Killed):
                desk.manager.run()
    for _ in range(3):
        desk.later(minutes=1)
    assert [row["id"] for row in desk.rows()] == [desk.idea_id]


def test_a_lost_answer_whose_position_is_closed_already_has_its_row(tmp_path: Path) -> None:
    """Reconciling finds such an idea closed; nobody managed it."""
    desk = Managed(tmp_path)
    desk.open()
    position = desk.position
    desk.live.orders.close(position.ticket, None, actor="ann", why="enough")
    book = desk.live.desk.book
    idea = desk.idea
    # as reconciling leaves it: closed, with its position and no result
    book.step(desk.idea_id, Act.CLOSE, actor="reconcile", why="its position is closed")
    assert desk.idea["status"] == Status.CLOSED
    assert desk.idea.get("result") is None
    desk.later(minutes=1)
    (row,) = desk.rows()
    assert row["id"] == idea["id"]
    assert row["exit_reason"] == "person"
    assert float(row["net"]) == desk.idea["result"]["net"]


def test_a_position_without_a_stop_still_leaves_by_its_rules(tmp_path: Path) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    before = desk.open(stop=2000)
    api = desk.live.desk.client.api
    api.order_send({"action": 6, "position": before.ticket, "symbol": "EURUSD", "tp": before.target})
    report = desk.later(minutes=6)
    assert report["closed"] == [desk.idea_id]


def test_a_short_is_managed_as_a_long(tmp_path: Path) -> None:
    desk = Managed(tmp_path, side=Side.SELL, exit_=ALWAYS)
    desk.open(stop=2000)
    assert desk.later(minutes=6)["closed"] == [desk.idea_id]
    assert desk.idea["result"]["exit_reason"] == "exit_rule"


def test_upkeep_takes_the_file_of_closed_trades_as_it_is(tmp_path: Path) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    desk.open()
    desk.later(minutes=6)
    (name,) = desk.home.names("logs/trades_*.csv")
    os.utime(desk.home.path(name), (0, 0))  # nobody has written it for a while
    before = desk.home.read_bytes(name)
    report = Maintenance(desk.home, desk.live.desk.clock).optimize_csv()
    assert (report["malformed"], desk.home.read_bytes(name)) == ([], before)
    desk.live.desk.clock.move(days=100)
    Maintenance(desk.home, desk.live.desk.clock).archive_trades(90)
    assert desk.home.names("logs/trades_*.csv") == []
    desk.manager.run()
    assert desk.home.names("logs/trades_*.csv") == [], "a trade that is on file is not written again"
    assert desk.home.read_bytes(f"logs/archive/{name.removeprefix('logs/')}") == before


def test_a_further_fill_of_its_order_is_no_change_by_others(tmp_path: Path) -> None:
    desk = Managed(tmp_path)
    desk.open(stop=2000)
    desk.later(seconds=1)
    managed = {
        "stop": desk.position.stop,
        "target": desk.position.target,
        "volume": 0.02,  # as it stood when half of the order had been dealt
        "parted": False,
    }
    book = desk.live.desk.book
    book.step(desk.idea_id, Act.RECORD, actor="test", changes={"management": managed})
    desk.later(seconds=1)
    assert desk.idea["management"]["volume"] == 0.04
    assert not any("changed elsewhere" in step["why"] for step in desk.idea["history"])
