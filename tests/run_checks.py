"""Every check and test of the project: `python3 run.py test [--full]`.

The short form takes minutes. The long form adds the tests marked `full` and the benchmarks, and
writes docs/full_run.md with commit, counts and seeds. Arguments after `--` go to pytest.
"""

import argparse
import os
import random
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "full_run.md"
PYTHON = sys.executable

STATIC_CHECKS: dict[str, list[str]] = {  # the longest first: they run two at a time
    "console": [PYTHON, "-m", "tests.check_console"],
    "engine compiled": [PYTHON, "-m", "backend.backtest.warming"],
    "types": [PYTHON, "-m", "mypy"],
    "types on Windows": [PYTHON, "-m", "mypy", "--platform", "win32", "--cache-dir", ".mypy_cache/win32"],
    # and kept as bytecode for those that run them; it waits for the engine to be compiled
    "tests collected": [PYTHON, "-m", "pytest", "--collect-only", "-qq"],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "."],
    "description": [PYTHON, "-m", "backend.cli.description", "--check"],
    "imports": [PYTHON, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py test", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long forms too (at most 75 minutes)")
    parser.add_argument("pytest_arguments", nargs="*", help="passed on to pytest, after --")
    options = parser.parse_args()
    started = time.monotonic()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile all anew
    failed = run_static_checks()
    if failed:
        print(f"\nFailed: {', '.join(failed)}. Tests were not started.", flush=True)
        return 1
    seed = random.SystemRandom().randrange(2**31) if options.full else 0
    return run_tests(full=options.full, seed=seed, extra=options.pytest_arguments, started=started)


def run_static_checks() -> list[str]:
    """Run format, lint, types and import contracts, two at a time; returns the names that failed."""

    def check(item: tuple[str, list[str]]) -> tuple[str, int, str, float]:
        began = time.monotonic()
        done = subprocess.run(
            item[1], cwd=ROOT, check=False, capture_output=True, text=True, encoding="utf-8", errors="replace"
        )
        return item[0], done.returncode, done.stdout + done.stderr, time.monotonic() - began

    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for name, code, output, seconds in pool.map(check, STATIC_CHECKS.items()):
            print(f"{name}: {'ok' if code == 0 else 'FAILED'} ({seconds:.0f} s)", flush=True)
            if code != 0:
                print(output, flush=True)
                failed.append(name)
    return failed


def run_tests(*, full: bool, seed: int, extra: list[str], started: float) -> int:
    """Run pytest last, so that its closing line is ours; the long form also runs the benchmarks."""
    report = ROOT / ".pytest_cache" / "report.xml"
    report.parent.mkdir(exist_ok=True)
    environment = dict(os.environ)
    command = [
        PYTHON,
        "-m",
        "pytest",
        "-n",
        "4",
        "--dist",
        "loadgroup",
        "--no-loadscope-reorder",
        "--durations",
        "15",
    ]
    if full:
        environment["MT5UI_TEST_FULL"] = "1"
        command += [f"--hypothesis-seed={seed}", f"--junitxml={report}", "--timeout", "1200"]
    else:
        command += ["-m", "not full"]
    benchmarks = run_benchmarks() if full else []
    code = subprocess.run([*command, *extra], cwd=ROOT, env=environment, check=False).returncode
    if full:
        write_result(report, seed=seed, code=code, benchmarks=benchmarks, seconds=time.monotonic() - started)
    return code


def run_benchmarks() -> list[tuple[str, int, str]]:
    """Run each script of tests/benchmarks; returns name, exit code and what it printed."""
    results = []
    for script in sorted((ROOT / "tests" / "benchmarks").glob("bench_*.py")):
        done = subprocess.run(
            [PYTHON, str(script)],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=900,
        )
        print(f"{script.name}: exit {done.returncode}\n{done.stdout}{done.stderr}", flush=True)
        results.append((script.name, done.returncode, done.stdout.strip()))
    return results


def write_result(
    report: Path, *, seed: int, code: int, benchmarks: list[tuple[str, int, str]], seconds: float
) -> None:
    """Keep what the long form found, beside the commit it was found on."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    ).stdout.strip()
    suite = ET.parse(report).getroot().find("testsuite")
    counts = {} if suite is None else suite.attrib
    lines = [
        "# Last long run",
        "",
        f"- Commit: `{commit or 'unknown'}`{' with uncommitted changes' if changed else ''}",
        (
            f"- When: {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}, {seconds / 60:.0f} minutes, "
            f"Python {sys.version.split()[0]}, {os.cpu_count()} cores"
        ),
        (
            f"- Tests: {counts.get('tests', '?')}, failures {counts.get('failures', '?')}, "
            f"errors {counts.get('errors', '?')}, skipped {counts.get('skipped', '?')}; exit code {code}"
        ),
        f"- Seed of the property tests: {seed}",
        "",
        "## Benchmarks",
    ]
    for name, exit_code, output in benchmarks:
        lines += ["", f"### {name} (exit code {exit_code})", "", "```", output, "```"]
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Written: {RESULT.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
