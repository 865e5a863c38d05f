"""/api/trades: tags and notes, statistics by the report's functions, days, the table of a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest

from backend.orders.trade_notes import FILE
from backend.storage.files import FileStorage
from tests.api.test_trade_routes import closed, ids, write
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk

# 2026-03-02 is a Monday. Results in order of exits: +100, -40, -80, +60, unknown, 0.
TRADES = [
    closed("a", "2026-03-02T10:00:00Z", net=100.0, r=2.0),
    closed("b", "2026-03-02T11:00:00Z", net=-40.0, r=-1.0, symbol="XAUUSD", side="short"),
    closed("c", "2026-03-02T23:30:00Z", net=-80.0, r=-1.0, entry_time="2026-03-01T09:00:00Z"),
    closed("d", "2026-03-03T10:00:00Z", net=60.0, strategy=None, exit_reason="person"),
    closed("e", "2026-03-03T11:00:00Z", net=None),
    closed("f", "2026-03-03T12:00:00Z", net=0.0, entry_time="2026-03-03T07:00:00Z"),
]


@pytest.fixture
def home(desk: FakeDesk) -> FileStorage:
    home = FileStorage(desk.settings.home)
    write(home, "logs/trades_20260302.csv", *TRADES[:3])
    write(home, "logs/trades_20260303.csv", *TRADES[3:])
    return home


def put(client: TestClient, trade: str, **body: Any) -> Any:
    return client.put(f"/api/trades/{trade}/notes", json=body)


def statistics(client: TestClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/api/trades/statistics", params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.usefixtures("home")
def test_what_was_said_last_is_in_force_and_all_of_it_stays(client: TestClient, desk: FakeDesk) -> None:
    put(client, "a", tags=["Breakout", "breakout", " late "], note="first\r\nsecond")
    told = put(client, "a", tags=["news"], note="").json()
    assert (told["tags"], told["by"]) == (["news"], "local")
    said = client.get("/api/trades/a/notes").json()["items"]
    assert [(one["tags"], one["note"]) for one in said] == [
        (["news"], ""),
        (["Breakout", "late"], "first\nsecond"),
    ]
    row = next(row for row in client.get("/api/trades").json()["items"] if row["id"] == "a")
    assert (row["tags"], row["note"]) == (["news"], "")
    path = desk.storage.path(FILE)
    path.write_bytes(path.read_bytes() + b'{"id": "a", "tags": "x"}\n{"id": "a", "ta')  # foreign, and torn
    assert client.get("/api/trades/a/notes").json()["items"] == said
    put(client, "b", tags=["news"])
    assert ids(client, tag="NEWS") == ["b", "a"]
    assert ids(client, tag="") == ["f", "e", "d", "c"]
    assert ids(client, tag="none of them") == []


@pytest.mark.parametrize(
    ("trade", "body", "expected"),
    [
        ("zz", {"tags": []}, (404, "unknown_trade")),
        ("%2E%2E", {"tags": []}, (404, "unknown_trade")),
        ("a", {"tags": ["x" * 33]}, (422, "bad_note")),
        ("a", {"tags": ["a,b"]}, (422, "bad_note")),
        ("a", {"tags": ["a\nb"]}, (422, "bad_note")),
        ("a", {"tags": [f"t{n}" for n in range(21)]}, (422, "bad_note")),
        ("a", {"note": "x" * 4001}, (422, "bad_note")),
        ("a", {"note": "bell\a"}, (422, "bad_note")),
        ("a", {"note": None}, (422, "invalid_request")),
        ("a", {"tags": "news"}, (422, "invalid_request")),
        ("a", {"by": "somebody else"}, (422, "invalid_request")),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_is_no_note_is_refused(
    client: TestClient, desk: FakeDesk, trade: str, body: Any, expected: tuple[int, str]
) -> None:
    answer = put(client, trade, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == expected, answer.text
    assert not desk.storage.exists(FILE)


@pytest.mark.usefixtures("home")
def test_a_lone_surrogate_is_no_text(client: TestClient) -> None:
    body = b'{"note": "\\ud800"}'
    answer = client.put("/api/trades/a/notes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.usefixtures("home")
def test_figures_worked_by_hand(client: TestClient) -> None:
    total = statistics(client)["total"]
    values = total["values"]
    assert {key: values[key] for key in ("trades", "wins", "losses", "draws", "unknown")} == {
        "trades": 5,
        "wins": 2,
        "losses": 2,
        "draws": 1,
        "unknown": 1,
    }
    assert (values["net"], values["win_rate_pct"], values["expectancy"]) == (40.0, 40.0, 8.0)
    assert values["profit_factor"] == pytest.approx(160 / 120, abs=1e-10)
    assert (values["average_win"], values["average_loss"]) == (80.0, -60.0)
    assert (values["trades_with_r"], values["expectancy_r"]) == (3, 0.0)  # 2 - 1 - 1 over three
    assert values["max_drawdown_of_closed"] == 120.0  # from 100 down to -20
    assert values["max_consecutive_losses"] == 2


@pytest.mark.usefixtures("home")
def test_what_is_not_defined_is_null_with_its_reason(client: TestClient) -> None:
    groups = {group["name"]: group for group in statistics(client, by="symbol")["groups"]}
    gold = groups["XAUUSD"]
    assert (gold["values"]["profit_factor"], gold["values"]["average_win"]) == (0.0, None)
    assert gold["undefined"]["average_win"] == "no trade won"
    persons = statistics(client, strategy="")
    (person,) = persons["groups"]
    assert (person["values"]["profit_factor"], person["undefined"]["profit_factor"]) == (
        None,
        "no trade lost",
    )
    assert person["undefined"]["expectancy_r"] == "no trade had a first stop to measure by"
    nothing = statistics(client, symbol="NONE")
    assert (nothing["groups"], nothing["total"]["values"]["net"]) == ([], None)
    assert nothing["total"]["undefined"]["net"] == "the result of no trade is known"


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("symbol", {"EURUSD": 4, "XAUUSD": 1}),
        ("strategy", {"S": 4, "": 1}),
        ("side", {"long": 4, "short": 1}),
        ("weekday", {"Mon": 3, "Tue": 1, "Sun": 1}),  # of the entry
        ("hour", {"07": 1, "09": 4}),
        ("reason", {"person": 1, "target": 4}),
        ("tag", {"a": 1, "b": 2, "": 3}),
    ],
)
@pytest.mark.usefixtures("home")
def test_groups(client: TestClient, by: str, names: dict[str, int]) -> None:
    put(client, "a", tags=["a", "b"])
    put(client, "b", tags=["b"])
    groups = statistics(client, by=by)["groups"]
    assert [(group["name"], group["values"]["trades"]) for group in groups] == list(names.items())


@pytest.mark.usefixtures("home")
def test_a_day_is_the_brokers_and_the_unknown_is_no_zero(client: TestClient, desk: FakeDesk) -> None:
    told = client.get("/api/trades/days").json()
    assert told["clock"] == desk.settings.server_clock
    # 23:30 UTC is the next day on a server that is two hours ahead of UTC
    assert told["days"] == [
        {"day": "2026-03-02", "trades": 2, "unknown": 0, "net": 60.0},
        {"day": "2026-03-03", "trades": 4, "unknown": 1, "net": -20.0},
    ]


def test_no_cell_of_the_table_is_a_formula(client: TestClient, home: FileStorage) -> None:
    put(client, "a", tags=["=cmd|' /C calc'!A0", "@x"], note="-1+1")
    put(client, "b", tags=["+x"], note=" =1")
    answer = client.get("/api/trades/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="trades.csv"'
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert (rows["a"]["tags"], rows["a"]["note"]) == ("'=cmd|' /C calc'!A0, @x", "'-1+1")
    assert (rows["b"]["tags"], rows["b"]["note"]) == ("'+x", "'=1")
    assert (rows["b"]["net"], rows["e"]["net"], rows["f"]["net"]) == ("-40.0", "", "0.0")
    assert len(csv.DictReader(io.StringIO(client.get("/api/trades/csv?tag=%2Bx").text)).__next__()) == 26


@pytest.mark.parametrize("query", [{"by": "mood"}, {"since": "2026-03-02"}, {"side": "up"}])
@pytest.mark.usefixtures("home")
def test_what_is_no_question_is_refused(client: TestClient, query: dict[str, Any]) -> None:
    for path in ("statistics", "days", "csv") if "by" not in query else ("statistics",):
        answer = client.get(f"/api/trades/{path}", params=query)
        assert (answer.status_code, json.loads(answer.text)["error"]["code"]) == (422, "invalid_request")
