"""What the desk's processes are given beside its settings."""

import pytest

from backend.config import Settings, child_environment


def test_processes_give_memory_back_unless_the_user_set_it_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "mimalloc")
    given = child_environment(Settings())
    assert given["MALLOC_ARENA_MAX"] == "1"
    assert given["ARROW_DEFAULT_MEMORY_POOL"] == "mimalloc"
