"""What months of use cost: 20,000 idea files, of which a handful still wait.

``python -m tests.benchmarks.bench_ideas`` makes the files and their journal in a process of its own, then
asks a desk over the simulated terminal for pages of the list, its minutely tick, and the judging of an idea
that waits. Exits with 1 if a goal is missed.
"""

import json
import multiprocessing
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from backend.app import create_app
from backend.core.clock import iso
from backend.ideas.book import IdeaBook
from backend.ideas.lifecycle import Act, Status
from backend.ideas.live import purpose_of
from backend.ideas.shelf import FOLDER
from backend.ideas.steps import applied, changed, proposed, step_key
from backend.journal.record import Entry, Kind
from tests.fakes.desk import ROOT, SimulatedDesk, simulated_desk
from tests.fakes.http import TestClient
from tests.fakes.services import fake_desk

IDEAS = 20_000
BATCH = 500
ROUNDS = 60
AT = datetime(2026, 3, 4, 10, 0, 5, tzinfo=UTC)
APART = timedelta(minutes=9)  # 20,000 of them are four months
MOST_LIST, MOST_TICK, MOST_JUDGE, MOST_MEMORY = 0.050, 0.100, 0.050, 40
Steps = tuple[tuple[Act, Status, dict[str, Any]], ...]
TRADED: Steps = (
    (Act.APPROVE, Status.APPROVED, {}),
    (Act.SEND, Status.SENDING, {}),
    (Act.DEALT, Status.OPEN, {"order": {"ticket": 1}, "position": {"id": 1}}),
    (Act.CLOSE, Status.CLOSED, {"result": {"net": 1.0}}),
    (Act.RECORD, Status.CLOSED, {"logged": "logs/trades_20260304.csv"}),
)
NOT_TRADED: Steps = ((Act.EXPIRE, Status.EXPIRED, {}),)


def desk_of(folder: Path) -> SimulatedDesk:
    """The desk of that folder, with a strategy that proposes on two symbols."""
    config = folder / "config"
    if not config.exists():
        shutil.copytree(ROOT / "config", config)
        for path in (config / "ai" / "strategies").iterdir():
            path.unlink()
        stated = {
            "id": "ALWAYS",
            "symbols": ["EURUSD", "GBPUSD"],
            "timeframe": "M15",
            "conditions": {"entry": ["close > 0"]},
            "strategy": {"direction": "long", "news_embargo_minutes": 0},
        }
        (config / "ai" / "strategies" / "ALWAYS.json").write_text(json.dumps(stated), encoding="utf-8")
    return simulated_desk(folder / "data", AT, config=config)


def lived(template: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
    """The steps of one idea that is over; every third was traded."""
    at = AT - APART * (number + 1)
    begun = {**template, "id": f"I{number}", "created_at": iso(at), "expires_at": iso(at + APART)}
    stated = proposed(begun, actor="desk", why="")
    yield stated
    idea = applied(None, stated)
    for act, status, changes in TRADED if number % 3 == 0 else NOT_TRADED:
        stated = changed(idea, act, status, at=iso(at), by="desk", why="", changes=changes, details={})
        yield stated
        idea = applied(idea, stated)


def fill(folder: str) -> None:
    """Proposals that wait, and the files and records of ideas that are over."""
    desk = desk_of(Path(folder))
    desk.ideas.evaluate_all(trigger="bench")
    template = {key: value for key, value in desk.book.find()[0].items() if key not in {"history", "version"}}
    for first in range(0, IDEAS, BATCH):
        entries, ideas = [], []
        for number in range(first, first + BATCH):
            idea = None
            for stated in lived(template, number):
                key = step_key(stated["idea_id"], stated["version"])
                entries.append(Entry(kind=Kind.IDEA_STEP, payload=stated, key=key))
                idea = applied(idea, stated)
            assert idea is not None
            ideas.append(idea)
        desk.journal.append_many(entries, actor="desk")
        for idea in ideas:
            made = datetime.fromisoformat(idea["created_at"])
            desk.storage.write_json(f"{FOLDER}/{idea['symbol']}_{made:%Y%m%d_%H%M%S}.json", idea)


def answered(client: TestClient, query: str) -> None:
    """One page of the list."""
    client.get(f"/api/trade-ideas{query}").raise_for_status()


def kept(desk: SimulatedDesk) -> float:
    """MiB that the ideas take in a process: those of a second book."""
    tracemalloc.start()
    second = IdeaBook(desk.storage, desk.journal, desk.clock)
    second.lines()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 2**20


def taken(act: Callable[[], object]) -> float:
    """Seconds of the 95th percentile, after one that warms."""
    act()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return statistics.quantiles(times, n=20)[18]


def main() -> int:
    """Print the times with the machine's name and load; 1 if a goal is missed."""
    before = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        maker = multiprocessing.get_context("spawn").Process(target=fill, args=(folder,))
        maker.start()
        maker.join()
        desk = desk_of(Path(folder))
        desk.journal.find_many(Kind.IDEA_STEP, ["nothing"])  # the journal's own index is not the question
        began = time.perf_counter()
        count = len(desk.book.lines())
        first = time.perf_counter() - began
        memory = kept(desk)
        services = fake_desk(Path(folder) / "home", ideas=desk.ideas, idea_desk=desk.acts)
        waiting = desk.book.find(Status.PENDING_APPROVAL)
        with TestClient(create_app(services, host="127.0.0.1"), base_url="http://127.0.0.1:5001") as client:
            pages = {
                "first page": "?limit=50",
                "closed": "?limit=50&status=closed",
                "of an hour": f"?since={iso(AT - timedelta(days=60))}&until={iso(AT - timedelta(days=59))}",
                "the last page": f"?cursor=I{IDEAS - 10}",
            }
            listed = {name: taken(partial(answered, client, query)) for name, query in pages.items()}
        tick = taken(desk.acts.expire)
        judge = taken(lambda: desk.judge.judge(waiting[0], purpose=purpose_of(waiting[0])))
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"load of the machine: {before:.1f} before, {psutil.getloadavg()[0]:.1f} after, its own included")
    print(f"{count:,} ideas, {len(waiting)} wait: first look {first:.1f} s, {memory:.0f} MiB kept in memory")
    print("p95 of a list: " + ", ".join(f"{name} {each * 1000:.0f} ms" for name, each in listed.items()))
    print(f"p95 of a tick {tick * 1000:.0f} ms, of judging an idea {judge * 1000:.0f} ms")
    print(
        f"goals: list {MOST_LIST * 1000:.0f} ms, tick {MOST_TICK * 1000:.0f} ms, "
        f"judging {MOST_JUDGE * 1000:.0f} ms, memory {MOST_MEMORY} MiB"
    )
    met = max(listed.values()) <= MOST_LIST and tick <= MOST_TICK and judge <= MOST_JUDGE
    return 0 if met and memory <= MOST_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
