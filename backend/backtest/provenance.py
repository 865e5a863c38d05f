"""What a result depends on, as hashes: the same hashes are the same run."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.backtest.metrics import SEED
from backend.backtest.model import ENGINE_VERSION, Job, Reading, Stream
from backend.backtest.significance import Trials
from backend.core.bars import COLUMNS, Bars
from backend.strategies.model import dumped

REPORT_VERSION = "3"
"""Changes with what a report holds, so that an older report is not taken for one of now."""

_HASHING_THREADS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How a job is run and told, beside the job itself.

    Attributes:
        reading: Of bars that do not tell what came first, in the run that counts.
        benchmark: Put buying and holding each symbol beside it.
        trials: What was tried before, from a ledger of trials.
    """

    reading: Reading = Reading.WORST
    benchmark: bool = False
    trials: Trials | None = None

    def as_dict(self) -> dict[str, Any]:
        """The options as JSON values."""
        trials = self.trials
        return {
            "reading": str(self.reading),
            "benchmark": self.benchmark,
            "trials": None
            if trials is None
            else {"count": trials.count, "sharpe_variance": trials.sharpe_variance},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Hashes of everything that a result depends on.

    Attributes:
        engine: The engine's version.
        strategy: Of the strategies.
        data: Of all bars.
        bars: Of each stream's traded bars.
        costs: Of the costs.
        configuration: Of account, limits, specifications, profiles and options.
    """

    engine: str
    strategy: str
    data: str
    bars: tuple[str, ...]
    costs: str
    configuration: str

    @property
    def id(self) -> str:
        """The run's id: it changes when any of them does."""
        whole = (self.engine, self.strategy, self.data, self.costs, self.configuration)
        return _hash("|".join(whole).encode())[:16]

    def as_dict(self) -> dict[str, Any]:
        """The hashes as JSON values."""
        return {
            "engine_version": self.engine,
            "report_version": REPORT_VERSION,
            "strategy_hash": self.strategy,
            "data_hash": self.data,
            "costs_hash": self.costs,
            "configuration_hash": self.configuration,
            "seed": SEED,
        }


def provenance(job: Job, options: Options | None = None) -> Provenance:
    """The hashes of a job. The bars' buffers are hashed where they stand, on several threads."""
    unique = {id(bars): bars for stream in job.streams for bars in _all_bars(stream)}
    hashes = dict(zip(unique, _hash_all([*unique.values()]), strict=True))
    data = [
        "".join([*(hashes[id(bars)] for bars in _all_bars(stream)), _extras(stream), str(stream.first)])
        for stream in job.streams
    ]
    whole = {
        "account": job.account.as_dict(),
        "calendar": job.calendar.as_dict(),
        "limits": job.limits.model_dump(mode="json"),
        "streams": [_configuration(stream) for stream in job.streams],
        "options": (options or Options()).as_dict(),
        "report": REPORT_VERSION,
    }
    return Provenance(
        engine=ENGINE_VERSION,
        strategy=content_hash([dumped(stream.strategy) for stream in job.streams]),
        data=_hash("|".join(data).encode()),
        bars=tuple(hashes[id(stream.bars)] for stream in job.streams),
        costs=content_hash(
            [{**stream.costs.as_dict(), "warnings": list(stream.costs.warnings)} for stream in job.streams]
        ),
        configuration=content_hash(whole),
    )


def bars_hash(bars: Bars) -> str:
    """SHA-256 over the SHA-256 of each column, little-endian."""
    return _hash_all([bars])[0]


def _all_bars(stream: Stream) -> list[Bars]:
    longer = [bars for _, bars in sorted(stream.higher.items())]
    others = [stream.spread_bars, stream.fine]
    return [stream.bars, *longer, *(bars for bars in others if bars is not None)]


def _extras(stream: Stream) -> str:
    """The hash of asks and rates; nothing where there are none."""
    columns = [
        *(stream.asks or ()),
        *(stream.fine_asks or ()),
        *(stream.rates or ()),
    ]
    return _hash(b"".join(map(_column, columns))) if columns else ""


def _configuration(stream: Stream) -> dict[str, Any]:
    return {
        "profile": stream.profile.model_dump(mode="json"),
        "conversion": str(stream.conversion),
        "instrument": str(stream.instrument),
        "source": stream.source,
        "quality": dict(stream.facts),
    }


def _hash_all(several: Sequence[Bars]) -> list[str]:
    columns = [getattr(bars, name) for bars in several for name in COLUMNS]
    with ThreadPoolExecutor(_HASHING_THREADS) as threads:  # hashing releases the interpreter's lock
        digests = [*threads.map(_column, columns)]
    found = []
    for at, bars in enumerate(several):
        head = f"{bars.symbol} {bars.timeframe} {len(bars)}|".encode()
        found.append(_hash(head + b"".join(digests[at * len(COLUMNS) : (at + 1) * len(COLUMNS)])))
    return found


def _column(column: npt.NDArray[Any]) -> bytes:
    little = np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<"))  # a copy only where it must
    return hashlib.sha256(little.data).digest()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def content_hash(value: Any) -> str:
    """SHA-256, in hex, over JSON values, whatever the order of their keys."""
    return _hash(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
