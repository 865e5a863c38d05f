"""From JSON values to a strategy or profile, or to every reason why not, each with its pointer."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from backend.core.errors import Invalid
from backend.strategies.facts import FACTS
from backend.strategies.functions import FUNCTIONS, SERIES, Kind
from backend.strategies.model import Direction, Profile, Strategy
from backend.strategies.tokens import did_you_mean

Problem = dict[str, Any]
"""``{"pointer": "/strategy/max_risk_pct", "reason": "..."}``; the pointer is a JSON pointer, and a
condition's problem also has its 1-based ``column``."""

UNREACHABLE = "unreachable_threshold"
"""Code of the refusal of a strategy that can never act under the desk's limits. Other refusals are the
limits' own fault, which is told where they are read."""

_OPPOSITES = (
    {"ema_fast_gt_slow", "ema_fast_lt_slow"},
    {"price_above_ema_fast", "price_below_ema_fast"},
    {"price_above_ema_slow", "price_below_ema_slow"},
    {"price_above_ema_slow", "price_close_lt_ema_slow"},
    {"price_close_gt_ema_slow", "price_close_lt_ema_slow"},
    {"price_close_gt_ema_slow", "price_below_ema_slow"},
    {"rsi_lt_30", "rsi_gt_70"},
    {"rsi_oversold", "rsi_overbought"},
    {"rsi_between_40_60", "rsi_lt_30"},
    {"rsi_between_40_60", "rsi_gt_70"},
    {"rsi_between_30_70", "rsi_lt_30"},
    {"rsi_between_30_70", "rsi_gt_70"},
    {"macd_hist_gt_0", "macd_hist_lt_0"},
    {"macd_line_gt_signal", "macd_line_lt_signal"},
    {"macd_bullish_cross", "macd_bearish_cross"},
    {"atr_above_median", "atr_below_median"},
    {"atr_expanding", "atr_contracting"},
    {"bullish_engulfing", "bearish_engulfing"},
    {"uptrend", "downtrend"},
    {"uptrend", "sideways"},
    {"downtrend", "sideways"},
    {"volume_above_average", "volume_below_average"},
)


def parse_strategy(
    data: Any, *, stem: str | None = None, accept: Callable[[Strategy], None] | None = None
) -> Strategy:
    """The strategy that these JSON values state.

    Args:
        data: The file's content.
        stem: The file's name without .json, which the id must equal.
        accept: Raises `Invalid` with code `UNREACHABLE` for a strategy that can never act.

    Raises:
        Invalid: Code ``bad_strategy`` with `problems`, a list of `Problem`.
    """
    strategy: Strategy = _parse(Strategy, data, "bad_strategy")
    problems = [*condition_problems(strategy)]
    if stem is not None and strategy.id != stem:
        problems.insert(
            0, {"pointer": "/id", "reason": f"the id is {strategy.id!r} and the file is {stem!r}"}
        )
    if not problems:
        problems += contradictions(strategy)
    if not problems and accept is not None:
        problems += unacceptable(strategy, accept)
    if problems:
        raise _refusal("bad_strategy", problems)
    return strategy


def parse_profile(data: Any, *, stem: str | None = None) -> Profile:
    """The profile that these JSON values state; `Invalid` with code ``bad_profile`` otherwise."""
    profile: Profile = _parse(Profile, data, "bad_profile")
    if stem is not None and profile.symbol != stem:
        reason = f"the symbol is {profile.symbol!r} and the file is {stem!r}"
        raise _refusal("bad_profile", [{"pointer": "/symbol", "reason": reason}])
    return profile


def condition_problems(strategy: Strategy) -> Iterator[Problem]:
    """Every condition that is no fact and no expression, with its pointer."""
    for pointer, condition in conditions_of(strategy):
        try:
            strategy.expression(condition)
        except Invalid as error:
            yield _condition_problem(pointer, error)
    try:
        strategy.target_expression()
    except Invalid as error:
        yield _condition_problem("/strategy/target", error)


def _condition_problem(pointer: str, error: Invalid) -> Problem:
    return {"pointer": pointer, "reason": error.message, "column": error.details["column"]}


def conditions_of(strategy: Strategy) -> Iterator[tuple[str, str]]:
    """Each condition's pointer and text."""
    blocks: list[tuple[str, Any, Sequence[str]]] = [
        ("/conditions", strategy.conditions, ("entry", "exit", "strong", "weak")),
        ("/strategy", strategy.strategy, ("invalidations",)),
    ]
    if strategy.short is not None:
        blocks.append(("/short", strategy.short, ("entry", "exit", "strong", "weak", "invalidations")))
    for pointer, block, names in blocks:
        for name in names:
            for index, condition in enumerate(getattr(block, name)):
                yield f"{pointer}/{name}/{index}", condition


def contradictions(strategy: Strategy) -> Iterator[Problem]:
    """Conditions that can never let the strategy trade: entries that exclude each other or are exits."""
    for direction in strategy.directions:
        lists = strategy.lists(direction)
        short = strategy.short is not None and direction is Direction.SHORT
        pointer = "/short" if short else "/conditions"
        entry = {condition.strip() for condition in lists.entry}
        for index, condition in enumerate(lists.entry):
            if condition.strip() in {other.strip() for other in (*lists.exit, *lists.invalidations)}:
                reason = (
                    f"{condition.strip()!r} is also an exit or invalidation: the strategy could never enter"
                )
                yield {"pointer": f"{pointer}/entry/{index}", "reason": reason}
        for pair in _OPPOSITES:
            if pair <= entry:
                reason = f"{' and '.join(sorted(pair))} never hold together: the strategy could never enter"
                yield {"pointer": f"{pointer}/entry", "reason": reason}


def unacceptable(strategy: Strategy, accept: Callable[[Strategy], None]) -> Iterator[Problem]:
    """Why a valid strategy can never act, if `accept` says so."""
    try:
        accept(strategy)
    except Invalid as error:
        if error.code == UNREACHABLE:
            yield {"pointer": "/conditions", "reason": error.message}


def match_bounds(strategy: Strategy, direction: Direction) -> tuple[float, float]:
    """The largest fraction of strong and the smallest fraction of weak conditions possible at an entry."""
    lists = strategy.lists(direction)
    entry = {condition.strip() for condition in lists.entry}
    strong = [condition.strip() for condition in lists.strong]
    possible = [c for c in strong if not any({c, e} in _OPPOSITES for e in entry)]
    clashes = _fewest_losses(possible)
    weak = [condition.strip() for condition in lists.weak]
    best_strong = 1.0 if not strong else (len(possible) - clashes) / len(strong)
    certain_weak = 0.0 if not weak else sum(c in entry for c in weak) / len(weak)
    return best_strong, certain_weak


def _fewest_losses(conditions: list[str]) -> int:
    """How many of the conditions must be false at any time: one for each pair that excludes itself."""
    left, losses = list(conditions), 0
    while left:
        first = left.pop()
        rival = next((other for other in left if {first, other} in _OPPOSITES), None)
        if rival is not None:
            left.remove(rival)
            losses += 1
    return losses


def _parse(model: type[Any], data: Any, code: str) -> Any:
    if not isinstance(data, dict):
        raise _refusal(code, [{"pointer": "", "reason": "the file holds no JSON object"}])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_problem(model, item) for item in error.errors(include_url=False)]
        raise _refusal(code, problems) from error


def _problem(model: type[Any], item: Any) -> Problem:
    location = [str(part) for part in item["loc"]]
    if item["type"] == "rule":
        location.append(item["ctx"]["field"])
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in location)
    reason = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        reason = f"unknown field {location[-1]!r}{_where(model, location)}"
    elif item["type"] == "missing":
        reason = f"{location[-1]!r} is missing"
    elif location[-1:] == ["entry"] and item["type"] == "too_short":
        reason = "no entry condition: the strategy would enter at every bar"
    return {"pointer": pointer, "reason": reason}


def _where(model: type[Any], location: list[str]) -> str:
    """Where the field belongs, or what is known here."""
    name, known = location[-1], model
    for part in location[:-1]:
        annotation = known.model_fields[part].annotation if part in known.model_fields else None
        candidates = getattr(annotation, "__args__", (annotation,))
        nested = next((c for c in candidates if hasattr(c, "model_fields")), None)
        if nested is None:
            return ""
        known = nested
    homes = [
        f"/{block}/{name}"
        for block in ("strategy", "conditions", "indicators")
        if model is Strategy and name in model.model_fields[block].annotation.model_fields
    ]
    if model is Strategy and name in model.model_fields:
        homes.append(f"/{name}")
    if homes:
        return f"; it belongs at {homes[0]}"
    return did_you_mean(name, [*known.model_fields])


def _refusal(code: str, problems: list[Problem]) -> Invalid:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Invalid(code, f"{first['pointer'] or '/'}: {first['reason']}{more}", problems=problems)


def functions_table() -> list[dict[str, str]]:
    """The functions of expressions: name, usage, what they give, meaning."""
    return [
        {"name": f.name, "usage": f.usage, "gives": str(f.gives), "meaning": f.meaning}
        for f in FUNCTIONS.values()
        if not f.internal
    ]


def series_table() -> list[dict[str, str]]:
    """The series of expressions, in the same shape."""
    return [
        {"name": name, "usage": name, "gives": str(Kind.NUMBER), "meaning": meaning}
        for name, meaning in SERIES.items()
    ]


def facts_table() -> list[dict[str, str]]:
    """The named facts for the console: name, formula, meaning."""
    return [{"name": f.name, "formula": f.formula, "meaning": f.meaning} for f in FACTS.values()]
