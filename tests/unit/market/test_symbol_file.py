import os
from pathlib import Path

import pytest

from backend.core.errors import NotFound
from backend.market.symbol_file import SymbolFile

HEADER = "canonical,broker_symbol,enabled,min_vol,vol_step,comment\n"


def write(path: Path, text: str, *, second: int) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (second, second))


def test_an_edit_counts_from_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "symbol_map.csv"
    write(path, HEADER + "EURUSD,EURUSD.r,true,0.01,0.01,\n", second=1)
    symbols = SymbolFile(path)
    assert symbols.broker_symbol("EURUSD") == "EURUSD.r"
    write(path, HEADER + "EURUSD,EURUSD,true,0.01,0.01,\nXAUUSD,GOLD,false,0.01,0.01,\n", second=2)
    assert symbols.broker_symbol("EURUSD") == "EURUSD"
    assert symbols.canonical("GOLD") == "XAUUSD"
    assert symbols.enabled() == ("EURUSD",)


@pytest.mark.parametrize("broken", ["no,columns,of,ours\n", None])
def test_a_map_that_became_unreadable_leaves_the_one_before_in_force(
    tmp_path: Path, broken: str | None
) -> None:
    path = tmp_path / "symbol_map.csv"
    write(path, HEADER + "EURUSD,EURUSD,true,0.01,0.01,\n", second=1)
    symbols = SymbolFile(path)
    if broken is None:
        path.unlink()
    else:
        write(path, broken, second=2)
    assert symbols.enabled() == ("EURUSD",)
    assert "stays in force" in symbols.problems[-1]["reason"]
    write(path, HEADER + "GBPUSD,GBPUSD,true,0.01,0.01,\n", second=3)
    assert symbols.enabled() == ("GBPUSD",)
    assert symbols.problems == ()


def test_without_a_file_there_is_no_desk(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="names the symbols to trade"):
        SymbolFile(tmp_path / "symbol_map.csv")
