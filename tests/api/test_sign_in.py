"""Signing in over HTTP: cookies, renewal, sign-out, desks that need none, and desks that stay shut."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.app import create_app
from backend.config import Settings
from backend.core.errors import Invalid, Unavailable
from backend.journal.record import Kind
from backend.users.model import Role
from backend.users.service import ACCESS_LASTS
from backend.users.sessions import TOGETHER
from tests.fakes.http import TestClient
from tests.fakes.http_app import served
from tests.fakes.services import FakeDesk, fake_desk, guarded_desk
from tests.fakes.signed_in import BASE, NAMES, PASSWORD, Guarded, guarded

EVALUATE = "/api/celery/tasks/ai/evaluate-all"
SIGN_IN = {"name": "tim", "password": PASSWORD}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as opened:
        yield opened


def refusal(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    return error


def cookie_lines(answer: Any) -> dict[str, str]:
    lines = answer.headers.get_list("set-cookie")
    return {re.sub(r"^mt5ui_5001_", "", line.partition("=")[0]): line for line in lines}


# In, and out


def test_the_cookies_are_for_no_script_no_other_site_and_each_for_its_path(desk: Guarded) -> None:
    lines = cookie_lines(desk.client().post("/api/session", json=SIGN_IN))
    assert lines.keys() == {"access", "refresh", "device"}
    for line in lines.values():
        assert "HttpOnly" in line
        assert "SameSite=strict" in line
        assert "Secure" not in line  # on this machine there is no encryption to be had
        assert PASSWORD not in line
    assert "Path=/;" in lines["access"]
    assert "Path=/api/session/refresh;" in lines["refresh"]


def test_beyond_this_machine_the_cookies_are_for_encrypted_connections_only(desk: Guarded) -> None:
    client = TestClient(desk.app, base_url="http://desk.lan:5001", client=("192.0.2.1", 40_000))
    for line in cookie_lines(client.post("/api/session", json=SIGN_IN)).values():
        assert "Secure" in line


def test_whoever_is_in_acts_under_their_name_whatever_they_claim(desk: Guarded) -> None:
    client = desk.client(Role.TRADER)
    claims = {"X-User": "olga", "X-Forwarded-User": "olga", "X-Actor": "olga"}
    task = client.post(EVALUATE, headers=claims).json()["task_id"]
    assert desk.desk.jobs.get(task).actor == "tim"
    assert client.get("/api/session").json()["name"] == "tim"
    assert client.post("/api/control/halt", json={"reason": "enough", "actor": "olga"}).status_code == 422
    assert client.post("/api/control/halt", json={"reason": "enough"}).json()["halts"][0]["by"] == "tim"
    (record,) = desk.desk.journal.newest(kind=Kind.HALT)
    assert record.actor == "tim"


def test_signing_out_ends_the_session_and_takes_the_cookies(desk: Guarded) -> None:
    client = desk.client(Role.TRADER)
    kept = dict(client.cookies)
    assert client.delete("/api/session").json()["name"] is None
    assert not [name for name in client.cookies if "device" not in name]
    thief = desk.client()
    thief.cookies.update(kept)
    refusal(thief.post(EVALUATE), 401, "not_signed_in")
    refusal(thief.post("/api/session/refresh"), 401, "session_ended")


def test_signing_out_everywhere_ends_every_browser_of_ones_own(desk: Guarded) -> None:
    first, second, other = desk.client(Role.TRADER), desk.client(Role.TRADER), desk.client(Role.VIEWER)
    assert len(first.get("/api/sessions").json()["sessions"]) == 2
    assert first.delete("/api/sessions").json() == {"ended": 2}
    for client in (first, second):
        refusal(client.get("/api/queues"), 401, "not_signed_in")
    assert other.get("/api/queues").status_code == 200


def test_an_access_cookie_ends_and_is_renewed_and_the_old_secret_ends_all(desk: Guarded) -> None:
    client = desk.client(Role.TRADER)
    stolen = dict(client.cookies)
    desk.clock.move(seconds=ACCESS_LASTS.total_seconds())
    refusal(client.get("/api/queues"), 401, "not_signed_in")
    assert client.post("/api/session/refresh").json()["name"] == "tim"
    assert client.get("/api/queues").status_code == 200
    desk.clock.move(seconds=TOGETHER.total_seconds() + 1)
    thief = desk.client()
    thief.cookies.update(stolen)
    refusal(thief.post("/api/session/refresh"), 401, "session_ended")
    refusal(client.get("/api/queues"), 401, "not_signed_in")


def test_ones_own_password_wants_the_present_one_and_ends_the_other_browsers(desk: Guarded) -> None:
    client, other = desk.client(Role.TRADER), desk.client(Role.TRADER)
    wrong = {"present": "not this one", "password": "another password"}
    refusal(client.put("/api/session/password", json=wrong), 403, "wrong_password")
    right = {"present": PASSWORD, "password": "another password"}
    assert client.put("/api/session/password", json=right).status_code == 200
    assert client.get("/api/queues").status_code == 200
    refusal(other.get("/api/queues"), 401, "not_signed_in")
    refusal(desk.client().post("/api/session", json=SIGN_IN), 401, "sign_in_refused")


def test_guessing_a_present_password_waits_too(desk: Guarded) -> None:
    client = desk.client(Role.TRADER)
    wrong = {"present": "not this one", "password": "another password"}
    for _ in range(5):
        refusal(client.put("/api/session/password", json=wrong), 403, "wrong_password")
    answer = client.put("/api/session/password", json={"present": PASSWORD, "password": "another password"})
    refusal(answer, 429, "too_many_attempts")
    assert answer.headers["retry-after"] == "2"


def test_too_many_attempts_are_told_to_wait(desk: Guarded) -> None:
    client = desk.client()
    for _ in range(5):
        refusal(client.post("/api/session", json={**SIGN_IN, "password": "wrong"}), 401, "sign_in_refused")
    answer = client.post("/api/session", json=SIGN_IN)
    refusal(answer, 429, "too_many_attempts")
    assert answer.headers["retry-after"] == "2"


def test_a_password_stands_in_no_answer(desk: Guarded) -> None:
    client = desk.client()
    secret = "s3cret-of-a-person"
    for body in (
        {"name": "tim", "password": secret},
        {"name": 5, "password": secret},
        {"name": "tim", "password": [secret]},
        {"name": "tim", "password": secret * 20},
        {"name": "tim", "password": secret, secret[:3]: 1},
    ):
        assert secret not in client.post("/api/session", json=body).text


# Programs


def test_a_program_comes_in_with_a_token_and_without_one_it_does_not(desk: Guarded) -> None:
    client = desk.client()
    assert client.post(EVALUATE, headers=desk.token(Role.TRADER)).status_code == 200
    refusal(client.post(EVALUATE, headers=desk.token(Role.TRADER, Role.VIEWER)), 403, "not_allowed")
    for bad in ("Bearer nonsense", "Bearer", "", "Basic dGltOnRpbQ==", "bearer mt5ui_x_y", "Bearer \xff"):
        answer = client.post(EVALUATE, headers={"Authorization": bad.encode("latin-1")})
        refusal(answer, 401, "not_signed_in")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_bad_token_is_not_made_good_by_a_cookie(desk: Guarded) -> None:
    client = desk.client(Role.OWNER)
    refusal(client.get("/api/queues", headers={"Authorization": "Bearer nonsense"}), 401, "not_signed_in")


def test_a_token_is_shown_once_and_makes_no_other(desk: Guarded) -> None:
    client = desk.client(Role.TRADER)
    made = client.post("/api/tokens", json={"label": "robot", "scope": "trader", "days": 1}).json()
    header = {"Authorization": f"Bearer {made['token']}"}
    program = desk.client()
    assert program.post(EVALUATE, headers=header).status_code == 200
    assert made["token"] not in client.get("/api/tokens").text
    answer = program.post("/api/tokens", json={"label": "another"}, headers=header)
    refusal(answer, 403, "not_with_a_token")
    assert client.delete(f"/api/tokens/{made['id']}").json() == {"revoked": made["id"]}
    refusal(program.post(EVALUATE, headers=header), 401, "not_signed_in")


def test_this_machines_own_token_opens_from_this_machine_only(desk: Guarded) -> None:
    header = {"Authorization": f"Bearer {desk.desk.door.local.text()}"}
    assert desk.client().get("/api/session", headers=header).json()["name"] == "local"
    away = TestClient(desk.app, base_url="http://desk.lan:5001", client=("192.0.2.1", 40_000))
    refusal(away.get("/api/queues", headers=header), 401, "not_signed_in")


# Users, by an owner


def test_an_owner_adds_changes_and_keeps_out_users(desk: Guarded) -> None:
    olga = desk.client(Role.OWNER)
    new = {"name": "nick", "role": "viewer", "password": PASSWORD}
    assert olga.post("/api/users", json=new).json()["role"] == "viewer"
    refusal(olga.post("/api/users", json=new), 409, "user_exists")
    nick = desk.client()
    assert nick.post("/api/session", json={"name": "nick", "password": PASSWORD}).status_code == 200
    refusal(nick.post(EVALUATE), 403, "not_allowed")
    assert olga.patch("/api/users/nick", json={"role": "trader"}).json()["role"] == "trader"
    assert nick.post(EVALUATE).status_code == 200
    assert olga.patch("/api/users/nick", json={"disabled": True}).json()["disabled"] is True
    refusal(nick.get("/api/queues"), 401, "not_signed_in")
    refusal(olga.patch("/api/users/olga", json={"role": "viewer"}), 409, "last_owner")
    refusal(olga.patch("/api/users/nobody", json={"role": "viewer"}), 404, "unknown_user")
    refusal(olga.patch("/api/users/nick", json={}), 422, "nothing_to_change")
    assert "argon2" not in olga.get("/api/users").text


def test_an_owner_reads_what_happened_and_nobody_else_does(desk: Guarded) -> None:
    olga, vic = desk.client(Role.OWNER), desk.client(Role.VIEWER)
    desk.client().post("/api/session", json={"name": "tim", "password": "wrong"})
    vic.post(EVALUATE)
    vic.post(EVALUATE)
    olga.patch("/api/users/vic", json={"role": "trader"})
    events = olga.get("/api/security/events").json()["events"]
    told = [(event["event"], event["actor"]) for event in events]
    assert told[:3] == [("role_changed", "olga"), ("access_refused", "vic"), ("sign_in_refused", "anonymous")]
    assert told.count(("access_refused", "vic")) == 1  # the same refusal once a minute
    assert (events[0]["before"], events[0]["after"]) == ("viewer", "trader")
    older = olga.get("/api/security/events", params={"before": events[0]["seq"], "limit": 1}).json()["events"]
    assert older == [events[1]]
    assert desk.desk.journal.verify().ok


# The stream of events


@pytest.mark.parametrize("how", ["session", "token"])
def test_a_stream_ends_with_what_let_its_reader_in(desk: Guarded, how: str) -> None:
    with served(desk.app) as url, httpx.Client(base_url=url, timeout=10) as client:
        headers: dict[str, str] = desk.token(Role.VIEWER) if how == "token" else {}
        if how == "session":
            client.post("/api/session", json={"name": "vic", "password": PASSWORD})
        with client.stream("GET", "/api/events", headers=headers) as stream:
            assert stream.status_code == 200
            lines = stream.iter_lines()
            next(lines)
            desk.desk.management.set_disabled("vic", disabled=True, actor="olga")
            assert [line for line in lines if line.startswith("data:")] == []  # and it ends
        assert client.get("/api/events", headers=headers).status_code == 401


# When it is needed


@pytest.mark.parametrize(
    ("how", "needed"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "127.0.0.9"}, False),
        ({"connector_url": "http://127.0.0.1:9"}, False),
        ({"host": "0.0.0.0"}, True),  # noqa: S104 - nothing is bound
        ({"host": "::"}, True),
        ({"host": "192.168.1.5"}, True),
        ({"host": "desk.lan"}, True),
        ({"host": "127.0.0.1.evil.example"}, True),
        ({"terminal": "native"}, True),
        ({"terminal": "bridge"}, True),
        ({"connector_url": "http://10.0.0.5:9"}, True),
    ],
    ids=str,
)
def test_where_sign_in_is_needed(tmp_path: Path, how: dict[str, Any], needed: bool) -> None:
    assert (Settings(home=tmp_path, **how).why_sign_in is not None) is needed


def test_without_it_everybody_here_is_local_and_the_desk_says_so(tmp_path: Path) -> None:
    desk = fake_desk(tmp_path)
    with TestClient(create_app(desk), base_url=BASE) as client:
        me = client.get("/api/session").json()
        assert (me["sign_in"], me["name"], me["role"], me["way"]) == ("not needed", "local", "owner", "local")
        task = client.post(EVALUATE).json()["task_id"]
        body = {"present": PASSWORD, "password": "another password"}
        refusal(client.put("/api/session/password", json=body), 403, "no_password")
        refusal(client.post("/api/tokens", json={"label": "robot"}), 404, "unknown_user")
    assert desk.jobs.get(task).actor == "local"


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        (("192.0.2.1", 40_000), {}),
        (("::ffff:192.0.2.1", 40_000), {}),
        (("127.0.0.1", 40_000), {"X-Forwarded-For": "127.0.0.1"}),
        (("127.0.0.1", 40_000), {"Forwarded": "for=127.0.0.1"}),
        (("127.0.0.1", 40_000), {"Via": "1.1 proxy"}),
        (("127.0.0.1", 0), {}),  # what uvicorn makes of a header that it believes
        (("no address", 40_000), {}),
    ],
)
def test_without_it_nobody_from_elsewhere_is_let_in(
    tmp_path: Path, peer: tuple[str, int], headers: Any
) -> None:
    """Bound to every address by hand, or behind a proxy on this machine: then the peer tells."""
    with TestClient(create_app(fake_desk(tmp_path)), base_url=BASE, client=peer) as client:
        refusal(client.get("/api/queues", headers=headers), 401, "not_signed_in")
        refusal(client.post(EVALUATE, headers=headers), 401, "not_signed_in")


def test_without_it_users_may_still_come_in_by_name(tmp_path: Path) -> None:
    desk = fake_desk(tmp_path)
    desk.management.add("olga", Role.OWNER, PASSWORD, actor="local")
    desk.management.add("vic", Role.VIEWER, PASSWORD, actor="local")
    with TestClient(create_app(desk), base_url=BASE) as client:
        client.post("/api/session", json={"name": "vic", "password": PASSWORD})
        assert client.get("/api/session").json()["name"] == "vic"
        refusal(client.post(EVALUATE), 403, "not_allowed")
        refusal(client.get("/api/queues", headers={"Authorization": "Bearer x"}), 401, "not_signed_in")


def starts(desk: FakeDesk) -> None:
    with TestClient(create_app(desk), base_url=BASE):
        pass


def test_it_refuses_to_start_until_there_is_an_owner(tmp_path: Path) -> None:
    desk = guarded_desk(tmp_path)
    with pytest.raises(Invalid, match="mt5ui user add NAME --role owner"):
        starts(desk)
    desk.management.add("olga", Role.OWNER, PASSWORD, actor="local")
    starts(desk)


@pytest.mark.parametrize("make", [fake_desk, guarded_desk])
def test_a_corrupt_users_file_keeps_it_shut(tmp_path: Path, make: Any) -> None:
    desk = make(tmp_path)
    (desk.settings.config_dir / "users.json").write_text('{"version": 1, "users"', encoding="utf-8")
    with pytest.raises(
        Unavailable, match=r"config/users\.json is not in the desk's form, so the desk stays shut"
    ):
        starts(desk)


def test_a_users_file_that_is_damaged_later_shuts_the_desk(desk: Guarded) -> None:
    client = desk.client(Role.OWNER)
    path = desk.desk.settings.config_dir / "users.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    error = refusal(client.get("/api/queues"), 503, "desk_shut")
    assert "config/users.json" in error["message"]
    assert "olga" not in error["message"]
    answer = desk.client().post("/api/session", json={"name": "olga", "password": PASSWORD})
    refusal(answer, 503, "desk_shut")
    assert path.read_bytes() == whole[:-20]
    path.write_bytes(whole)
    assert client.get("/api/queues").status_code == 200


def test_readiness_tells_strangers_whether_and_not_what(desk: Guarded) -> None:
    stranger = desk.client().get("/readyz").json()
    assert {check["detail"] for check in stranger["checks"]} == {"sign in to read it"}
    vic = desk.client(Role.VIEWER).get("/readyz").json()
    assert "sign in to read it" not in {check["detail"] for check in vic["checks"]}
    assert stranger["ready"] == vic["ready"]


def test_many_who_sign_in_at_once_each_get_a_session(desk: Guarded) -> None:
    statuses: list[int] = []

    def come(number: int) -> None:
        client = TestClient(desk.app, base_url=BASE, client=(f"192.0.2.{number}", 40_000))
        role = list(Role)[number % 3]
        answer = client.post("/api/session", json={"name": NAMES[role], "password": PASSWORD})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 9
    assert len(desk.desk.door.sessions.all(desk.clock.at)) == 9
