"""The book on disk: an append-only log of what changed, written before the answer is given.

One line a change, so a killed process leaves whole changes only; the log read from its beginning is the
book. The first line says whose it is.
"""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, TypeVar

from backend.core.clock import stamp
from backend.core.errors import Invalid
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book, Deal, Order, Position
from backend.storage.files import FileStorage
from backend.trading.sides import Side

_FORMAT = 1
_COUNTERS = {"requests", "seen_ms", "midnight_ms"}
_PLAIN = ("seen_ms", "midnight_ms", "requests", "last_ticket")
T = TypeVar("T", Position, Order, Deal)


class BookFile:
    """Keeps one account's book in one file.

    Args:
        storage: Where the file is.
        name: Its name.
    """

    def __init__(self, storage: FileStorage, name: str) -> None:
        self._storage = storage
        self._name = name
        self._forget()

    def _forget(self) -> None:
        self._written: dict[str, Any] = {}
        self._open: dict[str, dict[str, Any]] = {"positions": {}, "orders": {}}
        self._deals = self._done = 0

    def read(self, account: SimulatedAccount) -> Book | None:
        """The book that the file holds; None if there is none.

        Raises:
            Invalid: The file is of another kind of account, or one of its lines cannot be read.
        """
        if not self._storage.exists(self._name):
            return None
        book: Book | None = None
        for record in self._storage.read_jsonl(self._name):
            if book is None:
                self._check(record, account)
                book = Book(seen_ms=0, midnight_ms=0)
            _apply(book, record)
        if book is not None:
            self._remember(book)
        return book

    def set_aside(self) -> str:
        """Put the file away under another name, which is given; a new account may begin."""
        path = self._storage.path(self._name)
        aside = f"{self._name}.before-{stamp(self._storage.clock.wall())}"
        path.replace(self._storage.path(aside))
        self._forget()
        return aside

    def write(self, book: Book, account: SimulatedAccount) -> None:
        """Append what has changed since the last time; returns when the disk has it.

        Raises:
            Unavailable: The disk refuses; what stands in the file is then unknown: read it again.
        """
        change = self._change(book)
        if not change:
            return
        if not self._written:
            change = {"format": _FORMAT, **_owner(account), **change}
        # A refused request changes a counter only; it need not wait for the disk.
        self._storage.append_jsonl(
            self._name, [change], sync=self._storage.fsync and not change.keys() <= _COUNTERS
        )
        self._remember(book)

    def _change(self, book: Book) -> dict[str, Any]:
        change: dict[str, Any] = {
            name: value for name, value in _state(book).items() if self._written.get(name) != value
        }
        for name in ("positions", "orders"):
            now = _open(book, name)
            changed: dict[str, Any] = {
                key: row for key, row in now.items() if self._open[name].get(key) != row
            }
            changed |= dict.fromkeys(self._open[name].keys() - now.keys())
            if changed:
                change[name] = changed
        if len(book.deals) > self._deals:
            change["deals"] = [_record(deal) for deal in book.deals[self._deals :]]
        if len(book.done) > self._done:
            change["done"] = [_record(order) for order in book.done[self._done :]]
        # That time has passed without anything happening is no news.
        return {} if change.keys() <= {"seen_ms", "midnight_ms"} and self._written else change

    def _remember(self, book: Book) -> None:
        self._written = _state(book)
        self._open = {name: _open(book, name) for name in ("positions", "orders")}
        self._deals, self._done = len(book.deals), len(book.done)

    def _check(self, record: Mapping[str, Any], account: SimulatedAccount) -> None:
        for name, expected in {"format": _FORMAT, **_owner(account)}.items():
            if record.get(name) != expected:
                path = self._storage.path(self._name)
                raise Invalid(
                    "other_account",
                    f"{path} holds an account whose {name} is {record.get(name)!r}, "
                    f"the settings say {expected!r}. Change config/simulator.json back, or remove the file "
                    "to begin a new account",
                    path=str(path),
                )


def _owner(account: SimulatedAccount) -> dict[str, Any]:
    return {"login": account.login, "currency": account.currency, "hedging": account.hedging}


def _state(book: Book) -> dict[str, Any]:
    return {name: getattr(book, name) for name in _PLAIN} | {"balance": str(book.balance)}


def _open(book: Book, name: str) -> dict[str, Any]:
    rows: dict[int, Position] | dict[int, Order] = getattr(book, name)
    return {str(ticket): _record(row) for ticket, row in rows.items()}


def _record(row: Position | Order | Deal) -> dict[str, Any]:
    """A row as JSON values; exact numbers as text."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return {
        name: str(value) if isinstance(value, (Decimal, Side)) else value for name, value in values.items()
    }


def _row(kind: type[T], record: Mapping[str, Any]) -> T:
    values: dict[str, Any] = {}
    for field in fields(kind):
        value = record[field.name]
        if value is not None and field.type in {Decimal, Decimal | None}:
            value = Decimal(value)
        elif field.type is Side:
            value = Side(value)
        values[field.name] = value
    return kind(**values)


def _apply(book: Book, record: Mapping[str, Any]) -> None:
    for name in _PLAIN:
        if name in record:
            setattr(book, name, record[name])
    if "balance" in record:
        book.balance = Decimal(record["balance"])
    for ticket, row in record.get("positions", {}).items():
        if row is None:
            book.positions.pop(int(ticket), None)
        else:
            book.positions[int(ticket)] = _row(Position, row)
    for ticket, row in record.get("orders", {}).items():
        if row is None:
            book.orders.pop(int(ticket), None)
        else:
            book.orders[int(ticket)] = _row(Order, row)
    book.deals.extend(_row(Deal, row) for row in record.get("deals", ()))
    book.done.extend(_row(Order, row) for row in record.get("done", ()))
