"""What a host sees of the desk's other hosts: asked over the broker, answered through the shared folder.

The host that asks writes a file; each worker says over the broker whether it reads it, and writes one of
its own. So one question proves that both have the same broker and the same folder, whose files go both
ways, that a lock held here keeps the other out, and compares their clocks.
"""

import contextlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from celery import Celery
from celery.worker.control import inspect_command

from backend.core.clock import Clock, age_seconds, parse_iso
from backend.core.errors import Unavailable
from backend.jobs.host_locks import host_locks
from backend.jobs.leases import HOST, machine
from backend.jobs.rows import written
from backend.jobs.runtime import Runtime, Runtimes
from backend.storage.files import FileStorage
from backend.storage.locks import Hosts
from backend.storage.names import safe_name

COMMAND: Final = "witness"
ANSWERS_WITHIN: Final = 1.5
SEEN_WITHIN: Final = 4.0  # network drives show a file to others after some seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """What was heard and seen of one worker.

    Attributes:
        worker: Celery's node name.
        host: Its host, for people.
        machine: As `backend.jobs.leases.machine` names it there.
        reads_us: Whether it reads what was written here.
        we_read: Whether what it wrote is read here.
        at_once: Whether a file that it changes is another one here by the time that it says so.
        locked_out: Whether it may not change what is locked here, by the Redis alone.
        clock_ahead: Seconds by which its clock lies ahead of ours; what the question's way can
            explain counts as 0.
    """

    worker: str
    host: str
    machine: str
    reads_us: bool
    we_read: bool
    at_once: bool
    locked_out: bool
    clock_ahead: float


def install(runtimes: Runtimes) -> None:
    """Let the workers of this process answer."""

    def witness(state: Any, token: str) -> dict[str, Any]:
        runtime = runtimes.get()
        name = str(state.hostname)
        asked = runtime.storage.read_json_or(_question(token), None)
        if asked == {"token": token}:
            runtime.storage.write_json(_question(token), asked)
        runtime.storage.write_json(_answer(token, name), {"worker": name})
        locked_out = _is_locked_out(runtime, token)
        return {
            "host": HOST,
            "machine": machine(),
            "locked_out": locked_out,
            "reads_us": asked == {"token": token},
            "wall": written(runtime.clock.wall()),
        }

    inspect_command(name=COMMAND, args=[("token", str)])(witness)


def ask(
    app: Celery, storage: FileStorage, clock: Clock, machine_of_desk: str, hosts: Hosts | None
) -> tuple[Witness, ...]:
    """Ask every worker until all on the desk's machine read us and are read here; at most some 5 s.

    Args:
        app: Bound to the broker as this host names it.
        storage: The shared ``data`` folder as this host sees it.
        clock: Tells the wall time.
        machine_of_desk: Whose workers are to read it.
        hosts: Holds a lock that they are to be refused; None where this host asks nobody for its locks.

    Raises:
        Unavailable: The lock cannot be held.
        kombu.exceptions.OperationalError: The broker is away.
    """
    token = secrets.token_hex(8)
    deadline = time.monotonic() + SEEN_WITHIN
    try:
        storage.write_json(_question(token), {"token": token})
        with contextlib.nullcontext() if hosts is None else hosts.hold(_locked(storage, token), 1.0):
            while True:
                heard = _heard(app, storage, clock, token)
                proven = [one.reads_us and one.we_read for one in heard if one.machine == machine_of_desk]
                if (proven and all(proven)) or time.monotonic() > deadline:
                    return heard
    finally:
        for name in storage.names(f"{_question(token).removesuffix('.json')}*.json"):
            storage.delete(name)


def _heard(app: Celery, storage: FileStorage, clock: Clock, token: str) -> tuple[Witness, ...]:
    asked_at = clock.wall()
    before = storage.state(_question(token))
    replies: list[tuple[str, Mapping[str, Any], datetime, bool]] = []

    def note(reply: Mapping[str, Mapping[str, Any]]) -> None:
        changed = storage.state(_question(token)) != before
        replies.extend((worker, said, clock.wall(), changed) for worker, said in reply.items())

    with app.connection_for_write() as connection:
        app.control.broadcast(
            COMMAND,
            arguments={"token": token},
            connection=connection,
            reply=True,
            timeout=ANSWERS_WITHIN,
            callback=note,
        )
    return tuple(
        Witness(
            worker=worker,
            host=str(said["host"]),
            machine=str(said["machine"]),
            reads_us=bool(said["reads_us"]),
            we_read=storage.exists(_answer(token, worker)),
            at_once=changed,
            locked_out=bool(said["locked_out"]),
            clock_ahead=_ahead(parse_iso(said["wall"]), asked_at, heard_at),
        )
        for worker, said, heard_at, changed in sorted(replies, key=lambda reply: reply[0])
        if "wall" in said  # otherwise it could not answer
    )


def _ahead(theirs: datetime, asked_at: datetime, heard_at: datetime) -> float:
    return min(age_seconds(asked_at, theirs), 0.0) or max(0.0, age_seconds(heard_at, theirs))


def _is_locked_out(runtime: Runtime, token: str) -> bool:
    hosts = host_locks(runtime.settings)
    if hosts is None:
        return False
    try:
        with hosts.hold(_locked(runtime.storage, token), 0.0):
            return False
    except Unavailable as error:
        return error.code == "locked"


def _locked(storage: FileStorage, token: str) -> Path:
    """A file that never exists; its lock stands in the Redis alone."""
    return storage.path(f"doctor-{safe_name(token)}")


def _question(token: str) -> str:
    return f"run/doctor-{safe_name(token)}.json"


def _answer(token: str, worker: str) -> str:
    return f"run/doctor-{safe_name(token)}-{safe_name(worker)}.json"
