"""FileStorage: files as the desk's database.

Every write is atomic or append-only, every reader tolerates every writer, and no name leads out of
the folder. Acknowledged means: survives the death of any process; with `fsync` also the machine's.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from backend.core.clock import Clock, SystemClock, stamp
from backend.core.errors import DeskError, Invalid, NotFound, Unavailable
from backend.storage import atomic, fence, lines, names
from backend.storage.encoding import decode, encode, encode_line
from backend.storage.locks import Hosts, hold, retire

LOCK_SECONDS = 30.0  # how long a write waits for the writers before it

_ABSENT = object()

FileState = tuple[int, int, int]
"""Inode, time of change in ns, size."""


class FileStorage:
    """Files under one folder, each named relative to it with ``/``.

    Every method raises `Invalid` (code ``unsafe_path``) for a name that leaves the folder or that some
    system cannot hold, and `Unavailable` (``disk_full``, ``not_permitted``, ``locked``) with what to do
    when the disk refuses; the old content then stands. One object serves any number of threads, and any
    number of processes may have one on the same folder.

    Args:
        root: The folder; made with the first write.
        fsync: Sync whole-file writes to the disk, so that they survive the machine.
        clock: Tells the wall time for the names of files set aside.
        hosts: What excludes the other hosts of a desk that has some. A change under a lock that was lost
            to one is refused: `Unavailable` ``lock_lost``.
    """

    def __init__(
        self, root: Path, *, fsync: bool = True, clock: Clock | None = None, hosts: Hosts | None = None
    ) -> None:
        self.root = Path(os.path.realpath(root))
        self.fsync = fsync
        self.hosts = hosts
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._swept: set[Path] = set()  # folders made and cleared of dead writers' files
        self._named: set[Path] = set()  # files whose names are known to be on the disk

    safe_name = staticmethod(names.safe_name)

    def path(self, name: str) -> Path:
        """The absolute path of a name, links followed; it need not exist."""
        return names.inside(str(self.root), name)

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self.path(name).is_file()

    def names(self, pattern: str) -> list[str]:
        """Sorted names of the files that match, such as ``trade_ideas/*.json``; never hidden ones."""
        parts = pattern.split("/")
        if not pattern or any(part in {"", ".", ".."} or set(part) & set("\\:\0") for part in parts):
            raise Invalid("unsafe_path", f"{pattern!r} is refused as a pattern", name=pattern)
        found = []
        inside: dict[Path, bool] = {}
        for path in self.root.glob(pattern):
            name = path.relative_to(self.root).as_posix()
            if "/." in f"/{name}" or not path.is_file():
                continue
            if path.parent not in inside:  # links are followed once a folder, not once a file
                inside[path.parent] = path.parent == self.root or self._is_inside(path.parent)
            if inside[path.parent] and (not path.is_symlink() or self._is_inside(path)):
                found.append(name)
        return sorted(found)

    def entries(self, folder: str) -> set[str]:
        """Names of whatever stands directly in a folder, without the folder's; asks nothing of each."""
        with contextlib.suppress(FileNotFoundError):
            return set(os.listdir(self.path(folder)))  # noqa: PTH208 - half the time for thousands
        return set()

    def states(self, folder: str, ending: str, *, only: Iterable[str] | None = None) -> dict[str, FileState]:
        """Names of the plain files directly in a folder that end so, sorted, each with its state.

        Args:
            folder: Name of the folder.
            ending: Such as ``.json``.
            only: Those of these `entries` alone; one that is not there is left out.
        """
        path = self.path(folder)
        found: dict[str, FileState] = {}
        for entry in sorted(self.entries(folder) if only is None else only):
            if not entry.startswith(".") and entry.endswith(ending):
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    status = os.lstat(path / entry)
                    if stat.S_ISREG(status.st_mode):
                        found[f"{folder}/{entry}"] = _state(status)
        return found

    def state(self, name: str) -> FileState:
        """What differs once a file was replaced or appended to; `NotFound` if there is none."""
        try:
            return _state(self.path(name).lstat())
        except FileNotFoundError as error:
            raise NotFound("no_such_file", f"{name} does not exist in {self.root}", name=name) from error

    @contextlib.contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[None]:
        """Hold a name against all other threads and processes; the same thread may hold it twice.

        The methods that change a file hold its own name. The system frees the lock of a dead process.

        Raises:
            Unavailable: Code ``locked`` after `timeout` seconds.
        """
        with self._hold(self.path(name), timeout):
            yield

    def read_json(self, name: str) -> Any:
        """The value of a JSON file.

        Raises:
            NotFound: There is no such file.
            Invalid: Code ``corrupt_file``: it was not JSON and now stands under the name in
                `details["aside"]`.
        """
        value = self._read(name)
        if value is _ABSENT:
            raise NotFound("no_such_file", f"{name} does not exist in {self.root}", name=name)
        return value

    def read_json_or(self, name: str, default: Any) -> Any:
        """The value of a JSON file, or the default if there is no file; a corrupt one raises `Invalid`."""
        value = self._read(name)
        return default if value is _ABSENT else value

    def write_json(self, name: str, value: Any, *, mode: int | None = None) -> None:
        """Replace a JSON file atomically; `mode` such as 0o600 keeps others from reading it.

        Raises:
            Invalid: Code ``not_json``: a NaN, or a value without a JSON form.
        """
        self.write_bytes(name, encode(value, where=name, pretty=True), mode=mode)

    def create_json(self, name: str, value: Any, *, mode: int | None = None) -> bool:
        """Write a JSON file only if there is none of that name; says whether it did."""
        data = encode(value, where=name, pretty=True)
        path = self._writable(name)
        with self._hold(path):
            return atomic.create_file(path, data, mode=mode, fsync=self.fsync)

    def update_json(
        self, name: str, fn: Callable[[Any], Any], default: Any, *, timeout: float = LOCK_SECONDS
    ) -> Any:
        """Read, change and replace a JSON file while no other process can; returns the new value.

        Args:
            name: The file.
            fn: Takes the present value (`default` if there is no file) and returns the new one. What it
                raises passes through and leaves the file as it was.
            default: Value of an absent file, never of a corrupt one.
            timeout: Seconds to wait for the other writers.
        """
        path = self._writable(name)
        with self._hold(path, timeout):
            value = fn(self.read_json_or(name, default))
            self.write_json(name, value)
            return value

    def append_jsonl(self, name: str, records: Iterable[Mapping[str, Any]], *, sync: bool = False) -> int:
        """Append records as lines; returns how many. The cost does not grow with the file.

        With `sync` it returns after the disk has them; threads that append together share the wait.
        A batch is not one unit: a writer that is killed may have left its first lines.
        """
        encoded = [encode_line(record, where=name) for record in records]
        if encoded:
            self._append(name, b"".join(encoded), sync=sync, whole=lines.is_record)
        return len(encoded)

    def read_jsonl(self, name: str, *, problems: list[DeskError] | None = None) -> Iterator[dict[str, Any]]:
        """Each record there at this moment, in order; a line that a writer was killed in is passed over.

        Raises:
            NotFound: There is no such file.
            Invalid: Code ``corrupt_line`` with file and line; given a list of `problems` it is put there
                instead and reading goes on.
        """
        try:
            yield from lines.read_records(self.path(name), problems)
        except FileNotFoundError as error:
            raise NotFound("no_such_file", f"{name} does not exist in {self.root}", name=name) from error

    def last_jsonl(self, name: str) -> dict[str, Any] | None:
        """The last record, found from the end; None if there is no file or no record."""
        try:
            return lines.last_record(self.path(name))
        except FileNotFoundError:
            return None

    def append_csv(
        self,
        name: str,
        columns: Sequence[str],
        rows: Iterable[Mapping[str, Any] | Sequence[Any]],
        *,
        sync: bool = False,
    ) -> int:
        """Append rows, after a header if the file is new; returns how many.

        Raises:
            Invalid: Code ``not_csv``: a row of other columns, or a NaN.
            Conflict: Code ``other_columns``: the file begins with another header.
        """
        header = lines.csv_line(columns, where=name)
        body = b"".join(lines.csv_line(lines.csv_cells(row, columns, where=name), where=name) for row in rows)
        self._append(name, body, sync=sync, whole=lambda _: False, header=header)
        return body.count(b"\n")

    def write_bytes(self, name: str, data: bytes, *, mode: int | None = None) -> None:
        """Replace a file atomically."""
        path = self._writable(name)
        with self._hold(path):
            atomic.replace_file(path, data, mode=mode, fsync=self.fsync)

    def read_bytes(self, name: str) -> bytes:
        """All of a file.

        Raises:
            NotFound: There is no such file.
        """
        try:
            return atomic.read_file(self.path(name))
        except FileNotFoundError as error:
            raise NotFound("no_such_file", f"{name} does not exist in {self.root}", name=name) from error

    def delete(
        self, name: str, *, timeout: float = LOCK_SECONDS, only_if: Callable[[], bool] | None = None
    ) -> bool:
        """Remove a file; says whether it did.

        Args:
            name: The file.
            timeout: Seconds to wait for its writers.
            only_if: Asked once no writer can be at it any more; if it says no, the file stays.
        """
        path = self.path(name)
        if not path.exists():
            return False
        with self._hold(path, timeout), atomic.refusals(path):
            if only_if is not None and not only_if():
                return False
            fence.require()
            try:
                atomic.while_in_use(path.unlink)
            except FileNotFoundError:
                return False
            retire(path)
            return True

    def _hold(self, path: Path, timeout: float = LOCK_SECONDS) -> contextlib.AbstractContextManager[None]:
        return hold(path, timeout, self.hosts)

    def _is_inside(self, path: Path) -> bool:
        try:
            self.path(path.relative_to(self.root).as_posix())
        except Invalid:
            return False
        return True

    def _read(self, name: str) -> Any:
        path = self.path(name)
        try:
            return decode(atomic.read_file(path))
        except FileNotFoundError:
            return _ABSENT
        except ValueError as error:
            fault = error
        try:
            with self._hold(path):
                return self._read_again(name, path)
        except (
            Unavailable
        ) as error:  # no lock in a folder that cannot be written: nothing can be moved either
            if error.code != "not_permitted":
                raise
            raise _corrupt(name, path, fault, failure=error.message) from error

    def _read_again(self, name: str, path: Path) -> Any:
        """Under the lock: a writer may have mended it meanwhile; what is still corrupt is set aside."""
        try:
            return decode(atomic.read_file(path))
        except FileNotFoundError:
            return _ABSENT
        except ValueError as error:
            try:
                aside = atomic.set_aside(path, stamp(self.clock.wall())).name
            except OSError as failure:
                raise _corrupt(name, path, error, failure=str(failure)) from error
            raise _corrupt(name, path, error, aside=aside) from error

    def _append(
        self, name: str, data: bytes, *, sync: bool, whole: Callable[[bytes], bool], header: bytes = b""
    ) -> None:
        path = self._writable(name)
        with self._hold(path):
            if header:
                lines.require_header(path, header)
            file, is_new = lines.append_bytes(path, data, first=header, whole=whole)
            if self.hosts is not None:  # a network drive shows the others what was closed
                self._end_append(file, path, sync=sync, is_new=is_new)
        if self.hosts is None:  # outside the lock: the disk then syncs what several threads wrote in one go
            self._end_append(file, path, sync=sync, is_new=is_new)

    def _end_append(self, file: IO[bytes], path: Path, *, sync: bool, is_new: bool) -> None:
        with file:
            if sync:
                lines.sync_file(file, path)
                if is_new or path not in self._named:
                    atomic.sync_folder(path.parent)
                    self._named.add(path)

    def _writable(self, name: str) -> Path:
        path = self.path(name)
        folder = path.parent
        if folder not in self._swept:
            self._swept.add(folder)
            atomic.make_folder(folder, fsync=self.fsync)
            atomic.sweep_folder(folder, now=self.clock.wall().timestamp())
        elif not folder.is_dir():
            atomic.make_folder(folder, fsync=self.fsync)
        return path


def _state(status: os.stat_result) -> FileState:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _corrupt(
    name: str, path: Path, error: ValueError, *, aside: str | None = None, failure: str = ""
) -> Invalid:
    if aside is None:
        return Invalid(
            "corrupt_file",
            f"{path} is not JSON ({error}) and could not be moved aside: {failure}. "
            "It is left as it is; move it away or mend it",
            name=name,
        )
    return Invalid(
        "corrupt_file",
        f"{path} is not JSON ({error}). It was set aside as {aside}; "
        "mend it and move it back, or go on without it",
        name=name,
        aside=Path(name).with_name(aside).as_posix(),
    )
