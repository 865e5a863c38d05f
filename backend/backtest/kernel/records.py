"""What the kernel reads and writes: records of numbers, and arrays side by side for all streams.

Prices are whole ticks of the stream's symbol; *mirrored* ones are negated for a short, so that up is always
towards the target. Money is float64 in account currency where it floats and int64 in the smallest booked
unit where it is booked. Volumes are whole steps. Times are UTC epoch seconds, server times server epochs.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from backend.evaluation.confidence import PlainWeights
from backend.risk.gate import Bit, Limit, State

# --- flags of a strategy's bar
LONG: Final = 1
SHORT: Final = 2
LONG_EXIT: Final = 4
LONG_INVALID: Final = 8
SHORT_EXIT: Final = 16
SHORT_INVALID: Final = 32
IN_SESSION: Final = 64
EMBARGO: Final = 128
NEWS_KNOWN: Final = 256

# --- kinds of order
MARKET: Final = 0
LIMIT: Final = 1
STOP: Final = 2

# --- what an opposite signal does
IGNORE: Final = 0
CLOSE: Final = 1
REVERSE: Final = 2

# --- how swap is counted
NO_SWAP: Final = 0
PER_LOT_PROFIT: Final = 1
PER_LOT_ACCOUNT: Final = 2
INTEREST_CURRENT: Final = 3
INTEREST_OPEN: Final = 4
PER_LOT_BASE: Final = 5

# --- refusals by the gate's bits
HALTED: Final = int(Bit.HALTED)
DUPLICATE: Final = int(Bit.DUPLICATE)
WEEKEND: Final = int(Bit.WEEKEND)

# --- refusals besides the gate's bits
EXTRA: Final = len(Bit)
EXTRA_REFUSALS: Final = (
    "levels",
    "opposite_open",
    "stop_too_close",
    "order_cancelled",
    "order_expired",
    "reward_to_risk_at_decision",
    "confidence_at_decision",
    "partial_below_minimum",
    "order_too_close",
    "target_too_close",
    "order_rejected",
)
(
    LEVELS,
    OPPOSITE_OPEN,
    STOP_TOO_CLOSE,
    ORDER_CANCELLED,
    ORDER_EXPIRED,
    WAIT_RR,
    LOW_SCORE,
    PARTIAL_TOO_SMALL,
    ORDER_TOO_CLOSE,
    TARGET_TOO_CLOSE,
    ORDER_REJECTED,
) = range(EXTRA, EXTRA + len(EXTRA_REFUSALS))

HOURS: Final = 168
MOST_UNITS: Final = 128
"""Currencies and symbols to which the streams of a job may be exposed."""

LANE: Final = np.dtype(
    [
        # ----- given: one strategy on one symbol
        # where its columns lie
        ("begin", "i8"),
        ("end", "i8"),
        ("first", "i8"),  # first path bar that may be traded
        ("bar_begin", "i8"),  # its strategy bars in the signal columns
        ("bar_end", "i8"),
        ("usual_begin", "i8"),  # its first row in the tables of what is usual
        ("first_day", "i8"),  # server day of that row
        ("atr_lowest", "i8"),  # bin of the first column of the ranks
        ("strategy", "i8"),
        ("symbol", "i8"),
        ("base_unit", "i8"),
        ("profit_unit", "i8"),
        ("base_counts", "i8"),  # 0 if exempt from the exposure cap
        ("profit_counts", "i8"),
        # the symbol
        ("tick", "f8"),
        ("per_tick", "f8"),  # 1 ÷ tick
        ("point", "f8"),
        ("ticks_per_point", "f8"),
        ("contract", "f8"),
        ("tick_worth", "f8"),  # profit currency (account's for futures) of one tick and lot
        ("volume_step", "f8"),
        ("min_steps", "f8"),
        ("max_steps", "f8"),
        ("max_lots", "f8"),
        ("level_ticks", "i8"),  # the broker's stops level; 0 takes the spread
        ("allows_long", "f8"),
        ("allows_short", "f8"),
        ("margin_unit", "f8"),  # margin of a lot = margin_unit × price ^ margin_power
        ("margin_power", "i8"),
        ("hedged_share", "f8"),  # see `backend.trading.margin.hedged_share`
        # conversion to account currency
        ("by_close", "i1"),
        ("gain", "f8"),
        ("loss", "f8"),
        ("worth_by_close", "i1"),  # of profits: not converted for futures
        ("worth_gain", "f8"),
        ("worth_loss", "f8"),
        # costs
        ("slip", "i8"),
        ("commission", "f8"),  # per lot and side
        ("size_commission", "f8"),
        ("size_slippage", "f8"),  # price distance of one fill
        ("swap_kind", "i8"),
        ("swap_long", "f8"),
        ("swap_short", "f8"),
        ("triple_day", "i8"),  # Sunday 0
        ("weekends", "i1"),
        ("week_end", "i8"),  # server second of the week, Monday 0, from which a bar is the week's last
        ("day_bars", "i1"),
        # the strategy
        ("risk", "f8"),
        ("stop_multiplier", "f8"),
        ("reward_over", "i8"),
        ("reward_under", "i8"),
        ("rr_over", "f8"),
        ("rr_under", "f8"),
        ("order_kind", "i8"),
        ("order_offset", "f8"),
        ("order_expiry", "i8"),  # 0 is none
        ("limits", "f8", (len(Limit),)),
        ("has_target", "i1"),
        ("learned", "i8", (HOURS,)),  # learned spread in points
        ("commission_known", "f8"),
        ("on_opposite", "i8"),
        ("breakeven", "f8"),  # NaN is none
        ("partial", "f8"),
        ("partial_share", "f8"),
        ("trail", "f8"),
        ("time_stop", "i8"),  # 0 is none
        ("close_weekend", "i1"),
        ("manage_seconds", "i8"),
        ("seconds", "i8"),  # of the strategy's bars
        # ----- the path bar at hand, and the strategy bar it belongs to
        ("time", "i8"),
        ("close_time", "i8"),
        ("server", "i8"),
        ("server_before", "i8"),  # server time of the path bar before
        ("bid_open", "i8"),
        ("bid_high", "i8"),
        ("bid_low", "i8"),
        ("bid_close", "i8"),
        ("ask_open", "i8"),
        ("ask_high", "i8"),
        ("ask_low", "i8"),
        ("ask_close", "i8"),
        ("spread", "i8"),
        ("bar", "i8"),  # its strategy bar
        ("ends", "i8"),  # whether that ends with it
        ("bar_server", "i8"),  # server time of that bar's open
        ("bar_spread", "i8"),  # its spread in points; 0 is unknown
        ("flags", "i8"),
        ("atr", "f8"),
        ("atr_bits", "i8"),
        ("atr_before", "f8"),  # of the strategy bar before
        ("target_price", "f8"),  # of a target's expression; NaN is undefined
        ("strong_long", "f8"),
        ("strong_short", "f8"),
        ("weak_long", "f8"),
        ("weak_short", "f8"),
        # ----- what changes
        # position; side 0 is none
        ("side", "i8"),
        ("ticket", "i8"),  # of the order that opened it, counted from 1 as they are sent
        ("steps", "i8"),
        ("entry_level", "i8"),
        ("entry_gap", "i8"),
        ("entry_slip", "i8"),
        ("entry_fill", "i8"),
        ("entry_spread", "i8"),
        ("opened_bar", "i8"),
        ("signal_time", "i8"),
        ("entry_time", "i8"),
        ("stop", "i8"),
        ("target", "i8"),
        ("first_stop", "i8"),
        ("stop_reason", "i8"),
        ("leave", "i8"),  # reason to close at the next open; −1 is none
        ("ambiguous", "i8"),
        ("low", "i8"),
        ("high", "i8"),
        ("entry_commission", "i8"),
        ("swap", "i8"),
        ("partial_at", "i8"),  # mirrored level; 0 is none
        ("margin", "f8"),
        ("mark", "i8"),  # mirrored price at which it could last be closed
        # resting order; kind side 0 is none
        ("r_side", "i8"),
        ("r_ticket", "i8"),
        ("r_kind", "i8"),
        ("r_level", "i8"),
        ("r_stop", "i8"),
        ("r_target", "i8"),
        ("r_steps", "i8"),
        ("r_bar", "i8"),
        ("r_expiry", "i8"),
        ("r_time", "i8"),
        # what was decided at the last close; side 0 is nothing
        ("q_side", "i8"),
        ("q_kind", "i8"),
        ("q_reference", "i8"),
        ("q_offset", "i8"),
        ("q_stop", "i8"),
        ("q_target", "i8"),
        ("q_half", "i8"),
        ("q_expiry", "i8"),
        ("q_time", "i8"),
        ("q_atr", "f8"),
        ("q_score", "f8"),
        ("q_session", "f8"),
        ("q_embargo", "f8"),
        ("q_calendar", "f8"),
        ("q_weekend", "f8"),
        ("next_bar", "i8"),  # path bar that opens next
        ("is_open", "i8"),  # whether the bar at hand has not closed yet
        ("now", "i8"),  # whether it opens, or closes, at this instant
        # pace
        ("closed_bar", "i8"),  # −1 is never
        ("entries_day", "i8"),
        ("entries", "i8"),
        # usual spread and ATR of the bar at hand
        ("median", "f8"),
        ("samples", "i8"),
        ("atr_rank", "f8"),
        ("atr_count", "i8"),
    ],
    align=True,
)
"""One strategy on one symbol: what it is, the bar at hand, its position and its orders."""

DESK: Final = np.dtype(
    [
        # ----- given
        ("digits_scale", "f8"),  # 100 for cents
        ("best", "i1"),  # the best reading of ambiguous bars
        ("netting", "i1"),
        ("reset_from", "i1"),  # 0 balance, 1 equity, 2 the higher
        ("loss_of_initial", "i1"),
        ("drawdown_kind", "i1"),  # 0 static, 1 trailing, 2 trailing from the end of a day
        ("drawdown_locked", "i1"),
        ("daily_loss", "f8"),
        ("drawdown", "f8"),
        ("margin_limit", "f8"),
        ("exposure_cap", "f8"),
        # a rulebook's own, beside the desk's; an allowed share of inf is none
        ("ruled", "i1"),
        ("rule_reset_from", "i1"),
        ("rule_loss_of_initial", "i1"),
        ("rule_drawdown_kind", "i1"),
        ("rule_drawdown_locked", "i1"),
        ("rule_drawdown_of_initial", "i1"),
        ("rule_daily_loss", "f8"),
        ("rule_drawdown", "f8"),
        ("rule_initial", "f8"),
        ("stop_out", "f8"),  # equity ÷ margin at which the broker closes; 0 is never
        ("pending_only", "f8"),
        ("open_or_scale", "f8"),
        ("sends_itself", "f8"),
        ("mode", "f8"),
        ("ai_enabled", "f8"),
        ("applies", "i8"),
        ("blocking", "i8"),
        ("pending_better", "f8"),
        ("pending_expiry", "i8"),
        ("weights", "f8", (len(PlainWeights._fields),)),
        # ----- the account
        ("balance", "i8"),
        ("initial", "f8"),
        ("reference", "f8"),
        ("peak", "f8"),
        ("margin", "f8"),
        ("equity", "f8"),
        ("low", "f8"),
        ("rule_reference", "f8"),
        ("rule_peak", "f8"),
        ("broke_at", "i8"),  # close at which the rulebook was first seen broken; −1 is never
        ("broke_drawdown", "i1"),  # 1 where its drawdown was, 0 where its day's loss
        ("broke_lost", "f8"),
        ("broke_of", "f8"),
        ("halted_day", "i1"),
        ("halted", "i1"),
        ("next_reset", "i8"),
        ("touched", "i1"),
        ("in_position", "i8"),
        ("signals", "i8"),
        ("trades", "i8"),
        ("tickets", "i8"),
        ("instants", "i8"),
        ("server", "i8"),  # server time up to which swap is booked, where lanes share the account
        ("moves", "i8"),  # of the curve
        ("max_margin", "f8"),
        ("max_leverage", "f8"),
        ("min_level", "f8"),
        ("open_positions", "i8"),
        # ----- worked on at a decision
        ("symbols", "i8"),
        ("units", "i8"),  # of the exposure that are in use
        ("exposure", "f8", (MOST_UNITS,)),
        ("state", "f8", (len(State),)),
        ("measured", "f8", (len(Bit),)),
        ("refusals", "i8", (EXTRA + len(EXTRA_REFUSALS),)),
    ],
    align=True,
)
"""The desk's limits, its account and its counts: an array of one."""


class Feed(NamedTuple):
    """Path bars of all streams, one after the other; bid in price. Empty arrays are not there."""

    time: Any
    close_time: Any  # empty: time + the bar's seconds, where every bar has the same
    seconds: int
    server: Any
    open: Any
    high: Any
    low: Any
    close: Any
    spread: Any
    ask_open: Any
    ask_high: Any
    ask_low: Any
    ask_close: Any
    owner: Any  # strategy bar of each path bar; empty: the same index
    gain: Any  # account currency per unit of profit currency; empty: the stream's own
    loss: Any


class Signals(NamedTuple):
    """Strategy bars of all streams, one after the other."""

    flags: Any
    atr: Any
    target: Any  # price of a target's expression; empty: none
    strong_long: Any  # empty: 1
    strong_short: Any
    weak_long: Any  # empty: 0
    weak_short: Any
    spread: Any  # of the strategy's bar, in points; 0 is unknown
    server: Any  # server time of its open


class Usual(NamedTuple):
    """What was usual at each broker's midnight: a row a server day, all streams one after the other."""

    medians: Any  # float64 (rows, 24): median spread in points of each hour of the day, NaN is unknown
    samples: Any  # int64 (rows, 24): samples behind each
    below: Any  # int32 (rows, bins + 1): ATR values of the year below each bin; the last column has all


class Curve(NamedTuple):
    """Equity at each instant at which bars closed.

    At an instant that is not among `moved` equity is as at the one before, and was no lower since.
    """

    equity: Any
    moved: Any  # instants, ascending, the first one always among them
    lowest: Any  # the lowest equity since the instant before each of them
    time: Any  # empty where there is one stream: its closes


def refusal_names(checks: Sequence[str]) -> tuple[str, ...]:
    """Names of the refusal counts: the gate's checks by bit, then the others."""
    plain = {"reward_to_risk_at_decision": "reward_to_risk", "confidence_at_decision": "confidence"}
    return (*checks, *(plain.get(name, name) for name in EXTRA_REFUSALS))
