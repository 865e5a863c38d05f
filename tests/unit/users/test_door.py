"""Coming in: by password, session and token; what ends it, and what nobody can tell from outside."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from backend.core.errors import Conflict, Invalid, NotFound, Unavailable
from backend.users.model import HERE, Refusal, Role, Way
from backend.users.service import ACCESS_LASTS, SignedIn
from backend.users.sessions import IDLE, LONGEST, MOST_OF_ONE, TOGETHER
from backend.users.signing import ISSUER, Signer, Use
from tests.unit.users.conftest import PASSWORD, Users

WRONG = "a wrong password"


def test_the_right_password_lets_in_with_the_users_role(users: Users) -> None:
    came = users.signed_in()
    acting = users.door.by_session(came.access)
    assert acting is not None
    assert (acting.name, acting.role, acting.way) == ("ann", Role.OWNER, Way.SESSION)


def test_unknown_disabled_and_wrong_are_one_answer_and_one_comparison_each(users: Users) -> None:
    users.management.add("bob", Role.VIEWER, PASSWORD, actor="ann")
    users.management.set_disabled("bob", disabled=True, actor="ann")
    users.hasher.compared.clear()
    answers = {users.sign_in("ann", WRONG), users.sign_in("nobody", WRONG), users.sign_in("bob", PASSWORD)}
    assert len(answers) == 1
    assert len(users.hasher.compared) == 3
    assert answers.pop() == Refusal(code="sign_in_refused", message="Name or password is wrong")


# Sessions


def test_an_access_note_holds_ten_minutes_and_a_session_is_renewed(users: Users) -> None:
    came = users.signed_in()
    users.clock.move(seconds=ACCESS_LASTS.total_seconds() - 1)
    assert users.door.by_session(came.access) is not None
    users.clock.move(seconds=1)
    assert users.door.by_session(came.access) is None
    renewed = users.door.renew(came.refresh, address="")
    assert isinstance(renewed, SignedIn)
    assert users.door.by_session(renewed.access) is not None
    assert renewed.refresh != came.refresh


def test_a_session_that_is_not_renewed_ends_and_one_that_is_ends_too_some_day(users: Users) -> None:
    came = users.signed_in()
    users.clock.move(seconds=IDLE.total_seconds())
    assert isinstance(users.door.renew(came.refresh, address=""), Refusal)
    came, began = users.signed_in(), users.clock.at
    while isinstance(came, SignedIn):
        users.clock.move(hours=11)
        renewed = users.door.renew(came.refresh, address="")
        if isinstance(renewed, Refusal):
            break
        came = renewed
    assert LONGEST - timedelta(hours=11) <= users.clock.at - began <= LONGEST + timedelta(hours=11)


def test_a_secret_used_twice_was_stolen_and_ends_the_session(users: Users) -> None:
    came = users.signed_in()
    renewed = users.door.renew(came.refresh, address="")
    assert isinstance(renewed, SignedIn)
    users.clock.move(seconds=TOGETHER.total_seconds() + 1)
    assert isinstance(users.door.renew(came.refresh, address="198.51.100.9"), Refusal)
    assert users.door.by_session(renewed.access) is None
    assert isinstance(users.door.renew(renewed.refresh, address=""), Refusal)
    assert users.events()[-1] == "secret_reused"


def test_two_windows_that_renew_at_once_do_not_end_the_session(users: Users) -> None:
    came = users.signed_in()
    renewed = users.door.renew(came.refresh, address="")
    late = users.door.renew(came.refresh, address="")
    assert isinstance(renewed, SignedIn)
    assert isinstance(late, Refusal)
    assert late.code == "just_renewed"
    assert users.door.by_session(renewed.access) is not None


@pytest.mark.parametrize("secret", ["", ".", "x", "x.y", "\udc80.\udc80", "a" * 5000])
def test_a_secret_that_is_none_renews_nothing(users: Users, secret: str) -> None:
    came = users.signed_in()
    assert isinstance(users.door.renew(secret, address=""), Refusal)
    assert isinstance(users.door.renew(f"{came.acting.id}.{secret}", address=""), Refusal)
    assert users.door.by_session(came.access) is not None


def test_signing_out_holds_in_every_process_and_after_a_restart(users: Users) -> None:
    came, stays = users.signed_in(), users.signed_in()
    other = users.other_process()
    assert other.door.by_session(came.access) is not None
    other.door.sign_out(came.acting)
    for process in (users, other, users.other_process()):
        assert process.door.by_session(came.access) is None
        assert process.door.by_session(stays.access) is not None
    users.door.end_sessions("ann", actor="ann")
    assert other.door.by_session(stays.access) is None


def test_nobody_ends_anothers_session_or_learns_that_there_is_one(users: Users) -> None:
    came = users.signed_in()
    texts = set()
    for session_id in (came.acting.id, "there-is-none"):
        with pytest.raises(NotFound) as refused:
            users.door.end_session(session_id, actor="bob", user="bob")
        texts.add(str(refused.value))
    assert len(texts) == 1
    assert users.door.by_session(came.access) is not None


def test_what_else_ends_the_sessions_of_a_user(users: Users) -> None:
    users.management.add("bob", Role.VIEWER, PASSWORD, actor="ann")
    came = users.signed_in("bob")
    users.management.set_password("bob", "another password", actor="ann")
    assert users.door.by_session(came.access) is None
    came = users.signed_in("bob", password="another password")
    users.management.set_disabled("bob", disabled=True, actor="ann")
    assert users.door.by_session(came.access) is None
    users.management.set_disabled("bob", disabled=False, actor="ann")
    assert users.door.by_session(came.access) is None  # what has ended stays so


def test_a_user_taken_out_of_the_file_by_hand_is_out(users: Users) -> None:
    users.management.add("bob", Role.VIEWER, PASSWORD, actor="ann")
    came = users.signed_in("bob")
    path = users.root / "config" / "users.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["users"]["bob"]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert users.door.by_session(came.access) is None
    assert isinstance(users.door.renew(came.refresh, address=""), Refusal)


def test_another_role_counts_with_the_next_request(users: Users) -> None:
    users.management.add("bob", Role.TRADER, PASSWORD, actor="ann")
    came = users.signed_in("bob")
    users.management.set_role("bob", Role.VIEWER, actor="ann")
    acting = users.door.by_session(came.access)
    assert acting is not None
    assert acting.role is Role.VIEWER


def test_a_user_has_so_many_sessions_and_the_oldest_ends(users: Users) -> None:
    first = users.signed_in()
    for _ in range(MOST_OF_ONE):
        users.clock.move(seconds=1)
        last = users.signed_in()
    assert users.door.by_session(first.access) is None
    assert users.door.by_session(last.access) is not None
    assert len(users.door.sessions.all(users.clock.at)) == MOST_OF_ONE


def test_a_damaged_file_of_sessions_lets_nobody_in_and_is_left(users: Users) -> None:
    came = users.signed_in()
    path = users.root / "data" / "access" / "sessions.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(Unavailable, match="sessions"):
        users.door.by_session(came.access)
    assert path.read_text(encoding="utf-8") == "{"


# Forged notes


def forged(users: Users, key: str | bytes, algorithm: str, **claims: Any) -> str:
    came = users.signed_in()
    good = {
        "iss": ISSUER,
        "aud": "access",
        "sub": "ann",
        "jti": came.acting.id,
        "exp": int((users.clock.at + timedelta(minutes=5)).timestamp()),
    }
    return jwt.encode({**good, **claims}, key, algorithm=algorithm)


@pytest.mark.filterwarnings("ignore:The HMAC key is 32 bytes long")
def test_notes_that_are_forged_are_none(users: Users) -> None:
    signer = users.door._signer
    key = signer._key
    assert users.door.by_session(forged(users, key, "HS256")) is not None  # the forger's hand is steady
    assert users.door.by_session(forged(users, "", "none")) is None
    assert users.door.by_session(forged(users, b"another key, as long as the one" * 2, "HS256")) is None
    assert users.door.by_session(forged(users, key, "HS512")) is None
    assert users.door.by_session(forged(users, key, "HS256", aud="device")) is None
    assert users.door.by_session(forged(users, key, "HS256", iss="else")) is None
    assert users.door.by_session(forged(users, key, "HS256", sub="bob")) is None
    assert users.door.by_session(forged(users, key, "HS256", jti="x")) is None
    assert users.door.by_session(forged(users, key, "HS256", exp=int(users.clock.at.timestamp()))) is None
    never = signer.sign(Use.ACCESS, "ann", users.signed_in().acting.id, expires_at=users.clock.at)
    assert users.door.by_session(never) is None


def test_a_note_with_one_letter_changed_is_none(users: Users) -> None:
    access = users.signed_in().access
    head, body, seal = access.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "bob"}).encode()).decode().rstrip("=")
    swapped = seal[:-2] + ("A" if seal[-2] != "A" else "B") + seal[-1]
    for forged_note in (
        f"{head}.{other}.{seal}",
        f"{head}.{body}.{swapped}",
        f"{head}.{body}.",
        f"{head}.{body}",
    ):
        assert users.door.by_session(forged_note) is None
    assert users.door.by_session(access) is not None


def test_names_and_notes_that_are_nonsense_are_refused_and_nothing_breaks(users: Users) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("=")
    known = users.signed_in().device
    for text in ("änn", "\udc80", "", "a" * 60, "ann\0"):
        assert isinstance(users.sign_in(text, WRONG, device=known), Refusal)
        users.clock.move(hours=2)
    for note in ("", "..", "ä.ö.ü", f"{deep}.{deep}.x", "a" * 8000):
        assert users.door.by_session(note) is None
        assert users.signed_in(device=note).device  # a browser that is not known


def test_a_browsers_note_is_no_way_in(users: Users) -> None:
    came = users.signed_in()
    assert users.door.by_session(came.device) is None
    assert Signer(lambda: "another key").read(Use.ACCESS, came.access, users.clock.at) is None


# Tokens


def test_a_token_acts_as_its_user_within_its_scope(users: Users) -> None:
    token, text = users.management.make_token(
        "ann", Role.TRADER, label="robot", lasts=timedelta(days=1), actor="ann"
    )
    acting = users.door.by_token(text, here=False)
    assert acting is not None
    assert (acting.name, acting.role, acting.id) == ("ann", Role.TRADER, token.id)
    users.management.add("bob", Role.OWNER, PASSWORD, actor="ann")
    users.management.set_role("ann", Role.VIEWER, actor="bob")
    acting = users.door.by_token(text, here=False)
    assert acting is not None
    assert acting.role is Role.VIEWER
    assert text not in (users.root / "data" / "access" / "tokens.json").read_text(encoding="utf-8")


def test_a_token_ends_by_time_by_hand_and_with_its_user(users: Users) -> None:
    def made(user: str = "ann") -> tuple[str, str]:
        token, text = users.management.make_token(
            user, Role.VIEWER, label="robot", lasts=timedelta(days=1), actor="ann"
        )
        return token.id, text

    _, text = made()
    users.clock.move(days=1)
    assert users.door.by_token(text, here=False) is None
    token_id, text = made()
    users.management.revoke_token(token_id, actor="ann", user="ann")
    assert users.other_process().door.by_token(text, here=False) is None
    users.management.add("bob", Role.VIEWER, PASSWORD, actor="ann")
    _, text = made("bob")
    users.management.set_disabled("bob", disabled=True, actor="ann")
    users.management.set_disabled("bob", disabled=False, actor="ann")
    assert users.door.by_token(text, here=False) is None


def test_nobody_revokes_anothers_token_or_makes_one_that_may_more(users: Users) -> None:
    users.management.add("bob", Role.VIEWER, PASSWORD, actor="ann")
    token, text = users.management.make_token(
        "ann", Role.OWNER, label="robot", lasts=timedelta(days=1), actor="ann"
    )
    with pytest.raises(NotFound):
        users.management.revoke_token(token.id, actor="bob", user="bob")
    assert users.door.by_token(text, here=False) is not None
    with pytest.raises(Invalid, match="scope"):
        users.management.make_token("bob", Role.TRADER, label="x", lasts=timedelta(days=1), actor="bob")
    for days in (0, -1, 366):
        with pytest.raises(Invalid, match="lasts"):
            users.management.make_token(
                "ann", Role.VIEWER, label="x", lasts=timedelta(days=days), actor="ann"
            )
    with pytest.raises(Invalid, match="what the token is for"):
        users.management.make_token("ann", Role.VIEWER, label=" ", lasts=timedelta(days=1), actor="ann")


def test_a_user_has_so_many_tokens(users: Users) -> None:
    for _ in range(50):
        users.management.make_token("ann", Role.VIEWER, label="x", lasts=timedelta(days=1), actor="ann")
    with pytest.raises(Conflict):
        users.management.make_token("ann", Role.VIEWER, label="x", lasts=timedelta(days=1), actor="ann")


@pytest.mark.parametrize("cut", [0, 1, -1])
def test_part_of_a_token_is_none(users: Users, cut: int) -> None:
    token, text = users.management.make_token(
        "ann", Role.VIEWER, label="x", lasts=timedelta(days=1), actor="ann"
    )
    wrong = {0: f"mt5ui_{token.id}_", 1: text[1:], -1: text[:-1]}[cut]
    assert users.door.by_token(wrong, here=True) is None
    assert users.door.by_token(f"mt5ui_{'0' * 16}_{text.rpartition('_')[2]}", here=True) is None


def test_the_token_of_this_machine_works_from_this_machine_only(users: Users) -> None:
    assert users.door.by_token("", here=True) is None  # while there is none
    users.door.open("it is reached from elsewhere")
    text = users.door.local.text()
    users.other_process().door.open("it is reached from elsewhere")
    assert users.other_process().door.local.text() == text  # one for all processes of a desk
    assert users.door.by_token(text, here=True) is HERE
    assert users.door.by_token(text, here=False) is None
    assert users.door.by_token(text[:-1], here=True) is None


# Who still may


def test_whoever_watches_may_no_longer_once_what_let_them_in_has_ended(users: Users) -> None:
    came = users.signed_in()
    token, text = users.management.make_token(
        "ann", Role.VIEWER, label="x", lasts=timedelta(days=1), actor="ann"
    )
    program = users.door.by_token(text, here=False)
    assert program is not None
    assert users.door.still_in(came.acting) == came.acting
    assert users.door.still_in(program) == program
    users.door.sign_out(came.acting)
    users.management.revoke_token(token.id, actor="ann")
    assert users.door.still_in(came.acting) is None
    assert users.door.still_in(program) is None
    assert users.door.still_in(HERE) is HERE
