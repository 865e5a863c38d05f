"""A Pratt parser for conditions, which checks names, kinds and sizes while it reads."""

import math
from dataclasses import replace

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.strategies.functions import FUNCTIONS, MAX_PERIOD, SERIES, Function, Kind, Param
from backend.strategies.tokens import Token, did_you_mean, expression_error, tokenize
from backend.strategies.tree import Ago, Arithmetic, Call, Compare, Logic, Node, Number, Series

MAX_LENGTH = 1000
MAX_NODES = 200
MAX_DEPTH = 30
MAX_BARS_AGO = 1000

_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _POSTFIX = range(10, 90, 10)
_POWERS = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(_COMPARISONS, _COMPARE),
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "[": _POSTFIX,
}


class Parser:
    """Reads one expression; use `parse` once."""

    def __init__(self, text: str, base: Timeframe, *, internal: bool) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0
        self._depth = 0
        self._nodes = 0
        self._internal = internal
        self._frames = [base]

    def parse(self) -> Node:
        """The tree of the whole text."""
        tree = self._expression(0)
        if self._next.kind != "end":
            raise self._error(self._next, f"{self._next.text!r} does not fit here")
        return tree

    # --- tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _expect(self, text: str) -> Token:
        if self._next.text != text or self._next.kind == "string":
            found = repr(self._next.text) if self._next.kind != "end" else "the end"
            raise self._error(self._next, f"{text!r} is missing before {found}")
        return self._take()

    def _error(self, where: Token | Node, reason: str) -> Invalid:
        return expression_error(self._text, where.start, reason)

    # --- expressions

    def _expression(self, power: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(self._next, f"nested deeper than {MAX_DEPTH}")
        left = self._count(self._prefix())
        while self._binding(self._next) > power:
            left = self._count(self._infix(left))
        self._depth -= 1
        return left

    def _count(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(node, f"more than {MAX_NODES} parts")
        return node

    @staticmethod
    def _binding(token: Token) -> int:
        return _POWERS.get(token.text, 0) if token.kind in {"op", "name"} else 0

    def _prefix(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "name":
            if token.text == "not":
                return self._logic("not", (self._expression(_NOT),), token.start)
            if token.text in {"and", "or"}:
                raise self._error(token, f"{token.text!r} has nothing before it")
            return self._name(token)
        if token.text == "(" and token.kind == "op":
            inner = self._expression(0)
            self._expect(")")
            return replace(inner, start=token.start, end=self._ended)
        if token.text == "-" and token.kind == "op":
            return self._negative(token)
        if token.kind == "end":
            raise self._error(token, "the expression ends too early")
        hint = "; text stands only in tf= and session()" if token.kind == "string" else ""
        raise self._error(token, f"{token.text!r} does not fit here{hint}")

    def _number(self, token: Token) -> Number:
        value = float(token.text)
        if not math.isfinite(value):
            raise self._error(token, f"{token.text} is too large")
        return Number(value=value, start=token.start, end=token.end)

    def _negative(self, token: Token) -> Node:
        operand = self._numeric(self._expression(_SIGN))
        if isinstance(operand, Number):
            return Number(value=-operand.value, start=token.start, end=operand.end)
        zero = Number(value=0.0, start=token.start, end=token.start)
        return Arithmetic(operator="-", left=zero, right=operand, start=token.start, end=operand.end)

    def _infix(self, left: Node) -> Node:
        token = self._take()
        if token.text == "[":
            return self._ago(left, token)
        if token.text in {"and", "or"}:
            operands = [left, self._expression(_POWERS[token.text])]
            while self._next.text == token.text and self._next.kind == "name":
                self._take()
                operands.append(self._expression(_POWERS[token.text]))
            return self._logic(token.text, tuple(operands), left.start)
        if token.text in _COMPARISONS:
            return self._compare(left, token)
        right = self._numeric(self._expression(_POWERS[token.text]))
        self._numeric(left)
        return Arithmetic(operator=token.text, left=left, right=right, start=left.start, end=self._ended)

    @property
    def _ended(self) -> int:
        return self._tokens[self._at - 1].end

    def _logic(self, operator: str, operands: tuple[Node, ...], start: int) -> Logic:
        for operand in operands:
            if operand.gives is not Kind.BOOLEAN:
                raise self._error(operand, f"{operator!r} joins conditions, and this is a number")
        return Logic(operator=operator, operands=operands, start=start, end=self._ended)

    def _compare(self, left: Node, token: Token) -> Compare:
        operands, operators = [self._numeric(left)], [token.text]
        operands.append(self._numeric(self._expression(_COMPARE)))
        while self._binding(self._next) == _COMPARE:
            operators.append(self._take().text)
            operands.append(self._numeric(self._expression(_COMPARE)))
        return Compare(
            operands=tuple(operands), operators=tuple(operators), start=left.start, end=self._ended
        )

    def _numeric(self, node: Node) -> Node:
        if node.gives is not Kind.NUMBER:
            raise self._error(node, "a number is wanted here, and this is a condition")
        return node

    def _ago(self, operand: Node, bracket: Token) -> Node:
        token = self._take()
        if token.text == "-":
            raise self._error(token, "a negative index would look ahead")
        if token.kind != "number" or not token.text.isdigit():
            raise self._error(token, "the number of bars ago is a whole number, such as [1]")
        self._expect("]")
        bars = int(token.text) if len(token.text) < 10 else MAX_BARS_AGO + 1  # noqa: PLR2004 - digits
        if bars > MAX_BARS_AGO:
            raise self._error(token, f"{token.text} bars ago; at most {MAX_BARS_AGO}")
        if isinstance(operand, Number):
            raise self._error(bracket, "a constant has no bars ago")
        return Ago(operand=operand, bars=bars, start=operand.start, end=self._ended)

    # --- names and calls

    def _name(self, token: Token) -> Node:
        called = self._next.text == "(" and self._next.kind == "op"
        if token.text in SERIES:
            if called:
                raise self._error(
                    token, f"{token.text!r} is a series, not a function; write {token.text!r} alone"
                )
            return Series(name=token.text, start=token.start, end=token.end)
        function = FUNCTIONS.get(token.text)
        if function is None or (function.internal and not self._internal):
            known = [name for name, f in FUNCTIONS.items() if self._internal or not f.internal]
            allowed = known if called else [*SERIES, *known]
            what = "function" if called else "name"
            raise self._error(token, f"unknown {what} {token.text!r}{did_you_mean(token.text, allowed)}")
        if not called:
            raise self._error(token, f"{token.text!r} is a function; write {function.usage}")
        return self._call(function, token)

    def _call(self, function: Function, name: Token) -> Call:
        self._take()
        timeframe = self._timeframe_ahead(name)
        self._frames.append(timeframe or self._frames[-1])
        arguments: list[Node | Token] = []
        while self._next.text != ")" or self._next.kind == "string":
            if self._next.kind == "name" and self._tokens[self._at + 1].text == "=":
                self._keyword()
            elif self._next.kind == "string":
                arguments.append(self._take())
            else:
                arguments.append(self._expression(0))
            if self._next.text != ")":
                self._expect(",")
                if self._next.text == ")":
                    raise self._error(self._next, "an argument is missing after ','")
        self._expect(")")
        self._frames.pop()
        series, constants = self._split(function, arguments, name)
        params = self._constants(function, constants, name)
        return Call(
            function=function.name,
            series=series,
            params=params,
            timeframe=timeframe,
            start=name.start,
            end=self._ended,
        )

    def _keyword(self) -> None:
        token = self._take()
        if token.text != "tf":
            raise self._error(token, f"unknown argument {token.text!r}; only tf= has a name")
        self._take()
        self._take()  # the value was read by _timeframe_ahead
        if self._next.text != ")":
            raise self._error(self._next, "tf= comes last")

    def _timeframe_ahead(self, name: Token) -> Timeframe | None:
        """The ``tf=`` of the call that just opened, read before its arguments are."""
        depth = 0
        for index in range(self._at, len(self._tokens) - 2):
            token = self._tokens[index]
            if token.kind == "op":
                depth += (token.text in "([") - (token.text in ")]")
            if depth < 0:
                return None
            if depth == 0 and token.text == "tf" and self._tokens[index + 1].text == "=":
                return self._timeframe(self._tokens[index + 2], name)
        return None

    def _timeframe(self, value: Token, name: Token) -> Timeframe | None:
        if value.kind != "string":
            raise self._error(value, 'tf= takes a timeframe in quotes, such as tf="H4"')
        try:
            timeframe = Timeframe.parse(value.text[1:-1])
        except Invalid as error:
            raise self._error(value, error.message) from error
        if timeframe.seconds < self._frames[-1].seconds:
            raise self._error(
                value,
                f"{timeframe} is shorter than {self._frames[-1]}, on which {name.text}() stands; "
                "a condition sees its own bars and longer ones",
            )
        return None if timeframe is self._frames[-1] else timeframe

    def _split(
        self, function: Function, arguments: list[Node | Token], name: Token
    ) -> tuple[tuple[Node, ...], list[Node | Token]]:
        wanted = function.series
        if function.series < 0:
            wanted = max(len(arguments), 2)
        if function.source is not None:
            wanted = int(
                bool(arguments) and isinstance(arguments[0], Node) and not isinstance(arguments[0], Number)
            )
            if not wanted:
                default = Series(name=function.source, start=name.start, end=name.end)
                return (default,), arguments
        series: list[Node] = []
        for argument in arguments[:wanted]:
            if isinstance(argument, Token):
                raise self._error(argument, f"text does not fit here; write {function.usage}")
            series.append(self._numeric(argument))
        if len(series) < wanted:
            raise self._error(name, f"too few arguments; write {function.usage}")
        return tuple(series), arguments[wanted:]

    def _constants(
        self, function: Function, given: list[Node | Token], name: Token
    ) -> tuple[float | int | str, ...]:
        if len(given) > len(function.params):
            raise self._error(given[len(function.params)], f"too many arguments; write {function.usage}")
        values: list[float | int | str] = []
        for index, param in enumerate(function.params):
            if index < len(given):
                values.append(self._constant(function, param, given[index]))
            elif param.default is None:
                raise self._error(name, f"{param.name} is missing; write {function.usage}")
            else:
                values.append(param.default)
        if function.ordered and float(values[0]) >= float(values[1]):
            raise self._error(name, f"{function.params[0].name} must be less than {function.params[1].name}")
        return tuple(values)

    def _constant(self, function: Function, param: Param, given: Node | Token) -> float | int | str:
        if param.choices:
            if not isinstance(given, Token):
                raise self._error(given, f"{param.name} is text in quotes: one of {', '.join(param.choices)}")
            word = given.text[1:-1]
            if word not in param.choices:
                raise self._error(
                    given, f"unknown {function.name} {word!r}{did_you_mean(word, [*param.choices])}"
                )
            return word
        if not isinstance(given, Number):
            raise self._error(given, f"{param.name} is a constant number; write {function.usage}")
        value = given.value
        if param.whole and value != int(value):
            raise self._error(given, f"{param.name} is a whole number, and this is {value:g}")
        if not param.low <= value <= MAX_PERIOD:
            raise self._error(given, f"{param.name} is {value:g}; it may be {param.low:g} to {MAX_PERIOD}")
        return int(value) if param.whole else value
