"""Signing in, in a real browser: on a desk with a clock of the test's, so that nothing waits for lockouts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.app import create_app
from backend.users.model import Role
from backend.users.service import ACCESS_LASTS, Door
from tests.console.conftest import Wrongs
from tests.fakes.desk import MovedClock
from tests.fakes.http_app import served
from tests.fakes.services import NOW, guarded_desk
from tests.fakes.signed_in import NAMES, PASSWORD

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("console"), pytest.mark.timeout(120)]

REFUSED = ("Failed to load resource", "net::ERR")
ENDED = "Your session has ended. Sign in to go on where you were."


@dataclass(frozen=True, kw_only=True)
class Shut:
    """A desk that asks for sign-in."""

    url: str
    door: Door
    clock: MovedClock


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Shut]:
    """In the place of the real desk, which asks for sign-in only where others can reach it."""
    clock = MovedClock(NOW)
    services = guarded_desk(tmp_path / "desk", clock=clock)
    for role in (Role.OWNER, Role.TRADER, Role.VIEWER):  # the first one is an owner
        services.management.add(NAMES[role], role, PASSWORD, actor="local")
    with served(create_app(services)) as url:
        yield Shut(url=url, door=services.door, clock=clock)


@pytest.fixture(autouse=True)
def refusals(page: Page, wrongs: Wrongs) -> Iterator[None]:
    """A browser notes every 401, and this desk has no terminal; scripts may still not fail."""
    yield
    page.goto("about:blank")
    wrongs.expected(*REFUSED)


def sign_in(page: Page, role: Role, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(NAMES[role])
    page.get_by_label("Password", exact=False).first.fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_who_guesses_is_told_in_the_desks_words_and_then_must_wait(page: Page, desk: Shut) -> None:
    page.goto("/no/such/page?at=1")
    expect(page).to_have_title("Sign in · MT5_UI")
    said = page.get_by_role("alert")
    for _ in range(5):
        with page.expect_response("**/api/session") as answered:
            sign_in(page, Role.TRADER, "guessed it")
        words = answered.value.json()["error"]["message"]
        expect(said).to_have_text(words)
    assert answered.value.status == 401
    assert words == "Name or password is wrong"
    with page.expect_response("**/api/session") as answered:
        sign_in(page, Role.TRADER)
    assert answered.value.status == 429
    expect(said).to_have_text(answered.value.json()["error"]["message"])
    assert desk.door.sessions.all(desk.door.now()) == ()
    desk.clock.move(seconds=float(answered.value.headers["retry-after"]) + 1)
    sign_in(page, Role.TRADER)
    expect(page.locator("main")).to_have_text("There is no such page.")
    assert page.url == f"{desk.url}/no/such/page?at=1"


def test_a_session_is_renewed_before_its_cookie_ends_and_when_the_desk_finds_it_ended(
    page: Page, desk: Shut
) -> None:
    page.clock.install()
    page.goto("/")
    sign_in(page, Role.TRADER)
    expect(page.locator("header.top")).to_be_visible()
    with page.expect_response("**/api/session/refresh") as renewed:
        page.clock.fast_forward(int(ACCESS_LASTS.total_seconds()) * 1000 - 60_000)
    assert renewed.value.ok
    desk.clock.move(seconds=ACCESS_LASTS.total_seconds())
    with page.expect_response("**/api/session/refresh") as renewed:
        page.clock.run_for(5000)
    assert renewed.value.ok
    expect(page.locator("header.top")).to_be_visible()
    expect(page.get_by_text(ENDED)).to_have_count(0)


def test_a_session_that_is_ended_elsewhere_shuts_the_page_within_a_poll_and_opens_it_where_it_was(
    page: Page, desk: Shut
) -> None:
    page.goto("/?was=here")
    sign_in(page, Role.TRADER)
    expect(page.locator("header.top")).to_be_visible()
    desk.door.end_sessions(NAMES[Role.TRADER], actor=NAMES[Role.OWNER])
    expect(page.get_by_text(ENDED)).to_be_visible(timeout=4000)
    expect(page.locator("header.top")).to_have_count(0)
    sign_in(page, Role.VIEWER)
    expect(page.locator("header.top")).to_be_visible()
    assert page.url == f"{desk.url}/?was=here"


@pytest.mark.parametrize(("role", "kills"), [(Role.VIEWER, 0), (Role.TRADER, 1)])
def test_who_may_not_halt_sees_no_kill_switch_and_everybody_can_leave(
    page: Page, desk: Shut, role: Role, kills: int
) -> None:
    page.goto("/")
    sign_in(page, role)
    expect(page.locator("header.top")).to_be_visible()
    expect(page.get_by_role("button", name="KILL")).to_have_count(kills)
    page.get_by_role("button", name="Account and appearance").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page).to_have_title("Sign in · MT5_UI")
    assert desk.door.sessions.all(desk.door.now()) == ()
