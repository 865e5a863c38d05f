"""The one table of checks: key, what it says when it refuses, and for whom it applies."""

from dataclasses import dataclass

from backend.risk.gate import Bit
from backend.trading.desk import Purpose

EVERYONE = frozenset(Purpose)
NOT_MANUAL = EVERYONE - {Purpose.MANUAL}
NOT_BACKTEST = EVERYONE - {Purpose.BACKTEST}


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        bit: Its number.
        key: Its name in decisions and statistics.
        reason: Template of the sentence when it refuses; see `backend.risk.rules` for its words.
        applies: On whose behalf it runs.
        meaning: What it asks, for a person.
        hard: Whether refusing blocks a decision; the others decide between the actions.
    """

    bit: Bit
    key: str
    reason: str
    applies: frozenset[Purpose]
    meaning: str
    hard: bool = True


TABLE: tuple[Check, ...] = (
    Check(
        Bit.AI_ENABLED,
        "ai_enabled",
        "the strategies are switched off (ai_enabled)",
        NOT_MANUAL - {Purpose.BACKTEST},
        "Strategies are switched on",
    ),
    Check(Bit.HALTED, "halted", "the desk is halted: {halted}", EVERYONE, "The desk is not halted"),
    Check(
        Bit.MODE,
        "mode",
        "the desk is in observe mode: decisions only, nothing is proposed or sent",
        EVERYONE,
        "The mode lets trades be made",
    ),
    Check(
        Bit.CONFLICT,
        "conflict",
        "both directions signal on the same bar",
        EVERYONE,
        "Only one direction signals",
    ),
    Check(
        Bit.CONFIDENCE,
        "confidence",
        "confidence {measured:.1f} is below {bound:g}",
        NOT_MANUAL,
        "Confidence reaches the threshold of a pending idea",
        hard=False,
    ),
    Check(
        Bit.AUTONOMOUS_CONFIDENCE,
        "autonomous_confidence",
        "confidence {measured:.1f} is below the {bound:g} from which the desk sends by itself",
        NOT_MANUAL,
        "Sending without approval: confidence reaches its own threshold",
        hard=False,
    ),
    Check(
        Bit.COMMISSION_KNOWN,
        "commission_known",
        "the commission is unknown, so the desk does not send by itself; set commission_per_lot",
        EVERYONE,
        "Sending without approval: the commission is known",
        hard=False,
    ),
    Check(
        Bit.REWARD_TO_RISK,
        "reward_to_risk",
        "reward to risk is {measured:.2f}, {bound:g} is wanted",
        EVERYONE,
        "Reward to risk reaches the strategy's minimum, in integers",
        hard=False,
    ),
    Check(
        Bit.VOLUME_MINIMUM,
        "volume_minimum",
        "{size}",
        EVERYONE,
        "The volume reaches the symbol's smallest",
    ),
    Check(
        Bit.VOLUME_MAXIMUM,
        "volume_maximum",
        "{measured:g} volume steps are more than the symbol's {bound:g}",
        EVERYONE,
        "The volume is at most the symbol's largest",
    ),
    Check(
        Bit.VOLUME_STEP,
        "volume_step",
        "the volume is no multiple of the symbol's step",
        EVERYONE,
        "The volume is a whole number of steps",
    ),
    Check(
        Bit.SYMBOL_TRADING,
        "symbol_trading",
        "the broker does not take a {side} of this symbol now (trade mode {trade_mode})",
        EVERYONE,
        "The broker takes this side",
    ),
    Check(
        Bit.SYMBOL_OCCUPIED,
        "symbol_occupied",
        "the account nets {symbol} into one position, which is taken: {occupant}",
        EVERYONE,
        "Where the account nets: no trade of others on the symbol",
    ),
    Check(
        Bit.POSITIONS_TOTAL,
        "positions_total",
        "it would be trade number {measured:g}, {bound:g} are allowed",
        EVERYONE,
        "Open and pending trades in all",
    ),
    Check(
        Bit.POSITIONS_SYMBOL,
        "positions_symbol",
        "it would be trade number {measured:g} on {symbol}, {bound:g} are allowed",
        EVERYONE,
        "Open and pending trades on the symbol",
    ),
    Check(
        Bit.DUPLICATE,
        "duplicate",
        "this strategy already has a {side} of {symbol} open or pending",
        EVERYONE,
        "No trade of the same strategy, symbol and side",
    ),
    Check(
        Bit.EXPOSURE,
        "exposure",
        "net exposure to {unit} would be {measured:.2f} × equity, {bound:g} is allowed",
        EVERYONE,
        "Net exposure per currency ÷ equity",
    ),
    Check(
        Bit.OPEN_RISK,
        "open_risk",
        "open risk with this trade would be {measured:.2%} of equity, {bound:.2%} is allowed",
        EVERYONE,
        "Risk of all trades to their stops ÷ equity",
    ),
    Check(
        Bit.MARGIN,
        "margin",
        "margin with this trade would be {measured:.1%} of equity, {bound:.1%} is allowed",
        EVERYONE,
        "Margin after the trade ÷ equity",
    ),
    Check(
        Bit.DAILY_LOSS,
        "daily_loss",
        "the day's loss with all open risk could reach {measured:.2%}, {bound:.2%} is allowed",
        EVERYONE,
        "Day's loss + open risk + new risk",
    ),
    Check(
        Bit.DAILY_TARGET,
        "daily_target",
        "the day's profit is {measured:.2%}, its target {bound:.2%} is reached",
        EVERYONE,
        "The day's profit target is not reached",
    ),
    Check(
        Bit.DRAWDOWN,
        "drawdown",
        "drawdown is {measured:.2%}, the limit is {bound:.2%}",
        EVERYONE,
        "Drawdown stays below its limit",
    ),
    Check(
        Bit.COOLDOWN,
        "cooldown",
        "the strategy's last trade ended {measured:g} bars before (-1: after this one), {bound:g} are wanted",
        EVERYONE,
        "The strategy's cooldown has passed",
    ),
    Check(
        Bit.TRADES_STRATEGY,
        "trades_strategy",
        "it would be the strategy's entry number {measured:g} today, {bound:g} are allowed",
        EVERYONE,
        "The strategy's entries a day",
    ),
    Check(
        Bit.TRADES_DAY,
        "trades_day",
        "it would be entry number {measured:g} today, {bound:g} are allowed",
        EVERYONE,
        "The desk's entries a day",
    ),
    Check(
        Bit.SESSION,
        "session",
        "the bar closed outside the sessions {sessions}",
        EVERYONE,
        "The bar closed in one of the strategy's sessions",
    ),
    Check(
        Bit.MARKET_OPEN,
        "market_open",
        "{market}",
        EVERYONE,
        "The symbol trades now",
    ),
    Check(Bit.NEWS_EMBARGO, "news_embargo", "{embargo}", EVERYONE, "No news embargo for either currency"),
    Check(
        Bit.CALENDAR_KNOWN,
        "calendar_known",
        "no embargo can be ruled out: {calendar}",
        EVERYONE,
        "The calendar is known, where it must be",
    ),
    Check(
        Bit.SPREAD,
        "spread",
        "the spread is {measured} points, {bound:g} are allowed",
        EVERYONE,
        "The spread is within its cap",
    ),
    Check(
        Bit.AGE,
        "age",
        "the idea is {measured:.0f} s old, {bound:.0f} s are allowed",
        NOT_MANUAL,
        "The idea is young enough",
    ),
    Check(
        Bit.DRIFT,
        "drift",
        "the price is {measured:.2f} ATR away from the decision's, {bound:g} is allowed",
        NOT_MANUAL,
        "The price has not run away",
    ),
    Check(
        Bit.ORDER_RATE,
        "order_rate",
        "it would be order number {measured:g} within a minute, {bound:g} are allowed",
        NOT_BACKTEST,
        "Orders a minute",
    ),
    Check(
        Bit.WEEKEND,
        "weekend",
        "{weekend}",
        EVERYONE,
        "Enough time before the weekend",
    ),
)

SOFT = frozenset(check.key for check in TABLE if not check.hard)
"""Checks that choose between the actions instead of blocking."""


def mask(purpose: Purpose) -> int:
    """The checks that run for a purpose, as a bit mask."""
    return sum(1 << check.bit for check in TABLE if purpose in check.applies)


MASKS = {purpose: mask(purpose) for purpose in Purpose}


def markdown() -> str:
    """The table for a person, as it stands in the documentation: which check runs on whose behalf."""
    rows = [f"| check | asks | {' | '.join(Purpose)} | refusing |", "| --- " * (len(Purpose) + 3) + "|"]
    for check in TABLE:
        runs = " | ".join("yes" if purpose in check.applies else "–" for purpose in Purpose)
        effect = "blocks" if check.hard else "chooses the action"
        rows.append(f"| `{check.key}` | {check.meaning} | {runs} | {effect} |")
    return "\n".join(rows)


def table() -> list[dict[str, object]]:
    """The table as JSON values: key, meaning, for whom, whether it blocks."""
    return [
        {
            "check": check.key,
            "meaning": check.meaning,
            "applies": sorted(check.applies),
            "blocks": check.hard,
        }
        for check in TABLE
    ]
