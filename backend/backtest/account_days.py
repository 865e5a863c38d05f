"""A run as days of its account: what was booked, how equity moved, how low it was. Pure."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from backend.core.bars import Floats, Ints
from backend.core.timeframes import DAY_SECONDS
from backend.risk.challenge import AccountDay
from backend.strategies.sessions import utc_offsets

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, kw_only=True, eq=False)
class AccountDays:
    """Days on which bars closed, the oldest first; money in account currency.

    Attributes:
        number: Days since 1970 in the zone of the reset, shape (n,).
        first: Index of the first close of each, shape (n,).
        booked: Closed profit, commission when it was paid, shape (n,).
        opened: Positions opened, shape (n,).
        change: Equity at the end − at the beginning, shape (n,).
        floating: Equity − balance at the beginning, shape (n,).
        left: Equity − balance at the end, shape (n,).
        highest: Highest close of equity − equity at the beginning, at least 0, shape (n,).
        rises: Highs of equity before a low, less equity at the beginning, shape (n, k).
        falls: The low after each, likewise, shape (n, k). Pairs are left out where another one has as high a
            high and as low a low: they can reach no limit that the other does not.
    """

    number: Ints
    first: Ints
    booked: Floats
    opened: Ints
    change: Floats
    floating: Floats
    left: Floats
    highest: Floats
    rises: Floats
    falls: Floats

    def __len__(self) -> int:
        return len(self.number)

    @property
    def lasting(self) -> Ints:
        """Days of the calendar until the next one begins, shape (n,); the last one lasts one."""
        return np.append(np.diff(self.number), 1)

    def exact(self, digits: int) -> list[AccountDay]:
        """As rows, money to so many decimals."""
        return [
            AccountDay(day=day_of(number), booked=Decimal(f"{booked:.{digits}f}"), opened=opened)
            for number, booked, opened in zip(
                self.number.tolist(), self.booked.tolist(), self.opened.tolist(), strict=True
            )
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What days are made of.

    Attributes:
        time: UTC epoch of each close, ascending, shape (n,).
        equity: At each close, shape (n,).
        worst: The lowest since the close before, shape (n,).
        server_day: Server day of each, shape (n,).
        entry_time: UTC epoch of each trade's entry, shape (m,).
        exit_time: Of its exit; one at a bar's close a second earlier, shape (m,).
        net: Its result, shape (m,).
        commission: Its cost above zero, half of it paid at the entry, shape (m,).
        initial: Balance at the beginning.
    """

    time: Ints
    equity: Floats
    worst: Floats
    server_day: Ints
    entry_time: Ints
    exit_time: Ints
    net: Floats
    commission: Floats
    initial: float


def day_of(number: int) -> date:
    """The date of a day since 1970."""
    return date.fromordinal(_EPOCH + number)


def account_days(run: Run, zone: str | None) -> AccountDays:
    """The days of a run. A bar belongs to the day on which it opened.

    Args:
        run: At least one close.
        zone: Whose midnight begins the day; None is the broker's.
    """
    step = int(np.diff(run.time).min()) if len(run.time) > 1 else 1
    opens = run.time - step
    labels = run.server_day if zone is None else (opens + utc_offsets(zone, opens)) // DAY_SECONDS
    labels = np.maximum.accumulate(labels)
    number, first = np.unique(labels, return_index=True)
    ends = np.append(first[1:], len(labels))
    count = len(number)

    def row(times: Ints) -> Ints:
        at = np.clip(np.searchsorted(opens, times, side="right") - 1, 0, None)
        return np.searchsorted(number, labels[at])

    entered, left = row(run.entry_time), row(run.exit_time)
    paid = run.commission / 2
    booked = np.bincount(left, run.net + paid, count) - np.bincount(entered, paid, count)
    balance = run.initial + np.concatenate(([0.0], np.cumsum(booked)))
    equity = np.concatenate(([run.initial], run.equity[ends - 1]))
    highest, pairs = _paths(run, first, ends, equity)
    width = max(len(one) for one in pairs)
    padded = np.array([one + [one[-1]] * (width - len(one)) for one in pairs], dtype=np.float64)
    return AccountDays(
        number=number.astype(np.int64),
        first=first.astype(np.int64),
        booked=booked.astype(np.float64),
        opened=np.bincount(entered, minlength=count).astype(np.int64),
        change=np.diff(equity),
        floating=(equity - balance)[:-1],
        left=(equity - balance)[1:],
        highest=highest,
        rises=padded[:, :, 0],
        falls=padded[:, :, 1],
    )


def _paths(
    run: Run, first: Ints, ends: Ints, equity: Floats
) -> tuple[Floats, list[list[tuple[float, float]]]]:
    highest, pairs = np.empty(len(first)), []
    for day, (begin, end) in enumerate(zip(first.tolist(), ends.tolist(), strict=True)):
        start = equity[day]
        high = np.maximum.accumulate(np.concatenate(([0.0], run.equity[begin:end] - start)))
        low = np.minimum(run.worst[begin:end], run.equity[begin:end]) - start
        highest[day] = high[-1]
        pairs.append(_front(high[:-1], low))
    return highest, pairs


def _front(high: Floats, low: Floats) -> list[tuple[float, float]]:
    """The pairs of a high and a later low than which none has a high as high and a low as low."""
    ordered = np.lexsort((low, -high))  # the highest high first, of those the lowest low
    deepest = np.minimum.accumulate(low[ordered])
    kept = np.concatenate(([True], deepest[1:] < deepest[:-1]))
    return [(float(high[at]), float(low[at])) for at in ordered[kept]]
