"""Files that wait to be imported: put below ``data/incoming/`` by hand, or uploaded there."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final

from backend.core.clock import Clock, from_epoch
from backend.core.errors import Invalid, NotFound
from backend.storage.atomic import make_folder, refusals
from backend.storage.files import FileStorage

FOLDER: Final = "incoming"
UPLOADS: Final = f"{FOLDER}/uploads"
LONGEST_WAIT: Final = timedelta(days=1)
_PART: Final = ".part"


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingFile:
    """A file that can be imported.

    Attributes:
        name: Below ``data/incoming/``; what an import is asked for by.
        size: In bytes.
        modified_at: When it was last written.
    """

    name: str
    size: int
    modified_at: datetime


class Incoming:
    """The files that wait.

    Args:
        storage: Files below the data folder.
        clock: Wall time, by which uploads that nobody imported are removed.
    """

    def __init__(self, storage: FileStorage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._storage.path(FOLDER)

    def list(self) -> list[IncomingFile]:
        """Every file that waits, by name."""
        found = []
        for name in self._storage.names(f"{FOLDER}/**/*"):
            with contextlib.suppress(FileNotFoundError):
                status = self._storage.path(name).stat()
                found.append(
                    IncomingFile(
                        name=name.removeprefix(f"{FOLDER}/"),
                        size=status.st_size,
                        modified_at=from_epoch(int(status.st_mtime)),
                    )
                )
        return found

    def path(self, name: str) -> Path:
        """The file or folder of that name.

        Raises:
            Invalid: The name is unsafe or leads out of the folder.
            NotFound: There is none.
        """
        path = self._storage.path(f"{FOLDER}/{name}")
        if not path.resolve().is_relative_to(self.folder):
            raise Invalid("unsafe_path", f"{name!r} leads out of data/{FOLDER}", name=name)
        if not path.exists():
            raise NotFound("no_such_file", f"There is no {name} in data/{FOLDER}", name=name)
        return path

    @contextlib.contextmanager
    def upload(self, name: str) -> Iterator["Upload"]:
        """A file to write into; it is there once `Upload.keep` was called, and leaves nothing without.

        Raises:
            Invalid: The name is no plain name of a file.
            Unavailable: The disk refuses.
        """
        if "/" in name or name.startswith("."):
            raise Invalid("unsafe_path", f"{name!r} is no plain name of a file", name=name)
        self._remove_old()
        folder = self._storage.path(f"{UPLOADS}/{secrets.token_hex(8)}")
        target = self._storage.path(f"{UPLOADS}/{folder.name}/{name}")
        with refusals(target):
            make_folder(folder, fsync=self._storage.fsync)
            part = folder / _PART
            below = target.relative_to(self.folder).as_posix()
            upload = Upload(part=part, target=target, name=below)
            try:
                with part.open("wb") as upload.file:
                    yield upload
            finally:
                if not target.exists():
                    shutil.rmtree(folder, ignore_errors=True)

    def done(self, path: Path) -> None:
        """What was imported out of an upload is not needed any more; other files stay."""
        uploads = self._storage.path(UPLOADS)
        if path.is_relative_to(uploads) and path != uploads:
            shutil.rmtree(uploads / path.relative_to(uploads).parts[0], ignore_errors=True)

    def _remove_old(self) -> None:
        uploads = self._storage.path(UPLOADS)
        oldest = (self._clock.wall() - LONGEST_WAIT).timestamp()
        with refusals(uploads), contextlib.suppress(FileNotFoundError):
            for folder in uploads.iterdir():
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Upload:
    """One file on its way in.

    Attributes:
        part: Where it is written.
        target: Where it will be.
        name: Below ``data/incoming/``.
        file: Open for writing.
        size: Bytes written so far.
    """

    part: Path
    target: Path
    name: str
    file: IO[bytes] | None = None
    size: int = 0

    def add(self, data: bytes) -> None:
        """Write more of it; `Unavailable` if the disk refuses."""
        if self.file is not None:
            with refusals(self.target):
                self.file.write(data)
            self.size += len(data)

    def keep(self) -> None:
        """It is whole now."""
        if self.file is not None:
            with refusals(self.target):
                self.file.close()
                self.part.replace(self.target)
