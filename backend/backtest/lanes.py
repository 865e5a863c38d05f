"""The lanes of a job, its desk and its days, as records of the kernel."""

import math
from decimal import Decimal
from typing import Any, Final

import numpy as np

from backend.backtest.kernel import records
from backend.backtest.model import Job, Reading, Stream
from backend.backtest.paths import Path
from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.core.timeframes import DAY_SECONDS, Timeframe
from backend.evaluation.confidence import plain_weights
from backend.evaluation.levels import PENDING_BETTER_ATR, ratio
from backend.evaluation.plan import PENDING_EXPIRY_BARS
from backend.risk.checks import MASKS, TABLE
from backend.risk.gate import Bit
from backend.risk.numbers import allows, limits_of
from backend.strategies.model import OnOpposite, OrderType
from backend.strategies.sessions import utc_offsets
from backend.trading.desk import Mode, Purpose
from backend.trading.exposure import units
from backend.trading.margin import hedged_share, margin
from backend.trading.sides import Side
from backend.trading.swap import (
    DISABLED,
    INTEREST_CURRENT,
    INTEREST_OPEN,
    MONEY_MODES,
    POINTS,
    MoneyUnit,
    money_unit,
)
from backend.trading.week import last_of_week_second, trades_weekends

_KINDS: Final = {
    OrderType.MARKET: records.MARKET,
    OrderType.LIMIT: records.LIMIT,
    OrderType.STOP: records.STOP,
}
_OPPOSITE: Final = {
    OnOpposite.IGNORE: records.IGNORE,
    OnOpposite.CLOSE: records.CLOSE,
    OnOpposite.REVERSE: records.REVERSE,
}
_RESET_FROM: Final = {"balance": 0, "equity": 1, "higher": 2}
_DRAWDOWN: Final = {"static": 0, "trailing": 1, "trailing_end_of_day": 2}
_MONEY_UNITS: Final = {
    MoneyUnit.ACCOUNT: records.PER_LOT_ACCOUNT,
    MoneyUnit.PROFIT: records.PER_LOT_PROFIT,
    MoneyUnit.BASE: records.PER_LOT_BASE,
}
_FUTURES: Final = 1  # SYMBOL_CALC_MODE
_NEVER: Final = 7 * DAY_SECONDS


def lanes_of(job: Job, paths: list[Path]) -> tuple[Any, int]:
    """The lanes before the first bar, and how many currencies and symbols they are exposed to."""
    lanes = np.zeros(len(job.streams), dtype=records.LANE)
    names: list[str] = []
    begin = bar_begin = 0
    symbols = sorted({stream.instrument.symbol for stream in job.streams})
    strategies = sorted({stream.strategy.id for stream in job.streams})
    for lane, stream, path in zip(lanes, job.streams, paths, strict=True):
        names += [unit for unit in units(stream.instrument) if unit not in names]
        lane["begin"], lane["end"] = begin, begin + len(path)
        lane["first"] = lane["next_bar"] = begin + path.first
        lane["bar_begin"] = bar_begin
        lane["bar_end"] = bar_begin + len(stream.bars)
        lane["symbol"] = symbols.index(stream.instrument.symbol)
        lane["strategy"] = strategies.index(stream.strategy.id)
        lane["leave"] = lane["closed_bar"] = lane["entries_day"] = -1
        lane["strong_long"] = lane["strong_short"] = 1.0
        lane["learned"] = stream.costs.spread_points
        lane["limits"] = _limits(stream, job)
        _instrument_into(lane, stream, job, names)
        _rules_into(lane, stream, job)
        begin += len(path)
        bar_begin += len(stream.bars)
    return lanes, len(names)


def _instrument_into(row: Any, stream: Stream, job: Job, names: list[str]) -> None:
    symbol, costs, limits, profile = stream.instrument, stream.costs, job.limits, stream.profile
    base, profit = units(symbol)
    exempt = {job.account.currency} if limits.exposure_exempt is None else set(limits.exposure_exempt)
    row["base_unit"], row["profit_unit"] = names.index(base), names.index(profit)
    row["base_counts"], row["profit_counts"] = base not in exempt, profit not in exempt
    row["tick"], row["per_tick"] = float(symbol.tick_size), float(1 / symbol.tick_size)
    row["point"], row["ticks_per_point"] = float(symbol.point), float(symbol.point / symbol.tick_size)
    row["contract"] = float(symbol.contract_size)
    futures = symbol.calc_mode == _FUTURES
    row["tick_worth"] = float(symbol.tick_value if futures else symbol.tick_size * symbol.contract_size)
    row["volume_step"] = float(symbol.volume_step)
    row["min_steps"] = float(symbol.volume_min / symbol.volume_step)
    row["max_steps"] = float(symbol.volume_max / symbol.volume_step)
    row["max_lots"] = float(symbol.volume_max)
    row["level_ticks"] = symbol.points_to_ticks(symbol.stops_level) if symbol.stops_level else 0
    row["allows_long"], row["allows_short"] = allows(symbol, Side.BUY), allows(symbol, Side.SELL)
    row["margin_unit"], row["margin_power"] = _margin(symbol, job)
    row["hedged_share"] = hedged_share(symbol)
    rate = stream.conversion
    row["by_close"], row["gain"], row["loss"] = rate.by_close, float(rate.gain), float(rate.loss)
    row["worth_by_close"] = rate.by_close and not futures
    row["worth_gain"] = 1.0 if futures else float(rate.gain)
    row["worth_loss"] = 1.0 if futures else float(rate.loss)
    row["slip"] = symbol.ticks_up(float(costs.slippage_points * symbol.point))
    row["commission"] = float(costs.commission_per_lot)
    expected = limits.expected_costs(
        commission_per_lot=profile.commission_per_lot, slippage_points=profile.slippage_points
    )
    row["size_commission"] = expected.commission_per_lot
    row["size_slippage"] = expected.slippage_points * float(symbol.point)
    row["commission_known"] = expected.commission_known
    row["swap_kind"], row["swap_long"], row["swap_short"] = _swap(symbol, job.account.currency)
    row["triple_day"], row["weekends"] = symbol.swap_triple_day, trades_weekends(stream.bars)
    row["week_end"] = _NEVER
    row["day_bars"] = stream.bars.timeframe.seconds >= Timeframe.D1.seconds
    if _flat_before_weekend(stream, job):
        row["week_end"] = last_of_week_second(stream.bars, _NEVER)


def _margin(symbol: Instrument, job: Job) -> tuple[float, int]:
    """Margin of a lot as unit × price ^ power: every mode is one."""
    one, two = (
        margin(symbol, Decimal(1), Decimal(price), job.account.leverage, job.account.currency)
        for price in (1, 2)
    )
    return float(one), round(math.log2(two / one)) if one > 0 else 0


def _swap(symbol: Instrument, account: str) -> tuple[int, float, float]:
    long, short, mode = symbol.swap_long, symbol.swap_short, symbol.swap_mode
    if mode == DISABLED or not (long or short):
        return records.NO_SWAP, 0.0, 0.0
    if mode == POINTS:
        unit = symbol.point * symbol.contract_size
        return records.PER_LOT_PROFIT, float(long * unit), float(short * unit)
    if mode in MONEY_MODES:
        return _MONEY_UNITS[money_unit(symbol, account)], float(long), float(short)
    kinds = {
        INTEREST_CURRENT: records.INTEREST_CURRENT,
        INTEREST_OPEN: records.INTEREST_OPEN,
    }
    if mode in kinds:
        return kinds[mode], float(long), float(short)
    raise Invalid(
        "unknown_swap_mode",
        f"{symbol.symbol}: swap mode {mode} reopens positions; the terminal alone computes it",
        symbol=symbol.symbol,
        swap_mode=mode,
    )


def _rules_into(row: Any, stream: Stream, job: Job) -> None:
    strategy, rules, profile = stream.strategy, stream.strategy.strategy, stream.profile
    management, order = rules.management, rules.order
    reward, wanted = ratio(rules.reward), ratio(rules.min_rr)
    row["has_target"] = rules.target is not None
    row["target_price"] = math.nan
    row["risk"] = min(profile.risk_fraction(strategy), job.limits.risk_fraction)
    row["stop_multiplier"] = strategy.indicators.atr.multiplier
    row["reward_over"], row["reward_under"] = reward.numerator, reward.denominator
    row["rr_over"], row["rr_under"] = wanted.numerator, wanted.denominator
    row["order_kind"] = _KINDS[OrderType(order.type)]
    row["order_offset"], row["order_expiry"] = order.offset_atr or 0.0, order.expiry_bars or 0
    row["on_opposite"] = _OPPOSITE[OnOpposite(rules.on_opposite)]
    for name, value in (
        ("breakeven", management.breakeven_after_r),
        ("partial", management.partial_at_r),
        ("partial_share", management.partial_fraction),
        ("trail", management.trail_atr),
    ):
        row[name] = math.nan if value is None else value
    row["time_stop"] = management.time_stop_bars or 0
    row["close_weekend"] = _flat_before_weekend(stream, job)
    row["manage_seconds"] = Timeframe(management.timeframe).seconds
    row["seconds"] = stream.bars.timeframe.seconds


def _flat_before_weekend(stream: Stream, job: Job) -> bool:
    own = stream.strategy.strategy.management.close_before_weekend
    return own or job.limits.flat_before_weekend


def _limits(stream: Stream, job: Job) -> list[float]:
    rules = stream.strategy.strategy
    return limits_of(
        stream.instrument,
        job.limits,
        cooldown_bars=rules.cooldown_bars,
        max_trades_per_day=rules.max_trades_per_day,
        max_spread_points=stream.profile.max_spread_points,
    )


def desk_of(job: Job, reading: Reading, resets: Any, units_named: int) -> Any:
    """The desk before the first bar: an array of one record."""
    limits, desk = job.limits, np.zeros(1, dtype=records.DESK)
    row = desk[0]
    autonomous = limits.mode is Mode.AUTONOMOUS
    row["digits_scale"] = 10.0**job.account.digits
    row["best"], row["netting"] = reading is Reading.BEST, not job.account.hedging
    row["reset_from"] = _RESET_FROM[limits.daily_loss.reset_from]
    row["loss_of_initial"] = limits.daily_loss.of == "initial"
    row["drawdown_kind"] = _DRAWDOWN[limits.drawdown.kind]
    row["drawdown_locked"] = limits.drawdown.lock_at_initial
    row["daily_loss"], row["drawdown"] = limits.daily_loss.limit, limits.drawdown.limit
    row["broke_at"] = -1
    _rulebook_into(row, job)
    row["margin_limit"], row["exposure_cap"] = limits.margin_limit, limits.exposure_cap
    row["stop_out"] = job.account.stop_out
    row["pending_only"] = limits.thresholds.pending_only
    row["open_or_scale"] = limits.thresholds.open_or_scale
    row["sends_itself"], row["mode"] = autonomous, 2.0 if autonomous else 1.0
    row["ai_enabled"] = limits.ai_enabled
    row["applies"] = MASKS[Purpose.BACKTEST]
    # nobody is there to approve what an autonomous desk would not send by itself
    alone = {Bit.AUTONOMOUS_CONFIDENCE, Bit.COMMISSION_KNOWN} if autonomous else set()
    row["blocking"] = sum(1 << check.bit for check in TABLE if check.hard or check.bit in alone)
    row["pending_better"], row["pending_expiry"] = PENDING_BETTER_ATR, PENDING_EXPIRY_BARS
    row["weights"] = plain_weights(limits.weights)
    row["balance"] = int(job.account.balance.scaleb(job.account.digits).to_integral_value())
    row["initial"] = row["reference"] = row["peak"] = row["equity"] = float(job.account.balance)
    row["low"] = row["min_level"] = math.inf
    before = min(int(stream.bars.time[stream.first - 1]) for stream in job.streams)
    row["next_reset"] = int(np.searchsorted(resets, before, side="right"))
    row["units"] = units_named
    row["symbols"] = len({stream.instrument.symbol for stream in job.streams})
    if units_named > records.MOST_UNITS:
        raise Invalid(
            "too_many_units",
            f"the symbols are exposed to {units_named} currencies and units; {records.MOST_UNITS} at most",
        )
    return desk


def _rulebook_into(row: Any, job: Job) -> None:
    """A rulebook's own day's loss and drawdown, where one is in force."""
    rules = job.limits.loss_rules[1:]
    row["ruled"] = bool(rules)
    if not rules:
        return
    (day, drawdown, of_initial, initial) = rules[0]
    began = job.account.balance if initial is None else initial
    row["rule_initial"] = float(began)
    row["rule_reference"] = float(job.account.balance)
    row["rule_peak"] = max(float(began), float(job.account.balance))
    row["rule_daily_loss"] = row["rule_drawdown"] = math.inf
    if day is not None:
        row["rule_daily_loss"] = day.limit
        row["rule_reset_from"] = _RESET_FROM[day.reset_from]
        row["rule_loss_of_initial"] = day.of == "initial"
    if drawdown is not None:
        row["rule_drawdown"] = drawdown.limit
        row["rule_drawdown_kind"] = _DRAWDOWN[drawdown.kind]
        row["rule_drawdown_locked"] = drawdown.lock_at_initial
        row["rule_drawdown_of_initial"] = of_initial


def resets_of(job: Job) -> Any:
    """UTC epochs of the midnights at which the day's loss begins anew, ascending."""
    zone = job.limits.reset_tz
    found = []
    for stream in job.streams:
        time = stream.bars.time
        local = stream.bars.server_time if zone is None else time + utc_offsets(zone, time)
        days = np.arange(int(local[0]) // DAY_SECONDS + 1, int(local[-1]) // DAY_SECONDS + 1) * DAY_SECONDS
        at = np.searchsorted(local, days)
        found.append(days - (local[at] - time[at]))
    return np.unique(np.concatenate(found))
