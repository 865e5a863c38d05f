"""The guide's questions are asked of a small desk, whose answers are worked by hand."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.queries.service import VIEWS
from tests.conftest import ROOT
from tests.unit.queries.desk import Desk, filled, untouched

GUIDE = (ROOT / "docs/sql.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)
CPI = datetime(2026, 3, 4, 13, 30, tzinfo=UTC)

ANSWERS: list[list[tuple[Any, ...]]] = [
    [("TREND", 2, 1, Decimal("4.2"), 0.25)],
    [(13, 1, Decimal("-8.1")), (9, 1, Decimal("12.3"))],
    [("spread", 2, 1), ("news_embargo", 1, 0)],
    [(datetime(2026, 3, 4, 12, tzinfo=UTC), "EURUSD", "sell", 78.0)],
    [("EURUSD", 240.0)],  # proposed at 9:00, approved at 9:04
    [("EURUSD", "buy", 1, pytest.approx(0.00003))],
    [("i-0", "EURUSD", Decimal("-8.1"), CPI, "CPI m/m"), ("i-1", "EURUSD", Decimal("12.3"), CPI, "CPI m/m")],
    [(CPI, "CPI m/m", "0.4%", "0.5%")],
    [(11, 14.0, 2), (13, 12.0, 1), (12, 10.0, 1)],  # 9:00 UTC is 11:00 there: (8 + 20) / 2
    [("backend.tasks.data_tasks.collect_rss_news", 2, 1, pytest.approx(1.95))],  # of 1 and 2 seconds
]


def test_the_guide_has_ten_questions() -> None:
    assert len(QUESTIONS) == len(ANSWERS) == 10


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    filled(folder)
    return folder


@pytest.mark.parametrize("number", range(10))
def test_each_is_answered(home: Path, number: int) -> None:
    desk = Desk(home)
    with untouched(home):
        assert desk.ask(QUESTIONS[number]) == ANSWERS[number]
    assert desk.warned == []


def test_it_names_every_view() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)
    assert rows == ["ideas", "decisions", "trades", "orders", "journal", "task_runs", "calendar",
                    "calendar_revisions", "news", "quotes", "bars", "imported_bars"]  # fmt: skip
    assert {*rows} == {view.name for view in VIEWS}
