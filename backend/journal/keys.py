"""Where the record of a key stands, in sixteen bytes a key."""

import hashlib

import numpy as np
import numpy.typing as npt

_MERGE_AT = 4096
_ROW_BITS = 32
_ROW = (1 << _ROW_BITS) - 1


def key_hash(kind: str, key: str) -> int:
    """A number of 64 bits for a kind and key, never 0. Two keys may share one: the record itself tells."""
    data = hashlib.blake2b(f"{kind}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(data, "little") or 1


class KeyTable:
    """From a key's hash to where its records may stand: number of a file, and row in it."""

    def __init__(self) -> None:
        self._hashes: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
        self._where: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._fresh: dict[int, list[int]] = {}

    def add(self, hashed: int, file: int, row: int) -> None:
        """Add one key."""
        self._fresh.setdefault(hashed, []).append((file << _ROW_BITS) | row)
        if len(self._fresh) >= _MERGE_AT:
            self._merge()

    def add_many(self, hashes: npt.NDArray[np.uint64], file: int) -> None:
        """Add the keys of the rows from 0 on of a file, shape (n,); those that are 0 have none."""
        rows = np.flatnonzero(hashes).astype(np.int64)
        self._put(hashes[rows], (np.int64(file) << _ROW_BITS) | rows)

    def find(self, hashed: int) -> list[tuple[int, int]]:
        """File and row of each record that may have the key."""
        first, last = np.searchsorted(self._hashes, np.uint64(hashed), "left"), len(self._hashes)
        found = []
        while first < last and int(self._hashes[first]) == hashed:
            found.append(int(self._where[first]))
            first += 1
        return [(where >> _ROW_BITS, where & _ROW) for where in (*found, *self._fresh.get(hashed, ()))]

    def _merge(self) -> None:
        pairs = [(hashed, where) for hashed, places in self._fresh.items() for where in places]
        self._fresh = {}
        self._put(
            np.array([hashed for hashed, _ in pairs], np.uint64),
            np.array([where for _, where in pairs], np.int64),
        )

    def _put(self, hashes: npt.NDArray[np.uint64], where: npt.NDArray[np.int64]) -> None:
        together = np.concatenate((self._hashes, hashes))
        order = np.argsort(together, kind="stable")
        self._hashes = together[order]
        self._where = np.concatenate((self._where, where))[order]
