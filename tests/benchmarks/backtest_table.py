"""Who takes part in the benchmark, what is wanted, and how it is told."""

import os
import platform
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.peer_environments import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SMALL, LARGE, HUGE = 100_000, 1_000_000, 5_000_000
SIZES = (SMALL, LARGE)


@dataclass(kw_only=True)
class Entrant:
    """One row of the table.

    Attributes:
        label: As shown.
        name: Of its environment; empty is ours.
        work: What its process is told to do.
        fast: Whether a million bars take well under a second.
        slow: Whether they take so long that there may be no time for them in each round.
        goal: Least ratio of its time to ours at a million bars.
        sizes: On how many bars it is run.
        seconds: By bars: of each run.
        processor: The same in seconds of the processor.
        told: By bars: what the last run gave.
        missing: Why there is nothing.
        failed: It is there, and did not do the work.
    """

    label: str
    name: str
    work: str
    fast: bool = False
    slow: bool = False
    goal: float | None = None
    sizes: tuple[int, ...] = SIZES
    seconds: dict[int, list[float]] = field(default_factory=dict)
    processor: dict[int, list[float]] = field(default_factory=dict)
    told: dict[int, dict[str, Any]] = field(default_factory=dict)
    missing: str = ""
    failed: bool = False

    def took(self, bars: int, told: dict[str, Any]) -> None:
        """Take what its process told of one run."""
        self.seconds.setdefault(bars, []).append(told["seconds"])
        self.processor.setdefault(bars, []).append(told["processor_seconds"])
        self.told[bars] = told

    def a_bar(self, bars: int) -> float:
        """Median nanoseconds a bar."""
        return statistics.median(self.seconds[bars]) / bars * 1e9


OURS = Entrant(label="MT5_UI", name="", work="ours", fast=True)
OURS_METRICS = Entrant(label="MT5_UI with all metrics", name="", work="ours with metrics", fast=True)
VECTORBT = Entrant(label="vectorbt", name="vectorbt", work="documented", fast=True, goal=10)
STATISTICS = Entrant(label="vectorbt with its stats", name="vectorbt", work="with stats", fast=True, goal=15)
ENTRANTS = (
    OURS,
    VECTORBT,
    OURS_METRICS,
    STATISTICS,
    Entrant(label="vectorbt with its Rust kernels", name="vectorbt", work="with its Rust kernels", fast=True),
    Entrant(label="vectorbt tuned by hand", name="vectorbt", work="tuned by hand", fast=True),
    Entrant(label="backtesting.py", name="backtesting", work="documented", goal=250),
    Entrant(label="Jesse", name="jesse", work="documented", slow=True, goal=800),
    Entrant(label="NautilusTrader", name="nautilus", work="documented", slow=True, goal=800),
    Entrant(label="freqtrade", name="freqtrade", work="documented", slow=True, goal=800),
    Entrant(label="backtrader", name="backtrader", work="documented", sizes=(SMALL,)),
)
MOST_A_BAR, MOST_BYTES, MOST_READY = 25.0, 1e9, 0.5
MOST_GROWTH = 1.25
"""Time a bar of five million bars to that of one."""

Goal = tuple[str, str, bool | None]
"""What is wanted, what is, and whether it is met; None where it was not measured."""


def speed_goals() -> Iterator[Goal]:
    ours = OURS.a_bar(LARGE)
    yield f"at most {MOST_A_BAR:g} ns a bar", f"{ours:.1f}", ours <= MOST_A_BAR
    for entrant in ENTRANTS:
        if entrant.goal is None:
            continue
        against = OURS_METRICS if entrant is STATISTICS else OURS
        wanted = f"{against.label}: at least {entrant.goal:g} × {entrant.label}"
        if LARGE not in entrant.seconds or entrant.failed:
            yield wanted, entrant.missing or "no time for it", False if entrant.failed else None
        else:
            ratio = entrant.a_bar(LARGE) / against.a_bar(LARGE)
            yield wanted, f"{ratio:,.1f} ×", ratio >= entrant.goal


def alone_goals(alone: dict[str, Any]) -> Iterator[Goal]:
    million, huge, ready = alone["million"], alone["huge"], alone["ready"]
    yield (
        f"{HUGE:,} bars in at most 1 GB resident",
        f"{huge['peak_bytes'] / 1e9:.2f} GB with metrics; {huge['data_bytes'] / 1e9:.2f} before the run",
        huge["peak_bytes"] <= MOST_BYTES,
    )
    growth = huge["processor_seconds"] / million["processor_seconds"] * LARGE / HUGE
    yield (
        f"time linear in bars: at most {MOST_GROWTH:g} × a bar at {HUGE:,}",
        f"{growth:.2f} × ({huge['processor_seconds'] / HUGE * 1e9:.1f} ns of the processor a bar)",
        growth <= MOST_GROWTH,
    )
    seconds = ready["ready_seconds"]
    yield (
        f"a second process is ready in {MOST_READY:g} s after its imports",
        f"{seconds:.2f} s, with a first run {ready['first_run_seconds']:.2f} s",
        seconds <= MOST_READY,
    )
    nothing = ready["compiled"] == 0 and not ready["compiler_at_import"]
    yield "nothing is compiled there, at import or later", f"{ready['compiled']} functions", nothing


def machine(before: float | None) -> Iterator[str]:
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    yield (
        f"Machine: {cpu or platform.machine()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}."
    )
    if before is not None:
        yield f"Load before: {before:.1f} (this run itself keeps one core busy)."


def table() -> Iterator[str]:
    yield ""
    yield "| engine | bars | runs | ns a bar | least | of the processor | × MT5_UI | trades |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for bars in SIZES:
        for entrant in sorted(
            (one for one in ENTRANTS if bars in one.seconds), key=lambda one: one.a_bar(bars)
        ):
            seconds = entrant.seconds[bars]
            cells = [
                entrant.label,
                f"{bars:,}",
                str(len(seconds)),
                f"{entrant.a_bar(bars):,.1f}",
                f"{min(seconds) / bars * 1e9:,.1f}",
                f"{statistics.median(entrant.processor[bars]) / bars * 1e9:,.1f}",
                f"{entrant.a_bar(bars) / OURS.a_bar(bars):,.1f}",
                f"{entrant.told[bars]['trades']:,}",
            ]
            yield f"| {' | '.join(cells)} |"
    for entrant in ENTRANTS:
        if entrant.missing:
            yield f"\n{entrant.label}: {entrant.missing}."


def versions_line(versions: dict[str, dict[str, str]]) -> Iterator[str]:
    yield ""
    yield (
        "Versions: "
        + "; ".join(
            f"{name or 'MT5_UI'}: {', '.join(f'{package} {number}' for package, number in told.items())}"
            for name, told in versions.items()
        )
        + "."
    )


def keep(lines: list[str]) -> None:
    """Put what was measured between the two marks of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")


def goal_lines(goals: list[Goal]) -> Iterator[str]:
    yield ""
    yield f"| goal (of the medians at {LARGE:,} bars) | measured | |"
    yield "| --- | --- | --- |"
    words = {True: "met", False: "NOT MET", None: "not measured"}
    for wanted, found, met in goals:
        yield f"| {wanted} | {found} | {words[met]} |"
