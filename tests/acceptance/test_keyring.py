"""The key of the secrets in a real Secret Service: GNOME's, on a bus of its own, where both are installed.

Seen with gnome-keyring 42.1 and SecretStorage 3.5: what is kept is there for the next process; locked, it
cannot ask anybody and refuses at once; stopped, it answers nothing for as long as one waits, which is why the
adapter waits for so long only; with its bus gone, it raises an error that is none of keyring's own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.full,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not (shutil.which("dbus-run-session") and shutil.which("gnome-keyring-daemon")),
        reason="no Secret Service is installed here (gnome-keyring)",
    ),
]

INSIDE = """
import contextlib, json, os, signal, subprocess, sys, time
import keyring, secretstorage
from pathlib import Path
from backend.adapters.system_keyring import SystemKeyring
from backend.core.errors import DeskError
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore

home, said = Path(sys.argv[1]), {}
unlock = ["gnome-keyring-daemon", "--unlock", "--components=secrets", "--foreground"]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
service = subprocess.Popen(unlock, stdin=subprocess.PIPE, **quiet)
service.stdin.write(b"of the login"); service.stdin.close()
deadline = time.monotonic() + 20
while True:
    with contextlib.suppress(Exception), contextlib.closing(secretstorage.dbus_init()) as bus:
        collection = secretstorage.get_default_collection(bus)
        if not collection.is_locked():
            break
    assert time.monotonic() < deadline, "the service did not begin"
    time.sleep(0.05)

def store(patience=10.0):
    ring = SystemKeyring(str(home), patience=patience)
    return SecretStore(FileStorage(home / "data"), home / "key", None, ring)

def attempt(name, act):
    try:
        said[name] = act()
    except DeskError as error:
        said[name] = error.message

try:
    said["backend"] = type(keyring.get_keyring()).__module__
    store().make_key()
    attempt("put", lambda: store().put("calendar.fmp", "a kept secret"))
    attempt("got", lambda: store().get("calendar.fmp"))
    attempt("rotated", lambda: list(store().rotate()))
    attempt("after", lambda: store().get("calendar.fmp"))
    said["file"] = (home / "key").exists()
    with contextlib.closing(secretstorage.dbus_init()) as bus:
        secretstorage.get_default_collection(bus).lock()
    attempt("locked", lambda: store().get("calendar.fmp"))
    service.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    attempt("hanging", lambda: store(0.5).get("calendar.fmp"))
    said["seconds"] = time.monotonic() - began
    os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + str(home / "gone")
    attempt("gone", lambda: store().get("calendar.fmp"))
finally:
    service.kill(); service.wait()
print(json.dumps(said), flush=True)
"""


def test_a_real_secret_service_keeps_the_key_and_its_failures_are_told(tmp_path: Path) -> None:
    folders = {"HOME": "home", "XDG_DATA_HOME": "share", "XDG_RUNTIME_DIR": "run", "XDG_CACHE_HOME": "cache"}
    for folder in folders.values():
        (tmp_path / folder).mkdir(mode=0o700)
    environment = os.environ | {name: str(tmp_path / folder) for name, folder in folders.items()}
    done = subprocess.run(
        ["dbus-run-session", "--", sys.executable, "-c", INSIDE, str(tmp_path / "home")],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["backend"] == "keyring.backends.SecretService"
    assert (said["put"], said["got"]) == (None, "a kept secret")
    assert (said["rotated"], said["after"], said["file"]) == (["calendar.fmp"], "a kept secret", False)
    assert "Failed to unlock the collection" in said["locked"]
    assert "did not answer within 0.5 seconds" in said["hanging"]
    assert said["seconds"] < 20
    assert "this machine's keyring cannot be used" in said["gone"]
    for what in ("locked", "hanging", "gone"):
        assert said[what].endswith("nothing was changed")
