"""Which broker this process speaks to, and whether a broker will do.

The order: the addresses that the environment names; the broker of the running desk, whose address
stands in ``data/run/broker.json``; otherwise Celery's in-memory transport, which serves one process.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil

from backend.config import BrokerChoice, Settings
from backend.core.clock import from_epoch
from backend.core.errors import Invalid, Unavailable

MINIMUM_VERSION = (6, 2)
CONNECT_TIMEOUT = 1.0
KEY_PREFIX = "mt5ui:"  # of every key of the desk in its Redis
MEMORY_URL = "memory://localhost"
MEMORY_RESULTS = "cache+memory://"
ADDRESS_FILE = "broker.json"
SAME_START = 2.0  # seconds by which two readings of one process's start may differ


class BrokerKind(StrEnum):
    """What carries the messages."""

    REDIS = "redis"
    MEMORY = "memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerAddress:
    """Where messages and results go.

    Attributes:
        kind: redis or memory.
        url: Celery's broker URL, with its password.
        result_url: Celery's result backend URL, with its password.
        source: Who named it: an environment variable, ``running desk``, ``private`` or ``memory``.
    """

    kind: BrokerKind
    url: str
    result_url: str
    source: str

    def describe(self) -> str:
        """One line for a person, without passwords."""
        if self.kind is BrokerKind.MEMORY:
            return "in memory, inside the API process"
        return f"{hide_password(self.url)} ({self.source})"


def memory_address() -> BrokerAddress:
    """The broker that lives in one process."""
    return BrokerAddress(kind=BrokerKind.MEMORY, url=MEMORY_URL, result_url=MEMORY_RESULTS, source="memory")


def resolve(settings: Settings) -> BrokerAddress:
    """The broker for this process; starts nothing and asks nobody.

    `CELERY_BROKER_URL` falls back to `REDIS_URL`, `CELERY_RESULT_BACKEND` to the broker; what is
    named by nobody is the running desk's broker, or in memory where there is none.
    """
    if settings.broker is BrokerChoice.MEMORY:
        return memory_address()
    return named(settings) or read_address(settings.run_dir) or memory_address()


def named(settings: Settings) -> BrokerAddress | None:
    """The broker that the environment names, or None."""
    url = settings.celery_broker_url or settings.redis_url
    if url is None:
        return None
    source = "CELERY_BROKER_URL" if settings.celery_broker_url else "REDIS_URL"
    if _scheme(url, source) not in {"redis", "rediss", "unix", "redis+socket"}:
        raise Invalid(
            "bad_broker",
            f"{source} is {hide_password(url)}: only Redis does all that the desk needs "
            "(redis://, rediss://, redis+socket://); leave it empty for the bundled one",
            variable=source,
            allowed=["redis", "rediss", "redis+socket"],
        )
    return BrokerAddress(
        kind=BrokerKind.REDIS, url=url, result_url=settings.celery_result_backend or url, source=source
    )


def _scheme(url: str, source: str) -> str:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is checked when it is read
    except ValueError as error:
        raise Invalid("bad_broker", f"{source} is not an address: {error}", variable=source) from error
    return parts.scheme


def write_address(run_dir: Path, address: BrokerAddress, *, pid: int) -> None:
    """Leave the private broker's address where a worker started by hand finds it, mode 600.

    Args:
        run_dir: The desk's ``data/run``.
        address: What to leave.
        pid: Process id of the broker.
    """
    content = asdict(address) | {"pid": pid, "started": psutil.Process(pid).create_time()}
    write_private(run_dir / ADDRESS_FILE, json.dumps(content, indent=1))


def read_address(run_dir: Path) -> BrokerAddress | None:
    """The running desk's broker, or None when there is none or its process is gone."""
    content = read_address_file(run_dir)
    if content is None or not process_lives(content.get("pid"), content.get("started")):
        return None
    return BrokerAddress(
        kind=BrokerKind(content["kind"]),
        url=content["url"],
        result_url=content["result_url"],
        source="running desk",
    )


def read_address_file(run_dir: Path) -> Mapping[str, Any] | None:
    """What the address file says, whether or not its process lives; None without a whole file."""
    try:
        content = json.loads((run_dir / ADDRESS_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    whole = isinstance(content, dict) and {"kind", "url", "result_url", "pid"} <= content.keys()
    return content if whole else None


def process_lives(pid: Any, started: Any) -> bool:
    """Whether that very process still runs: its number may have been given to another since."""
    try:
        process = psutil.Process(int(pid))
        return process.status() != psutil.STATUS_ZOMBIE and (
            started is None or abs(process.create_time() - float(started)) < SAME_START
        )
    except (psutil.Error, TypeError, ValueError):
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def check(address: BrokerAddress) -> str:
    """Make sure that a Redis will do; gives its version. Nothing to check in memory.

    Raises:
        Unavailable: ``broker_unavailable``: it does not answer PING within a second.
        Invalid: ``broker_too_old`` or ``broker_evicts``: it answers, but would lose work.
    """
    if address.kind is BrokerKind.MEMORY:
        return "memory"
    import redis

    where = f"{address.source}: {hide_password(address.url)}"
    client = connect(address.url)
    try:
        client.ping()
        version = str(client.info("server")["redis_version"])
        policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
    except redis.RedisError as error:
        raise Unavailable(
            "broker_unavailable", f"{where} does not answer PING: {error}", check="ping"
        ) from error
    finally:
        client.close()
    if tuple(int(part) for part in version.split(".")[:2]) < MINIMUM_VERSION:
        raise Invalid(
            "broker_too_old",
            f"{where} is version {version}; the desk needs 6.2 or newer",
            check="version",
            version=version,
        )
    if policy != "noeviction":
        raise Invalid(
            "broker_evicts",
            f"{where} has maxmemory-policy {policy}, which throws queued work away when memory is "
            "short; set maxmemory-policy noeviction",
            check="noeviction",
            policy=policy,
        )
    return version


def time_of(address: BrokerAddress) -> datetime:
    """The time of a Redis by its own clock; `Unavailable` ``broker_unavailable``."""
    import redis

    client = connect(address.url)
    try:
        seconds, micros = client.time()
    except redis.RedisError as error:
        raise Unavailable("broker_unavailable", f"the broker does not answer: {error}") from error
    finally:
        client.close()
    return from_epoch(seconds + micros / 1e6)


def connect(url: str, *, timeout: float = CONNECT_TIMEOUT) -> Any:
    """A Redis client that gives up after `timeout` seconds and never tries again by itself."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(
        url.replace("redis+socket://", "unix://", 1),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )


def hide_password(url: str) -> str:
    """The address with its password replaced by stars."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user = parts.username or ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))
