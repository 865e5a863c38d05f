"""Random texts of the condition language, by its grammar."""

from typing import Any

from hypothesis import strategies as st

from backend.core.timeframes import Timeframe

SERIES = ("open", "high", "low", "close", "volume", "spread", "hour", "weekday")
PERIOD = st.integers(1, 9)
PERIOD2 = st.integers(2, 9)


def _join(name: str, *arguments: Any) -> str:
    return f"{name}({', '.join(str(argument) for argument in arguments if argument != '')})"


@st.composite
def numbers(  # noqa: PLR0911 - one shape a return
    draw: st.DrawFn, higher: tuple[Timeframe, ...] = (), depth: int = 3
) -> str:
    """A number without division, so that it is undefined for want of bars only."""
    shapes = ["series", "bars", "average", "momentum", "ago"]
    if depth > 0:
        shapes += ["average_of", "window", "arithmetic", "many"]
    shape = draw(st.sampled_from(shapes))
    if shape == "series":
        return draw(st.sampled_from(SERIES))
    if shape == "ago":
        inner = draw(numbers(higher, depth - 1)) if depth > 0 else "close"
        return f"{inner if '(' in inner and inner.endswith(')') else f'({inner})'}[{draw(st.integers(0, 7))}]"
    if shape == "arithmetic":
        left, right = draw(numbers(higher, depth - 1)), draw(numbers(higher, depth - 1))
        return f"({left} {draw(st.sampled_from('+-*'))} {right})"
    if shape == "many":
        parts = draw(st.lists(numbers(higher, depth - 1), min_size=2, max_size=3))
        return _join(draw(st.sampled_from(["min", "max"])), *parts)
    frame = draw(st.sampled_from((None, *higher)))
    suffix = f'tf="{frame}"' if frame else ""
    inside = higher[higher.index(frame) + 1 :] if frame else higher
    if shape == "bars":
        name, arguments = draw(st.sampled_from(_OF_BARS)).values()
        return _join(name, *(draw(one) for one in arguments), suffix)
    if shape == "momentum":
        name = draw(st.sampled_from(["macd", "macd_signal", "macd_hist"]))
        return _join(name, 2, draw(st.integers(3, 6)), draw(PERIOD), suffix)
    source = draw(numbers(inside, depth - 1)) if shape == "average_of" and depth > 0 else ""
    if shape == "window":
        inner = draw(numbers(inside, depth - 1))
        return _join(draw(st.sampled_from(["highest", "lowest"])), inner, draw(PERIOD), suffix)
    name = draw(st.sampled_from(["sma", "ema", "wma", "rsi", "bb_upper", "bb_mid", "bb_lower", "stdev"]))
    return _join(name, source, draw(PERIOD2), suffix)


_OF_BARS: list[dict[str, Any]] = [
    {"name": "atr", "arguments": (PERIOD,)},
    {"name": "adx", "arguments": (PERIOD2,)},
    {"name": "plus_di", "arguments": (PERIOD,)},
    {"name": "minus_di", "arguments": (PERIOD,)},
    {"name": "stoch_k", "arguments": (PERIOD, PERIOD, PERIOD)},
    {"name": "stoch_d", "arguments": (PERIOD, PERIOD, PERIOD)},
    {"name": "cci", "arguments": (PERIOD2,)},
    {"name": "donchian_high", "arguments": (PERIOD,)},
    {"name": "donchian_low", "arguments": (PERIOD,)},
    {"name": "keltner_upper", "arguments": (PERIOD, st.just(2), PERIOD)},
    {"name": "keltner_lower", "arguments": (PERIOD, st.just(1.5), PERIOD)},
    {"name": "roc", "arguments": (PERIOD,)},
    {"name": "obv", "arguments": ()},
]


@st.composite
def conditions(  # noqa: PLR0911 - one shape a return
    draw: st.DrawFn, higher: tuple[Timeframe, ...] = (), depth: int = 2
) -> str:
    """A condition of any kind, division included."""
    shape = draw(st.sampled_from(["compare", "cross", "move", "session", "not", "logic", "divide"]))
    number = numbers(higher, 2)
    if depth > 0 and shape == "not":
        return f"not {draw(conditions(higher, depth - 1))}"
    if depth > 0 and shape == "logic":
        parts = draw(st.lists(conditions(higher, depth - 1), min_size=2, max_size=3))
        return "(" + f" {draw(st.sampled_from(['and', 'or']))} ".join(parts) + ")"
    frame = draw(st.sampled_from((None, *higher)))
    suffix = f'tf="{frame}"' if frame else ""
    inside = numbers(higher[higher.index(frame) + 1 :] if frame else higher, 2)
    if shape == "cross":
        name = draw(st.sampled_from(["crosses_above", "crosses_below"]))
        return _join(name, draw(inside), draw(inside), suffix)
    if shape == "move":
        return _join(draw(st.sampled_from(["rising", "falling"])), draw(inside), draw(PERIOD), suffix)
    if shape == "session":
        return _join(
            "session", f'"{draw(st.sampled_from(["Sydney", "Tokyo", "London", "NewYork"]))}"', suffix
        )
    if shape == "divide":
        return f"{draw(number)} / {draw(number)} > {draw(st.integers(-2, 2))}"
    signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return f"{draw(number)} {draw(signs)} {draw(number)} {draw(signs)} {draw(number)}"
