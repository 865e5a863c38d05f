"""What the whole desk costs while nothing happens: resident memory and processor time.

Goals: at most 600 MB resident over all processes after every strategy was evaluated, and at most 3 %
of one core. `python tests/benchmarks/bench_idle.py [SECONDS]` exits with 1 if one of them is missed.
"""

import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.acceptance.clones import ROOT
from tests.acceptance.desk_process import READY, start_desk

SETTLE_SECONDS = 40
MEMORY_GOAL_MB = 600
CPU_GOAL_PERCENT = 3.0


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "config", home / "config")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        desk = start_desk(home, port, dict(os.environ) | {"MT5UI_HOME": str(home)})
        try:
            desk.wait_for_line(READY, 90)
            evaluated = desk.post("/api/celery/tasks/ai/evaluate-all").json()["task_id"]
            status = desk.ended(evaluated, 120)
            assert status["status"] == "success", status
            time.sleep(SETTLE_SECONDS)
            processes = [psutil.Process(desk.process.pid), *desk.processes()]
            names = {pid: name for name, pid in desk.children().items()}
            before = {process.pid: sum(process.cpu_times()[:2]) for process in processes}
            began = time.monotonic()
            resident: list[float] = []
            while time.monotonic() - began < seconds:
                resident.append(sum(process.memory_info().rss for process in processes) / 1e6)
                time.sleep(1)
            elapsed = time.monotonic() - began
            print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
            print(f"{'process':<16}{'resident MB':>12}{'% of a core':>13}")
            total_cpu = 0.0
            for process in processes:
                used = (sum(process.cpu_times()[:2]) - before[process.pid]) / elapsed * 100
                total_cpu += used
                name = names.get(process.pid, "supervisor" if process.pid == desk.process.pid else "other")
                print(f"{name:<16}{process.memory_info().rss / 1e6:>12.0f}{used:>13.2f}")
            memory = statistics.median(resident)
            print(f"{'all (median)':<16}{memory:>12.0f}{total_cpu:>13.2f}")
            print(f"goals: {MEMORY_GOAL_MB} MB, {CPU_GOAL_PERCENT} %")
            desk.stop(15)
        finally:
            desk.destroy()
    return 0 if memory <= MEMORY_GOAL_MB and total_cpu <= CPU_GOAL_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
