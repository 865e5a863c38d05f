import shutil
import subprocess
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def errors_of(source: bytes) -> list[str]:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    found: list[str] = []
    waiting = [parser.parse(source).root_node]
    while waiting:
        node = waiting.pop()
        if node.type == "ERROR" or node.is_missing:
            found.append(f"line {node.start_point[0] + 1}: {source[node.start_byte : node.end_byte][:60]!r}")
        waiting.extend(node.children)
    return found


def test_powershell_script_is_grammatical() -> None:
    assert errors_of((SCRIPTS / "start_celery_services.ps1").read_bytes()) == []


def test_the_grammar_check_can_fail() -> None:
    source = (SCRIPTS / "start_celery_services.ps1").read_bytes()
    assert errors_of(source.replace(b"try {", b"try {{", 1)) != []


def test_powershell_script_is_plain_ascii() -> None:
    # Windows PowerShell 5.1 reads files without a byte order mark in the local code page.
    (SCRIPTS / "start_celery_services.ps1").read_bytes().decode("ascii")


@pytest.mark.parametrize("name", ["start_celery_services.ps1", "start_celery_services.sh"])
def test_scripts_start_the_documented_worker_and_beat(name: str) -> None:
    text = (SCRIPTS / name).read_text(encoding="utf-8")
    flat = text.replace("', '", " ").replace("'", "")
    assert "celery -A backend.celery_app worker --loglevel=info" in flat
    assert "celery -A backend.celery_app beat --loglevel=info" in flat
    assert " -Q" not in flat


def test_shell_script_parses() -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("no bash on this machine")
    subprocess.run([shell, "-n", str(SCRIPTS / "start_celery_services.sh")], check=True)
