import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.storage.files import FileStorage
from backend.storage.names import LONGEST_SAFE, check_name, safe_name, text_of

HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "a//b",
    "/etc/passwd",
    "a/",
    "C:/x",
    "C:x",
    "\\\\server\\share",
    "a\\b",
    "a\0b",
    "a\nb",
    "CON",
    "con.json",
    "x/NUL",
    "nul.tar.gz",
    "Com1.txt",
    "COM¹",
    "lpt9",
    "CONIN$",
    "aux ",
    "a.",
    "a ",
    "a./b",
    "what?",
    "a*b",
    "a|b",
    "<a>",
    'a"b',
    "file:stream",
    "\ud800",
    "x" * 201,
    "é" * 101,
    "/".join(["abc"] * 400),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str, tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "root")
    for use in (storage.path, storage.read_json, storage.read_bytes, storage.delete, storage.exists):
        with pytest.raises(Invalid) as refused:
            use(name)
        assert refused.value.code == "unsafe_path"
    with pytest.raises(Invalid):
        storage.write_json(name, 1)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "name", ["a.json", "a/b/c.jsonl", "EURUSD_20260105.json", "%43ON", "ä/ö.json", "company"]
)
def test_plain_names_stay(name: str, tmp_path: Path) -> None:
    assert FileStorage(tmp_path).path(name) == Path(os.path.realpath(tmp_path)).joinpath(*name.split("/"))


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(["..", ".", "a", "", "\\", "C:", "NUL"])).map("/".join)
)
def test_no_name_leaves_the_root(name: str) -> None:
    root = Path(os.path.realpath("/")) / "tmp" / "desk-root-that-is-not-there"
    try:
        path = FileStorage(root).path(name)
    except Invalid:
        return
    assert path.is_relative_to(Path(os.path.realpath(root)))
    assert path != root


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_out_of_the_root_is_refused_and_one_inside_is_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "root-outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret.json").write_text("1")
    (root / "way").symlink_to(outside)
    (root / "file.json").symlink_to(outside / "secret.json")
    storage = FileStorage(root)
    for name in ("way/secret.json", "way/new.json", "file.json"):
        with pytest.raises(Invalid, match="leads out"):
            storage.write_json(name, 2)
    assert (outside / "secret.json").read_text() == "1"
    assert sorted(path.name for path in outside.iterdir()) == ["secret.json"]
    assert storage.names("**/*.json") == []
    (root / "real").mkdir()
    (root / "alias").symlink_to(root / "real")
    storage.write_json("alias/x.json", 3)
    assert storage.read_json("real/x.json") == 3


def test_a_root_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    try:
        (tmp_path / "root").symlink_to(tmp_path / "disk")
    except OSError:
        pytest.skip("links need a privilege here")
    FileStorage(tmp_path / "root").write_json("x.json", 1)
    assert (tmp_path / "disk" / "x.json").exists()


@given(st.text())
def test_safe_name_is_one_safe_part(text: str) -> None:
    name = safe_name(text)
    assert check_name(name) == [name]
    assert check_name(f"{name}_20260105.json") == [f"{name}_20260105.json"]
    assert len(name) <= LONGEST_SAFE


@given(st.text(), st.text())
def test_safe_name_is_injective(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(st.text(alphabet=".%-~/\\ aA0", max_size=4), st.text(alphabet=".%-~/\\ aA0", max_size=4))
def test_safe_name_is_injective_over_the_marks_it_uses_itself(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(st.text(max_size=30, alphabet=st.characters(max_codepoint=0x7F)))
def test_a_short_text_is_read_back_from_its_name(text: str) -> None:
    assert text_of(safe_name(text)) == text


def test_long_texts_with_one_beginning_keep_apart() -> None:
    assert safe_name("x" * 500) != safe_name("x" * 501)
    assert text_of(safe_name("x" * 500)) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EURUSD", "EURUSD"),
        ("EURUSD.pro", "EURUSD.pro"),
        ("trend-long_1", "trend-long_1"),
        ("#US30", "%23US30"),
        ("BTC/USD", "BTC%2FUSD"),
        ("..", "%2E%2E"),
        ("CON", "%43ON"),
        ("nul.txt", "%6Eul.txt"),
        ("EURUSD.", "EURUSD%2E"),
        ("", "%"),
    ],
)
def test_names_by_hand(text: str, name: str) -> None:
    assert safe_name(text) == name
