"""What a thief, a clock that is set back and an unlucky moment could gain."""

from datetime import timedelta

import pytest

from backend.users.attempts import FREE
from backend.users.model import Refusal, Role
from backend.users.service import SignedIn
from backend.users.sessions import SLACK
from tests.unit.users.conftest import PASSWORD, Users

OTHER = "another horse battery"


def renewed(users: Users, refresh: str) -> SignedIn:
    came = users.door.renew(refresh, address="")
    assert isinstance(came, SignedIn), came
    return came


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_stolen_secret_is_noticed_however_often_the_thief_renewed_since(users: Users, times: int) -> None:
    victim = users.signed_in()
    thief = victim
    for _ in range(times):
        thief = renewed(users, thief.refresh)
        users.clock.move(minutes=9)
    assert isinstance(users.door.renew(victim.refresh, address=""), Refusal)
    assert users.door.by_session(thief.access) is None
    assert isinstance(users.door.renew(thief.refresh, address=""), Refusal)
    assert users.events()[-1] == "secret_reused"


def test_a_session_that_was_there_before_is_not_taken_over_by_signing_in(users: Users) -> None:
    planted = users.signed_in()
    came = users.signed_in()
    assert came.acting.id != planted.acting.id
    assert came.refresh.partition(".")[0] != planted.refresh.partition(".")[0]


def test_a_password_changed_while_the_old_one_is_compared_lets_nobody_in(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = users.hasher.matches

    def meanwhile(kept: str | None, password: str) -> bool:
        right = compare(kept, password)
        monkeypatch.setattr(users.hasher, "matches", compare)
        users.other_process().management.set_password("ann", OTHER, actor="local")
        return right

    monkeypatch.setattr(users.hasher, "matches", meanwhile)
    assert isinstance(users.sign_in(), Refusal)
    assert users.door.sessions.all(users.clock.at) == ()
    assert isinstance(users.sign_in(password=OTHER), SignedIn)


def test_a_role_changed_meanwhile_is_the_one_that_counts(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.management.add("bob", Role.TRADER, PASSWORD, actor="ann")
    compare = users.hasher.matches

    def meanwhile(kept: str | None, password: str) -> bool:
        users.other_process().management.set_role("bob", Role.VIEWER, actor="ann")
        return compare(kept, password)

    monkeypatch.setattr(users.hasher, "matches", meanwhile)
    acting = users.door.by_session(users.signed_in("bob").access)
    assert acting is not None
    assert acting.role is Role.VIEWER


def test_a_token_of_a_former_owner_may_what_its_user_may_now(users: Users) -> None:
    users.management.add("bob", Role.OWNER, PASSWORD, actor="ann")
    _, text = users.management.make_token("bob", Role.OWNER, label="x", lasts=timedelta(days=30), actor="bob")
    users.management.set_role("bob", Role.VIEWER, actor="ann")
    acting = users.door.by_token(text, here=True)
    assert acting is not None
    assert acting.role is Role.VIEWER


def test_a_clock_that_was_years_ahead_locks_nobody_out_for_years(users: Users) -> None:
    users.clock.move(days=4 * 365)
    for _ in range(FREE):
        users.sign_in(password="a wrong password")
    users.clock.move(days=-4 * 365)
    came = users.sign_in()
    assert isinstance(came, Refusal)
    assert came.wait == 2
    users.clock.move(seconds=2)
    assert isinstance(users.sign_in(), SignedIn)


def test_what_began_while_the_clock_was_ahead_does_not_last_until_then(users: Users) -> None:
    users.clock.move(days=365)
    came = users.signed_in()
    users.clock.move(days=-365)
    assert users.door.by_session(came.access) is None
    assert isinstance(users.door.renew(came.refresh, address=""), Refusal)
    assert users.door.sessions.all(users.clock.at) == ()


def test_a_clock_that_is_set_right_by_a_little_signs_nobody_out(users: Users) -> None:
    came = users.signed_in()
    users.clock.move(seconds=-SLACK.total_seconds())
    assert users.door.by_session(came.access) is not None
    assert isinstance(users.door.renew(came.refresh, address=""), SignedIn)


def test_a_clock_set_back_does_not_make_an_old_secret_another_window(users: Users) -> None:
    came = users.signed_in()
    users.clock.move(hours=1)
    after = renewed(users, came.refresh)
    users.clock.move(minutes=-4)
    assert isinstance(users.door.renew(came.refresh, address=""), Refusal)
    assert users.door.by_session(after.access) is None


def test_refusals_are_on_record_again_after_the_clock_was_set_back(users: Users) -> None:
    from backend.users.security_log import Happened

    users.clock.move(days=1)
    users.door.log.note_once(Happened.ACCESS_REFUSED, actor="ann", path="/x")
    users.clock.move(days=-1)
    users.door.log.note_once(Happened.ACCESS_REFUSED, actor="ann", path="/x")
    assert users.events().count("access_refused") == 2
