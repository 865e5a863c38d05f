"""The journal in the event stream: what is told, to whom, and from where it goes on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.routes import event_feed
from backend.routes.event_feed import Cursor, Feed, Told
from backend.users.model import Role
from tests.api.test_events import EVALUATE, Reader, Served, open_stream
from tests.fakes.desk import MovedClock
from tests.fakes.services import NOW, FakeDesk, fake_desk, guarded_desk
from tests.fakes.signed_in import PASSWORD

DECISION = {"id": "d-1", "symbol": "EURUSD", "strategy_id": "EURUSD_H1", "idea_id": "i-1", "notes": ["x"]}


@contextmanager
def serving(desk: FakeDesk) -> Iterator[Served]:
    served = Served(desk)
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(fake_desk(tmp_path, clock=MovedClock(NOW))) as served:
        yield served


@contextmanager
def reading(served: Served, after: str | None = None, **headers: str) -> Iterator[Reader]:
    more = headers if after is None else {"Last-Event-ID": after, **headers}
    with open_stream(served.url, **more) as response:
        assert response.status_code == 200
        yield Reader(response)


def data(event: dict[str, str]) -> Any:
    return json.loads(event["data"])


def note(desk: FakeDesk, text: str) -> None:
    desk.journal.append(Kind.HALT, {"reason": text}, actor="local")


def journal_file(desk: FakeDesk) -> Path:
    (name,) = desk.storage.names("decisions/decisions_*.jsonl")
    return desk.storage.path(name)


@pytest.mark.parametrize(
    ("kind", "payload", "about"),
    [
        (Kind.DECISION, DECISION, ("d-1", "i-1", "EURUSD", "EURUSD_H1")),
        (Kind.DECISION, {**DECISION, "idea_id": None}, ("d-1", None, "EURUSD", "EURUSD_H1")),
        (
            Kind.IDEA_STEP,
            {"idea_id": "i-2", "idea": {"decision_id": "d-2", "symbol": "XAUUSD", "strategy_id": "G"}},
            ("d-2", "i-2", "XAUUSD", "G"),
        ),
        (Kind.IDEA_STEP, {"idea_id": "i-3", "changes": {}}, (None, "i-3", None, None)),
        (
            Kind.ORDER_INTENT,
            {"id": "o-1", "idea": "i-4", "request": {"symbol": "EURUSD"}},
            (None, "i-4", "EURUSD", None),
        ),
        (Kind.SETTINGS_CHANGE, {"what": "strategy", "strategy": "S"}, (None, None, None, "S")),
        (Kind.HALT, {"reason": "enough"}, (None, None, None, None)),
        (Kind.DECISION, {"id": 7, "symbol": ["EURUSD"], "idea_id": {}}, (None, None, None, None)),
    ],
)
def test_a_record_is_told_by_what_it_is_about(
    served: Served, kind: Kind, payload: dict[str, Any], about: tuple[str | None, ...]
) -> None:
    with reading(served) as reader:
        reader.block()
        record = served.desk.journal.append(kind, payload, actor="local")
        event = reader.event()
    assert event["event"] == "journal"
    told = data(event)
    names = ("decision_id", "idea_id", "symbol", "strategy")
    assert tuple(told[name] for name in names) == about
    assert (told["seq"], told["kind"], told["at"]) == (record.seq, str(kind), record.at)
    assert set(told) == {"seq", "kind", "at", "at_wall", *names}


def test_what_another_process_appends_is_told(served: Served) -> None:
    with reading(served) as reader:
        reader.block()
        Journal(served.desk.storage, served.desk.clock).append(Kind.RESUME, {}, actor="tim")
        assert data(reader.event())["kind"] == "resume"


def test_one_cursor_resumes_jobs_and_journal_each_once(served: Served) -> None:
    desk = served.desk
    with reading(served) as reader:
        reader.block()
        desk.jobs.submit(EVALUATE, actor="local")
        assert reader.event()["event"] == "job"
        note(desk, "1")
        seen = reader.event()["id"]
    note(desk, "2")
    desk.jobs.submit(EVALUATE, actor="local")
    note(desk, "3")
    with reading(served, seen) as reader:
        assert reader.block()["id"] == seen
        events = [reader.event() for _ in range(3)]
    assert [data(event).get("seq") for event in events if event["event"] == "journal"] == [2, 3]
    assert [data(event)["job_id"] for event in events if event["event"] == "job"] == ["job-2"]


def test_a_cursor_holds_in_the_next_run_of_the_desk(tmp_path: Path) -> None:
    with serving(fake_desk(tmp_path)) as first, reading(first) as reader:
        reader.block()
        note(first.desk, "1")
        seen = reader.event()["id"]
    with serving(fake_desk(tmp_path)) as second:
        note(second.desk, "2")
        with reading(second, seen) as reader:
            assert data(reader.event())["seq"] == 2


def test_the_stream_goes_over_midnight(served: Served) -> None:
    clock = served.desk.clock
    assert isinstance(clock, MovedClock)
    note(served.desk, "yesterday")
    with reading(served) as reader:
        seen = reader.block()["id"]
        clock.move(days=1)
        note(served.desk, "today")
        assert data(reader.event())["seq"] == 2
    assert len(served.desk.storage.names("decisions/decisions_*.jsonl")) == 2
    clock.move(days=1)
    note(served.desk, "tomorrow")
    with reading(served, seen) as reader:
        assert [data(reader.event())["seq"] for _ in range(2)] == [2, 3]


def test_a_torn_line_is_not_told_before_it_is_whole(served: Served) -> None:
    note(served.desk, "1")
    with reading(served) as reader:
        seen = reader.block()["id"]
        with journal_file(served.desk).open("ab") as file:
            file.write(b'{"seq":2,"kind":"halt","at"')
        note(served.desk, "2")  # cuts off what was torn
        assert data(reader.event())["seq"] == 2
    with reading(served, seen) as reader:
        assert data(reader.event())["seq"] == 2


def test_an_altered_record_is_passed_over_and_the_stream_goes_on(served: Served) -> None:
    with reading(served) as reader:
        seen = reader.block()["id"]
        note(served.desk, "1")
        reader.event()
    note(served.desk, "2")
    note(served.desk, "3")
    assert served.desk.journal.seq() == 3
    file = journal_file(served.desk)
    first, second, third = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + b"{" * (len(second) - 1) + b"\n" + third)
    with reading(served, seen) as reader:
        assert [data(reader.event())["seq"] for _ in range(2)] == [1, 3]


@pytest.mark.parametrize(
    "cursor", ["0~1.000000000000", "0~1.", "0~2.{mark}", "0~99999999999999999999999.{mark}", "0~1.damaged"]
)
def test_a_cursor_of_another_desk_says_that_everything_is_to_be_read_again(
    served: Served, cursor: str
) -> None:
    note(served.desk, "1")
    with reading(served) as reader:
        now = reader.block()["id"]
    with reading(served, cursor.format(mark=now.rpartition(".")[2])) as reader:
        reader.block()
        event = reader.event()
        assert (event["event"], event["id"]) == ("reset", now)
        note(served.desk, "2")
        assert data(reader.event())["seq"] == 2


def test_who_was_away_too_long_reads_again_instead_of_being_told_all(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "MOST_MISSED", 2)
    with reading(served) as reader:
        seen = reader.block()["id"]
    for number in range(2):
        note(served.desk, str(number))
    with reading(served, seen) as reader:
        assert [data(reader.event())["seq"] for _ in range(2)] == [1, 2]
    note(served.desk, "one too many")
    with reading(served, seen) as reader:
        assert reader.event()["event"] == "reset"


@pytest.mark.parametrize(
    "cursor", ["0~", "0~1", "0~x.y", "0~-1.0", "0~¹.0", "0~1.0\nevent: job", "x~0.0", "~0.0", "0~\ud800.0"]
)
def test_what_is_no_cursor_is_refused(served: Served, cursor: str) -> None:
    raw = cursor.encode("utf-8", "surrogatepass")
    answer = httpx.get(f"{served.url}/api/events", params={"after": raw})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_cursor")


def test_more_records_than_a_batch_come_in_order(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "BATCH", 3)
    with reading(served) as reader:
        seen = reader.block()["id"]
    for number in range(10):
        note(served.desk, str(number))
    with reading(served, seen) as reader:
        assert [data(reader.event())["seq"] for _ in range(10)] == [*range(1, 11)]


def test_security_records_are_for_owners(tmp_path: Path) -> None:
    desk = guarded_desk(tmp_path, clock=MovedClock(NOW))
    for name, role in (("olga", Role.OWNER), ("vic", Role.VIEWER), ("tim", Role.TRADER)):
        desk.management.add(name, role, PASSWORD, actor="local")

    def token(name: str, role: Role) -> dict[str, str]:
        _, text = desk.management.make_token(name, role, label="a", lasts=timedelta(days=1), actor="local")
        return {"Authorization": f"Bearer {text}"}

    owner, viewer, trader, scoped = (
        token("olga", Role.OWNER),
        token("vic", Role.VIEWER),
        token("tim", Role.TRADER),
        token("olga", Role.VIEWER),
    )
    with serving(desk) as served:

        def kinds(who: dict[str, str], act: Callable[[], None], count: int) -> list[str]:
            with reading(served, **who) as reader:
                reader.block()
                act()
                return [data(reader.event())["kind"] for _ in range(count)]

        def acts() -> None:
            desk.journal.append(Kind.SECURITY, {"event": "signed_in", "symbol": "secret"}, actor="olga")
            note(desk, "for all")

        assert kinds(owner, acts, 2) == ["security", "halt"]
        for who in (viewer, trader, scoped):
            assert kinds(who, acts, 1) == ["halt"]

        desk.management.add("ove", Role.OWNER, PASSWORD, actor="local")
        with reading(served, **owner) as reader:
            reader.block()
            desk.management.set_role("olga", Role.VIEWER, actor="ove")
            before = desk.journal.seq()
            acts()
            told = [data(reader.event())]
            while told[-1]["kind"] != "halt":
                told.append(data(reader.event()))
        assert [each["kind"] for each in told if each["seq"] > before] == ["halt"]


def test_who_is_demoted_just_before_a_record_is_read_is_not_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = guarded_desk(tmp_path, clock=MovedClock(NOW))
    for name in ("olga", "ove"):
        desk.management.add(name, Role.OWNER, PASSWORD, actor="local")
    _, text = desk.management.make_token(
        "olga", Role.OWNER, label="a", lasts=timedelta(days=1), actor="local"
    )
    plainly = Feed.after
    began: list[int] = []

    def late(feed: Feed, cursor: Cursor) -> tuple[Cursor, list[Told]]:
        if not began:
            desk.management.set_role("olga", Role.VIEWER, actor="ove")
            began.append(desk.journal.seq())
            desk.journal.append(Kind.SECURITY, {"event": "signed_in", "symbol": "secret"}, actor="ove")
            note(desk, "last")
        return plainly(feed, cursor)

    monkeypatch.setattr(Feed, "after", late)
    with serving(desk) as served, reading(served, Authorization=f"Bearer {text}") as reader:
        reader.block()
        told = data(reader.event())
    assert (told["kind"], told["seq"]) == ("halt", began[0] + 2)
