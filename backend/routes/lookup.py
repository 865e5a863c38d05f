"""Names that a request gives, checked before anything is queued or read."""

from typing import Any

from backend.core.errors import NotFound
from backend.market.symbols import SymbolRow
from backend.routes.ports import Desk


def require_symbol(desk: Desk, symbol: str) -> SymbolRow:
    """The row of a canonical symbol; `NotFound` where the symbol map has none."""
    row: SymbolRow = desk.symbols.row(symbol)
    return row


def require_strategy(desk: Desk, name: str) -> Any:
    """The strategy of that id or name; `NotFound` lists the ids there are."""
    loaded = desk.strategies.load()
    for strategy in loaded.strategies:
        if name in {strategy.id, strategy.name}:
            return strategy
    known = [strategy.id for strategy in loaded.strategies]
    raise NotFound(
        "unknown_strategy",
        f"There is no strategy {name!r}; there are {', '.join(known) or 'none'}",
        strategy=name,
        problems=len(loaded.problems),
    )
