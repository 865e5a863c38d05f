"""Environments of others, each its own under ``.peers/`` (not in the repository), and processes in them."""

import contextlib
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".peers"


def python_of(name: str) -> Path:
    return FOLDER / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed(name: str, requirements: tuple[str, ...]) -> bool:
    return _marker(name).exists() and _marker(name).read_text(encoding="utf-8") == "\n".join(requirements)


def install(name: str, requirements: tuple[str, ...], *, seconds: float) -> None:
    """Make the environment once; what it was made of is written into it.

    Raises:
        subprocess.CalledProcessError: pip refused; what it said is in its ``stderr``.
        subprocess.TimeoutExpired: Not done in that many seconds.
    """
    if installed(name, requirements):
        return
    venv.create(FOLDER / name, with_pip=True, clear=True)
    command = [str(python_of(name)), "-m", "pip", "install", "--quiet", "--prefer-binary"]
    try:
        subprocess.run(
            [*command, "--disable-pip-version-check", *requirements],
            check=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )
    except BaseException:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        raise
    _marker(name).write_text("\n".join(requirements), encoding="utf-8")


def _marker(name: str) -> Path:
    return FOLDER / name / "made_of.txt"


class Engine:
    """A process of `tests.benchmarks.peers` that answers orders, one JSON value a line.

    Attributes:
        versions: Of the engine and what counts beside it.
        works: Names of what it can be told to do.
    """

    def __init__(self, python: Path, module: str, log: Path) -> None:
        with log.open("w", encoding="utf-8") as said:
            self._process = subprocess.Popen(
                [str(python), "-W", "ignore", "-m", f"tests.benchmarks.peers.{module}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                encoding="utf-8",
                cwd=log.parent,
                env=dict(os.environ) | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            )
        self._log = log
        hello = self._read()
        self.versions: dict[str, str] = hello["versions"]
        self.works: list[str] = hello["works"]

    def do(self, work: str, data: Path, bars: int) -> dict[str, Any]:
        """Do the work once; seconds and what came of it.

        Raises:
            RuntimeError: It failed, or the process ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            print(
                json.dumps({"work": work, "data": str(data), "bars": bars}),
                file=self._process.stdin,
                flush=True,
            )
        answer = self._read()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise RuntimeError(f"its process ended: {lines[-1] if lines else 'it said nothing'}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def engine(python: Path, module: str, log: Path) -> Iterator[Engine]:
    """A running engine, ended afterwards."""
    running = Engine(python, module, log)
    try:
        yield running
    finally:
        running.close()
