"""Which version of the desk this is; pyproject.toml says the same (a test)."""

from typing import Final

VERSION: Final = "0.1.0"
