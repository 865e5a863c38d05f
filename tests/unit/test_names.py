"""Users start the API from inside backend/, which puts that folder first on the path."""

import ast
import importlib.metadata
import sys
from pathlib import Path

BACKEND = Path(__file__).resolve().parents[2] / "backend"


def names_under_backend() -> set[str]:
    return {
        path.stem if path.is_file() else path.name
        for path in BACKEND.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.name != "__init__.py"
    }


def test_no_name_under_backend_hides_the_standard_library() -> None:
    assert names_under_backend() & set(sys.stdlib_module_names) == set()


def test_no_name_under_backend_hides_an_installed_package() -> None:
    installed = set(importlib.metadata.packages_distributions())
    assert names_under_backend() & installed == set()


def test_packages_are_empty_but_tasks() -> None:
    filled = {
        path.parent.relative_to(BACKEND).as_posix()
        for path in BACKEND.rglob("__init__.py")
        if path.read_text(encoding="utf-8").strip()
    }
    assert filled <= {"tasks"}


def test_modules_import_each_other_by_their_full_names() -> None:
    # `import config` would work for those who start the API from inside backend/, and for nobody else.
    ours = names_under_backend()
    for path in BACKEND.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                imported = {(node.module or "").partition(".")[0]}
                assert node.level == 0, path
            elif isinstance(node, ast.Import):
                imported = {alias.name.partition(".")[0] for alias in node.names}
            else:
                continue
            assert not imported & ours, path
