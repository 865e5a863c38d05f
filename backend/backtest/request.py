"""What a backtest is asked to do, and how that changes what the files say."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from backend.backtest.model import HOURS_OF_WEEK, NO_CALENDAR
from backend.backtest.provenance import Options
from backend.core.clock import iso
from backend.core.errors import Invalid
from backend.economic_calendar.model import CalendarView
from backend.risk.limits import RiskLimits, parse_limits
from backend.risk.rulebook import Rulebook, tightened
from backend.strategies.model import Strategy, dumped
from backend.strategies.validation import parse_strategy
from backend.trading.desk import Mode

MAX_DAYS = 3650
DEFAULT_DAYS = 30
COST_KEYS = ("commission_per_lot", "slippage_points", "spread_points")


@dataclass(frozen=True, kw_only=True, slots=True)
class CostChanges:
    """Costs that count instead of the files' and the learned ones; None leaves them.

    Attributes:
        commission_per_lot: Account currency per lot and side.
        slippage_points: Of a market or stop order.
        spread_points: At least so wide in each hour of the week, server time, Monday 00 first.
    """

    commission_per_lot: Decimal | None = None
    slippage_points: Decimal | None = None
    spread_points: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One backtest as a person asks for it.

    Attributes:
        strategy: The strategy's id.
        symbols: Of those it trades; all of them if none is named.
        days: Calendar days up to the end; 30 if neither these nor `begin` are given.
        begin: The first bar opens then or later, aware UTC.
        end: The last bar closes then or before, aware UTC; the present if not given.
        mode: Instead of the desk's.
        balance: Instead of the account's.
        risk: Of one trade, a fraction, instead of the strategy's and the desk's.
        costs: Instead of the files'.
        rulebook: Instead of the one in force.
        no_rulebook: The desk's own limits alone, although a rulebook is in force.
        changed_limits: Of ``config/risk.json``, by dotted key: ``{"drawdown.limit": 0.5}``.
        calendar: Economic events of the whole time; none are known if not given.
        options: How it is run and told.
        fresh: Compute again although the report is there.
    """

    strategy: str
    symbols: tuple[str, ...] = ()
    days: int | None = None
    begin: datetime | None = None
    end: datetime | None = None
    mode: Mode | None = None
    balance: Decimal | None = None
    risk: float | None = None
    costs: CostChanges = field(default_factory=CostChanges)
    rulebook: Rulebook | None = None
    no_rulebook: bool = False
    changed_limits: Mapping[str, Any] = field(default_factory=dict)
    calendar: CalendarView = NO_CALENDAR
    options: Options = field(default_factory=Options)
    fresh: bool = False

    def period(self, now: datetime) -> tuple[datetime, datetime]:
        """Begin and end, both aware UTC.

        Raises:
            Invalid: Days and a beginning at once, days out of range, an end before the beginning.
        """
        end = now if self.end is None else min(self.end, now)
        if self.days is not None and self.begin is not None:
            raise Invalid("bad_period", "give either a number of days or a beginning, not both")
        if self.begin is None:
            days = DEFAULT_DAYS if self.days is None else self.days
            if isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
                raise Invalid("bad_days", f"days is {days}; it may be 1 to {MAX_DAYS}", allowed=[1, MAX_DAYS])
            return end - timedelta(days=days), end
        if self.begin >= end:
            raise Invalid(
                "bad_period", f"the period begins at {iso(self.begin)} and ends at {iso(end)}: it is empty"
            )
        return self.begin, end

    def limits(self, limits: RiskLimits, rulebook: Rulebook | None = None) -> RiskLimits:
        """The desk's limits with this request's own, mode, risk and rulebook; `Invalid` if they are none.

        Args:
            limits: The desk's own.
            rulebook: The one in force.
        """
        chosen = None if self.no_rulebook else self.rulebook or rulebook
        return tightened(self._own_limits(limits), chosen)

    def _own_limits(self, limits: RiskLimits) -> RiskLimits:
        changes = dict(self.changed_limits)
        if self.mode is not None:
            changes["mode"] = str(self.mode)
        if self.risk is not None:
            changes["risk_fraction"] = self.risk
        if not changes:
            return limits
        values = limits.model_dump(mode="json")
        for key, value in changes.items():
            part, dot, last = key.partition(".")
            if dot and isinstance(values.get(part), dict):
                values[part][last] = value
            else:
                values[key] = value
        return parse_limits(values, file="arguments")

    def strategy_of(self, strategy: Strategy) -> Strategy:
        """The strategy with this request's risk; `Invalid` if it is none."""
        if self.risk is None:
            return strategy
        values = dumped(strategy)
        values["strategy"] = values["strategy"] | {"max_risk_pct": self.risk}
        return parse_strategy(values)


def parse_limit_changes(items: Iterable[str]) -> dict[str, Any]:
    """Limits by dotted key from ``key=value`` texts, values as in JSON; `Invalid` for what is none."""
    changes: dict[str, Any] = {}
    for item in items:
        key, sign, value = item.partition("=")
        if not sign or not key:
            raise Invalid("bad_argument", f"{item!r} is not key=value, such as drawdown.limit=0.5")
        try:
            changes[key] = json.loads(value)
        except ValueError:
            changes[key] = value
    return changes


def parse_mode(text: str) -> Mode:
    """A mode by its word; `Invalid` for another one."""
    try:
        return Mode(text)
    except ValueError:
        raise Invalid("bad_argument", f"mode is {text!r}; it may be {', '.join(Mode)}", key="mode") from None


def parse_costs(items: Iterable[str]) -> CostChanges:
    """Costs from ``key=value`` texts and JSON files with the same keys, the last winning.

    Raises:
        Invalid: Code ``bad_costs``, naming what is wrong and the keys there are.
    """
    given: dict[str, Any] = {}
    for item in items:
        key, sign, value = item.partition("=")
        if sign and key in COST_KEYS:
            given[key] = value
        elif sign and not Path(item).exists():
            raise Invalid("bad_costs", f"{key!r} is no cost; there are {', '.join(COST_KEYS)}")
        else:
            given |= _file(Path(item))
    return CostChanges(
        commission_per_lot=_amount(given, "commission_per_lot"),
        slippage_points=_amount(given, "slippage_points"),
        spread_points=_spreads(given.get("spread_points")),
    )


def _file(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Invalid(
            "bad_costs",
            f"{path} is neither a file that can be read ({error.strerror or error}) nor key=value",
        ) from error
    except ValueError as error:
        raise Invalid("bad_costs", f"{path}: it is not JSON: {error}") from error
    if not isinstance(values, Mapping) or not values.keys() <= set(COST_KEYS):
        raise Invalid("bad_costs", f"{path}: a file of costs is an object with {', '.join(COST_KEYS)}")
    return dict(values)


def _amount(given: Mapping[str, Any], key: str) -> Decimal | None:
    value = given.get(key)
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or amount < 0:
        raise Invalid("bad_costs", f"{key} is {value!r}; it is a number of at least zero")
    return amount


def _spreads(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    several = value if isinstance(value, list) else [value] * HOURS_OF_WEEK
    try:
        points = tuple(int(str(one)) for one in several)
    except ValueError:
        points = ()
    if len(points) != HOURS_OF_WEEK or min(points) < 0:
        raise Invalid(
            "bad_costs",
            f"spread_points is {value!r}; it is a whole number of points of at least zero, or "
            f"{HOURS_OF_WEEK} of them, one an hour of the week",
        )
    return points
