"""The condition language: text to a frozen, checked tree. Nothing here is ever executed as Python.

A strategy's condition is either a plain word, which is a named fact (`backend.strategies.facts`), or an
expression such as ``crosses_above(ema(20), ema(50)) and 40 <= rsi(14) <= 60``.
"""

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.strategies.functions import Kind
from backend.strategies.parser import MAX_LENGTH, Parser
from backend.strategies.tokens import expression_error
from backend.strategies.tree import Expression, measure

MAX_LOOKBACK = 5000


def parse_condition(text: str, base: Timeframe, *, internal: bool = False) -> Expression:
    """The checked tree of a condition.

    Args:
        text: The expression, at most `MAX_LENGTH` characters.
        base: Timeframe of the strategy: a ``tf=`` may not be shorter.
        internal: Also allow the functions that only named facts use.

    Raises:
        Invalid: Code ``bad_condition``, naming the column (1-based).
    """
    return _parse(text, base, Kind.BOOLEAN, internal=internal)


def parse_price(text: str, base: Timeframe) -> Expression:
    """The checked tree of an expression that gives a number, such as a target price."""
    return _parse(text, base, Kind.NUMBER, internal=False)


def _parse(text: str, base: Timeframe, wanted: Kind, *, internal: bool) -> Expression:
    if not text.strip():
        raise Invalid("bad_condition", "column 1: the condition is empty", column=1, text=text)
    if len(text) > MAX_LENGTH:
        raise expression_error(
            text, MAX_LENGTH, f"{len(text)} characters; an expression has at most {MAX_LENGTH}"
        )
    tree = Parser(text, base, internal=internal).parse()
    if tree.gives is not wanted:
        hint = "; compare it with something" if wanted is Kind.BOOLEAN else ""
        raise expression_error(text, tree.start, f"this is a {tree.gives}, not a {wanted}{hint}")
    needs, settled = measure(tree, base)
    for timeframe, bars in needs.items():
        if bars > MAX_LOOKBACK:
            raise expression_error(
                text,
                tree.start,
                f"looks back over {bars} bars of {timeframe}; at most {MAX_LOOKBACK} are kept",
            )
    return Expression(text=text, tree=tree, needs=tuple(needs.items()), settled=tuple(settled.items()))
