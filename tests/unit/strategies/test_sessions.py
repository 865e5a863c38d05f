"""Sessions in the city's own time, over its changes of clocks; each moment alone and among others."""

from datetime import datetime

import numpy as np
import pytest

from backend.strategies.sessions import in_session, is_open

CASES = {
    # British summer time began on 29 March 2026
    "London": {
        "2026-03-27T07:59:59Z": False,
        "2026-03-27T08:00:00Z": True,
        "2026-03-27T16:59:59Z": True,
        "2026-03-27T17:00:00Z": False,
        "2026-03-30T06:59:59Z": False,
        "2026-03-30T07:00:00Z": True,
        "2026-03-30T15:59:59Z": True,
        "2026-03-30T16:00:00Z": False,
        "2025-12-31T23:59:59Z": False,
        "2026-01-01T08:00:00Z": True,
    },
    # American summer time began on 8 March 2026
    "NewYork": {
        "2026-03-06T12:59:59Z": False,
        "2026-03-06T13:00:00Z": True,
        "2026-03-06T22:00:00Z": False,
        "2026-03-09T12:00:00Z": True,
        "2026-03-09T20:59:59Z": True,
        "2026-03-09T21:00:00Z": False,
    },
    # Australian summer time ended on 5 April 2026
    "Sydney": {
        "2026-04-02T20:59:59Z": False,
        "2026-04-02T21:00:00Z": True,
        "2026-04-03T05:59:59Z": True,
        "2026-04-03T06:00:00Z": False,
        "2026-04-06T21:59:59Z": False,
        "2026-04-06T22:00:00Z": True,
        "2026-04-07T07:00:00Z": False,
    },
    "Tokyo": {
        "2026-07-01T23:59:59Z": False,
        "2026-07-02T00:00:00Z": True,
        "2026-07-02T08:59:59Z": True,
        "2026-07-02T09:00:00Z": False,
    },
}


def epochs(moments: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array([int(datetime.fromisoformat(moment).timestamp()) for moment in moments], dtype=np.int64)


@pytest.mark.parametrize("name", CASES)
def test_one_moment_is_told_without_an_array(name: str) -> None:
    told = {moment: is_open(name, datetime.fromisoformat(moment)) for moment in CASES[name]}
    assert told == CASES[name]


@pytest.mark.parametrize("name", CASES)
def test_hours_are_half_open_in_the_citys_own_time(name: str) -> None:
    cases = CASES[name]
    assert {moment: bool(in_session(name, epochs([moment]))[0]) for moment in cases} == cases
    assert in_session(name, epochs([*cases])).tolist() == [*cases.values()]


@pytest.mark.parametrize("name", CASES)
def test_no_moments_give_no_answers(name: str) -> None:
    assert in_session(name, epochs([])).tolist() == []
