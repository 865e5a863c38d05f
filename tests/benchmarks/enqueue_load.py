"""The load of `bench_enqueue`, in processes of their own: one round for each line of their input.

``post PORT PATH`` is twenty clients in one light loop, so that the desk is what is measured; ``apply``
calls Celery's bare `apply_async`. A line holds how many calls to make; the answer is a line of JSON.
"""

import json
import selectors
import socket
import sys
import time
from contextlib import ExitStack
from typing import Any

CLIENTS = 20


class Clients:
    """Twenty connections, each with one request on its way at a time."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._request = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n".encode()
        )

    def round(self, count: int) -> dict[str, Any]:
        """Post `count` times in all: seconds in all, seconds of each, and the ids of the accepted tasks."""
        answers: list[bytes] = []
        taken: list[float] = []
        began: dict[Any, float] = {}
        sent = 0
        with ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            for _ in range(CLIENTS):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", self._port)))
                selector.register(client, selectors.EVENT_READ, bytearray())
            start = time.perf_counter()
            for key in [*selector.get_map().values()]:
                began[key.fileobj] = time.perf_counter()
                key.fileobj.sendall(self._request)  # type: ignore[union-attr]
                sent += 1
            while len(answers) < count:
                for key, _ in selector.select():
                    client, buffer = key.fileobj, key.data  # type: ignore[assignment]
                    received = client.recv(65_536)
                    if not received:
                        raise ConnectionError("the desk closed a connection")
                    buffer += received
                    if not _whole(buffer):
                        continue
                    now = time.perf_counter()
                    taken.append(now - began[client])
                    answers.append(bytes(buffer))
                    buffer.clear()
                    if sent < count:
                        began[client] = time.perf_counter()
                        client.sendall(self._request)
                        sent += 1
            seconds = time.perf_counter() - start
        return {"seconds": seconds, "taken": taken, "ids": [_task_id(answer) for answer in answers]}


def _whole(answer: bytearray) -> bool:
    head, end, body = bytes(answer).partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length)


def _task_id(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"not accepted: {answer.decode()}")
    return str(json.loads(body)["task_id"])


class Celery:
    """Bare `apply_async`, one call after another: with threads it is slower."""

    def __init__(self, which: str) -> None:
        import celery

        from backend.config import settings
        from backend.jobs.app import build_app
        from backend.jobs.broker import resolve

        address = resolve(settings())
        plain = celery.Celery("bare", broker=address.url, backend=address.result_url)
        make: Any = (plain if which == "plain" else build_app(address)).task
        self._task = make(_nothing, name="bare", queue="maintenance")

    def round(self, count: int) -> dict[str, Any]:
        """Call it `count` times: seconds in all."""
        start = time.perf_counter()
        for _ in range(count):
            self._task.apply_async()
        return {"seconds": time.perf_counter() - start}


def _nothing() -> None:
    """Queued and never run."""


def main() -> None:
    """Serve rounds until the input ends."""
    role, *rest = sys.argv[1:]
    load = Clients(int(rest[0]), rest[1]) if role == "post" else Celery(*rest)
    for line in sys.stdin:
        print(json.dumps(load.round(int(line))), flush=True)


if __name__ == "__main__":
    main()
