"""Processes that write and read one folder while a test kills them; started with ``python -m``."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import orjson

from backend.core.errors import NotFound, Unavailable
from backend.storage.appendlog import SegmentTail, SegmentWriter
from backend.storage.files import FileStorage

COLUMNS = ["time", "writer", "n", "text"]
ROWS = 200


def tell(text: str) -> None:
    """One line to the parent, with one write: what arrives was told before the process died."""
    os.write(1, f"{text}\n".encode())


def write(root: str, writer: str) -> NoReturn:
    """Write to every kind of file for ever, acknowledging each write once it has returned."""
    storage = FileStorage(Path(root))
    log = SegmentWriter(storage, "runs", name=writer)
    n = 0
    while True:
        n += 1
        record = {"writer": writer, "n": n, "text": "x" * (n * 37 % 300)}
        storage.append_jsonl("log.jsonl", [record], sync=n % 10 == 0)
        tell(f"jsonl {writer} {n}")
        log.append(record)
        tell(f"segment {writer} {n}")
        storage.append_csv("trades.csv", COLUMNS, [[n, writer, n, record["text"]]])
        tell(f"csv {writer} {n}")
        storage.update_json("counts.json", partial(count, writer, n), {})
        tell(f"count {writer} {n}")
        storage.write_json("whole.json", {"writer": writer, "rows": [{"n": n}] * ROWS})
        if storage.create_json(f"ideas/{writer}_{n}.json", record):
            tell(f"idea {writer} {n}")


def count(writer: str, n: int, counts: dict[str, int]) -> dict[str, int]:
    """The counts with this writer's."""
    return {**counts, writer: n}


def read(root: str, until: str) -> None:
    """Read everything until a file appears; any half thing that is seen ends the process with a reason."""
    storage = FileStorage(Path(root))
    tail = SegmentTail(storage, "runs")
    followed: dict[str, int] = {}
    rounds = 0
    while not storage.exists(until) or rounds == 0:
        rounds += 1
        for record in tail.poll():
            writer, n = record["writer"], record["n"]
            require(n == followed.get(writer, 0) + 1, f"segment of {writer} jumped to {n}")
            followed[writer] = n
        try:
            whole = orjson.loads(storage.read_bytes("whole.json"))
            numbers = {row["n"] for row in whole["rows"]}
            require(len(whole["rows"]) == ROWS and len(numbers) == 1, "a document mixed from two writes")
            orjson.loads(storage.read_bytes("counts.json"))
            last = storage.last_jsonl("log.jsonl")
            require(last is not None and "n" in last, f"last record {last}")
            if rounds % 5 == 0:
                seen = [(record["writer"], record["n"]) for record in storage.read_jsonl("log.jsonl")]
                require(len(seen) == len(set(seen)), "a record was seen twice")
            for name in storage.names("ideas/*.json")[-5:]:
                require(orjson.loads(storage.read_bytes(name))["n"] > 0, name)
        except NotFound:
            time.sleep(0.01)
    for _ in range(2):
        for record in tail.poll():
            followed[record["writer"]] = record["n"]
    require(not tail.problems, str(tail.problems))
    tell(orjson.dumps({"rounds": rounds, "followed": followed}).decode())


def hold(root: str) -> NoReturn:
    """Hold a lock for ever."""
    with FileStorage(Path(root)).lock("x.json", 5.0):
        tell("held")
        while True:
            time.sleep(60)


def fill(root: str) -> None:
    """Write on a disk that takes no file above 20 kB, and say what was refused."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    storage = FileStorage(Path(root))
    storage.write_json("x.json", "old")
    log = SegmentWriter(storage, "runs", name="w")
    done: dict[str, Any] = {"refused": {}}
    for kind, write_one in (
        ("json", lambda _: storage.write_json("x.json", ["n" * 100] * 300)),
        ("jsonl", lambda n: storage.append_jsonl("a.jsonl", [{"n": n, "text": "y" * 333}])),
        ("csv", lambda n: storage.append_csv("a.csv", ["n", "text"], [[n, "z" * 333]])),
        ("segment", lambda n: log.append({"n": n, "text": "s" * 333})),
    ):
        n = 0
        try:
            while n < 1000:
                write_one(n)
                n += 1
        except Unavailable as error:
            done["refused"][kind] = {"code": error.code, "message": error.message, "acknowledged": n}
    tell(orjson.dumps(done).decode())


def require(holds: bool, reason: str) -> None:
    """End with a reason unless it holds."""
    if not holds:
        sys.exit(f"reader: {reason}")


if __name__ == "__main__":
    does: dict[str, Callable[..., None]] = {"write": write, "read": read, "hold": hold, "fill": fill}
    does[sys.argv[1]](*sys.argv[2:])
