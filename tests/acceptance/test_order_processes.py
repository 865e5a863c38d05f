"""Real processes: the worker, then the connector, killed with -9 while an order is at the broker."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import backend.tasks  # noqa: F401 - makes the tasks known to this process too
from backend.config import load_settings
from backend.jobs.views import JobState
from backend.orders.tickets import Ticket
from backend.services import Services, build_services
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.fakes.jobs_desk import ROOT, JobsDesk
from tests.fakes.market_hours import open_clock

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

TASKS = "backend.tasks.trading_tasks"
SLOW = {"account": {}, "faults": {"script": {"1": "slow"}, "slow_seconds": 8}}


class Desk:
    """A folder with Redis, a connector whose broker is slow with the first request, and a worker."""

    def __init__(self, jobs: JobsDesk) -> None:
        self.jobs = jobs
        shutil.copytree(ROOT / "config", jobs.home / "config")
        (jobs.home / "config" / "simulator.json").write_text(json.dumps(SLOW), encoding="utf-8")
        jobs.app = "backend.celery_app"
        jobs.start_connector()
        self.connector = jobs.children[-1]
        self.worker = self.start_worker("w1")
        clock = jobs.environment["MT5UI_SERVER_CLOCK"]
        self.services: Services = build_services(load_settings(home=jobs.home, server_clock=clock))

    def start_worker(self, name: str) -> subprocess.Popen[str]:
        return self.jobs.start_worker(name=name)

    def approved(self) -> str:
        """An idea that waits for the sender."""
        ask = float(self.services.market.quote("EURUSD").ask)
        ticket = Ticket(
            symbol="EURUSD", side=Side.BUY, type=OrderType.MARKET, volume=0.01, stop=round(ask - 0.01, 5)
        )
        idea, _ = self.services.orders.tickets.judged(ticket)
        return str(self.services.idea_book.create(idea, actor="test")["id"])

    def status(self, idea_id: str) -> str:
        return str(self.services.idea_book.get(idea_id)["status"])

    def until(self, idea_id: str, status: str) -> None:
        self.jobs.until(lambda: self.status(idea_id) == status)

    def run(self, task: str, **kwargs: Any) -> Any:
        job = self.jobs.wait(self.jobs.submit(f"{TASKS}.{task}", **kwargs), 60)
        assert job.state is JobState.SUCCEEDED, job
        return job.result


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with JobsDesk(tmp_path, "redis", MT5UI_SERVER_CLOCK=open_clock()) as jobs:
        made = Desk(jobs)
        try:
            made.services.market.quote("EURUSD")  # the connector answers
            yield made
        finally:
            made.services.connector_link.close()


def test_the_worker_dies_while_the_broker_acts(desk: Desk) -> None:
    idea = desk.approved()
    job = desk.jobs.submit(f"{TASKS}.send_idea", idea_id=idea)
    desk.until(idea, "sending")
    time.sleep(0.5)  # the request is with the connector by now
    desk.jobs.kill(desk.worker)
    desk.start_worker("w2")
    ended = desk.jobs.wait(job, 30)
    assert (ended.state, ended.attempts) == (JobState.FAILED, 1), "an order's job is not run again"
    desk.jobs.until(lambda: bool(desk.services.terminal.positions()))  # now the broker has acted
    desk.run("reconcile_orders")
    (position,) = desk.services.terminal.positions()
    assert desk.status(idea) == "open"
    assert desk.services.idea_book.get(idea)["position"]["id"] == position.identifier


@pytest.mark.full
def test_the_connector_dies_with_the_request_in_its_hands(desk: Desk) -> None:
    idea = desk.approved()
    job = desk.jobs.submit(f"{TASKS}.send_idea", idea_id=idea)
    desk.until(idea, "sending")
    time.sleep(0.5)
    desk.jobs.kill(desk.connector)
    (desk.jobs.home / "data/run/connector.json").unlink()
    desk.jobs.wait(job, 60)
    assert desk.status(idea) == "unknown", "no answer is no proof"
    desk.jobs.start_connector()
    desk.run("reconcile_orders")
    assert (desk.status(idea), desk.services.terminal.positions()) == ("failed", ())
