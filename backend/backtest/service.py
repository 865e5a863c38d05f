"""Backtests for the desk: collects what a run needs, computes it in a child process, keeps the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.backtest.child import Order, summary
from backend.backtest.collecting import Calendar, Collector, Market, Strategies, Symbols, Terminal
from backend.backtest.model import Job
from backend.backtest.process import run_in_child
from backend.backtest.provenance import provenance
from backend.backtest.report_files import find_report, report_name
from backend.backtest.request import Request
from backend.core.clock import Clock
from backend.storage.files import FileStorage

DEADLINE_SECONDS = 1800.0

Progress = Callable[[int, int], None]


def _nothing() -> None:
    return None


class BacktestService:
    """Backtests a strategy over history.

    Args:
        storage: Files under the desk's data folder.
        clock: Desk time: history ends there.
        config_dir: Where limits and rulebook stand.
        strategies: Strategy and profile files.
        symbols: The symbols there are.
        market: Bars and specifications.
        terminal: The account; while it is down, 10,000 USD at 1:100 are taken, and the report says so.
        source: Where the bars come from, for the report.
        warnings: What is to be known about this source, for the report.
        check: Called between steps and ten times a second while the child works; what it raises
            (a cancelled job, a passed deadline) ends the child.
        progress: Told bars done and bars in all, where a run is given nothing else.
        calendar: The economic calendar as it was known over a time; None where there is none.
    """

    def __init__(
        self,
        *,
        storage: FileStorage,
        clock: Clock,
        config_dir: Path,
        strategies: Strategies,
        symbols: Symbols,
        market: Market,
        terminal: Terminal,
        source: str = "market store",
        warnings: tuple[str, ...] = (),
        check: Callable[[], None] = _nothing,
        progress: Progress | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        self._storage = storage
        self._check = check
        self._progress = progress
        self._collector = Collector(
            clock=clock,
            config_dir=config_dir,
            strategies=strategies,
            symbols=symbols,
            market=market,
            terminal=terminal,
            source=source,
            warnings=warnings,
            check=check,
            calendar=calendar,
        )

    def run(
        self,
        request: Request,
        *,
        progress: Progress | None = None,
        deadline: float = DEADLINE_SECONDS,
    ) -> dict[str, Any]:
        """Give the report of a request, computed now unless nothing has changed since it was.

        Args:
            request: What to run.
            progress: Told bars done and bars in all.
            deadline: Seconds that the computation may take.

        Returns:
            Summary with ``id``, ``path`` of report.json, the main figures, and whether it was ``reused``.

        Raises:
            NotFound: Unknown strategy or symbol, or a strategy that does not trade the symbol.
            Invalid: Too few bars, a period, cost or risk that cannot be, a broken file.
            Unavailable: The terminal failed and nothing is stored, or the deadline passed.
        """
        job = self.job(request)
        made = provenance(job, request.options)
        found = None if request.fresh else find_report(self._storage, made)
        if found is not None:
            return summary(found, report_name(made.id)) | {"reused": True}
        order = Order(job=job, root=self._storage.root, options=request.options, made=made)
        told = progress or self._progress
        return run_in_child(order, check=self._check, progress=told, deadline=deadline) | {"reused": False}

    def job(self, request: Request) -> Job:
        """Everything that a run of the request depends on; errors as in `run`."""
        return self._collector.job(request)
