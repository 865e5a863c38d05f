"""Whatever is written, the parser answers at once: a checked tree, or Invalid with a column."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.strategies.functions import FUNCTIONS, SERIES
from backend.strategies.grammar import MAX_LOOKBACK, parse_condition, parse_price
from backend.strategies.parser import MAX_LENGTH
from backend.strategies.tree import Ago, Arithmetic, Expression, walk
from tests.fakes.language import conditions, numbers

H1, H4, D1 = Timeframe.H1, Timeframe.H4, Timeframe.D1

TOKENS = [
    *FUNCTIONS,
    *SERIES,
    *"()()[],,.+-*/<>=", "<=", ">=", "==", "!=", "and", "or", "not", "tf", "0", "1", "2", "20", "1.5", "1e3",
    "1e999", "0x1", "true", "None",
    '"H4"', '"D1"', '"M1"', '"London"', '"', "'", "é", "٣", "\x00", "\n", "#", "lambda", "__import__",
]  # fmt: skip


def answer(text: str, *, price: bool = False) -> Expression | None:
    refused: Invalid | None = None
    try:
        found = parse_price(text, H1) if price else parse_condition(text, H1)
    except Invalid as error:
        refused = error
    if refused is not None:
        assert refused.code == "bad_condition"
        column = refused.details["column"]
        assert 1 <= column <= len(text) + 1
        assert refused.message.startswith(f"column {column}: ")
        assert len(refused.message) > len(f"column {column}: ")
        assert refused.details["text"] == text
        return None
    assert all(1 <= bars <= MAX_LOOKBACK for _, bars in found.needs)
    assert all(0 <= node.start <= node.end <= len(text) for node in walk(found.tree))
    return found


@given(st.text(max_size=MAX_LENGTH + 50))
@example("")
@example(" ")
@example("\x00")
@example("close" * 300)
def test_any_text(text: str) -> None:
    answer(text)
    answer(text, price=True)


@given(st.lists(st.sampled_from(TOKENS), max_size=60), st.sampled_from(["", " "]))
def test_any_words_of_the_language_in_any_order(words: list[str], between: str) -> None:
    answer(between.join(words))


@given(conditions((H4, D1)), st.data())
def test_what_the_grammar_gives_is_read_and_one_wrong_character_is_told(
    text: str, data: st.DataObject
) -> None:
    if len(text) <= MAX_LENGTH:
        answer(text)
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(st.sampled_from(TOKENS))
    answer(text[:at] + put + text[at + cut :])


@given(numbers((H4, D1), 2))
def test_a_part_of_a_tree_has_its_own_text(text: str) -> None:
    found = answer(text, price=True)
    if found is None:  # too many parts, which the limits refuse
        return
    for node in walk(found.tree):
        again = found.source(node)
        assert again.count("(") == again.count(")")
        assert again.count("[") == again.count("]")
        if isinstance(node, Arithmetic | Ago) and "tf=" not in text:
            assert parse_price(again, H1).tree == node


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1000,
        "(" * 500 + "close" + ")" * 495,
        "not " * 240 + "close",
        "-" * 999 + "1",
        "close" + "[1]" * 331,
        "close > 1" + " and close > 1" * 70,
        "1" + "+1" * 499,
        "min(" * 249,
        "sma(" * 29 + "close" + ", 20)" * 29 + " > 1",
        "sma(close, 2000" + ', tf="H4"' * 90 + ")",
        "a" * 1000,
        '"' + "x" * 998,
        "close[" + "9" * 900 + "] > 1",
        "close > " + "9" * 900,
        "close > 1e" + "9" * 900,
        "ema(" + "9" * 900 + ") > 1",
        "ema(1e308) > 1",
        "ema(-0) > 1",
        "1 < " * 249 + "2",
        "ema(20, tf=" * 80,
    ],
)
def test_hostile_shapes_end_at_once(text: str) -> None:
    answer(text[:MAX_LENGTH])
