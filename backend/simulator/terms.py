"""On which terms the simulated broker deals: ``config/simulator.json``, if there is one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError, field_validator

from backend.core.errors import Invalid
from backend.simulator.account import SimulatedAccount
from backend.simulator.faults import Fault, Faults
from backend.simulator.symbols import SymbolSpec

TERMS_FILE = "simulator.json"
EVERY_SYMBOL = "*"

_Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Signed = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[StrictInt, Field(ge=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerTerms:
    """The account, what differs from the symbols' usual terms, and what goes wrong.

    Attributes:
        account: The account's terms.
        symbols: Changes to `SymbolSpec` by symbol; ``*`` stands for all, a name goes before it.
        faults: What goes wrong with requests.
    """

    account: SimulatedAccount = field(default_factory=SimulatedAccount)
    symbols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def applied(self, spec: SymbolSpec) -> SymbolSpec:
        """A symbol on these terms."""
        changes = {**self.symbols.get(EVERY_SYMBOL, {}), **self.symbols.get(spec.name, {})}
        return replace(spec, **changes) if changes else spec


class _Part(BaseModel):
    """A part of the file; what it does not say stays as `SimulatedAccount` and its kin have it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def said(self) -> dict[str, Any]:
        """The values that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class _Account(_Part):
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = ""
    digits: Annotated[StrictInt, Field(ge=0, le=8)] = 0
    balance: _Amount = Decimal(0)
    leverage: Annotated[StrictInt, Field(ge=1)] = 1
    hedging: StrictBool = True
    margin_call: _Amount = Decimal(0)
    stop_out: _Amount = Decimal(0)
    commission: _Amount = Decimal(0)
    slippage: _Count = 0
    limit_orders: _Count = 0
    limit_positions: _Count = 0
    pending_margin: StrictBool = False


class _Symbol(_Part):
    volume_min: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.01
    volume_max: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.01
    volume_limit: _Number = 0.0
    trade_mode: Annotated[StrictInt, Field(ge=0, le=4)] = 4
    execution: Annotated[StrictInt, Field(ge=0, le=3)] = 2
    fillings: Annotated[StrictInt, Field(ge=0, le=7)] = 0
    expirations: Annotated[StrictInt, Field(ge=0, le=15)] = 0
    orders: Annotated[StrictInt, Field(ge=0, le=127)] = 0
    stops_level: _Count = 0
    freeze_level: _Count = 0
    margin_hedged: _Number = 0.0
    swap_mode: Annotated[StrictInt, Field(ge=0, le=6)] = 0
    swap_long: _Signed = 0.0
    swap_short: _Signed = 0.0
    triple_day: Annotated[StrictInt, Field(ge=0, le=6)] = 0


class _Faults(_Part):
    seed: StrictInt = 0
    chances: dict[Fault, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    script: dict[Annotated[int, Field(ge=1)], Fault] = Field(default_factory=dict)
    slow_seconds: _Number = 0.0
    disconnect_seconds: _Number = 0.0

    @field_validator("chances")
    @classmethod
    def _at_most_certain(cls, chances: dict[Fault, float]) -> dict[Fault, float]:
        if sum(chances.values()) > 1:
            raise ValueError("together they are more than 1")
        return chances


class _File(_Part):
    account: _Account = Field(default_factory=_Account)
    symbols: dict[str, _Symbol] = Field(default_factory=dict)
    faults: _Faults = Field(default_factory=_Faults)


def read_terms(data: Any) -> BrokerTerms:
    """The terms of a file's content: objects ``account``, ``symbols`` and ``faults``, each may be missing.

    Raises:
        Invalid: Naming the place, what stands there and what may.
    """
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        pointer = "".join(f"/{part}" for part in first["loc"] if part != "[key]")
        raise Invalid(
            "bad_simulator_terms",
            f"config/{TERMS_FILE}, at {pointer or '/'}: {first['msg']} (it is {first['input']!r})",
            pointer=pointer,
        ) from error
    return BrokerTerms(
        account=SimulatedAccount(**file.account.said()),
        symbols={name: symbol.said() for name, symbol in file.symbols.items()},
        faults=Faults(**file.faults.said()),
    )
