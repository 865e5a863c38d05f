"""A process that works for another one does not outlive it."""

import os
import threading
from typing import BinaryIO


def end_with(source: BinaryIO) -> None:
    """End this process, at any moment, once `source` ends: its writer is gone, or wants nothing more."""
    threading.Thread(target=_end_after, args=(source,), daemon=True).start()


def _end_after(source: BinaryIO) -> None:
    source.read()
    os._exit(1)
