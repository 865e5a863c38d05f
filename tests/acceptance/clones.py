"""A copy of the project as a user would have it, with its environment already installed."""

import hashlib
import runpy
import shutil
import site
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_project(target: Path) -> Path:
    """Copy every file that git tracks or would track; returns the copy's folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in listed.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def site_packages(project: Path) -> Path:
    """Where the copy's environment keeps its packages."""
    found: Path = runpy.run_path(str(project / "run.py"))["site_packages"]()
    return found


def install_environment(project: Path) -> None:
    """Give the copy a `.venv` that borrows the packages installed here, marked as a finished one,
    and the console that was built here.

    What `run.py` does with a network is shown by the long form; here it must find nothing to do.
    """
    environment = project / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    run = runpy.run_path(str(project / "run.py"))
    (site_packages(project) / "borrowed.pth").write_text(f"{site.getsitepackages()[0]}\n", encoding="utf-8")
    run["write_launcher"]()
    run["INSTALLED"].write_text(run["fingerprint"](), encoding="utf-8")
    built = ROOT / "backend" / "console"
    if built.is_dir():
        shutil.copytree(built, project / "backend" / "console", dirs_exist_ok=True)


def lend_machine_code(project: Path) -> None:
    """Give the copy the engine as it was compiled here, as after a first start: so it need not compile.

    Numba keeps the code of a module under a hash of its folder; where it does not, the copy compiles.
    """
    for kept in (ROOT / ".compiled").glob("*/*_*"):
        for source in (project / "backend").rglob(kept.name.rpartition("_")[0]):
            hashed = hashlib.sha1(str(source).encode(), usedforsecurity=False).hexdigest()
            theirs = project / ".compiled" / kept.parent.name / f"{source.name}_{hashed}"
            shutil.copytree(kept, theirs)
