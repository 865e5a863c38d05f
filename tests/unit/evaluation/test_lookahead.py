"""A value at a bar is made of bars closed by then, and of nothing else."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe, close_of
from backend.evaluation.interpreter import Interpreter, Truth
from backend.mt5.server_time import ServerClock
from backend.simulator.recorded import RecordedBars
from backend.strategies.facts import FACTS
from backend.strategies.grammar import parse_condition
from tests.fakes.language import conditions
from tests.fakes.walks import ATHENS, JANUARY, NEW_YORK, changed_after, longer, picked, strategy, walk

M30, H1, H4, D1, W1 = Timeframe.M30, Timeframe.H1, Timeframe.H4, Timeframe.D1, Timeframe.W1
HIGHER = (H1, H4, D1)
SPRING = datetime(2026, 3, 26, tzinfo=UTC)  # Athens goes forward on 29 March at 03:00
AUTUMN = datetime(2026, 10, 22, tzinfo=UTC)  # and back on 25 October at 04:00
MARKETS = [
    (NEW_YORK, JANUARY, True),
    (NEW_YORK, datetime(2026, 3, 4, tzinfo=UTC), True),
    (NEW_YORK, datetime(2026, 10, 28, tzinfo=UTC), True),
    (ATHENS, SPRING, False),
    (ATHENS, AUTUMN, False),
]


def market(number: int, seed: int, missing: float) -> tuple[Bars, dict[Timeframe, Bars]]:
    """M30 bars over a clock change or none, and H1, H4, D1 bars of which some are missing."""
    clock, start, weekends = MARKETS[number]
    bars = walk(320, timeframe=M30, clock=clock, start=start, seed=seed, missing=missing, weekends=weekends)
    random = np.random.default_rng(seed + 1)
    higher = {}
    for timeframe in HIGHER:
        made = longer(bars, timeframe)
        higher[timeframe] = picked(made, np.flatnonzero(random.random(len(made)) >= missing))
    return bars, higher


def truth(text: str, bars: Bars, higher: dict[Timeframe, Bars]) -> Truth:
    return Interpreter(bars, higher).truth(parse_condition(text, bars.timeframe).tree)


def as_of(bars: Bars, higher: dict[Timeframe, Bars], index: int) -> dict[Timeframe, Bars]:
    """The longer bars that had begun and ended by the end of bar `index`, both showings of an hour over."""
    end = int(bars.server_time[index]) + bars.timeframe.seconds
    end_utc = int(bars.time[index]) + bars.timeframe.seconds
    known = {}
    for timeframe, made in higher.items():
        closes = close_of(timeframe, made.server_time)
        goes_on = (made.closes() > made.time + closes - made.server_time) & (made.closes() > end_utc)
        known[timeframe] = picked(made, np.flatnonzero((closes <= end) & (made.time < end_utc) & ~goes_on))
    return known


@given(
    text=conditions(HIGHER),
    number=st.integers(0, len(MARKETS) - 1),
    seed=st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    share=st.floats(0.05, 0.95),
)
def test_what_comes_after_a_bar_changes_nothing_at_or_before_it(
    text: str, number: int, seed: int, missing: float, share: float
) -> None:
    bars, higher = market(number, seed, missing)
    index = int(share * (len(bars) - 1))
    whole = truth(text, bars, higher)
    known = as_of(bars, higher, index)
    other_bars = changed_after(bars, index, seed + 2)
    other_higher = {t: changed_after(made, len(known[t]) - 1, seed + 3) for t, made in higher.items()}
    changed = truth(text, other_bars, other_higher)
    prefix = truth(text, bars[: index + 1], known)
    for one in (changed, prefix):
        assert (one.true[: index + 1] == whole.true[: index + 1]).all()
        assert (one.defined[: index + 1] == whole.defined[: index + 1]).all()


@pytest.mark.parametrize("fact", FACTS)
def test_no_fact_looks_ahead(fact: str) -> None:
    bars = walk(400, timeframe=H1, seed=5, missing=0.05)
    tree = strategy(fact, timeframe=H1, indicators={}).expression(fact).tree
    whole = Interpreter(bars, {}).truth(tree)
    for index in (60, 119, 200, len(bars) - 2):
        for other in (changed_after(bars, index, 9), bars[: index + 1]):
            found = Interpreter(other, {}).truth(tree)
            assert (found.true[: index + 1] == whole.true[: index + 1]).all()
            assert (found.defined[: index + 1] == whole.defined[: index + 1]).all()


def visible_closes(bars: Bars, higher: Bars) -> list[float]:
    interpreter = Interpreter(bars, {higher.timeframe: higher})
    text = f'max(close, close, tf="{higher.timeframe}") > 0'
    tree = parse_condition(text, bars.timeframe).tree
    return list(interpreter.number(tree.parts[0]))


def test_a_longer_bar_is_seen_from_the_bar_that_ends_with_it() -> None:
    # M30 bars of Monday from 00:00; the H4 bar 00:00 ends at 04:00, which is the end of the bar 03:30.
    bars = walk(20)
    seen = visible_closes(bars, longer(bars, H4))
    assert np.isnan(seen[:7]).all()
    assert seen[7] == bars.close[7]
    assert seen[14] == bars.close[7]
    assert seen[15] == bars.close[15]


def test_a_missing_longer_bar_leaves_the_one_before_it_in_sight() -> None:
    bars = walk(32)
    seen = visible_closes(bars, picked(longer(bars, H4), np.array([0, 2, 3])))
    assert seen[15] == bars.close[7]  # the bar 04:00 is not there
    assert seen[23] == bars.close[23]


def test_a_missing_short_bar_does_not_hold_a_longer_one_back() -> None:
    bars = walk(20)
    without = picked(bars, np.array([i for i in range(20) if i != 7]))
    seen = visible_closes(without, longer(bars, H4))
    assert np.isnan(seen[6])  # 03:00 to 03:30
    assert seen[7] == bars.close[7]  # 04:00 to 04:30


def test_a_day_ends_at_the_servers_midnight_also_in_the_week_the_clock_changes() -> None:
    # Sunday 29 March has 23 hours in Athens and ends at 21:00 UTC; 25 October has 25 and ends at 22:00.
    for start, day, end in (
        (SPRING, datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 21, tzinfo=UTC)),
        (AUTUMN, datetime(2026, 10, 24, 21, tzinfo=UTC), datetime(2026, 10, 25, 22, tzinfo=UTC)),
    ):
        bars = walk(320, clock=ATHENS, start=start, weekends=False)
        days = longer(bars, D1)
        row = int(np.flatnonzero(days.time == int(day.timestamp()))[0])
        seen = visible_closes(bars, days)
        last = int(np.flatnonzero(bars.time == int(end.timestamp()) - 1800)[0])
        assert seen[last - 1] == days.close[row - 1]
        assert seen[last] == days.close[row]


def test_an_hour_that_the_clock_shows_twice_is_not_seen_before_it_happened() -> None:
    # 03:00 to 04:00 comes twice on 25 October in Athens; its second H1 bar begins at 01:00 UTC.
    hours = walk(24, timeframe=H1, clock=ATHENS, start=datetime(2026, 10, 24, 22, tzinfo=UTC), weekends=False)
    halves = walk(48, clock=ATHENS, start=datetime(2026, 10, 24, 22, tzinfo=UTC), weekends=False)
    assert hours.server_time[2] == hours.server_time[3]
    seen = visible_closes(halves, hours)
    for index in range(1, 48):
        ended = int(halves.time[index]) + 1800
        newest = [row for row in range(24) if int(hours.time[row]) + 3600 <= ended][-1]
        assert seen[index] == hours.close[newest], index


@pytest.mark.parametrize("start", [SPRING, AUTUMN], ids=["forward", "back"])
@pytest.mark.parametrize("timeframe", [H1, H4], ids=str)
def test_a_bar_in_which_the_clock_is_set_is_seen_when_it_has_ended(
    start: datetime, timeframe: Timeframe
) -> None:
    # in a market that never rests a longer bar ends when the next one opens: on 25 October one lasts an hour
    # longer. On 29 March the half hour that ends it cannot know that the clock skips, so the next one sees it
    halves = walk(320, clock=ATHENS, start=start, weekends=False)
    made = longer(halves, timeframe)
    seen = visible_closes(halves, made)
    ends = [*made.time[1:].tolist(), int(made.closes()[-1])]
    late = 0
    for index in range(48, 319):
        ended = [row for row, end in enumerate(ends) if end <= int(halves.time[index]) + 1800]
        if start == SPRING and seen[index] != made.close[ended[-1]]:
            assert seen[index] == made.close[ended[-2]], index
            late += 1
        else:
            assert seen[index] == made.close[ended[-1]], index
    assert late == (1 if (start, timeframe) == (SPRING, H4) else 0)


@pytest.mark.parametrize("rule", ["UTC", "UTC+2", "America/New_York+7", "Australia/Sydney"])
def test_weeks_begin_on_the_servers_sunday(rule: str) -> None:
    clock = ServerClock.parse(rule)
    bars = walk(900, timeframe=H1, clock=clock)
    weeks = longer(bars, W1)
    seen = visible_closes(bars, weeks)
    for index in range(len(bars)):
        end = int(bars.server_time[index]) + 3600
        ended = [row for row in range(len(weeks)) if int(weeks.server_time[row]) + 7 * 86_400 <= end]
        if ended:
            assert seen[index] == weeks.close[ended[-1]]
        else:
            assert np.isnan(seen[index])


REAL = [
    'crosses_above(close, ema(20, tf="H4"))',
    'close > sma(ema(5, tf="D1"), 3, tf="H4") and rsi(14) < 60',
    '(close - ema(10, tf="W1"))[5] > 0 or rising(atr(5, tf="D1"), 2)',
    'close > highest(high, 2, tf="MN1") or low < lowest(low[1], 3, tf="W1")',
    'session("London") and hour < 14 and macd_hist(tf="H4") > 0',
]


@pytest.mark.market_data
@pytest.mark.parametrize("text", REAL)
def test_real_hours_with_their_gaps_show_no_future(market_data: Path, text: str) -> None:
    recorded = RecordedBars(market_data / "lean" / "hour", NEW_YORK)
    bars = recorded.bars("EURUSD", H1)[-20_000:]
    frames = (H4, D1, W1, Timeframe.MN1)
    higher = {timeframe: recorded.bars("EURUSD", timeframe) for timeframe in frames}
    whole = truth(text, bars, higher)
    assert whole.true.any()
    assert not whole.true.all()
    for index in np.random.default_rng(3).integers(1000, len(bars), 25).tolist():
        prefix = truth(text, bars[: index + 1], as_of(bars, higher, index))
        assert (prefix.true == whole.true[: index + 1]).all()
        assert (prefix.defined == whole.defined[: index + 1]).all()
