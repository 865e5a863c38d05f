"""`.env.example` lists what the desk reads, and nothing else."""

import re
from pathlib import Path

import pytest

from backend.config import Settings

EXAMPLE = (Path(__file__).resolve().parents[2] / ".env.example").read_text(encoding="utf-8")


def test_every_setting_is_in_the_example_and_every_line_is_a_setting() -> None:
    read = {
        str(field.validation_alias or f"MT5UI_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    assert set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE)) == read


def test_as_it_stands_it_changes_nothing() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "port",
        "seed",
        "magic",
        "speed",
        "terminal",
        "broker",
        "server_clock",
        "bridge_port",
        "log_level",
    ],
)
def test_a_value_that_is_shown_as_the_default_is_it(name: str) -> None:
    shown = dict(re.findall(r"^#(MT5UI_[A-Z_]+)=(.+)$", EXAMPLE, re.MULTILINE))
    default = Settings.model_fields[name].default
    assert type(default)(shown[f"MT5UI_{name.upper()}"]) == default
