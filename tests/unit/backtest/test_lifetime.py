"""A process that works for another one ends with it."""

import subprocess
import sys

import pytest

BUSY = """
import sys
from backend.backtest.lifetime import end_with
end_with(sys.stdin.buffer)
print("up", flush=True)
while True:
    sum(range(100_000))
"""


def test_a_busy_process_ends_once_its_input_does() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.stdin.close()
        assert process.wait(10) == 1
