from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.storage.files import FileStorage
from backend.users.management import Management
from backend.users.model import Refusal, Role
from backend.users.service import Door, SignedIn
from tests.fakes.desk import MovedClock
from tests.fakes.users import QuickHasher, users_of

PASSWORD = "correct horse battery"
HOME = "192.0.2.1"


@dataclass(frozen=True, kw_only=True)
class Users:
    """The users of one desk, as one of its processes sees them."""

    root: Path
    clock: MovedClock
    journal: Journal
    hasher: QuickHasher
    door: Door
    management: Management

    def other_process(self) -> "Users":
        return users_at(self.root, self.clock, start=1000)

    def sign_in(
        self, name: str = "ann", password: str = PASSWORD, *, address: str = HOME, device: str = ""
    ) -> SignedIn | Refusal:
        return self.door.sign_in(name, password, address=address, agent="a browser", device=device)

    def signed_in(self, name: str = "ann", **how: str) -> SignedIn:
        came = self.sign_in(name, **how)
        assert isinstance(came, SignedIn), came
        return came

    def events(self) -> list[str]:
        return [str(record.payload["event"]) for record in self.journal.newest(kind=Kind.SECURITY)][::-1]


def users_at(root: Path, clock: MovedClock, *, start: int = 1) -> Users:
    data = FileStorage(root / "data", fsync=False)
    journal = Journal(data, clock)
    hasher = QuickHasher()
    config = FileStorage(root / "config", fsync=False)
    door, management = users_of(config, data, journal, clock, start=start, hasher=hasher)
    return Users(root=root, clock=clock, journal=journal, hasher=hasher, door=door, management=management)


@pytest.fixture
def users(tmp_path: Path) -> Users:
    made = users_at(tmp_path, MovedClock(datetime(2026, 3, 2, 9, tzinfo=UTC)))
    made.management.add("ann", Role.OWNER, PASSWORD, actor="local")
    return made
