"""Names that a request gives, checked before anything is queued or read."""

from backend.market.symbols import SymbolRow
from backend.routes.ports import Desk
from backend.strategies.model import Strategy


def require_symbol(desk: Desk, symbol: str) -> SymbolRow:
    """The row of a canonical symbol; `NotFound` where the symbol map has none."""
    row: SymbolRow = desk.symbols.row(symbol)
    return row


def require_strategy(desk: Desk, name: str) -> Strategy:
    """The strategy of that id, or else of that name.

    Raises:
        NotFound: There is none; the ids are listed.
        Invalid: Its file has problems.
    """
    loaded = desk.strategies.load()
    if all(strategy.id != name for strategy in loaded.strategies):
        for strategy in loaded.strategies:
            if strategy.name == name:
                return strategy
    return loaded.get(name)
