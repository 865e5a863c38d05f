"""Text of a condition to tokens, each with its column."""

import re
from difflib import get_close_matches
from typing import NamedTuple

from backend.core.errors import Invalid

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<string>"[^"]*"|'[^']*')
      | (?P<op><=|>=|==|!=|[-+*/()\[\],=<>])
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """One token: kind is number, name, string, op or end; `start` and `end` are 0-based offsets."""

    kind: str
    text: str
    start: int
    end: int


def expression_error(text: str, offset: int, reason: str) -> Invalid:
    """The error of a condition at a 0-based offset; columns count from 1."""
    return Invalid("bad_condition", f"column {offset + 1}: {reason}", column=offset + 1, text=text)


def did_you_mean(word: str, allowed: list[str]) -> str:
    """``; did you mean 'ema'?`` or, where nothing is near, the words that are allowed."""
    near = get_close_matches(word, allowed, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(allowed)}"


def tokenize(text: str) -> list[Token]:
    """Tokens of the text and an end token.

    Raises:
        Invalid: At the column of a character that begins no token.
    """
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            character = text[position]
            hint = "; text is not closed" if character in "\"'" else ""
            hint = hint or (
                "; write 'and'" if character == "&" else "; write 'or'" if character == "|" else ""
            )
            raise expression_error(text, position, f"{character!r} is not part of the language{hint}")
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
        position = match.end()
    tokens.append(Token("end", "", len(text), len(text)))
    return tokens
