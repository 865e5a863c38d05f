"""Whatever JSON stands in a strategy file: a strategy, or Invalid with a place for each mistake."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.strategies.files import StrategyFiles, read_document
from backend.strategies.model import dumped
from backend.strategies.validation import parse_strategy

WHOLE: dict[str, Any] = {
    "id": "WHOLE",
    "symbol": "EURUSD",
    "symbols": ["XAUUSD"],
    "timeframe": "H1",
    "sessions": ["London"],
    "indicators": {"ema": {"fast": 20, "slow": 50}, "rsi": {"period": 14}, "atr": {"multiplier": 1.5}},
    "conditions": {
        "entry": ["uptrend", "close > ema(20)"],
        "exit": ["rsi_gt_70"],
        "strong": [],
        "weak": ["doji"],
    },
    "short": {"entry": ["downtrend"], "invalidations": ["uptrend"]},
    "strategy": {
        "direction": "both",
        "min_rr": 2,
        "target": "close + atr()",
        "order": {"type": "limit", "offset_atr": 0.25, "expiry_bars": 3},
        "management": {"breakeven_after_r": 1, "partial_at_r": 1, "partial_fraction": 0.5},
    },
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["long", "H1", "uptrend", "London", "limit", "both", "-1", "NaN"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=10) | st.sampled_from([*WHOLE]), inner, max_size=5)
    ),
    max_leaves=12,
)


def checked(document: Any) -> None:
    refused: Invalid | None = None
    try:
        strategy = parse_strategy(document, stem="WHOLE")
    except Invalid as error:
        refused = error
    if refused is None:
        assert parse_strategy(json.loads(json.dumps(dumped(strategy))), stem="WHOLE") == strategy
        return
    assert refused.code == "bad_strategy"
    problems = refused.details["problems"]
    assert problems
    for problem in problems:
        assert problem["pointer"] == "" or problem["pointer"].startswith("/")
        assert problem["reason"]
    assert problems[0]["reason"] in refused.message


def test_the_whole_one_is_right() -> None:
    assert parse_strategy(WHOLE, stem="WHOLE").traded_symbols == ("EURUSD", "XAUUSD")


@given(JSON)
def test_any_document(document: Any) -> None:
    checked(document)


@given(JSON, st.data())
def test_any_value_in_the_place_of_another(value: Any, data: st.DataObject) -> None:
    document = json.loads(json.dumps(WHOLE))
    node: Any = document
    while True:
        key = data.draw(st.sampled_from([*node] if isinstance(node, dict) else [*range(len(node))]))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    if data.draw(st.booleans()):
        node[key] = value
    elif isinstance(node, dict):
        del node[key]
        node[data.draw(st.text(max_size=8))] = value
    checked(document)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes(data: bytes) -> None:
    refused: Invalid | None = None
    try:
        document = read_document(data)
    except Invalid as error:
        refused = error
    if refused is None:
        checked(document)
    else:
        assert refused.code in {"not_utf8", "not_json"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"x": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"x": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": {"x": 1, "x": 2}}', "'x' stands twice"),
        (b"\xff\xfe{", "byte 0 is not UTF-8 text"),
    ],
)
def test_hostile_bytes(data: bytes, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        read_document(data)


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), 10**16, float("inf"), float("nan"), True, "2", None, [], {}]
)
def test_a_number_that_is_none(value: Any) -> None:
    wrong = {**WHOLE, "strategy": {**WHOLE["strategy"], "min_rr": value, "cooldown_bars": value}}
    with pytest.raises(Invalid) as caught:
        parse_strategy(wrong, stem="WHOLE")
    pointers = [problem["pointer"] for problem in caught.value.details["problems"]]
    assert pointers == ["/strategy/min_rr", "/strategy/cooldown_bars"]


def test_one_hostile_file_does_not_keep_the_others_from_loading(tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "WHOLE.json").write_text(json.dumps(WHOLE), encoding="utf-8")
    hostile = [
        json.dumps({**WHOLE, "sessions": [[]]}).encode(),
        json.dumps({**WHOLE, "sessions": [{}], "timeframe": {}}).encode(),
        json.dumps(WHOLE).replace('"min_rr": 2', '"min_rr": ' + "9" * 5000).encode(),
        json.dumps(WHOLE).replace('"min_rr": 2', '"min_rr": ' + "9" * 500).encode(),
        b"[" * 100_000,
        b"\x00" * 100,
        b"",
        b"null",
    ]
    for number, data in enumerate(hostile):
        (folder / f"BAD{number}.json").write_bytes(data)
    (folder / "DIRECTORY.json").mkdir()
    (folder / "LARGE.json").write_bytes(b" " * 1_000_001)
    loaded = StrategyFiles(tmp_path).load()
    assert [strategy.id for strategy in loaded.strategies] == ["WHOLE"]
    assert {problem.file for problem in loaded.problems} == {
        "strategies/DIRECTORY.json",
        "strategies/LARGE.json",
        *(f"strategies/BAD{number}.json" for number in range(len(hostile))),
    }
