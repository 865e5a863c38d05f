"""Symbols' specifications on disk: dated, and their changes kept."""

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from backend.core.clock import age_seconds, iso, parse_iso
from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.storage.files import FileStorage

FOLDER = "symbols"
_MOVING = ("tick_value", "tick_value_loss")  # follow the exchange rate; no change of the specification


@dataclass(frozen=True, kw_only=True, slots=True)
class DatedInstrument:
    """A specification and since when it is known.

    Attributes:
        instrument: What the broker stated.
        as_of: When it stated it, aware UTC desk time.
        live: Whether the terminal was asked just now; False means that it is down and this is stored.
    """

    instrument: Instrument
    as_of: datetime
    live: bool

    def age(self, now: datetime) -> float:
        """Seconds since then."""
        return age_seconds(self.as_of, now)


class Specifications:
    """``symbols/{symbol}.json`` holds the last one, ``{symbol}_history.jsonl`` each that differed.

    Args:
        storage: Files under the desk's data folder.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage

    def keep(self, instrument: Instrument, at: datetime) -> bool:
        """Write it with its date; says whether it differs from the one before (tick values aside)."""
        digest = content_hash(instrument)
        record = {
            "symbol": instrument.symbol,
            "as_of": iso(at),
            "hash": digest,
            "instrument": as_values(instrument),
        }
        name = _name(instrument.symbol)
        with self._storage.lock(f"{FOLDER}/{FileStorage.safe_name(instrument.symbol)}", 10.0):
            before = self._storage.read_json_or(name, None)
            changed = before is None or before.get("hash") != digest
            if changed:
                history = f"{FOLDER}/{FileStorage.safe_name(instrument.symbol)}_history.jsonl"
                self._storage.append_jsonl(history, [record])
            self._storage.write_json(name, record)
        return changed

    def last(self, symbol: str) -> DatedInstrument | None:
        """The stored one; None if there is none.

        Raises:
            Invalid: The file is damaged; it names what is wrong.
        """
        record = self._storage.read_json_or(_name(symbol), None)
        if record is None:
            return None
        try:
            instrument = from_values(record["instrument"])
            return DatedInstrument(instrument=instrument, as_of=parse_iso(record["as_of"]), live=False)
        except (KeyError, TypeError, InvalidOperation) as error:
            raise Invalid(
                "bad_specification",
                f"{_name(symbol)} is no specification: {error!r}; delete it and update the symbols",
                file=_name(symbol),
            ) from error


def as_values(instrument: Instrument) -> dict[str, Any]:
    """The specification as JSON values; exact numbers are strings."""
    values = {field.name: getattr(instrument, field.name) for field in fields(Instrument)}
    return {
        name: format(value, "f") if isinstance(value, Decimal) else value for name, value in values.items()
    }


def from_values(values: dict[str, Any]) -> Instrument:
    """What `as_values` gave."""
    known: dict[str, Any] = {
        field.name: Decimal(values[field.name])
        if _is_exact(field.type, values[field.name])
        else values[field.name]
        for field in fields(Instrument)
        if field.name in values
    }
    return Instrument(**known)


def _is_exact(kind: object, value: object) -> bool:
    return kind is Decimal or (kind == Decimal | None and value is not None)


def content_hash(instrument: Instrument) -> str:
    """SHA-256 over the specification without tick values, which move with the price."""
    values = {name: value for name, value in as_values(instrument).items() if name not in _MOVING}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _name(symbol: str) -> str:
    return f"{FOLDER}/{FileStorage.safe_name(symbol)}.json"
