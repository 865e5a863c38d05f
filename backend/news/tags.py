"""Which currencies an article speaks of, by a table that a user can edit. Pure."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

_WORDS = re.compile(r"\w+")
_READ = 1_500


class Tagger:
    """Finds the terms of a table in texts.

    A term in small letters is found in any writing (``rate decision``); one with a capital only as it
    stands or in capitals throughout (``Fed`` finds "Fed" and "FED", not "fed up"). Terms are whole words.

    Args:
        table: From currency code to its terms.
    """

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self._terms: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for currency, terms in table.items():
            for term in terms:
                words = tuple(_WORDS.findall(term))
                if words:
                    self._terms[words[0].lower()].append((words, currency))

    def currencies(self, text: str) -> set[str]:
        """Codes of the currencies whose terms stand in the text."""
        words = _WORDS.findall(text[:_READ])
        found: set[str] = set()
        for first in set(words):
            for term, currency in self._terms.get(first.lower(), ()):
                if currency not in found and _stands(term, first, words):
                    found.add(currency)
        return found


def _stands(term: Sequence[str], first: str, words: Sequence[str]) -> bool:
    if len(term) == 1:
        return _matches(term, (first,))
    return any(
        word == first and _matches(term, words[position : position + len(term)])
        for position, word in enumerate(words)
    )


def _matches(term: Sequence[str], words: Sequence[str]) -> bool:
    return len(term) == len(words) and all(
        (word.lower() == wanted) if wanted.islower() else word in {wanted, wanted.upper()}
        for wanted, word in zip(term, words, strict=True)
    )
