"""A backtest in its own process: what it tells, and that nothing of it is left behind."""

from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from backend.backtest.child import Order
from backend.backtest.process import run_in_child
from backend.core.errors import DeskError, Invalid, Unavailable
from tests.fakes.backtests import QUIET, Row, table

CALM: Row = (10100, 10150, 10050, 10100, QUIET)
SUMMER = datetime(2026, 4, 2, tzinfo=UTC)


class Cancelled(Exception):  # noqa: N818 - as the job's own
    """Somebody asked for it to stop."""


def order(root: Path, bars: int = 2500) -> Order:
    return Order(job=table([CALM] * bars, start=SUMMER), root=root)


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "backend.backtest" in one.cmdline()]


def test_it_tells_bars_done_of_bars_in_all_and_leaves_the_report(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    done = run_in_child(
        order(tmp_path), check=lambda: None, progress=lambda *now: told.append(now), deadline=60
    )
    assert told
    assert {total for _, total in told} == {2499}
    assert [now for now, _ in told] == sorted(now for now, _ in told)
    assert (tmp_path / done["path"].removeprefix("data/")).is_file()
    assert children() == []


def test_a_cancelled_one_ends_at_once_and_writes_nothing(tmp_path: Path) -> None:
    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run_in_child(order(tmp_path), check=check, progress=None, deadline=60)
    assert children() == []
    assert not (tmp_path / "backtests").exists()


def test_the_deadline_ends_it(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="took longer than it may"):
        run_in_child(order(tmp_path), check=lambda: None, progress=None, deadline=0)
    assert children() == []


def test_what_the_run_refuses_comes_back_as_it_was_said(tmp_path: Path) -> None:
    without_spread = Order(job=table([CALM] * 5, spread=0), root=tmp_path)
    with pytest.raises(DeskError) as refused:
        run_in_child(without_spread, check=lambda: None, progress=None, deadline=60)
    assert isinstance(refused.value, Invalid)
    assert refused.value.code == "unknown_spread"
