"""A report criticises itself: what a careful reader would hold against this result."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from backend.backtest.columns import Trades
from backend.backtest.model import Job, Reading, Stream
from backend.backtest.provenance import Options
from backend.core.clock import from_epoch, parse_iso

FEW_TRADES = 30
TRADES_A_PARAMETER = 10
_NUMBERS_BESIDE_CONDITIONS = 3  # ATR period, stop multiple, reward to risk
_CARRIED = Decimal("0.5")
_GOOD_COVERAGE = 99.0
_LUCK = 0.05
_IDLE = 0.25  # of the period
_MISSING_DAYS = 4  # a long weekend is no missing data

NOT_EXAMINED = (
    "Whether the parameters stand on the edge of a searched grid: this is one run, nothing was searched.",
    "Whether it does worse out of sample: this is one run over one period.",
)


def criticism(report: Mapping[str, Any], job: Job, trades: Trades, options: Options) -> list[str]:
    """The findings, one sentence each, the gravest first.

    Args:
        report: The report so far.
        job: What was run.
        trades: Its trades.
        options: How it was run.
    """
    return [
        *_of_result(report, trades),
        *_of_activity(report, trades),
        *_of_sample(report, job.streams, len(trades)),
        *_of_reading(report, options),
        *_of_risk(report, job),
        *(line for one in report["streams"] for line in _of_data(one)),
    ]


def parameters(streams: Sequence[Stream]) -> int:
    """What could have been tuned: each condition, and the numbers of stop and target; strategies once."""
    strategies = {stream.strategy.id: stream.strategy for stream in streams}
    count = 0
    for strategy in strategies.values():
        lists = [strategy.lists(direction) for direction in strategy.directions]
        count += _NUMBERS_BESIDE_CONDITIONS
        for one in lists:
            count += sum(map(len, (one.entry, one.exit, one.strong, one.weak, one.invalidations)))
    return count


def _of_result(report: Mapping[str, Any], trades: Trades) -> Iterator[str]:
    net, waterfall = trades.total("net"), report["cost_waterfall"]
    if not len(trades):
        yield "There was not one trade; see the refusals."
        return
    if net <= 0:
        gross = trades.total("gross")
        if gross <= 0:
            yield f"It loses before any costs ({gross:,}): no cheaper broker mends it."
        else:
            costs, swap = waterfall["costs"], waterfall["swap"]
            yield f"Costs of {costs:,.2f} and swap of {swap:,.2f} take the {gross:,} that it earns."
        return
    multiplier = waterfall["break_even_cost_multiplier"]
    if multiplier is not None and multiplier <= 2:  # noqa: PLR2004 - costs doubled
        yield f"The result vanishes when costs double: it breaks even at {multiplier:.2f} times the costs."
    largest = Decimal(int(trades.net.max())).scaleb(-trades.digits)
    if largest > _CARRIED * net:
        yield f"One trade of {largest:,} carries more than half of the result of {net:,}."
    months = report["breakdowns"]["month"]
    best = max(months, key=lambda name: months[name]["net"])
    if len(months) > 1 and Decimal(repr(months[best]["net"])) >= net:
        yield f"Without its best month, {best} with {months[best]['net']:,.2f}, nothing would be left."


def _of_activity(report: Mapping[str, Any], trades: Trades) -> Iterator[str]:
    """A period that went on long after the last trade is no evidence for all of it."""
    if not len(trades):
        return
    begin, end = (parse_iso(report["period"][key]).timestamp() for key in ("from", "to"))
    last = int(trades.exit_time.max())
    idle = (end - last) / (end - begin) if end > begin else 0.0
    if idle > _IDLE:
        refusals = report["refusals"]
        most = max(refusals, key=lambda name: refusals[name], default=None)
        why = (
            f"; most signals were refused by {most} ({refusals[most]} of {report['signals']})" if most else ""
        )
        yield f"The last trade ended on {from_epoch(last):%Y-%m-%d}, {100 * idle:.0f} % before the end{why}."


def _of_sample(report: Mapping[str, Any], streams: Sequence[Stream], trades: int) -> Iterator[str]:
    numbers = parameters(streams)
    enough = max(FEW_TRADES, TRADES_A_PARAMETER * numbers)
    if 0 < trades < enough:
        yield (
            f"{trades} trades are few for {numbers} conditions and numbers that could be tuned: "
            f"{enough} would be {TRADES_A_PARAMETER} for each."
        )
    p_value = report["metrics"]["p_value_mean_trade"]
    if p_value is not None and p_value > _LUCK:
        yield (
            "The mean trade may be luck: if it were zero, "
            f"{100 * p_value:.0f} % of such samples would still lie as far from it."
        )


def _of_reading(report: Mapping[str, Any], options: Options) -> Iterator[str]:
    band = report["ambiguity_band"]
    if options.reading is Reading.BEST:
        yield "Bars that do not tell what came first were read in the strategy's favour."
    if band["net_worst_reading"] <= 0 < band["net_best_reading"]:
        yield "Whether it earns or loses depends on how ambiguous bars are read; see the band."
    elif band["ambiguous_trades"]:
        yield f"{band['ambiguous_trades']} trades were decided inside one bar; see the band."


def _of_risk(report: Mapping[str, Any], job: Job) -> Iterator[str]:
    deepest, allowed = report["metrics"]["max_drawdown_pct"], 100 * job.limits.drawdown.limit
    if deepest is not None and deepest >= allowed:
        yield f"The drawdown of {deepest:.1f} % reaches the desk's own limit of {allowed:g} %."


def _of_data(stream: Mapping[str, Any]) -> Iterator[str]:
    quality, name = stream["data_quality"], f"{stream['symbol']} {stream['timeframe']}"
    coverage = quality["coverage_pct"]
    if coverage is None:
        yield f"{name}: nobody counted which bars are missing."
    elif coverage < _GOOD_COVERAGE:
        yield f"{name}: {100 - coverage:.1f} % of the expected bars are missing."
    for key, where in (
        ("days_missing_at_start", "begin {} days late"),
        ("days_missing_at_end", "are stale: they end {} days early"),
    ):
        days = quality[key]
        if days is not None and days > _MISSING_DAYS:
            yield f"{name}: the bars {where.format(days)} for the period that was asked for."
    unknown = quality["bars_without_spread"]
    if unknown:
        share = 100 * unknown / quality["bars"]
        yield f"{name}: {share:.0f} % of the bars state no spread; the usual one of their hour was taken."
