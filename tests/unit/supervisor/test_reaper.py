"""Whoever is killed leaves nothing running: the reaper hears of it and ends the desk in its order."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from backend.supervisor.reaper import end_children, reaper_command

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
TELLS_WHEN_ENDED = """
import pathlib, signal, sys
def end(*_):
    runs = pathlib.Path(f"/proc/{sys.argv[2]}").exists()
    pathlib.Path(sys.argv[1]).write_text("broker runs" if runs else "broker is gone")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""


@contextmanager
def running(code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def listed(name: str, process: subprocess.Popen[bytes], *, late: float = 0.0) -> dict[str, object]:
    began = psutil.Process(process.pid).create_time()
    return {"name": name, "pid": process.pid, "process_started": began - late}


def test_it_ends_what_its_own_supervisor_started_and_no_stranger(tmp_path: Path) -> None:
    file = tmp_path / "desk.json"
    with running(SLEEPER) as api, running(SLEEPER) as broker, running(SLEEPER) as stranger:
        children = [listed("api", api), listed("broker", broker), listed("beat", stranger, late=1000)]
        file.write_text(json.dumps({"pid": 17, "children": children}))
        end_children(file, 18, "broker")
        assert (api.poll(), broker.poll()) == (None, None), "another supervisor's desk"
        end_children(file, 17, "broker")
        assert api.wait(5) != 0
        assert broker.wait(5) != 0
        assert stranger.poll() is None, "a later process of that id"
    assert file.exists(), "by it the next start knows that this desk was killed"
    file.unlink()
    end_children(file, 17, "broker")


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc whether the broker runs")
def test_the_broker_goes_last_so_that_workers_can_give_back(tmp_path: Path) -> None:
    file, told = tmp_path / "desk.json", tmp_path / "told"
    with running(SLEEPER) as broker, running(TELLS_WHEN_ENDED, str(told), str(broker.pid)) as worker:
        children = [listed("broker", broker), listed("worker-main", worker)]
        file.write_text(json.dumps({"pid": 17, "children": children}))
        end_children(file, 17, "broker")
        assert worker.wait(5) == 0, "it was asked, not killed"
        assert told.read_text() == "broker runs"
        assert broker.wait(5) != 0


def test_it_waits_for_the_end_of_its_input(tmp_path: Path) -> None:
    file = tmp_path / "desk.json"
    with (
        running(SLEEPER) as api,
        subprocess.Popen(reaper_command(file, os.getpid(), "broker"), stdin=subprocess.PIPE) as reaper,
    ):
        file.write_text(json.dumps({"pid": os.getpid(), "children": [listed("api", api)]}))
        with pytest.raises(subprocess.TimeoutExpired):
            reaper.wait(0.5)
        assert api.poll() is None
        assert reaper.stdin is not None
        reaper.stdin.close()
        assert api.wait(10) != 0
        assert reaper.wait(10) == 0
