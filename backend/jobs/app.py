"""The Celery app of the desk as configured, and the parts of this process that use it."""

from functools import lru_cache
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from backend.config import settings
from backend.jobs import broker, transport
from backend.jobs.broker import KEY_PREFIX, BrokerAddress, BrokerKind
from backend.jobs.results import DeskCelery
from backend.jobs.runtime import Runtimes
from backend.jobs.schedules import DEFAULTS
from backend.jobs.service import Jobs
from backend.jobs.spec import DEFAULT_QUEUE, QUEUES
from backend.jobs.ticks import celery_schedule

TASK_MODULES = (
    "backend.tasks.ai_tasks",
    "backend.tasks.data_tasks",
    "backend.tasks.maintenance_tasks",
    "backend.tasks.trading_tasks",
)
VISIBILITY_TIMEOUT = 120


def build_app(address: BrokerAddress) -> Celery:
    """A Celery app for that broker, with the desk's queues and policies."""
    transport.use()
    made = DeskCelery("mt5ui", broker=address.url, backend=address.result_url, include=list(TASK_MODULES))
    made.conf.update(
        task_queues=[Queue(name, Exchange(name, type="direct"), routing_key=name) for name in QUEUES],
        task_default_queue=DEFAULT_QUEUE,
        task_create_missing_queues=False,
        task_routes={schedule.task: {"queue": schedule.queue} for schedule in DEFAULTS},
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        timezone="UTC",
        enable_utc=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_track_started=True,
        task_send_sent_event=True,
        task_time_limit=3600,
        task_soft_time_limit=3570,
        task_publish_retry=False,
        worker_pool="threads",
        worker_concurrency=4,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_soft_shutdown_timeout=10,
        worker_hijack_root_logger=False,
        result_extended=True,
        result_expires=86_400,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        beat_scheduler="backend.jobs.beat:DeskScheduler",
        beat_max_loop_interval=1,
        beat_schedule={
            schedule.name: {
                "task": schedule.task,
                "schedule": celery_schedule(schedule.when),
                "options": {"queue": schedule.queue},
            }
            for schedule in DEFAULTS
        },
        **_transport(address),
    )
    return made


def _transport(address: BrokerAddress) -> dict[str, Any]:
    if address.kind is BrokerKind.MEMORY:
        return {"broker_transport_options": {"polling_interval": 0.1}}
    return {
        "worker_direct": True,  # a queue of each worker's own, by which it knows that it hears
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 30,  # whoever is killed holding it stops redelivery for that long
            "socket_timeout": 15,
            "socket_connect_timeout": 5,
            "health_check_interval": 20,
            "global_keyprefix": KEY_PREFIX,
        },
        "result_backend_transport_options": {
            "global_keyprefix": KEY_PREFIX,
            "retry_policy": {"timeout": 5.0, "max_retries": 3},
        },
        "redis_socket_timeout": 5,
        "redis_socket_connect_timeout": 2,
        "redis_retry_on_timeout": False,
    }


@lru_cache(maxsize=1)
def desk_app() -> Celery:
    """The app of this process, for the broker that its settings name."""
    return build_app(broker.resolve(settings()))


@lru_cache(maxsize=1)
def desk_runtimes() -> Runtimes:
    """The ledger, leases and service of this process, made on first use."""
    return Runtimes(desk_app(), settings)


def desk_jobs() -> Jobs:
    """The job service of this process."""
    return desk_runtimes().get().jobs
