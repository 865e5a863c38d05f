"""Which broker a process speaks to."""

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.config import Settings, load_settings
from backend.core.errors import Invalid
from backend.jobs.broker import (
    BrokerAddress,
    BrokerKind,
    hide_password,
    read_address,
    resolve,
    write_address,
)

PRIVATE = BrokerAddress(
    kind=BrokerKind.REDIS,
    url="redis://:pw@127.0.0.1:7000/0",
    result_url="redis://:pw@127.0.0.1:7000/0",
    source="x",
)


def settings(home: Path, **named: Any) -> Settings:
    return load_settings(home=home, **named)


@pytest.mark.parametrize(
    ("named", "url", "results", "source"),
    [
        ({"redis_url": "redis://a/0"}, "redis://a/0", "redis://a/0", "REDIS_URL"),
        (
            {"redis_url": "redis://a/0", "celery_broker_url": "redis://b/0"},
            "redis://b/0",
            "redis://b/0",
            "CELERY_BROKER_URL",
        ),
        (
            {"redis_url": "redis://a/0", "celery_result_backend": "redis://c/1"},
            "redis://a/0",
            "redis://c/1",
            "REDIS_URL",
        ),
    ],
)
def test_each_address_falls_back_to_the_one_before(
    tmp_path: Path, named: dict[str, str], url: str, results: str, source: str
) -> None:
    address = resolve(settings(tmp_path, **named))
    assert (address.url, address.result_url, address.source) == (url, results, source)


def test_what_is_named_wins_over_the_running_desk_which_wins_over_memory(tmp_path: Path) -> None:
    assert resolve(settings(tmp_path)).kind is BrokerKind.MEMORY
    write_address(tmp_path / "data/run", PRIVATE, pid=os.getpid())
    found = resolve(settings(tmp_path))
    assert (found.url, found.source) == (PRIVATE.url, "running desk")
    assert resolve(settings(tmp_path, redis_url="redis://a/0")).url == "redis://a/0"
    assert resolve(settings(tmp_path, broker="memory", redis_url="redis://a/0")).kind is BrokerKind.MEMORY


def test_the_address_file_is_for_its_owner_alone_and_ends_with_its_process(tmp_path: Path) -> None:
    write_address(tmp_path, PRIVATE, pid=os.getpid())
    file = tmp_path / "broker.json"
    if os.name != "nt":
        assert file.stat().st_mode & 0o777 == 0o600
    assert read_address(tmp_path) is not None
    text = file.read_text()
    own = str(psutil.Process().create_time())
    file.write_text(text.replace(own, "1.0"))
    assert read_address(tmp_path) is None, "the number belongs to another process now"
    file.write_text(text[:20])
    assert read_address(tmp_path) is None
    file.unlink()
    assert read_address(tmp_path) is None


@pytest.mark.parametrize(
    "url", ["amqp://h", "sqla+sqlite:///x", "filesystem://", "memory://", "redis://h:port"]
)
def test_other_brokers_are_refused_by_name(tmp_path: Path, url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        resolve(settings(tmp_path, celery_broker_url=url))
    assert "CELERY_BROKER_URL" in refusal.value.message


def test_passwords_are_never_shown() -> None:
    assert hide_password("redis://:secret@h:1/0") == "redis://:***@h:1/0"
    assert hide_password("redis://me:secret@h:1/0") == "redis://me:***@h:1/0"
    assert hide_password("redis://h:1/0") == "redis://h:1/0"
    assert "pw" not in PRIVATE.describe()
