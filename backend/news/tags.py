"""Which currencies and symbols an article speaks of, by a table that a user can edit. Pure."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_WORDS = re.compile(r"\w+")
_READ = 1_500

Terms = Mapping[str, Sequence[str]]
"""From a code to its terms."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """What an article concerns; each sorted."""

    currencies: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    currencies: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)


class Tagger:
    """Finds the terms of a table in texts.

    A term in small letters is found in any writing (``rate decision``); one with a capital only as it
    stands or in capitals throughout (``Fed`` finds "Fed" and "FED", not "fed up"). Terms are whole words.
    A symbol is found by its terms, by its own name, and by each of its currencies.

    Args:
        currencies: Terms of each currency.
        symbols: Terms of each symbol.
        of_symbols: The currencies of each symbol that the desk trades.
    """

    def __init__(
        self, currencies: Terms, symbols: Terms, of_symbols: Mapping[str, Collection[str]] | None = None
    ) -> None:
        # By its first word in small letters: the term's words, whether it names a symbol, and the code.
        self._terms: dict[str, list[tuple[tuple[str, ...], bool, str]]] = defaultdict(list)
        self._by_currency: dict[str, set[str]] = defaultdict(set)
        for code, terms in currencies.items():
            self._learn(terms, is_symbol=False, code=code)
        for code, terms in symbols.items():
            self._learn(terms, is_symbol=True, code=code)
        for symbol, its in (of_symbols or {}).items():
            self._learn([symbol], is_symbol=True, code=symbol)
            for currency in its:
                self._by_currency[currency].add(symbol)

    def tags(self, text: str, given: Iterable[str] = ()) -> Tagged:
        """What a text concerns, and the currencies that it concerns anyway with their symbols."""
        words = _WORDS.findall(text[:_READ])
        found = _Found(currencies=set(given))
        for first in set(words):
            for term, is_symbol, code in self._terms.get(first.lower(), ()):
                codes = found.symbols if is_symbol else found.currencies
                if code not in codes and _stands(term, first, words):
                    codes.add(code)
        for currency in found.currencies:
            found.symbols |= self._by_currency.get(currency, set())
        return Tagged(tuple(sorted(found.currencies)), tuple(sorted(found.symbols)))

    def _learn(self, terms: Iterable[str], *, is_symbol: bool, code: str) -> None:
        for term in terms:
            words = tuple(_WORDS.findall(term))
            if words:
                self._terms[words[0].lower()].append((words, is_symbol, code))


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
