"""Puts a simulated terminal together."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.mt5.server_time import ServerClock
from backend.simulator.market import SyntheticMarket
from backend.simulator.ports import Market
from backend.simulator.replay import ReplayMarket
from backend.simulator.replay_clock import ReplayClock
from backend.simulator.statefile import BookFile
from backend.simulator.terminal import SimulatedTerminal
from backend.simulator.terms import BrokerTerms
from backend.storage.files import FileStorage


def build_simulated_terminal(
    *,
    seed: int,
    replay: Path | None,
    server_clock: ServerClock,
    now: Callable[[], datetime],
    terms: BrokerTerms | None = None,
    storage: FileStorage | None = None,
    market: Market | None = None,
) -> SimulatedTerminal:
    """A terminal over the seeded market or, if `replay` names a folder, over the files in it.

    Args:
        seed: Of the made-up market.
        replay: Folder of market data; see `backend.simulator.replay.ReplayMarket`.
        server_clock: The broker's clock.
        now: The present, aware; of a replay the `ReplayClock`'s.
        terms: Of the account, the symbols and the faults.
        storage: Where the account is kept, a file for each market; None keeps it in memory.
        market: The one of `seed` or `replay`, where it is there already.

    Raises:
        Invalid: If the folder holds nothing that can be played.
    """
    return SimulatedTerminal(
        market or _market(seed, replay, server_clock),
        name=terminal_name(seed=seed, replay=replay),
        server_clock=server_clock,
        now=now,
        terms=terms,
        file=BookFile(storage, account_file(seed, replay)) if storage is not None else None,
        replays=replay is not None,
    )


def account_file(seed: int, replay: Path | None) -> str:
    """Where the account over a market is kept, below the desk's data: each market has its own."""
    if replay is None:
        return f"simulator/seed_{seed}.jsonl"
    digest = hashlib.sha256(str(replay).encode()).hexdigest()[:12]
    return f"simulator/replay_{digest}.jsonl"


def _market(seed: int, replay: Path | None, server_clock: ServerClock) -> Market:
    if replay is None:
        return SyntheticMarket(seed)
    return ReplayMarket(replay, server_clock)


def terminal_name(*, seed: int = 0, replay: Path | None) -> str:
    """Names the market, since bars and decisions of two markets are never mixed."""
    return f"MT5UI simulated terminal, {f'seed {seed}' if replay is None else f'replay of {replay}'}"


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay put together: who owns the clock moves it to `market.closes(clock.now(), …)`.

    Attributes:
        terminal: Shows the files as far as the clock has come.
        market: Knows the range and the closes.
        clock: The desk's time.
    """

    terminal: SimulatedTerminal
    market: ReplayMarket
    clock: ReplayClock


def build_replay(
    *,
    folder: Path,
    server_clock: ServerClock,
    state: Mapping[str, Any] | None = None,
    terms: BrokerTerms | None = None,
) -> Replay:
    """A replay of a folder, from its beginning or from where `ReplayClock.state()` says it stood.

    Raises:
        Invalid: If the folder holds nothing that can be played, or a corrupt file.
    """
    market = ReplayMarket(folder, server_clock)
    clock = ReplayClock(*market.range(), state)
    terminal = SimulatedTerminal(
        market,
        name=terminal_name(replay=folder),
        server_clock=server_clock,
        now=clock.now,
        terms=terms,
        replays=True,
    )
    return Replay(terminal, market, clock)
