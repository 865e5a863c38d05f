"""Requests made from the API's own description, good and bad ones: with credentials, and with none."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.routes.rights import RIGHTS
from backend.users.model import Right
from tests.acceptance.desk_process import READY, DeskProcess, start_desk
from tests.fakes.http_app import served
from tests.fakes.signed_in import guarded

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.full,
    pytest.mark.xdist_group("desk"),
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("default"),  # of what the library depends on
]

EXAMPLES = 6
ENDLESS = ("GET", "/api/events")
CONFORM = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def desk(desk_home: Path, desk_env: Callable[..., dict[str, str]], free_port: int) -> Iterator[DeskProcess]:
    started = start_desk(desk_home, free_port, desk_env())
    try:
        started.wait_for_line(READY, 120)
        yield started
        started.stop(20)
    finally:
        started.destroy()


def each_request(described: dict[str, Any], look: Callable[[tuple[str, str], Any], None]) -> int:
    """Hand a few made-up requests of each operation to `look`; how many operations there were."""
    operations = 0
    for found in schemathesis.openapi.from_dict(described).get_all_operations():
        operation: Any = cast("Any", found).ok()
        route = operation.method.upper(), operation.path
        if route == ENDLESS:
            continue
        operations += 1
        few(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), partial(look, route))
        with suppress(Unsatisfiable):  # of an operation that takes nothing, nothing can be wrong
            few(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), partial(look, route))
    return operations


def few(cases: Any, look: Callable[[Any], None]) -> None:
    @given(case=cases)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def each(case: Any) -> None:
        look(case)

    each()


def test_with_an_owners_rights_every_answer_is_as_described_and_nothing_breaks(desk: DeskProcess) -> None:
    described = desk.get("/openapi.json").json()
    wrong: dict[tuple[str, str], str] = {}

    def look(route: tuple[str, str], case: Any) -> None:
        answer = case.call(base_url=desk.url, timeout=60)
        if answer.status_code == 500:
            wrong[route] = answer.text
        try:
            case.validate_response(answer, checks=CONFORM)
        except FailureGroup as failures:
            wrong.setdefault(route, "; ".join(f"{failure}" for failure in failures.exceptions))

    assert each_request(described, look) == len(described_routes(described)) - 1
    assert wrong == {}
    assert "Traceback" not in desk.logs(2000)
    assert desk.get("/healthz").status_code == 200


def test_without_credentials_every_answer_is_the_same_refusal(tmp_path: Path) -> None:
    with guarded(tmp_path) as opened, served(opened.app) as url, httpx.Client() as client:
        described = opened.app.openapi()
        texts = set()

        def look(route: tuple[str, str], case: Any) -> None:
            if RIGHTS[route] is Right.OPEN:
                return
            answer = case.call(base_url=url, timeout=60)
            error = answer.json()["error"]
            assert answer.status_code in {401, 403, 413, 415}, (route, answer.text)
            del error["correlation_id"]
            if answer.status_code == 401:
                texts.add(str(error))

        each_request(described, look)
        assert client.get(f"{url}/healthz").status_code == 200
    assert texts == {str({"code": "not_signed_in", "message": "Sign in first", "details": {}})}


def described_routes(described: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for path, methods in described["paths"].items() for method in methods}
