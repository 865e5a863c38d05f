"""How a supervisor starts the desk's workers and beat: the ordinary commands of Celery."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

APP = "backend.celery_app"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerPlan:
    """One worker of a desk.

    Attributes:
        name: Node name before the ``@``.
        queues: What it consumes.
        concurrency: How many jobs it runs at once.
    """

    name: str
    queues: Sequence[str]
    concurrency: int


# A click never waits behind a long task: orders and monitoring have a worker of their own.
WORKERS = (
    WorkerPlan(name="orders", queues=("orders", "monitoring"), concurrency=2),
    WorkerPlan(
        name="main", queues=("ai_evaluation", "data_collection", "maintenance", "research"), concurrency=4
    ),
)


def worker_command(plan: WorkerPlan, *, app: str = APP, log_level: str = "INFO") -> list[str]:
    """The command line of one worker. Gossip and mingle are for fleets; a desk reads the ledger."""
    return [
        *(sys.executable, "-m", "celery", "-A", app, "worker"),
        *("-n", f"{plan.name}@%h", "-Q", ",".join(plan.queues)),
        *("--pool", "threads", "--concurrency", str(plan.concurrency)),
        *("--loglevel", log_level, "--without-gossip", "--without-mingle"),
    ]


def beat_command(*, app: str = APP, log_level: str = "INFO") -> list[str]:
    """The command line of beat."""
    return [sys.executable, "-m", "celery", "-A", app, "beat", "--loglevel", log_level]
