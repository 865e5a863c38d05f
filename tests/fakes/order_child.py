"""A process that sends orders for ever while a test kills it; started with ``python -m``."""

import os
import sys
from pathlib import Path

from backend.simulator.statefile import BookFile
from backend.storage.files import FileStorage
from tests.fakes.scripted_market import Stage


def main(root: str) -> None:
    """Open and place, close and remove by turns; each acknowledgement goes to the parent with one write."""
    stage = Stage(file=BookFile(FileStorage(Path(root)), "book.jsonl"))
    n = 0
    while True:
        n += 1
        opened = stage.deal(n % 2, 0.01, comment=str(n)).order
        os.write(1, f"position {opened}\n".encode())
        placed = stage.pend(2, 1.0900, 0.01).order
        os.write(1, f"order {placed}\n".encode())
        stage.done({"action": 8, "order": placed})
        os.write(1, f"removed {placed}\n".encode())
        if n % 3 == 0:
            fields = {"action": 1, "symbol": "EURUSD", "volume": 0.01, "type": 1 - n % 2, "type_filling": 1}
            stage.done(fields | {"position": opened})
            os.write(1, f"closed {opened}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
