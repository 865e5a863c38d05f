"""A desk in memory as a process of its own: reads ``{"task", "kwargs"}`` lines, answers with job ids."""

import json
import signal
import sys
from types import FrameType

from backend.celery_app import app, lifecycle, runtimes
from backend.core.errors import DeskError
from backend.jobs.embedded import start_embedded
from tests.fakes import probe_tasks


def main() -> None:
    assert probe_tasks.NAME
    embedded = start_embedded(app, runtimes, lifecycle, beat="--beat" in sys.argv)

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = {"id": runtimes.get().jobs.submit(asked["task"], asked["kwargs"], actor="test")}
            except DeskError as error:
                answer = error.as_dict()
            print(json.dumps(answer), flush=True)
    finally:
        embedded.stop()


if __name__ == "__main__":
    main()
