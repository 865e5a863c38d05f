from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.core.errors import Invalid
from backend.risk.limits import RiskLimits, parse_limits

SHIPPED = Path(__file__).parents[3] / "config" / "risk.json"


def test_an_empty_file_is_the_defaults() -> None:
    limits = parse_limits({})
    assert (
        limits.thresholds.pending_only,
        limits.thresholds.open_or_scale,
        limits.thresholds.autonomous,
    ) == (
        60,
        75,
        80,
    )
    assert limits.weights.highest == 100
    assert limits.embargo_when_calendar_unknown == "warn"
    assert limits.commission_per_lot is None


def test_the_shipped_file_is_valid() -> None:
    parse_limits(orjson.loads(SHIPPED.read_bytes()))


@pytest.mark.parametrize(
    ("data", "key", "words"),
    [
        ({"risk_fraction": 1}, "risk_fraction", "Did you mean percent? 1.0 % is written 0.01"),
        ({"risk_fraction": "1%"}, "risk_fraction", "a fraction such as 0.01"),
        ({"margin_limit": 1.5}, "margin_limit", "less than or equal to 1"),
        ({"margin_limit": 0}, "margin_limit", "greater than 0"),
        ({"embargo_when_calendar_unknown": "shrug"}, "embargo_when_calendar_unknown", "'warn' or 'block'"),
        ({"max_positions": 2.5}, "max_positions", "integer"),
        ({"daily_loss": {"limit": -1}}, "daily_loss.limit", "greater than 0"),
        ({"daily_loss": {"limitt": 0.1}}, "daily_loss.limitt", "known are limit, of, reset_from"),
        ({"mode": "yolo"}, "mode", "'observe', 'supervised' or 'autonomous'"),
        ({"thresholds": {"pending_only": 80, "open_or_scale": 70}}, "thresholds", "must hold"),
        ({"weights": {"strong": 40}}, "weights", "the scale ends at 100"),
        ([], "", "no JSON object"),
    ],
)
def test_a_wrong_value_names_file_key_and_what_is_allowed(data: Any, key: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_limits(data)
    assert caught.value.details["file"] == "config/risk.json"
    assert caught.value.details["key"] == key
    assert words in caught.value.message


def test_thresholds_that_the_weights_cannot_reach_are_refused() -> None:
    # The sum of these is 65, and 75 would be needed to trade: nothing could ever execute.
    weights = {"entry": 20, "strong": 15, "market": 15, "account": 15}
    with pytest.raises(Invalid, match=r"thresholds.open_or_scale: 75 can never be reached, .* at most 65"):
        parse_limits({"weights": weights})


def test_the_file_round_trips() -> None:
    limits = RiskLimits(max_positions=3)
    assert parse_limits(limits.model_dump(mode="json")) == limits
