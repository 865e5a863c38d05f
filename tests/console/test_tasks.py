"""Tasks: what is shown is what the desk knows; what is run, cancelled, paused and edited reaches it."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import suppress

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.desk_process import DeskProcess
from tests.console.conftest import Wrongs

pytestmark = [
    pytest.mark.full,
    pytest.mark.acceptance,
    pytest.mark.xdist_group("console"),
    pytest.mark.timeout(240),
]

REFUSED = "Failed to load resource"
NEWS = "collect-rss-news"


@pytest.fixture
def schedule(desk: DeskProcess) -> Iterator[str]:
    """A schedule that is as it was afterwards."""
    yield NEWS
    for act in ("resume", "reset"):
        desk.post(f"/api/schedules/{NEWS}/{act}").raise_for_status()


def job(desk: DeskProcess, task_id: str) -> dict[str, object]:
    found: dict[str, object] = desk.get(f"/api/tasks/{task_id}").json()
    return found


def test_queues_workers_and_numbers_are_those_of_the_desk(page: Page, desk: DeskProcess) -> None:
    page.goto("/tasks")
    for queue in desk.get("/api/queues").json()["queues"]:
        expect(page.get_by_role("link", name=queue["name"], exact=True)).to_be_visible()
    for worker in desk.get("/api/workers").json()["workers"]:
        row = page.locator(".row", has=page.get_by_role("link", name=worker["name"], exact=True))
        expect(row).to_contain_text(f"of {worker['concurrency']} busy")
    failed = page.locator(".card", has=page.get_by_role("heading", name="Failed in 24 h"))
    expect(failed.locator(".num").first).to_have_text(str(desk.get("/api/status").json()["jobs"]["failed"]))


def test_a_task_is_run_by_its_form_and_its_life_is_told(
    page: Page, desk: DeskProcess, wrongs: Wrongs
) -> None:
    page.goto("/tasks?view=run&run=cleanup-logs")
    days = page.get_by_label("days to keep")
    expect(days).to_have_value("30")
    days.fill("0")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("Input should be greater than or equal to 1")).to_be_visible()
    assert desk.get("/api/tasks", task="cleanup_old_logs").json()["items"] == []
    wrongs.expected(REFUSED)
    days.fill("7")
    page.get_by_label("dry run").check(force=True)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("link", name="cleanup_old_logs").click()
    expect(page.get_by_text("Running 1")).to_be_visible()
    [made] = desk.get("/api/tasks", task="cleanup_old_logs").json()["items"]
    assert page.url.endswith(f"/tasks/{made['id']}")
    assert made["kwargs"] == {"days_to_keep": 7, "dry_run": True}
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("button", name="Click again to run it again").click()
    expect(page.get_by_role("link", name=made["id"])).to_be_visible()
    again = job(desk, page.url.rpartition("/")[2])
    assert (again["retry_of"], again["kwargs"]) == (made["id"], made["kwargs"])


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped here")
def test_a_waiting_task_is_cancelled_by_the_second_click_and_never_begins(
    page: Page, desk: DeskProcess
) -> None:
    worker = psutil.Process(desk.children()["worker-main"])
    worker.suspend()
    try:
        body = {"symbol": "EURUSD"}
        task_id = desk.post("/api/celery/tasks/ai/evaluate-symbol", body).json()["task_id"]
        page.goto(f"/tasks/{task_id}")
        page.get_by_role("button", name="Cancel").click()
        assert job(desk, task_id)["cancel_requested"] is False
        page.get_by_role("button", name="Click again to cancel it").click()
        expect(page.locator("h1 + b")).to_contain_text("cancelled")
        # What was armed for the one act is not armed for the next one.
        expect(page.get_by_role("button", name="Retry")).to_be_visible()
    finally:
        worker.resume()
    found = job(desk, task_id)
    assert (found["state"], found["started_at"]) == ("cancelled", None)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped here")
def test_a_running_backtest_is_cancelled_in_the_list_and_its_process_ends(
    page: Page, desk: DeskProcess
) -> None:
    body = {"symbol": "EURUSD", "strategy_name": "EURUSD_M15_MOMENTUM", "days": 3650}
    task_id = desk.post("/api/celery/tasks/ai/backtest", body).json()["task_id"]

    def computing() -> list[psutil.Process]:
        found = []
        for one in desk.processes():
            with suppress(psutil.NoSuchProcess):
                if one.cmdline()[1:] == ["-m", "backend.backtest"]:
                    found.append(one)
        return found

    (process,) = desk.wait_until(computing, 30, "the backtest computes")
    process.suspend()  # it is at it for as long as this test looks
    try:
        page.goto("/tasks")
        row = page.locator(".row", has=page.get_by_role("link", name="backtest_strategy"))
        expect(row).to_contain_text("running")
        row.get_by_role("button", name="Cancel").click()
        found = job(desk, task_id)
        assert (found["state"], found["cancel_requested"]) == ("started", False)
        row.get_by_role("button", name="Click again to cancel it").click()
        expect(row).to_have_count(0)
    finally:
        if process.is_running():
            process.resume()
    assert job(desk, task_id)["state"] == "cancelled"
    process.wait(10)
    page.goto(f"/tasks/{task_id}")
    expect(page.locator("h1 + b")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    assert desk.get("/api/backtests").json()["items"] == []


def test_a_schedule_is_paused_and_goes_on(page: Page, desk: DeskProcess, schedule: str) -> None:
    def paused() -> bool:
        shown = desk.get("/api/schedules").json()["schedules"]
        return any(one["paused"] for one in shown if one["name"] == schedule)

    page.goto("/tasks?view=schedules")
    page.get_by_role("button", name=f"Pause {schedule}").click()
    expect(page.get_by_role("row").filter(has_text=schedule)).to_contain_text("paused by local")
    assert paused()
    page.get_by_role("button", name=f"Resume {schedule}").click()
    expect(page.get_by_role("button", name=f"Pause {schedule}")).to_be_visible()
    assert not paused()


def test_an_edit_reaches_the_file_and_a_wrong_one_is_told_beside_its_field(
    page: Page, desk: DeskProcess, schedule: str, wrongs: Wrongs
) -> None:
    config = desk.home / "config/schedules.json"
    before = config.read_bytes()
    page.goto(f"/tasks?view=schedules&schedule={schedule}")
    minute = page.get_by_label("Minute", exact=True)
    expect(minute).to_have_value("*/10")
    minute.fill("99")
    page.get_by_role("button", name="Save").click()
    wrong = {"crontab": {"minute": "99"}}
    refusal = httpx.patch(f"{desk.url}/api/schedules/{schedule}", json=wrong).json()["error"]["message"]
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text(refusal)
    assert config.read_bytes() == before
    wrongs.expected(REFUSED)
    minute.fill("*/20")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert json.loads(config.read_bytes())[schedule]["crontab"] == {"minute": "*/20"}
    expect(page.get_by_role("row").filter(has_text=schedule)).to_contain_text("minute=*/20")


def test_filters_of_the_history_outlive_a_reload(page: Page, desk: DeskProcess) -> None:
    desk.wait_until(
        lambda: desk.get("/api/tasks", task="collect_rss_news", status="succeeded").json()["items"],
        60,
        "news collected",
    )
    page.goto("/tasks?view=history")
    page.get_by_label("Task name").fill("collect_rss_news")
    expect(page).to_have_url(re.compile("task=collect_rss_news"))
    page.get_by_label("State", exact=True).first.click()
    page.get_by_role("option", name="succeeded").click()
    expect(page).to_have_url(re.compile("status=succeeded"))
    page.reload()
    expect(page.get_by_label("Task name")).to_have_value("collect_rss_news")
    rows = page.get_by_role("grid", name="History").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("succeeded")
    shown = desk.get("/api/tasks", task="collect_rss_news", status="succeeded").json()["items"]
    expect(rows).to_have_count(1 + len(shown))


def test_a_task_that_is_not_there_is_told_in_the_desks_words(
    page: Page, desk: DeskProcess, wrongs: Wrongs
) -> None:
    page.goto("/tasks/no-such-task")
    refusal = desk.get("/api/tasks/no-such-task").json()["error"]["message"]
    expect(page.get_by_role("alert").filter(has_text=refusal)).to_be_visible()
    page.goto("about:blank")  # it asks again while it is shown
    wrongs.expected(REFUSED)
