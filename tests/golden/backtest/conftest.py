"""Which engines a table holds for."""

from collections.abc import Iterator

import pytest

from tests.golden.backtest.hand import ENGINES, chosen


@pytest.fixture(autouse=True, params=ENGINES)
def chosen_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each table holds for the compiled engine and for the plain one."""
    with chosen(ENGINES[request.param]):
        yield
