"""A desk goes on where nobody reads what it says any more."""

import subprocess
import sys
from pathlib import Path

import pytest

SPEAKS = """
import sys
from pathlib import Path
from backend.cli.output import lasting_console
out = lasting_console(stderr=sys.argv[1] == "stderr")
out.print("first")
sys.stdin.readline()
for _ in range(3):
    out.print("nobody reads this " * 5000)
Path(sys.argv[2]).write_text("went on")
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_pipe_ends_nothing(stream: str, tmp_path: Path) -> None:
    done = tmp_path / "done"
    with subprocess.Popen(
        [sys.executable, "-c", SPEAKS, stream, str(done)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        reads = process.stdout if stream == "stdout" else process.stderr
        assert reads is not None
        assert process.stdin is not None
        assert reads.readline() == "first\n"
        reads.close()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(30) == 0
    assert done.read_text() == "went on"
