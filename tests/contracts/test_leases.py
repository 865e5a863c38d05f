"""What every kind of lease owes the jobs: the same, as files and in a Redis."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.config import load_settings
from backend.core.errors import Unavailable
from backend.jobs.broker import connect
from backend.jobs.leases import REMOTE_SILENCE, FileLeases, Holder, Leases, exclusive, machine
from backend.jobs.leases_redis import RedisLeases
from backend.jobs.private_redis import find_server, start_private_redis, stop_private_redis
from tests.fakes.jobs import SetClock
from tests.fakes.redis_server import running_redis

LASTS = 0.4
GONE = 2**22 + 1  # above every process id that a system gives out


class Desk:
    """Makes leases of several processes over one place, and holders that this process is not."""

    def __init__(self, make: Callable[[], Leases], put: Callable[[str, Holder], None]) -> None:
        self._make = make
        self._made: list[Leases] = []
        self.put = put

    def another(self) -> Leases:
        self._made.append(self._make())
        return self._made[-1]

    def close(self) -> None:
        for leases in self._made:
            leases.close()

    def silence(self) -> None:
        """Let so much time pass that a lease which nobody renews has ended."""


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("leases")) as running:
        yield running.address.url


@pytest.fixture(params=["files", "redis"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Desk]:
    if request.param == "files":
        folder = tmp_path / "data/leases"

        def write(job_id: str, holder: Holder) -> None:
            (folder / f"{job_id}.lease").write_bytes(holder.encode())

        made = Desk(lambda: FileLeases(folder, clock), write)
        made.silence = lambda: clock.forward(seconds=REMOTE_SILENCE + 1)  # type: ignore[method-assign]
        yield made
        return
    client = connect(request.getfixturevalue("redis_url"))
    client.flushall()

    def put(job_id: str, holder: Holder) -> None:
        client.set(f"t:lease:{job_id}", holder.encode(), px=int(LASTS * 1000))

    def wait() -> None:
        end = time.monotonic() + 10
        while client.keys("t:lease:*"):
            assert time.monotonic() < end, "keys end by themselves"
            time.sleep(0.02)

    url = request.getfixturevalue("redis_url")
    made = Desk(lambda: RedisLeases(url, "t:", clock, lasts=LASTS), put)
    made.silence = wait  # type: ignore[method-assign]
    yield made
    made.close()
    client.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def holder(*, host: str, pid: int, clock: SetClock) -> Holder:
    mine = Holder.of_this_process("w", clock.wall().isoformat())
    return replace(mine, host=host, pid=pid)


class TestLeases:
    def test_one_has_it_until_it_gives_it_back(self, desk: Desk, clock: SetClock) -> None:
        mine, yours = desk.another(), desk.another()
        first = mine.take("j1", "w1")
        assert first
        assert not yours.take("j1", "w2"), "its process lives"
        assert (mine.alive("j1"), yours.alive("j1")) == (True, True)
        assert (mine.mine("j1"), yours.mine("j1")) == (True, False)
        assert (mine.held("j1"), yours.held("j1")) == (True, False)
        yours.release("j1")
        assert mine.mine("j1"), "only its holder gives it back"
        found = yours.holder("j1")
        assert found is not None
        assert (found.pid, found.host, found.worker) == (os.getpid(), machine(), "w1")
        mine.release("j1")
        assert mine.holder("j1") is None
        assert not mine.held("j1")
        clock.forward(seconds=1)
        second = yours.take("j1", "w2")
        assert second > first, "a later holder has a higher number"

    def test_of_a_dead_process_it_is_taken_over_by_one(self, desk: Desk, clock: SetClock) -> None:
        all_of_them = [desk.another() for _ in range(8)]
        desk.put("j1", holder(host=machine(), pid=GONE, clock=clock))
        assert not all_of_them[0].alive("j1") or all_of_them[0].holder("j1") is None
        got: list[bool] = []
        threads = [
            threading.Thread(target=lambda each=each: got.append(bool(each.take("j1", "w"))))
            for each in all_of_them
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == [False] * 7 + [True]

    def test_a_holder_on_another_machine_lives_until_it_falls_silent(
        self, desk: Desk, clock: SetClock
    ) -> None:
        ours = desk.another()
        desk.put("j1", holder(host="elsewhere", pid=GONE, clock=clock))
        assert ours.alive("j1")
        assert not ours.take("j1", "w"), "its process is not ours to look up"
        desk.silence()
        assert ours.take("j1", "w")

    def test_renewing_keeps_it(self, desk: Desk, clock: SetClock) -> None:
        leases = desk.another()
        leases.take("j1", "w1")
        end = time.monotonic() + 3 * LASTS
        while time.monotonic() < end:
            clock.forward(seconds=1)
            assert leases.renew() == ["j1"]
            assert leases.held("j1")
            time.sleep(LASTS / 8)
        assert leases.mine("j1")
        leases.release("j1")
        assert leases.renew() == []

    def test_whoever_was_replaced_knows_it(self, desk: Desk, clock: SetClock) -> None:
        slow, quick = desk.another(), desk.another()
        slow.take("j1", "w1")
        desk.put("j1", holder(host=machine(), pid=GONE, clock=clock))
        assert quick.take("j1", "w2")
        assert not slow.mine("j1")
        assert slow.renew() == []
        slow.release("j1")
        assert quick.mine("j1"), "what is another's is not given back"

    def test_an_id_that_looks_like_a_path_is_only_a_name(self, desk: Desk, tmp_path: Path) -> None:
        leases = desk.another()
        assert leases.take("../../escaped", "w")
        assert not list(tmp_path.glob("escaped*"))
        leases.release("../../escaped")
        assert leases.holder("../../escaped") is None


class TestExclusive:
    def test_of_many_threads_of_several_processes_one_is_inside(self, desk: Desk) -> None:
        processes = [desk.another() for _ in range(3)]
        inside: list[int] = []
        most: list[int] = []

        def change(locks: Leases, number: int) -> None:
            with exclusive(locks, "book", 30.0) as still:
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.005)
                assert still()
                inside.remove(number)

        threads = [
            threading.Thread(target=change, args=(processes[number % 3], number)) for number in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1] * 12, "each came in, and found itself alone"
        assert desk.another().holder("book") is None

    def test_who_waits_too_long_is_told_what_is_held_and_another_name_is_free(self, desk: Desk) -> None:
        ours, theirs = desk.another(), desk.another()
        with exclusive(ours, "book", 0.0):
            with pytest.raises(Unavailable, match="book is held") as refusal, exclusive(theirs, "book", 0.05):
                pytest.fail("two are inside")
            assert refusal.value.code == "locked"
            with exclusive(theirs, "keys", 0.0) as still:
                assert still()
        with exclusive(theirs, "book", 0.0) as still:
            assert still()

    def test_it_is_free_after_an_error_inside(self, desk: Desk) -> None:
        locks = desk.another()
        with pytest.raises(ZeroDivisionError), exclusive(locks, "book", 0.0):
            raise ZeroDivisionError
        with exclusive(desk.another(), "book", 0.0) as still:
            assert still()

    def test_a_process_that_died_inside_keeps_nobody_out(self, desk: Desk, clock: SetClock) -> None:
        locks = desk.another()
        desk.put("book", holder(host=machine(), pid=GONE, clock=clock))
        with exclusive(locks, "book", 0.0) as still:
            assert still()


class TestRedis:
    def test_who_stood_still_inside_knows_that_another_came_in(self, redis_url: str, clock: SetClock) -> None:
        slow, quick = (RedisLeases(redis_url, "x:", clock, lasts=LASTS) for _ in range(2))
        with exclusive(slow, "book", 0.0) as still:
            assert still()
            with exclusive(quick, "book", 10.0) as other:
                assert (still(), other()) == (False, True)
        slow.close()
        quick.close()

    def test_a_holder_that_could_not_renew_lets_go_by_its_own_clock(
        self, redis_url: str, clock: SetClock
    ) -> None:
        leases = RedisLeases(redis_url, "s:", clock, lasts=LASTS)
        other = RedisLeases(redis_url, "s:", clock, lasts=LASTS)
        leases.take("j1", "w1")
        assert leases.held("j1")
        end = time.monotonic() + 10
        while not other.take("j1", "w2"):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not leases.held("j1"), "before another may have it"
        leases.close()
        other.close()

    def test_a_lease_that_the_redis_forgot_is_put_back_unless_another_was_quicker(
        self, redis_url: str, clock: SetClock
    ) -> None:
        leases, other = (RedisLeases(redis_url, "f:", clock) for _ in range(2))
        client = connect(redis_url)
        leases.take("j1", "w1")
        leases.take("j2", "w1")
        client.flushall()
        assert other.alive("j1"), "so soon after a Redis began an absent lease says nothing"
        other.take("j2", "w2")
        assert leases.renew() == ["j1"]
        assert not other.take("j1", "w2")
        assert (leases.held("j1"), leases.held("j2")) == (True, False)
        for one in (leases, other, client):
            one.close()

    def test_of_a_lock_that_the_redis_forgot_nobody_is_the_holder(
        self, redis_url: str, clock: SetClock
    ) -> None:
        ours, theirs = (RedisLeases(redis_url, "l:", clock, puts_back=False) for _ in range(2))
        with connect(redis_url) as client, exclusive(ours, "book", 0.0) as still:
            client.flushall()
            with exclusive(theirs, "book", 0.0):
                pass  # came, changed and went before the first holder looked
            assert ours.renew() == []
            assert not still(), "what it had read may have changed meanwhile"
        for one in (ours, theirs):
            one.close()

    def test_what_was_taken_without_an_answer_keeps_nobody_out(
        self, redis_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import redis

        ours, theirs = (RedisLeases(redis_url, "o:", clock) for _ in range(2))
        take = ours._take

        def unheard(*asked: Any) -> None:
            take(*asked)
            raise redis.TimeoutError("the answer came too late")

        for name in ("j1", "j2"):
            with monkeypatch.context() as patch:
                patch.setattr(ours, "_take", unheard)
                with pytest.raises(Unavailable):
                    ours.take(name, "w1")
            assert not ours.held(name)
        assert not theirs.take("j1", "w2")
        assert ours.take("j1", "w1"), "whoever asked has it when it asks again"
        assert ours.held("j1")
        assert ours.renew() == ["j1"]
        assert theirs.take("j2", "w2"), "and what it does not ask for again is given back"
        for one in (ours, theirs):
            one.close()

    def test_a_question_that_is_asked_again_because_its_answer_got_lost_is_answered(
        self, redis_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import redis

        leases = RedisLeases(redis_url, "q:", clock)
        take = leases._take
        numbers: list[int] = []

        def dropped(*asked: Any) -> int:
            numbers.append(take(*asked))
            if len(numbers) == 1:
                raise redis.ConnectionError("reset by peer")
            return numbers[-1]

        monkeypatch.setattr(leases, "_take", dropped)
        assert leases.take("j1", "w1") == numbers[1] > numbers[0]
        assert leases.held("j1")
        leases.close()

    def test_a_renewal_that_crosses_the_giving_back_leaves_nothing(
        self, redis_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours, theirs = (RedisLeases(redis_url, "c:", clock) for _ in range(2))
        renew = ours._renew

        def late(*asked: Any) -> Any:
            ours.release("j1")
            return renew(*asked)

        ours.take("j1", "w1")
        monkeypatch.setattr(ours, "_renew", late)
        assert ours.renew() == []
        assert theirs.take("j1", "w2")
        for one in (ours, theirs):
            one.close()

    def test_a_redis_that_is_away_is_said_and_keeps_what_is_held(self, tmp_path: Path) -> None:
        settings = load_settings(home=tmp_path)
        server = find_server()
        assert server is not None
        running = start_private_redis(settings, server)
        leases = RedisLeases(running.address.url, "s:", SetClock(), patience=0.3)
        leases.take("j1", "w1")
        leases.take("j2", "w1")
        stop_private_redis(running, settings.run_dir)
        for ask in (lambda: leases.take("j3", "w1"), lambda: leases.alive("j1"), leases.renew):
            with pytest.raises(Unavailable) as refusal:
                ask()
            assert refusal.value.code == "broker_unavailable"
            assert ":***@" in refusal.value.message
        assert leases.held("j1")
        assert leases.mine("j1"), "nobody can have taken it"
        leases.release("j2")
        again = start_private_redis(settings, server, again=running.address)
        try:
            other = RedisLeases(again.address.url, "s:", SetClock())
            assert leases.renew() == ["j1"], "and what was given back meanwhile is given back"
            assert other.take("j2", "w2")
            assert not other.take("j1", "w2")
            other.close()
        finally:
            leases.close()
            stop_private_redis(again, settings.run_dir)
