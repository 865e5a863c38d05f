"""/api/strategies: the user's strategy files as they load, what is wrong with them, and their language."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from backend.routes.access import desk
from backend.routes.errors import refusals, to_json
from backend.strategies.model import dumped
from backend.strategies.schema import strategy_schema
from backend.strategies.validation import facts_table

router = APIRouter(prefix="/api/strategies", tags=["strategies"])


class Problem(BaseModel):
    """An entry of a file that is not used, and why."""

    file: str
    pointer: str
    reason: str


class Strategies(BaseModel):
    """Valid strategies, disabled ones too, and how many files have problems."""

    strategies: list[dict[str, Any]]
    problems: list[Problem]


class Problems(BaseModel):
    """What is wrong in strategy and profile files; empty where all is well."""

    problems: list[Problem]


class Fact(BaseModel):
    """A named fact that conditions may use."""

    name: str
    formula: str
    meaning: str


class Facts(BaseModel):
    """Every named fact."""

    facts: list[Fact]


@router.get("", responses=refusals())
def list_strategies(request: Request) -> Strategies:
    """Every strategy as its file states it."""
    loaded = desk(request).strategies.load()
    return Strategies(
        strategies=[dumped(strategy) for strategy in loaded.strategies],
        problems=[Problem(**problem.as_dict()) for problem in loaded.problems],
    )


@router.get("/problems", responses=refusals())
def problems(request: Request) -> Problems:
    """File, JSON pointer and reason of each entry that is left out; the others go on."""
    loaded = desk(request).strategies.load()
    return Problems(problems=[Problem(**problem.as_dict()) for problem in loaded.problems])


@router.get("/schema", response_model=dict[str, Any], responses=refusals())
def schema() -> Response:
    """JSON Schema of a strategy file, for editors."""
    return Response(to_json(strategy_schema()), media_type="application/json")


@router.get("/facts", responses=refusals())
def facts() -> Facts:
    """The named facts with formula and meaning."""
    return Facts(facts=[Fact(**fact) for fact in facts_table()])


@router.get("/{strategy_id}", response_model=dict[str, Any], responses=refusals(404, 422))
def get_strategy(request: Request, strategy_id: str) -> Response:
    """One strategy; 422 with the problems where its file cannot be used."""
    strategy = desk(request).strategies.load().get(strategy_id)
    return Response(to_json(dumped(strategy)), media_type="application/json")
