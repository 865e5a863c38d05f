"""Once installed, nothing needs a network: the desk starts twice with every way out watched and closed."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.clones import (
    ROOT,
    copy_project,
    install_environment,
    lend_machine_code,
    site_packages,
)
from tests.acceptance.desk_process import READY, start_desk
from tests.acceptance.hands import unused_port
from tests.acceptance.outside import outside_world

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("offline"), pytest.mark.timeout(180)]

# Put into the environment of the copy, so that every Python of the desk has it from its first line: an audit
# hook sees each connection and each name that is looked up, writes down what leaves this machine, refuses it.
GUARD = """
import os, sys

def _near(host):
    return host in (None, "", b"", "localhost") or str(host).startswith(("127.", "::1"))

def _watch(event, args):
    if event == "socket.connect":
        address = args[1]
        if not isinstance(address, tuple) or _near(address[0]):
            return
        tried = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        if _near(args[0]):
            return
        tried = args[0]
    elif event == "socket.sendto" and isinstance(args[1], tuple) and not _near(args[1][0]):
        tried = args[1][0]
    else:
        return
    with open(os.environ["REACHED_OUT"], "a", encoding="utf-8") as file:
        file.write(f"{{os.getpid()}} {{sys.argv[:3]}} {{event}} {{tried}}\\n")
    raise OSError(101, "Network is unreachable")

if "REACHED_OUT" in os.environ:
    sys.addaudithook(_watch)
""".replace("{{", "{").replace("}}", "}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = copy_project(tmp_path_factory.mktemp("on a train") / "MT5 UI")
    install_environment(copy)
    lend_machine_code(copy)
    (site_packages(copy) / "offline_guard.py").write_text(GUARD, encoding="utf-8")
    (site_packages(copy) / "offline_guard.pth").write_text("import offline_guard\n", encoding="utf-8")
    return copy


@pytest.fixture
def reached(tmp_path: Path) -> Path:
    """Where the guard writes what tried to leave."""
    return tmp_path / "reached out.txt"


@pytest.fixture
def offline(project: Path, reached: Path) -> dict[str, str]:
    """An environment whose proxies lead nowhere, for what is no Python; guarded for what is."""
    nowhere = f"http://127.0.0.1:{unused_port()}"
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    home = {"MT5UI_HOME": str(project), "REACHED_OUT": str(reached)}
    return dict(os.environ) | proxies | home | {"MT5UI_ALLOW_PRIVATE_ADDRESSES": "true"}


@pytest.fixture
def feeds_on_loopback(project: Path) -> Iterator[None]:
    with outside_world(project):
        yield


def tried(reached: Path) -> str:
    return reached.read_text(encoding="utf-8") if reached.exists() else ""


def test_the_guard_sees_and_refuses_every_way_out(
    project: Path, offline: dict[str, str], reached: Path
) -> None:
    source = (
        "import socket, httpx\n"
        "for out in (lambda: socket.create_connection(('192.0.2.1', 80), 1),"
        " lambda: socket.getaddrinfo('example.test', 80),"
        " lambda: httpx.get('http://192.0.2.2/', trust_env=False)):\n"
        "    try: out()\n"
        "    except (OSError, httpx.HTTPError): continue\n"
        "    raise SystemExit('it got out')\n"
        "socket.getaddrinfo('localhost', 80)\n"
    )
    python = project / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([str(python), "-c", source], env=offline, check=True, timeout=60)
    assert [line.split()[-1] for line in tried(reached).splitlines()] == [
        "192.0.2.1",
        "example.test",
        "192.0.2.2",
    ]


@pytest.mark.usefixtures("feeds_on_loopback")
def test_the_desk_starts_twice_and_works_without_a_network(
    project: Path, offline: dict[str, str], reached: Path, tmp_path: Path
) -> None:
    for start in (1, 2):
        desk = start_desk(project, unused_port(), offline, cwd=tmp_path, run=project / "run.py")
        try:
            desk.wait_for_line(READY, 30)
            assert not [line for line in desk.lines if "Setting up" in line]
            asked = desk.post("/api/celery/tasks/ai/evaluate-all").json()["task_id"]
            assert desk.ended(asked)["status"] == "success", f"start {start}"
            assert desk.stop(15) < 10
        finally:
            desk.destroy()
        assert tried(reached) == ""


@pytest.mark.full
def test_without_a_network_calendar_and_news_fail_with_the_reason_and_the_rest_goes_on(
    project: Path, offline: dict[str, str], reached: Path, tmp_path: Path
) -> None:
    """The shipped providers, which are elsewhere: they alone try to leave."""
    home = tmp_path / "home"
    shutil.copytree(ROOT / "config", home / "config")
    environment = offline | {"MT5UI_HOME": str(home)}
    desk = start_desk(home, unused_port(), environment, cwd=tmp_path, run=project / "run.py")
    try:
        desk.wait_for_line(READY, 60)
        for task in ("data/update-calendar", "data/collect-news"):
            desk.post(f"/api/celery/tasks/{task}")
        desk.wait_until(lambda: tried(reached), 30, "a try to fetch")
        asked = desk.post("/api/celery/tasks/ai/evaluate-all").json()["task_id"]
        assert desk.ended(asked)["status"] == "success"
        assert desk.file("cache/economic_calendar.json") is None, "nothing is invented"
        assert desk.stop(15) < 10
    finally:
        desk.destroy()
    config = json.dumps([json.loads(path.read_bytes()) for path in (home / "config").glob("*.json")])
    for line in tried(reached).splitlines():
        host = line.split()[-1]
        assert host in config or "faireconomy" in host, line


def test_setup_of_what_is_installed_reaches_for_nothing(
    project: Path, offline: dict[str, str], reached: Path, tmp_path: Path
) -> None:
    # run.py is started by the system's Python, which the guard of the copy does not reach.
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(project / "run.py"), "setup"],
        cwd=tmp_path,
        env=offline | {"PYTHONPATH": str(guard)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Ready: ")
    assert len(done.stdout.splitlines()) == 1
    assert tried(reached) == ""


@pytest.mark.full
@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("unshare") is None, reason="needs network namespaces of Linux"
)
def test_where_the_system_has_no_network_at_all(
    project: Path, offline: dict[str, str], tmp_path: Path
) -> None:
    """In a namespace whose only device is loopback, what the guard cannot see cannot leave either."""
    inside = ["unshare", "--net", "--map-root-user", "--user", "sh", "-c"]
    up = "python3 -c 'import socket' && ip link set lo up"
    if subprocess.run([*inside, up], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not make network namespaces")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = (
        'ip link set lo up; "$1" "$2" --port "$3" & desk=$!; '
        "for i in $(seq 300); do "
        'if "$1" "$2" status --json > status.json 2>/dev/null && grep -q \'"ready": true\' status.json; '
        "then kill -TERM $desk; wait $desk; exit $?; fi; sleep 0.1; done; "
        "kill -TERM $desk; wait $desk; exit 99"
    )
    home = tmp_path / "home"
    shutil.copytree(ROOT / "config", home / "config")
    environment = offline | {"MT5UI_HOME": str(home), "MT5UI_PORT": str(port)}
    del environment["REACHED_OUT"]
    done = subprocess.run(
        [*inside, script, "sh", sys.executable, str(project / "run.py"), str(port)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "status.json").read_bytes())["ready"] is True
