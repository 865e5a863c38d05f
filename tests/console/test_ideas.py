"""Ideas, positions and orders in a browser: figures are the desk's, what is done reaches the terminal."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.config import load_settings
from backend.core.clock import iso
from backend.orders.tickets import Ticket
from backend.services import Services, build_services
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.acceptance.desk_process import DeskProcess
from tests.console.conftest import Wrongs
from tests.fakes.market_hours import open_clock

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("console"), pytest.mark.timeout(240)]

SYMBOL = "AUDUSD"
"""No shipped strategy trades it, so that no other idea comes."""
REFUSED = "Failed to load resource"
STOP_TICKS, TARGET_TICKS = 400, 800
WAIT = 15_000


@pytest.fixture(scope="module")
def services(desk: DeskProcess) -> Iterator[Services]:
    """The desk's files and terminal from another process, as a worker has them."""
    made = build_services(load_settings(home=desk.home, server_clock=open_clock()))
    yield made
    made.connector_link.close()


def proposed(services: Services, symbol: str = SYMBOL) -> dict[str, Any]:
    """A strategy's idea that waits for an hour, 400 ticks to its stop and 800 to its target."""
    ask = float(services.market.quote(symbol).ask)
    ticket = Ticket(symbol=symbol, side=Side.BUY, type=OrderType.MARKET, stop=round(ask - 0.01, 5))
    idea, _ = services.orders.tickets.judged(ticket)
    idea |= {
        "status": "pending_approval",
        "origin": "strategy",
        "strategy_id": "EURUSD_H1",
        "timeframe": "H1",
    }
    idea |= {"expires_at": iso(services.clock.now() + timedelta(hours=1)), "confidence": 82.0, "fixed": {}}
    idea |= {"stop_ticks": STOP_TICKS, "target_ticks": TARGET_TICKS, "order_expires_at": None, "atr": 0.002}
    idea["confidence_parts"] = {
        "score": 82.0,
        "strategy": 40.0,
        "market": 20.0,
        "account": 22.0,
        "parts": {"spread_penalty": 5.0},
        "notes": [],
    }
    return dict(services.idea_book.create(idea, actor="desk"))


def figure(page: Page, name: str) -> Locator:
    return page.locator(f'[data-figure="{name}"]')


def previewed(desk: DeskProcess, idea: dict[str, Any], **changes: float) -> dict[str, Any]:
    answer = desk.post(f"/api/trade-ideas/{idea['id']}/preview", changes)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_an_idea_arrives_is_shown_as_the_desk_judges_it_and_rejected_with_a_reason(
    page: Page, desk: DeskProcess, services: Services, wrongs: Wrongs
) -> None:
    page.goto(f"/ideas?symbol={SYMBOL}")
    expect(page.get_by_text("No idea matches these filters.")).to_be_visible(timeout=WAIT)
    idea = proposed(services)
    row = page.get_by_role("row").filter(has_text=SYMBOL)
    expect(row).to_be_visible(timeout=WAIT)
    row.click()
    told = previewed(desk, idea)
    assert told["reward_to_risk"] == 2.0
    expect(figure(page, "rr")).to_have_text("2.00 : 1")
    expect(figure(page, "lots")).to_have_text(f"{told['volume']:.2f} lots", timeout=WAIT)
    expect(figure(page, "risk")).to_have_text(f"−{told['risk_money']:.2f} USD")
    expect(page.locator("[data-check]")).to_have_count(len(told["checks"]))
    passing = sum(check["passed"] for check in told["checks"])
    expect(page.locator('[data-check][data-passed="true"]')).to_have_count(passing)

    page.get_by_label("Lots", exact=True).fill("0.013")
    expect(page.get_by_label("Lots", exact=True)).not_to_have_value("0.013")
    page.locator("main").focus()
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Reject").click()
    server = desk.post(f"/api/trade-ideas/{idea['id']}/reject", {"reason": ""}).json()["error"]
    expect(dialog).to_contain_text(server["details"]["problems"][0]["reason"])
    dialog.get_by_label("Reason").fill("News ahead, says a <b>person</b>")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_have_count(0)
    on_file = desk.get(f"/api/trade-ideas/{idea['id']}").json()
    assert (on_file["status"], on_file["history"][-1]["why"]) == (
        "rejected",
        "News ahead, says a <b>person</b>",
    )
    expect(page.locator(".ideas-history")).to_contain_text("News ahead, says a <b>person</b>")
    page.goto(f"/ideas?tab=rejected&symbol={SYMBOL}")
    expect(page.get_by_role("row").filter(has_text="News ahead")).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab", name=re.compile("Rejected"))).to_have_attribute("aria-selected", "true")
    assert page.url.endswith(f"/ideas?tab=rejected&symbol={SYMBOL}")
    wrongs.expected(REFUSED)


def test_a_changed_idea_is_approved_becomes_a_position_and_is_closed(
    page: Page, desk: DeskProcess, services: Services, wrongs: Wrongs
) -> None:
    idea = proposed(services)
    page.goto(f"/ideas/{idea['id']}")
    expect(figure(page, "lots")).to_contain_text("lots", timeout=WAIT)
    wide = round(previewed(desk, idea)["entry"] - 0.008, 4)  # ends in a zero, as people type them
    page.get_by_label("Stop", exact=True).fill(f"{wide:.5f}")
    expect(figure(page, "rr")).to_have_text(re.compile(r"^(0\.9|1\.0)\d : 1$"), timeout=WAIT)
    page.get_by_label("Lots", exact=True).fill("0.03")
    expect(figure(page, "lots")).to_have_text("0.03 lots")
    page.locator("main").focus()
    page.keyboard.press("a")
    dialog = page.get_by_role("dialog")
    expect(figure(page, "say")).to_have_text(re.compile(r"^0\.03 lots will be sent\. \d+\.\d\d USD is lost"))
    assert desk.get(f"/api/trade-ideas/{idea['id']}").json()["status"] == "pending_approval", "nothing yet"
    dialog.get_by_role("button", name=re.compile("^Send 0.03 lots, risking")).click()

    def opened() -> list[Any]:
        items: list[Any] = desk.get("/api/positions").json()["items"]
        return items

    (position,) = desk.wait_until(opened, 30, "the idea is a position")
    assert (position["stop"], position["volume"]) == (wide, 0.03)

    risk = page.locator(".card", has=page.get_by_role("heading", name="Open risk"))
    page.goto("/")
    expect(risk).to_contain_text(
        re.compile(r"−[01]\.\d\d R"), timeout=WAIT
    )  # of its first stop, spread included
    expect(risk).to_contain_text(re.compile(r"−\d+\.\d\d USD · −0\.\d\d %"))

    page.goto("/positions")
    row = page.get_by_role("row").filter(has_text=str(position["ticket"]))
    expect(row).to_contain_text(f"{wide:.5f}", timeout=WAIT)
    row.click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Stop", exact=True).fill("9.00000")
    drawer.get_by_role("button", name="Change levels").click()
    expect(drawer.get_by_text("stop 9.0: it must lie below")).to_be_visible(timeout=WAIT)
    assert opened()[0]["stop"] == wide
    drawer.get_by_label("Stop", exact=True).fill(f"{wide + 0.001:.5f}")
    drawer.get_by_role("button", name="Change levels").click()
    desk.wait_until(lambda: opened()[0]["stop"] == round(wide + 0.001, 5), 10, "the stop was moved")
    drawer.get_by_role("button", name="Close…").click()
    sure = page.get_by_role("dialog").filter(has_text="will be closed at the market")
    sure.get_by_label("Lots to close").fill("0.01")
    sure.get_by_role("button", name="Close 0.01 lots").click()
    desk.wait_until(lambda: opened()[0]["volume"] == 0.02, 10, "a part was closed")
    drawer.get_by_role("button", name="Close…").click()
    page.get_by_role("button", name="Close 0.02 lots").click()
    desk.wait_until(lambda: not opened(), 10, "it was closed")
    expect(page.get_by_text(f"Ticket {position['ticket']} is not open any more.")).to_be_visible(timeout=WAIT)
    wrongs.expected(REFUSED)


@pytest.mark.full
def test_a_ticket_is_previewed_refused_in_the_desks_words_sent_moved_and_cancelled(
    page: Page, desk: DeskProcess, wrongs: Wrongs
) -> None:
    page.goto(f"/positions?tab=orders&order=new&symbol={SYMBOL}")
    form = page.get_by_role("dialog")
    expect(figure(page, "rr")).to_have_text("2.00 : 1", timeout=WAIT)
    form.get_by_text("Limit", exact=True).click()
    ask = float(desk.get(f"/api/market/{SYMBOL}/quote").json()["ask"])
    price = round(ask - 0.01, 5)
    form.get_by_role("textbox", name="Price", exact=True).fill(f"{price:.5f}")
    form.get_by_label("Stop is stated in").click()
    page.get_by_role("option", name="price").click()
    form.get_by_role("textbox", name="Stop", exact=True).fill(f"{price + 0.001:.5f}")
    bad = desk.post(
        "/api/orders/preview",
        {
            "symbol": SYMBOL,
            "side": "buy",
            "type": "limit",
            "price": price,
            "stop": {"price": round(price + 0.001, 5)},
        },
    ).json()["error"]
    assert bad["code"] in {"bad_ticket", "bad_override"}
    expect(form.get_by_role("alert")).to_contain_text("wrong side", timeout=WAIT)
    expect(form.get_by_role("button", name="Review order")).to_be_disabled()
    form.get_by_role("textbox", name="Stop", exact=True).fill(f"{price - 0.005:.5f}")
    expect(figure(page, "stop")).to_have_text(f"{price - 0.005:.5f}".rstrip("0"), timeout=WAIT)
    form.get_by_role("button", name="Review order").click()
    assert desk.get("/api/orders").json()["items"] == [], "nothing is sent before it is confirmed"
    page.get_by_role("button", name=re.compile("^Send buy")).click()

    def waiting() -> list[Any]:
        items: list[Any] = desk.get("/api/orders").json()["items"]
        return items

    (order,) = desk.wait_until(waiting, 15, "the order waits at the broker")
    assert (order["price"], order["stop"]) == (price, round(price - 0.005, 5))
    page.get_by_role("row").filter(has_text=str(order["ticket"])).click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Price", exact=True).fill(f"{price - 0.0005:.5f}")
    drawer.get_by_role("button", name="Change levels").click()
    desk.wait_until(lambda: waiting()[0]["price"] == round(price - 0.0005, 5), 10, "the order was moved")
    drawer.get_by_role("button", name="Cancel order…").click()
    page.get_by_role("button", name="Cancel order", exact=True).click()
    desk.wait_until(lambda: not waiting(), 10, "the order was cancelled")
    assert json.dumps(desk.get("/api/deals").json()["items"]).count(str(order["ticket"])) == 0
    wrongs.expected(REFUSED)
