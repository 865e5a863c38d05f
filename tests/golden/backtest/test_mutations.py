"""Each rule of the engine is held by a table: changed in one place, the engine fails exactly those listed."""

import pytest

from backend.backtest.running import run_backtest
from tests.fakes.backtests import table
from tests.golden.backtest.gather import failing, tables
from tests.golden.backtest.hand import CALM, SIGNAL, START, chosen, run, together
from tests.golden.backtest.interpreted import interpreted, source_of
from tests.golden.backtest.mutations import MUTATIONS, Mutation


@pytest.fixture(autouse=True)
def chosen_engine() -> None:
    """The engines here are made by the tests themselves."""


def test_the_engine_without_compiling_passes_every_table() -> None:
    assert failing(interpreted(), tables()) == set()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[str(place) for place in range(len(MUTATIONS))])
def test_the_place_of_a_mutation_stands_once_in_its_file(mutation: Mutation) -> None:
    assert source_of(mutation.file).count(mutation.old) == 1


def test_every_table_is_killed_by_a_mutation() -> None:
    assert set(tables()) == {name for mutation in MUTATIONS for name in mutation.kills}


def test_compiled_and_interpreted_are_one_engine() -> None:
    rows = [START, SIGNAL, CALM, (9800, 9850, 9700, 9800, 9), SIGNAL, CALM]
    alone = table(rows, commission="3.5", slippage="2")
    for job in (alone, together(alone, table(rows, symbol="GBPUSD"))):
        results = []
        for engine in (run_backtest, interpreted()):
            with chosen(engine):
                results.append(run(job))
        first, second = results
        assert list(first.trades) == list(second.trades)
        assert list(first.equity) == list(second.equity)
        assert list(first.worst) == list(second.worst)
        assert (first.balance, first.refusals) == (second.balance, second.refusals)


@pytest.mark.full
@pytest.mark.parametrize("mutation", MUTATIONS, ids=[str(place) for place in range(len(MUTATIONS))])
def test_a_mutation_fails_exactly_its_tables(mutation: Mutation) -> None:
    engine = interpreted(mutation.file, mutation.old, mutation.new)
    assert failing(engine, tables()) == set(mutation.kills)
