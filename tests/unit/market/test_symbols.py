from decimal import Decimal
from pathlib import Path

import pytest

from backend.core.errors import Invalid, NotFound
from backend.market.symbols import SymbolMap, canonical_of

HEADER = "canonical,broker_symbol,enabled,min_vol,vol_step,comment\n"


def load(tmp_path: Path, text: str, *, encoding: str = "utf-8") -> SymbolMap:
    path = tmp_path / "symbol_map.csv"
    path.write_bytes(text.encode(encoding))
    return SymbolMap.load(path)


def test_the_shipped_map_is_right() -> None:
    found = SymbolMap.load(Path(__file__).parents[3] / "config" / "symbol_map.csv")
    assert found.problems == ()
    assert len(found.enabled()) >= 4


def test_rows_in_the_file_s_order_with_exact_volumes(tmp_path: Path) -> None:
    found = load(tmp_path, HEADER + "XAUUSD,GOLD.m,TRUE,0.01,0.01,Gold\nEURUSD, EURUSD.r ,no,,,\n")
    assert [row.canonical for row in found.rows] == ["XAUUSD", "EURUSD"]
    assert found.enabled() == ("XAUUSD",)
    assert found.row("XAUUSD").min_vol == Decimal("0.01")
    assert found.row("EURUSD").vol_step is None
    assert found.broker_symbol("EURUSD") == "EURUSD.r"
    assert found.canonical("GOLD.m") == "XAUUSD"
    assert found.canonical("XAUUSD") is None


@pytest.mark.parametrize("written", ["xauusd", "XAUUSD", "gold.M", "GOLD.m"])
def test_a_name_as_files_and_people_write_it(tmp_path: Path, written: str) -> None:
    found = load(tmp_path, HEADER + "XAUUSD,GOLD.m,TRUE,0.01,0.01,Gold\n")
    assert canonical_of(found, written) == "XAUUSD"
    assert canonical_of(found, "EURUSD") is None


def test_byte_order_mark_windows_lines_comments_quotes_and_blank_lines(tmp_path: Path) -> None:
    text = '\ufeff# mine\r\nCanonical,broker_symbol,enabled,comment\r\n\r\nA,B,1,"one, two"\r\n,,,\r\n'
    found = load(tmp_path, text)
    assert found.problems == ()
    assert found.row("A").comment == "one, two"


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        (",EURUSD,true,,,", "canonical", "empty"),
        ("EURUSD,,true,,,", "broker_symbol", "empty"),
        ("EURUSD,EURUSD,maybe,,,", "enabled", "'maybe'"),
        ("EURUSD,EURUSD,true,0,,", "min_vol", "'0'"),
        ("EURUSD,EURUSD,true,nan,,", "min_vol", "'nan'"),
        ("EURUSD,EURUSD,true,,-0.01,", "vol_step", "'-0.01'"),
        ("EURUSD,EURUSD,true", "", "3 cells"),
        ("EURUSD," + "x" * 30 + ",true,,,", "broker_symbol", "29"),
        ("GBPUSD,OTHER,true,,,", "canonical", "already there"),
        ("EURUSD,GBPUSD,true,,,", "broker_symbol", "already belongs to GBPUSD"),
    ],
)
def test_a_wrong_row_is_named_and_the_others_go_on(tmp_path: Path, line: str, key: str, words: str) -> None:
    found = load(tmp_path, HEADER + "GBPUSD,GBPUSD,true,,,\n" + line + "\nUSDJPY,USDJPY,true,,,\n")
    assert found.enabled() == ("GBPUSD", "USDJPY")
    [problem] = found.problems
    assert problem["file"].endswith("symbol_map.csv")
    assert (problem["line"], problem["key"]) == (3, key)
    assert words in problem["reason"]


def test_a_map_without_a_needed_column_is_refused_with_file_line_and_key(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        load(tmp_path, "canonical;broker_symbol;enabled\nEURUSD;EURUSD;true\n")
    assert refused.value.details["key"] == "canonical"
    assert refused.value.details["line"] == 1
    assert "commas" in refused.value.message
    with pytest.raises(Invalid):
        load(tmp_path, "")


def test_what_is_no_text_or_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="UTF-8"):
        load(tmp_path, HEADER + "Ä,Ä,true,,,\n", encoding="latin-1")
    with pytest.raises(NotFound):
        SymbolMap.load(tmp_path / "none.csv")


def test_an_unknown_symbol_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as missing:
        load(tmp_path, HEADER + "EURUSD,EURUSD,true,,,\n").broker_symbol("EURSUD")
    assert missing.value.code == "unknown_symbol"
    assert "EURUSD" in missing.value.message
