"""On a desk of several hosts nothing is sent without the lock that keeps the others from sending it."""

from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Unavailable
from backend.orders.intents import Intent
from backend.storage.files import FileStorage
from tests.fakes.hosts import FakeHosts
from tests.fakes.order_desk import OrderDesk


@pytest.fixture
def hosts() -> FakeHosts:
    return FakeHosts()


@pytest.fixture
def desk(tmp_path: Path, hosts: FakeHosts) -> OrderDesk:
    made = OrderDesk(tmp_path, storage=FileStorage(tmp_path, fsync=False, hosts=hosts))
    made.idea()
    return made


def test_nothing_is_sent_while_what_keeps_the_locks_is_away(desk: OrderDesk, hosts: FakeHosts) -> None:
    hosts.away = True
    with pytest.raises(Unavailable, match="keeps no locks"):
        desk.send()
    assert desk.sent == []
    assert desk.book.get("i-1")["status"] == "approved"
    hosts.away = False
    assert desk.send()["status"] == "open"


def test_a_sender_that_lost_its_lock_after_the_intent_was_on_record_sends_nothing(
    desk: OrderDesk, hosts: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over = desk.asking.hand_over

    def late(intent: Intent, *, actor: str) -> Any:
        hosts.lost = True
        return hand_over(intent, actor=actor)

    with monkeypatch.context() as patch:
        patch.setattr(desk.asking, "hand_over", late)
        with pytest.raises(Unavailable) as refused:
            desk.send()
    assert refused.value.code == "lock_lost"
    assert desk.sent == []
    assert desk.book.get("i-1")["status"] == "sending"
    hosts.lost = False
    desk.recovery.run()  # of another host, which finds that nobody holds the sender's lock
    assert desk.book.get("i-1")["status"] == "failed", "nothing of it is at the broker"
    assert desk.sent == []
