"""What a run's pauses around news are, and what they changed: beside it the same run without them. Pure."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.backtest.columns import Trades
from backend.backtest.model import Job, Result, Stream
from backend.economic_calendar.embargo import EmbargoRule
from backend.economic_calendar.model import CalendarView
from backend.risk.rules import DeskRules

KEY: Final = "news_embargo"


def embargo_of(job: Job, stream: Stream) -> EmbargoRule:
    """What pauses entries around news: strategy, profile and desk say so, and a rulebook."""
    return DeskRules(job.limits).embargo(stream.profile.embargo(stream.strategy))


def known_closes(stream: Stream, calendar: CalendarView, rule: EmbargoRule) -> int:
    """Traded closes at which the calendar spoke of all that could pause them."""
    ends = stream.bars.closes()[stream.first :]
    return sum(
        int(
            np.searchsorted(ends, end.timestamp(), side="right" if closed else "left")
            - np.searchsorted(ends, begin.timestamp())
        )
        for begin, end, closed in calendar.known_spans(rule.before, rule.after)
    )


def untold(job: Job) -> str:
    """Why nobody can tell what the embargo changed; empty where the run without it tells."""
    rules = [(stream, embargo_of(job, stream)) for stream in job.streams]
    if not any(rule for _, rule in rules):
        return "no news embargo is in force"
    if not job.calendar.known:
        return "there is no calendar of the past"
    if not any(known_closes(stream, job.calendar, rule) for stream, rule in rules if rule):
        return "the calendar speaks of no close of the run"
    return ""


def embargo_effect(job: Job, with_it: Result, without: Result) -> dict[str, Any]:
    """What the embargo changed, as JSON values; money in account currency.

    A trade of both runs is one of the same strategy and symbol that was signalled on the same bar. Those that
    only the run without the embargo has were kept out; those that only the other one has came instead. What
    both have may differ in money: the balance that sized them does, and a pause may have closed them.
    """
    kept_out = ~np.isin(_signals(without.trades), _signals(with_it.trades))
    instead = ~np.isin(_signals(with_it.trades), _signals(without.trades))
    places = [(stream, embargo_of(job, stream)) for stream in job.streams]
    paused = [(stream, rule) for stream, rule in places if rule]

    def net(trades: Trades, chosen: npt.NDArray[np.bool_]) -> float:
        return round(float(trades.in_account("net")[chosen].sum()), job.account.digits)

    ended, else_ended = (float(run.balance - job.account.balance) for run in (with_it, without))
    return {
        "rules": [rule.as_dict() for _, rule in places],
        "closes": sum(len(stream.bars) - stream.first for stream, _ in paused),
        "closes_known": sum(known_closes(stream, job.calendar, rule) for stream, rule in paused),
        "trades_with": len(with_it.trades),
        "trades_without": len(without.trades),
        "trades_kept_out": int(kept_out.sum()),
        "net_kept_out": net(without.trades, kept_out),
        "trades_instead": int(instead.sum()),
        "net_instead": net(with_it.trades, instead),
        "net_of_both_with": net(with_it.trades, ~instead),
        "net_of_both_without": net(without.trades, ~kept_out),
        "net_with": ended,
        "net_without": else_ended,
        "net_change": float(with_it.balance - without.balance),
    }


def _signals(trades: Trades) -> npt.NDArray[Any]:
    """What tells a trade from others in either run, shape (m,)."""
    found = np.empty(len(trades), dtype=[("stream", "i8"), ("signal", "i8")])
    found["stream"], found["signal"] = trades.stream, trades.signal_time
    return found
