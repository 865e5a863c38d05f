"""Field types of strategy files: strict numbers, names that exist, ids that are safe file names."""

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.strategies.sessions import SESSIONS

MAX_RISK_FRACTION = 0.05
_LARGEST = 10**15
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(10))})


def refuse(field: str, reason: str) -> PydanticCustomError:
    """An error of a rule between fields, told at the field that has to change."""
    return PydanticCustomError("rule", "{reason}", {"reason": reason, "field": field})


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is wanted, and this is {value!r}")  # noqa: TRY004 - pydantic's protocol
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("the number is too large")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return value


def _whole(value: object) -> object:
    value = _number(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"a whole number is wanted, and this is {value!r}")
    return value


def _risk(value: object) -> object:
    value = _number(value)
    if isinstance(value, int | float) and value > MAX_RISK_FRACTION:
        raise ValueError(
            f"{value:g} is {value * 100:g} % of the account in one trade; risk is a fraction of at most "
            f"{MAX_RISK_FRACTION:g}. Did you mean percent? {value:g} % is written {value / 100:.10g}"
        )
    return value


def _session(value: object) -> object:
    if not isinstance(value, str) or value not in SESSIONS:
        raise ValueError(f"unknown session {value!r}; one of {', '.join(SESSIONS)}")
    return value


def _timeframe(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a timeframe; one of {', '.join(Timeframe)}")  # noqa: TRY004
    try:
        return Timeframe.parse(value)
    except Invalid as error:
        raise ValueError(error.message) from error


def id_fault(value: object) -> str | None:
    """Why a value cannot be a strategy's id, which is its file's name on every system; None if it can."""
    if not isinstance(value, str) or not _SAFE_NAME.fullmatch(value) or value.endswith("."):
        return (
            f"{value!r} is not a safe file name: 1 to 64 of letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit and not ending with '.'"
        )
    if value.split(".")[0].lower() in _DEVICES:
        return f"{value!r} is the name of a device on Windows; choose another"
    return None


def _id(value: object) -> object:
    fault = id_fault(value)
    if fault is not None:
        raise ValueError(fault)
    return value


Real = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Period = Annotated[Whole, Field(ge=2, le=2000)]
Fraction = Annotated[float, BeforeValidator(_risk)]
SessionName = Annotated[str, BeforeValidator(_session), Field(json_schema_extra={"enum": list(SESSIONS)})]
TimeframeName = Annotated[Timeframe, BeforeValidator(_timeframe)]
Identifier = Annotated[
    str, BeforeValidator(_id), Field(json_schema_extra={"pattern": f"^{_SAFE_NAME.pattern}$"})
]
Symbol = Annotated[str, Field(min_length=1, max_length=64, strict=True, pattern=r"^\S(.*\S)?$")]
Condition = Annotated[str, Field(strict=True, min_length=1, max_length=1000)]
Conditions = Annotated[tuple[Condition, ...], Field(max_length=50)]
Flag = Annotated[bool, Field(strict=True)]
