"""Where settings come from: `.env` in the desk's folder, the environment, what a caller states."""

from pathlib import Path

import pytest

from backend.config import TerminalKind, load_settings
from backend.core.errors import Invalid


def test_the_environment_wins_over_the_file_and_a_caller_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "# the desk's own\nMT5UI_PORT=6001\nMT5UI_SEED=11\nMT5UI_TERMINAL='native'\nREDIS_URL=\nOTHER=1\n"
        "mt5ui_worker_memory_mb = 300\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path))
    monkeypatch.setenv("MT5UI_PORT", "6002")
    read = load_settings(seed=12)
    assert (read.home, read.port, read.seed) == (tmp_path, 6002, 12)
    assert (read.terminal, read.redis_url, read.worker_memory_mb) == (TerminalKind.NATIVE, None, 300)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"MT5UI_PORT=\xff\xfe\n")
    with pytest.raises(Invalid, match=r"\.env cannot be read"):
        load_settings(home=tmp_path)


def test_a_wrong_value_of_the_file_is_named_by_its_variable(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MT5UI_PORT=65536\n", encoding="utf-8")
    with pytest.raises(Invalid, match=r"MT5UI_PORT.*65535.*'65536'"):
        load_settings(home=tmp_path)
