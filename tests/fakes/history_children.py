"""A process that imports files and stops at a step of its work until it is killed; started with ``-m``."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.history.importing import look
from backend.history.pieces import Choices
from backend.storage import atomic
from tests.unit.history.desk import importer_at

STEPS = ("replace_file", "while_in_use", "sync_folder")
"""What changes the disk, in `backend.storage.atomic`; each call is a step."""


def main(folder: str, file: str, stop_at: str) -> None:
    """Import the file; before the step of that number say so and wait for the end."""
    left = int(stop_at)

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.write(1, b"stopped\n")
                sys.stdin.read()  # never ends: the parent kills
            return work(*arguments, **named)

        return step

    importer = importer_at(Path(folder))
    for name in STEPS:
        setattr(atomic, name, counted(getattr(atomic, name)))
    importer.run(look([Path(file)]), Choices())
    os.write(1, b"whole\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
