"""What each worker says of itself in its own file: the worker writes it, everybody else only reads."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backend.core.clock import Clock, age_seconds, parse_iso
from backend.core.errors import Invalid
from backend.jobs.views import WorkerView
from backend.storage.files import FileStorage

WORKERS = "task_runs/workers"
SILENT_AFTER = 20.0
FORGOTTEN_AFTER = 3600.0


def worker_views(storage: FileStorage, clock: Clock) -> tuple[WorkerView, ...]:
    """The workers that wrote their file within the last hour, by name."""
    now = clock.wall()
    found = []
    for name in storage.names(f"{WORKERS}/*.json"):
        try:
            content = storage.read_json_or(name, None)
        except Invalid:
            continue  # set aside and reported by the storage; the worker writes it again
        if isinstance(content, dict):
            worker = _worker(content, now)
            if worker.age <= FORGOTTEN_AFTER:
                found.append(worker)
    return tuple(sorted(found, key=lambda worker: worker.name))


def _worker(content: Mapping[str, Any], now: datetime) -> WorkerView:
    updated = parse_iso(content["updated_at"])
    age = max(0.0, age_seconds(updated, now))
    state = str(content.get("state", "alive"))
    return WorkerView(
        name=content["name"],
        host=content["host"],
        pid=content["pid"],
        pool=content["pool"],
        concurrency=content["concurrency"],
        queues=tuple(content["queues"]),
        active=tuple(content["active"]),
        processed=content["processed"],
        rss=content["rss"],
        started_at=parse_iso(content["started_at"]),
        updated_at=updated,
        age=age,
        canary_ages={
            queue: max(0.0, age_seconds(parse_iso(at), now))
            for queue, at in content.get("canaries", {}).items()
        },
        state="silent" if state == "alive" and age > SILENT_AFTER else state,
    )
