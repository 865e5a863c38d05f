"""Whole files: complete content or none, on every system and whatever is killed."""

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from backend.core.errors import DeskError, Invalid, Unavailable
from backend.storage import fence

WINDOWS = os.name == "nt"
STALE_SECONDS = 3600.0  # no write takes an hour; an older temporary file belongs to a killed writer

_RETRY_DELAYS = tuple(min(0.005 * 2**step, 0.25) for step in range(16))  # together about 3 s
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.mt5ui-tmp")
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_WRONG_NAME = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP}
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}

T = TypeVar("T")


def refusal(error: OSError, path: Path) -> DeskError:
    """What the system said about a write or read, as one of the desk's errors, with what to do."""
    said = error.strerror or str(error)
    if error.errno in _FULL:
        return Unavailable(
            "disk_full",
            f"{path} could not be written: {said}. What was there is unchanged; free some space on "
            "that disk (old logs and caches first) and try again",
            path=str(path),
        )
    if error.errno in _DENIED:
        return Unavailable(
            "not_permitted",
            f"{path}: {said}. Give the desk's user the right to read and write there, "
            "or close the program that holds the file",
            path=str(path),
        )
    if error.errno in _WRONG_NAME:
        return Invalid("unsafe_path", f"{path} cannot be a file: {said}", path=str(path))
    return Unavailable("disk_error", f"{path}: {said}", path=str(path))


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn the system's errors inside the block into the desk's; a missing file passes through."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        raise refusal(error, path) from error


def while_in_use(operation: Callable[[], T]) -> T:
    """Do it; on Windows again for about three seconds while another process has the file open."""
    if WINDOWS:
        for delay in _RETRY_DELAYS:
            try:
                return operation()
            except PermissionError:
                time.sleep(delay)
    return operation()


def replace_file(path: Path, data: bytes, *, mode: int | None, fsync: bool) -> None:
    """Put `data` in place of whatever `path` holds, so that a reader sees the old or the new.

    Without `mode` a file keeps the one it has.

    Raises:
        Unavailable: Disk full or not permitted; the old content is untouched.
    """
    with refusals(path):
        keep = mode
        if keep is None:
            with contextlib.suppress(FileNotFoundError):
                keep = stat.S_IMODE(path.stat().st_mode)
        temporary = _write_temporary(path, data, mode=keep, fsync=fsync)
        try:
            fence.require()
            while_in_use(lambda: temporary.replace(path))
        except BaseException:
            _discard(temporary)
            raise
        if fsync:
            sync_folder(path.parent)


def create_file(path: Path, data: bytes, *, mode: int | None, fsync: bool) -> bool:
    """Put `data` at `path` if nothing is there: all of it or nothing. False if something was.

    The caller holds the file's lock, which is what makes it exclusive on file systems without links.
    """
    with refusals(path):
        if path.exists():
            return False
        temporary = _write_temporary(path, data, mode=mode, fsync=fsync)
        try:
            fence.require()
            _claim(temporary, path)
        except FileExistsError:
            return False
        finally:
            _discard(temporary)
        if fsync:
            sync_folder(path.parent)
        return True


def read_file(path: Path) -> bytes:
    """All of a file.

    Raises:
        FileNotFoundError: It does not exist.
        Unavailable: It cannot be read.
    """
    with refusals(path):
        return while_in_use(path.read_bytes)


def make_folder(path: Path, *, fsync: bool) -> None:
    """Make a folder and those above it, each durable in its parent."""
    with refusals(path):
        if path.is_dir():
            return
        missing = [path, *(parent for parent in path.parents if not parent.exists())]
        path.mkdir(parents=True, exist_ok=True)
        if fsync:
            for folder in missing:
                sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive the machine, where the system can."""
    if WINDOWS:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:  # folders without fsync
            raise
    finally:
        os.close(descriptor)


def abandoned(path: Path, *, now: float) -> list[Path]:
    """The temporary files that killed writers left in one folder; `now` is a UTC epoch."""
    with os.scandir(path) as entries:
        return [
            path / entry.name
            for entry in entries
            if _TEMPORARY.fullmatch(entry.name)
            and entry.is_file(follow_symlinks=False)
            and now - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS
        ]


def sweep_folder(path: Path, *, now: float) -> list[str]:
    """Remove the temporary files that killed writers left in one folder; `now` is a UTC epoch."""
    swept = []
    try:
        for left in abandoned(path, now=now):
            left.unlink(missing_ok=True)
            swept.append(left.name)
    except OSError:
        return swept  # upkeep; whoever writes next meets the same error and reports it
    return swept


def set_aside(path: Path, stamp: str) -> Path:
    """Move a file to a free name beside it, ``<name>.corrupt-<stamp>``, overwriting nothing.

    The caller holds the file's lock.
    """
    for attempt in range(1, 1000):
        suffix = "" if attempt == 1 else f"_{attempt}"
        aside = path.with_name(f"{path.name}.corrupt-{stamp}{suffix}")
        if not aside.exists():
            fence.require()
            while_in_use(partial(path.replace, aside))
            sync_folder(path.parent)
            return aside
    raise OSError(errno.EEXIST, "too many corrupt files stand beside it")


def _claim(temporary: Path, path: Path) -> None:
    if WINDOWS:
        os.rename(temporary, path)  # noqa: PTH104 - refuses an existing target there
        return
    try:
        os.link(temporary, path)  # refuses an existing target
    except OSError as error:
        if isinstance(error, FileExistsError) or error.errno not in _NO_LINKS:
            raise
        temporary.replace(path)  # a disk without links; the caller's lock excludes others


def _write_temporary(path: Path, data: bytes, *, mode: int | None, fsync: bool) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.mt5ui-tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
    descriptor = os.open(temporary, flags, 0o600 if mode is not None else 0o666)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if fsync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if mode is not None:
            temporary.chmod(mode)
    except BaseException:
        _discard(temporary)
        raise
    return temporary


def _discard(temporary: Path) -> None:
    with contextlib.suppress(OSError):  # a sweep takes it later
        temporary.unlink(missing_ok=True)
