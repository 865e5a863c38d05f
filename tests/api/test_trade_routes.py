"""/api/trades: what was closed, out of the files, told whole or said to be unreadable."""

from typing import Any

import pytest

from backend.storage.files import FileStorage
from backend.trading.trade_table import TRADE_COLUMNS
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk

BASE: dict[str, Any] = {
    "symbol": "EURUSD",
    "side": "long",
    "volume": 0.1,
    "entry_time": "2026-03-02T09:00:00Z",
    "entry_price": 1.1,
    "exit_price": 1.101,
    "exit_reason": "target",
    "gross": 10.0,
    "commission": 0.7,
    "swap": 0.0,
    "net": 9.3,
    "strategy": "S",
}


@pytest.fixture
def home(desk: FakeDesk) -> FileStorage:
    return FileStorage(desk.settings.home)


def write(home: FileStorage, name: str, *rows: dict[str, Any]) -> None:
    cells = [[(BASE | row).get(column) for column in TRADE_COLUMNS] for row in rows]
    home.append_csv(name, TRADE_COLUMNS, cells)


def closed(name: str, at: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "exit_time": at, **fields}


def ids(client: TestClient, **query: Any) -> list[str]:
    answer = client.get("/api/trades", params=query)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


def test_without_files_there_are_none(client: TestClient) -> None:
    assert client.get("/api/trades").json() == {"items": [], "next_cursor": None, "problems": []}


def test_the_newest_are_first_and_what_is_unknown_is_null(client: TestClient, home: FileStorage) -> None:
    write(home, "logs/trades_20260302.csv", closed("a", "2026-03-02T10:00:00Z"))
    # the fraction comes later, though "." sorts before "Z"
    write(
        home,
        "logs/trades_20260303.csv",
        closed("c", "2026-03-03T10:00:00.500000Z"),
        closed("b", "2026-03-03T10:00:00Z", strategy=None),
    )
    assert ids(client) == ["c", "b", "a"]
    rows = client.get("/api/trades").json()["items"]
    assert (rows[1]["mae"], rows[1]["strategy"], rows[1]["net"]) == (None, None, 9.3)


def test_filters_and_pages(client: TestClient, home: FileStorage) -> None:
    for day in range(1, 6):
        at = f"2026-03-0{day}T10:00:00Z"
        write(
            home,
            f"logs/trades_2026030{day}.csv",
            closed(f"t{day}", at, symbol="EURUSD" if day % 2 else "XAUUSD"),
        )
    assert ids(client, symbol="XAUUSD") == ["t4", "t2"]
    assert ids(client, since="2026-03-02T10:00:00Z", until="2026-03-04T10:00:00Z") == ["t3", "t2"]
    assert ids(client, since="2026-03-05T00:00:00+02:00") == ["t5"]
    assert ids(client, exit_reason="stop") == ids(client, strategy="") == ids(client, side="short") == []
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/api/trades", params={"limit": 2, **cursor}).json()
        seen += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ["t5", "t4", "t3", "t2", "t1"]


def test_what_is_being_archived_is_told_once(client: TestClient, home: FileStorage) -> None:
    for name in ("logs/trades_20260302.csv", "logs/archive/trades_20260302.csv"):
        write(home, name, closed("a", "2026-03-02T10:00:00Z"))
    write(home, "logs/archive/trades_20250101.csv", closed("old", "2025-01-01T10:00:00Z"))
    assert ids(client) == ["a", "old"]


def test_lines_that_are_no_trades_are_named_and_the_others_stand(
    client: TestClient, home: FileStorage
) -> None:
    name = "logs/trades_20260302.csv"
    write(
        home,
        name,
        closed("a", "2026-03-02T10:00:00Z"),
        closed("b", "never"),
        closed("c", "2026-03-02T11:00:00Z", net="x"),
    )
    path = home.path(name)
    path.write_bytes(path.read_bytes() + b"torn,EURUSD\r\n")
    page = client.get("/api/trades").json()
    assert [row["id"] for row in page["items"]] == ["a"]
    assert [problem["pointer"] for problem in page["problems"]] == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 501}, {"cursor": "x"}, {"side": "up"}, {"since": "2026-03-02T10:00:00"}]
)
def test_what_is_no_question_is_refused(client: TestClient, query: dict[str, Any]) -> None:
    assert client.get("/api/trades", params=query).status_code == 422
