import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend.supervisor import child as module
from backend.supervisor.child import Child


def child(tmp_path: Path, code: str) -> Child:
    return Child(
        "part", [sys.executable, "-c", code], environment=dict(os.environ), log=tmp_path / "part.log"
    )


def code_of(part: Child) -> int:
    deadline = time.monotonic() + 10
    while (code := part.died()) is None:
        assert time.monotonic() < deadline, "it did not end"
        time.sleep(0.01)
    return code


def test_output_is_logged_and_its_end_is_kept(tmp_path: Path) -> None:
    part = child(tmp_path, "import sys\nfor n in range(40): print('line', n)\nsys.exit(3)")
    part.start()
    assert code_of(part) == 3
    assert list(part.last_lines)[-1] == "line 39"
    assert len(part.last_lines) == module.KEPT_LINES
    assert (tmp_path / "part.log").read_text(encoding="utf-8").splitlines()[0] == "line 0"


def test_restarts_wait_longer_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("backend.supervisor.child.time.monotonic", lambda: now)
    part = child(tmp_path, "")
    part.start()
    waits = []
    for _ in range(7):
        while part.died() is None:
            pass
        waits.append(part.restart_in)
        assert not part.restart_if_due()
        now += part.restart_in
        assert part.restart_if_due()
    part.kill()
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert part.restarts == 7


def test_a_healthy_minute_forgets_the_backoff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("backend.supervisor.child.time.monotonic", lambda: now)
    part = child(tmp_path, "import time; time.sleep(60)")
    part._backoff = 16
    part.start()
    assert part.died() is None
    now += 61
    assert part.died() is None
    part.kill()
    assert part.died() is not None
    assert part.restart_in == 1


def test_a_command_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    part = Child("part", [str(tmp_path / "no such program")], environment={}, log=tmp_path / "part.log")
    assert not part.restart_if_due()
    assert "no such program" in part.last_lines[-1]
    assert part.restart_in > 0


def test_kill_ends_what_the_child_started(tmp_path: Path) -> None:
    inner = "import subprocess, sys, time; "
    inner += "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    inner += "print(p.pid, flush=True); time.sleep(60)"
    part = child(tmp_path, inner)
    part.start()
    deadline = time.monotonic() + 10
    while not part.last_lines:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    grandchild = psutil.Process(int(part.last_lines[0]))
    part.kill()
    gone, alive = psutil.wait_procs([grandchild], timeout=5)
    assert alive == []
    assert gone == [grandchild]


def test_asked_to_end_it_ends(tmp_path: Path) -> None:
    part = child(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    part.start()
    part.ask_to_end()
    assert part.wait(time.monotonic() + 5)
    part.close()


def test_retired_it_ends_at_once_or_is_killed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    polite = child(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    polite.start()
    polite.retire()
    assert code_of(polite) != 0
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
    stubborn = child(tmp_path, code + "time.sleep(60)")
    stubborn.start()
    deadline = time.monotonic() + 10
    while not stubborn.last_lines:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.setattr(module, "RETIRE_PATIENCE", 0.3)
    stubborn.retire()
    if os.name != "nt":
        assert stubborn.died() is None, "it may finish what it does"
    assert code_of(stubborn) != 0
