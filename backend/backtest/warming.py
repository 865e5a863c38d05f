"""``python -m backend.backtest.warming``: compiles the engine, so that nobody has to wait for it."""

import sys

from backend.backtest.compiling import prepare
from backend.backtest.running import warm


def main() -> int:
    """Compile what is not there yet."""
    prepare()
    warm()
    return 0


if __name__ == "__main__":
    sys.exit(main())
