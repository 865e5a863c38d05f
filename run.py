"""Set the project up on a bare machine with Python, then become the desk.

    python3 run.py                 install what is missing, then start the desk
    python3 run.py setup           only install
    python3 run.py test [--full]   install, then run every check and test
    python3 run.py COMMAND ...     any other `mt5ui` command

Standard library only. This file is parsed by old Pythons too, so that they get a sentence instead of
a syntax error.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "MT5_UI needs Python 3.11 or newer; this is {}.{} ({}). Install a newer one and start with it, "
        "for example: python3.12 run.py".format(sys.version_info[0], sys.version_info[1], sys.executable)
    )

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
INSTALLED = VENV / "mt5ui-installed"
INSTALL_LOG = VENV / "install.log"
WAIT_FOR_OTHER_INSTALL = 900.0


def main(arguments: list[str]) -> int:
    """Install if needed, then run the command; returns its exit code."""
    try:
        setup()
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    if arguments[:1] == ["setup"]:
        print(f"Ready: {PYTHON}")
        return 0
    if arguments[:1] == ["test"]:
        return become([str(PYTHON), str(ROOT / "tests" / "run_checks.py"), *arguments[1:]])
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in {"--help", "--version"}):
        arguments = ["up", *arguments]
    return become([str(PYTHON), "-m", "backend.cli", *arguments])


class SetupFailed(Exception):  # noqa: N818 - reads as a sentence
    """Why the project could not be set up, and what to do."""


def setup() -> None:
    """Make `.venv` hold exactly the lock; does nothing, and needs no network, when it already does."""
    wanted = fingerprint()
    if not is_installed(wanted):
        with install_lock():
            if not is_installed(wanted):
                install(wanted)
    write_if_changed(site_packages() / "mt5ui.pth", f"{ROOT}\n")


def fingerprint() -> str:
    """What an installation depends on: the lock's content and this Python."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    return f"{digest} {sys.version_info[0]}.{sys.version_info[1]} {VENV}\n"


def is_installed(wanted: str) -> bool:
    """Whether a finished installation of this fingerprint stands in `.venv`."""
    try:
        return PYTHON.exists() and INSTALLED.read_text(encoding="utf-8") == wanted
    except OSError:
        return False


def install(wanted: str) -> None:
    """Make `.venv` anew from the lock. The marker is written last, so a cut install is done again."""
    print("Setting up MT5_UI in .venv (first start or changed lock, about a minute) ...", flush=True)
    try:
        if VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
    except OSError as error:
        reason = f"Cannot write {VENV}: {error.strerror}. Put the project in a folder of yours."
        raise SetupFailed(reason) from error
    with INSTALL_LOG.open("wb") as log:
        if run_logged([sys.executable, "-m", "venv", str(VENV)], log) != 0:
            raise SetupFailed(
                "Python could not make a virtual environment (Debian, Ubuntu: apt install python3-venv).\n"
                + last_lines(INSTALL_LOG)
            )
        command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        command += ["--require-hashes", "--no-deps", "--prefer-binary", "-r", str(LOCK)]
        if run_logged(command, log) != 0:
            raise SetupFailed(
                f"Installing the locked packages failed; the whole log is {INSTALL_LOG}.\n"
                + last_lines(INSTALL_LOG)
                + "\nCheck the network (or the proxy that pip uses) and start again."
            )
    write_launcher()
    INSTALLED.write_text(wanted, encoding="utf-8")


def run_logged(command: list[str], log: BinaryIO) -> int:
    """Run a command with all its output in the log; returns its exit code."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log, indented."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    return "\n".join("    " + line for line in lines)


def site_packages() -> Path:
    """The environment's package folder."""
    if os.name == "nt":
        return VENV / "Lib" / "site-packages"
    return VENV / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"


def write_launcher() -> None:
    """Put an `mt5ui` command beside the environment's python."""
    if os.name == "nt":
        launcher = SCRIPTS / "mt5ui.cmd"
        launcher.write_text('@"%~dp0python.exe" -m backend.cli %*\r\n', encoding="ascii")
    else:
        launcher = SCRIPTS / "mt5ui"
        script = '#!/bin/sh\nexec "$(dirname "$0")/python" -m backend.cli "$@"\n'
        launcher.write_text(script, encoding="ascii")
        launcher.chmod(0o755)


def write_if_changed(path: Path, content: str) -> None:
    """Write a small file unless it already says so: a read-only installation can still start."""
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")


@contextlib.contextmanager
def install_lock() -> Iterator[None]:
    """Let one process install at a time, by locking this very file; killed processes free it."""
    with Path(__file__).open("rb") as handle:
        deadline = time.monotonic() + WAIT_FOR_OTHER_INSTALL
        while not try_lock(handle.fileno()):
            if time.monotonic() > deadline:
                raise SetupFailed("Another run.py has been installing for 15 minutes: end it, start again.")
            time.sleep(0.2)
        yield


def try_lock(descriptor: int) -> bool:
    """Take an exclusive lock on the open file, or say that somebody else has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # beyond the end, so that reading stays free
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def become(command: list[str]) -> int:
    """Replace this process by the command; on Windows, which cannot, run it and pass its code on."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - no shell is the point
    with subprocess.Popen(command) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # the child got the same Ctrl-C and ends by itself


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
