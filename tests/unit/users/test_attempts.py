"""Guessing is slow, and nobody is locked out for ever by somebody else's guessing."""

from backend.users.attempts import FREE, LONGEST, MOST
from backend.users.model import Refusal
from backend.users.service import SignedIn
from tests.unit.users.conftest import PASSWORD, Users

WRONG = "a wrong password"


def fail(
    users: Users, times: int, *, name: str = "ann", address: str = "192.0.2.66", device: str = ""
) -> None:
    for _ in range(times):
        users.sign_in(name, WRONG, address=address, device=device)


def waits(came: SignedIn | Refusal) -> float | None:
    assert isinstance(came, Refusal)
    return came.wait


def test_five_failures_cost_nothing_then_waiting_doubles(users: Users) -> None:
    fail(users, FREE)
    assert waits(users.sign_in()) == 2
    users.clock.move(seconds=2)
    fail(users, 1)
    assert waits(users.sign_in()) == 4
    for expected in (8, 16, 32, 64, 128, 256, 512, 900, 900):
        users.clock.move(seconds=waits(users.sign_in()) or 0)
        fail(users, 1)
        assert waits(users.sign_in()) == expected
    assert LONGEST.total_seconds() == 900


def test_too_early_is_not_looked_at_and_does_not_count(users: Users) -> None:
    fail(users, FREE)
    compared = len(users.hasher.compared)
    for _ in range(100):
        assert waits(users.sign_in(password=PASSWORD)) == 2
    assert len(users.hasher.compared) == compared
    users.clock.move(seconds=2)
    assert isinstance(users.sign_in(), SignedIn)


def test_names_that_do_not_exist_are_locked_alike(users: Users) -> None:
    fail(users, FREE, name="nobody")
    assert waits(users.sign_in("nobody", WRONG, address="192.0.2.7")) == 2


def test_one_address_that_tries_many_names_waits_and_others_do_not(users: Users) -> None:
    for number in range(FREE):
        fail(users, 1, name=f"user{number}", address="192.0.2.66")
    assert waits(users.sign_in("another", WRONG, address="192.0.2.66")) == 2
    assert isinstance(users.sign_in(address="192.0.2.1"), SignedIn)


def test_one_house_of_ipv6_is_one_address(users: Users) -> None:
    for number in range(FREE):
        fail(users, 1, name=f"user{number}", address=f"2001:db8::{number + 1:x}")
    assert waits(users.sign_in("another", WRONG, address="2001:db8::ffff")) == 2
    assert isinstance(users.sign_in(address="2001:db8:0:1::1"), SignedIn)


def test_an_own_account_does_not_pay_for_guessing_at_others(users: Users) -> None:
    for _ in range(
        3
    ):  # between guesses the guesser signs in as themselves, which takes nothing back but itself
        fail(users, 2, name="bob", address="192.0.2.66")
        users.sign_in(address="192.0.2.66")
    assert waits(users.sign_in(address="192.0.2.66")) is not None


def test_a_browser_that_signed_in_before_is_not_locked_out_by_strangers(users: Users) -> None:
    known = users.signed_in().device
    for number in range(40):
        fail(users, 1, address=f"198.51.100.{number + 1}")
    assert waits(users.sign_in()) is not None  # from an unknown browser even the right password waits
    assert isinstance(users.sign_in(device=known), SignedIn)


def test_nor_by_a_neighbour_behind_the_same_address(users: Users) -> None:
    known = users.signed_in(address="192.0.2.66").device
    fail(users, FREE, name="nobody", address="192.0.2.66")
    assert waits(users.sign_in(address="192.0.2.66")) is not None
    assert isinstance(users.sign_in(address="192.0.2.66", device=known), SignedIn)


def test_a_stolen_browser_cannot_guess_without_end_either(users: Users) -> None:
    known = users.signed_in().device
    for number in range(FREE):
        fail(users, 1, address=f"198.51.100.{number + 1}", device=known)
    assert waits(users.sign_in(device=known)) == 2
    assert isinstance(users.sign_in(), SignedIn)


def test_a_browser_known_for_one_user_is_unknown_for_another(users: Users) -> None:
    known = users.signed_in().device
    for number in range(FREE):
        fail(users, 1, name="bob", address=f"198.51.100.{number + 1}", device=known)
    assert waits(users.sign_in("bob", WRONG, device=known)) == 2


def test_it_holds_over_processes_and_restarts_and_the_machines_user_lifts_it(users: Users) -> None:
    fail(users, 3)
    fail(users.other_process(), 2)
    assert waits(users.other_process().sign_in()) == 2
    users.management.unlock("ann", actor="local")
    assert isinstance(users.other_process().sign_in(), SignedIn)


def test_a_success_takes_back_what_was_counted_for_the_user(users: Users) -> None:
    for _ in range(3):
        for number in range(FREE - 1):
            fail(users, 1, address=f"198.51.100.{number + 1}")
        assert isinstance(users.sign_in(), SignedIn)
        users.clock.move(hours=2)


def test_invented_names_and_addresses_fill_no_disk_and_push_out_no_count(users: Users) -> None:
    fail(users, FREE, address="192.0.2.66")
    kept = users.door.attempts

    def crowd(rows: dict[str, object]) -> None:
        row = next(iter(rows.values()))
        rows.update({f"{number:032x}": type(row)(failures=1, last=users.clock.at) for number in range(MOST)})  # type: ignore[call-arg]

    kept._kept.change(crowd)  # type: ignore[arg-type]
    assert len(kept._kept.rows()) > MOST
    kept.begin(("one more", "and another"), users.clock.at)
    assert len(kept._kept.rows()) == MOST
    assert waits(users.sign_in()) == 2
