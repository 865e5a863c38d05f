"""What every kind of broker owes the job service: the same, found on this machine or in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.config import load_settings
from backend.core.errors import Invalid, Unavailable
from backend.jobs.app import build_app
from backend.jobs.broker import BrokerAddress, BrokerKind, check, connect, memory_address
from backend.jobs.private_redis import start_private_redis, stop_private_redis
from backend.jobs.publisher import CeleryPublisher, Message, Publisher
from tests.fakes.jobs import FakePublisher
from tests.fakes.redis_server import redis_server, running_redis

TASK = "desk.tasks.plain"


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerAddress]:
    with running_redis(tmp_path_factory.mktemp("broker with space")) as running:
        yield running.address


@pytest.fixture(params=["fake", "memory", "redis"])
def publisher(request: pytest.FixtureRequest) -> Iterator[Publisher]:
    if request.param == "fake":
        yield FakePublisher()
        return
    address = memory_address()
    if request.param == "redis":
        address = request.getfixturevalue("redis_address")
    made = CeleryPublisher(build_app(address))
    yield made
    made.close()


def redis_behind(publisher: CeleryPublisher) -> bool:
    return str(publisher._app.conf.broker_url).startswith("redis")


class TestPublisher:
    def test_a_message_is_taken_and_counted(self, publisher: Publisher) -> None:
        before = publisher.depths(["research"])["research"] or 0
        publisher.publish(Message(job_id="a", task=TASK, kwargs={"n": 1}, queue="research"))
        publisher.publish(Message(job_id="b", task=TASK, kwargs={}, queue="research"))
        if isinstance(publisher, FakePublisher):
            publisher.waiting = {"research": before + len(publisher.published)}
        assert publisher.depths(["research"]) == {"research": before + 2}

    def test_what_the_broker_has_is_named_waiting_or_handed_out(self, publisher: Publisher) -> None:
        ids = [f"{number:04d}" for number in range(1500)]  # more than is read at once
        publisher.publish(
            *(Message(job_id=job_id, task=TASK, kwargs={}, queue="data_collection") for job_id in ids)
        )
        if isinstance(publisher, FakePublisher):
            publisher.has = frozenset(publisher.ids())
        known = publisher.known(["data_collection", "orders"])
        if known is None:
            assert isinstance(publisher, CeleryPublisher)
            assert not redis_behind(publisher), "only a broker that loses nothing need not say"
            return
        assert known >= set(ids)
        if isinstance(publisher, CeleryPublisher):
            app = publisher._app
            with app.connection_for_read() as connection:
                queue = app.amqp.queues["data_collection"](connection.channel())
                message = queue.get(no_ack=False)
                assert message is not None
                assert message.headers["id"] == "0000"
                assert publisher.known(["data_collection"]) == known, "handed out is not lost"
                queue.purge()
                assert publisher.known(["data_collection"]) == frozenset({"0000"})
                message.ack()

    def test_depths_name_every_queue_asked_for(self, publisher: Publisher) -> None:
        assert set(publisher.depths(["orders", "monitoring"])) == {"orders", "monitoring"}


class TestRedis:
    def test_a_redis_that_will_do_is_told_by_its_version(self, redis_address: BrokerAddress) -> None:
        assert tuple(int(part) for part in check(redis_address).split(".")[:2]) >= (6, 2)
        assert check(memory_address()) == "memory"

    def test_eviction_is_refused_by_name(self, redis_address: BrokerAddress) -> None:
        client = connect(redis_address.url)
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(Invalid) as refusal:
                check(redis_address)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.close()
        assert (refusal.value.details["check"], refusal.value.code) == ("noeviction", "broker_evicts")

    def test_a_wrong_password_is_refused_by_name(self, redis_address: BrokerAddress) -> None:
        host = redis_address.url.rpartition("@")[2]
        url = f"redis://:wrong@{host}"
        wrong = BrokerAddress(kind=BrokerKind.REDIS, url=url, result_url=url, source="REDIS_URL")
        with pytest.raises(Unavailable) as refusal:
            check(wrong)
        assert refusal.value.details["check"] == "ping"
        assert "REDIS_URL" in refusal.value.message
        assert "wrong@" not in refusal.value.message

    def test_it_listens_on_loopback_alone_and_asks_for_its_password(
        self, redis_address: BrokerAddress
    ) -> None:
        client = connect(redis_address.url)
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        assert client.config_get("appendonly")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        client.close()


def test_what_a_killed_desk_left_running_is_ended_and_its_work_is_kept(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    server = redis_server()
    left = start_private_redis(settings, server)
    before = CeleryPublisher(build_app(left.address))
    before.publish(Message(job_id="a", task=TASK, kwargs={}, queue="research"))
    before.close()
    running = start_private_redis(settings, server)
    try:
        assert left.process.wait(5) is not None
        publisher = CeleryPublisher(build_app(running.address))
        assert publisher.depths(["research"]) == {"research": 1}
        assert running.address.url != left.address.url, "with a password and a port of its own"
        again = start_private_redis(settings, server, again=running.address)
        running.process.wait(5)
        running = again
        assert publisher.depths(["research"]) in ({"research": 1}, {"research": None})
        publisher.publish(Message(job_id="b", task=TASK, kwargs={}, queue="orders"))
        publisher.close()
    finally:
        stop_private_redis(running, settings.run_dir)
