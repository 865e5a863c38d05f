"""``python -m backend.backtest``: the child process of `backend.backtest.service`, not for people."""

import sys

from backend.backtest.child import main

if __name__ == "__main__":
    sys.exit(main())
