"""What calendar providers are made of, in a test's folder."""

from datetime import timedelta
from pathlib import Path

from backend.adapters.calendars import Means
from backend.core.fetching import Fetcher
from backend.economic_calendar.shapes import Clocks
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore


def means(home: Path, fetcher: Fetcher, *, common_folder: str = "", server_hours: float = 3) -> Means:
    """Means of a desk in `home`, whose server is so many hours ahead of UTC."""
    secrets = SecretStore(FileStorage(home / "data", fsync=False), home / "config" / "secret.key")
    return Means(
        home=home,
        fetcher=fetcher,
        secrets=secrets,
        common_folder=lambda: common_folder,
        clocks=lambda: Clocks(server_offset=timedelta(hours=server_hours)),
    )
