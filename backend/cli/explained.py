"""An explained bar as a person reads it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.text import Text

from backend.cli.output import console, table
from backend.strategies.model import Strategy

_TRUTH: Final[Mapping[bool | None, tuple[str, str]]] = {
    True: ("holds", "green"),
    False: ("does not", "red"),
    None: ("undefined", "yellow"),
}


def show_explanation(told: Mapping[str, Any], strategy: Strategy) -> None:
    """The bar, what is needed, and each direction's conditions with what they compare."""
    out = console()
    bar = told["bar"]
    out.print(f"{strategy.id} on {told['symbol']} {told['timeframe']}", style="bold", markup=False)
    spread = "unknown" if bar["spread"] is None else f"{bar['spread']} points"
    out.print(
        f"The bar {bar['opened']} to {bar['closed']}: open {bar['open']:g}, high {bar['high']:g}, "
        f"low {bar['low']:g}, close {bar['close']:g}, spread {spread}"
    )
    if told["note"]:
        out.print(told["note"], style="yellow", markup=False)
    for longer in told["longer_bars"]:
        out.print(
            f"It sees {longer['timeframe']} up to the bar {longer['opened']} to {longer['closed']}, "
            f"close {longer['close']:g}"
        )
    needs = "; ".join(
        f"{one['needed']} of {one['timeframe']} ({one['available']} read)" for one in told["needs"]
    )
    out.print(f"Bars needed: {needs}")
    sessions = ", ".join(told["sessions"]) or "any time"
    inside = "in session" if told["in_session"] else "not in session"
    out.print(f"Entries: {sessions}; this bar is {inside}. ATR {_number(told['atr'])}")
    if told["target"] is not None:
        out.print(f"Target: {_number(told['target'])}")
    for side in told["sides"]:
        word, colour = ("SIGNAL", "green") if side["signal"] else ("no signal", "red")
        out.print(f"\n{side['direction']}: [{colour}]{word}[/{colour}]")
        own = told["timeframe"]
        rows = [row for condition in side["conditions"] for row in _rows(condition, own)]
        out.print(table(("", "condition", "", "needs", "compared"), rows))
    if told["conflict"]:
        out.print("Both directions signal on this bar, so neither is taken.", style="yellow")


def _rows(condition: Mapping[str, Any], own: str) -> Iterator[tuple[Any, ...]]:
    text = condition["condition"]
    if condition["meaning"] != text:
        text = f"{text}: {condition['formula']}"
    needs = ", ".join(f"{bars} {timeframe}" for timeframe, bars in condition["needs"].items())
    yield condition["role"], text, _truth(condition["holds"]), needs, _operands(condition, own)
    for part in condition["parts"]:
        yield from _part_rows(part, own, 1)


def _part_rows(part: Mapping[str, Any], own: str, depth: int) -> Iterator[tuple[Any, ...]]:
    yield "", "  " * depth + part["text"], _truth(part["holds"]), "", _operands(part, own)
    for inner in part["parts"]:
        yield from _part_rows(inner, own, depth + 1)


def _truth(holds: bool | None) -> Text:  # noqa: FBT001 - three values, of which two are a boolean's
    word, colour = _TRUTH[holds]
    return Text(word, style=colour)


def _operands(part: Mapping[str, Any], own: str) -> str:
    """Each value; one of another timeframe with the bar at which it was read."""
    return ", ".join(
        f"{one['text']} = {_number(one['value'])}"
        + (f" ({one['timeframe']} bar {one['bar'] or 'none'})" if one["timeframe"] != own else "")
        for one in part["operands"]
    )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.8g}"
