"""The leases of a desk whose broker is a Redis: one key a job, which ends unless it is renewed.

A process looked up by its id tells at once that a holder on this machine is dead; of one on another
machine it is known when its key has ended. A Redis that was away or forgot everything is no reason to
run a job twice: holders put their keys back, and until they had time to, an absent key says nothing.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from backend.core.clock import Clock
from backend.core.errors import Unavailable
from backend.jobs.broker import connect, hide_password, process_lives
from backend.jobs.leases import Holder, machine
from backend.jobs.rows import written

LASTS = 60.0  # seconds for which a lease holds without renewal
SETTLES = 15.0  # seconds after a Redis began for which its holders may still put their leases back

# KEYS: lease, counter. ARGV: the dead holder to be replaced or "", the new one, milliseconds.
_TAKE = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] and held ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('INCR', KEYS[2])
"""
# KEYS: lease. ARGV: its holder, milliseconds, 1 if a lease that is not there is put back.
_RENEW = """
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] and (held or ARGV[3] == '0') then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


@dataclass(frozen=True, slots=True)
class _Own:
    """A lease of this process: what stands in the key, until when it holds by our own clock."""

    value: bytes
    until: float
    given_back: bool = False


class RedisLeases:
    """Leases as keys of a Redis. Thread-safe.

    Args:
        url: The Redis.
        prefix: Begins every key.
        clock: Stamps each taking, for people.
        patience: Seconds to wait for one answer.
        lasts: Seconds for which a lease holds without renewal.
        puts_back: Whether a holder goes on with a lease that the Redis lost and nobody has. Of a lock it
            may not: somebody may have had it meanwhile.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        clock: Clock,
        *,
        patience: float = 5.0,
        lasts: float = LASTS,
        puts_back: bool = True,
    ) -> None:
        self._where = hide_password(url)
        self._prefix = prefix
        self._clock = clock
        self._lasts = lasts
        self._puts_back = int(puts_back)
        self._client = connect(url, timeout=patience)
        self._take = self._client.register_script(_TAKE)
        self._renew = self._client.register_script(_RENEW)
        self._release = self._client.register_script(_RELEASE)
        self._mine: dict[str, _Own] = {}
        self._guard = threading.Lock()

    def take(self, job_id: str, worker: str) -> int:
        """Become the holder; the number counts all takings of the desk."""
        value = Holder.of_this_process(worker, written(self._clock.wall())).encode()
        keys = [self._key(job_id), f"{self._prefix}leases"]
        dead: bytes = b""
        for _ in range(3):
            asked = elapsed()
            try:
                number = int(self._ask(lambda: self._take(keys, [dead, value, self._milliseconds])))  # noqa: B023
            except Unavailable:
                with self._guard:  # it may have been taken all the same: then it is given back
                    self._mine.setdefault(job_id, _Own(value, asked, given_back=True))
                raise
            if number:
                with self._guard:
                    self._mine[job_id] = _Own(value, asked + self._lasts)
                return number
            dead = self._ask(lambda: self._client.get(keys[0])) or b""
            if dead and not self._is_given_back(job_id, dead) and _lives(dead):
                return 0
        return 0

    def holder(self, job_id: str) -> Holder | None:
        """Who has it, living or dead."""
        found = self._ask(lambda: self._client.get(self._key(job_id)))
        return None if found is None else Holder.decode(found)

    def alive(self, job_id: str) -> bool:
        """Whether its process runs (on this machine) or its key has not ended (on another)."""
        found = self._ask(lambda: self._client.get(self._key(job_id)))
        if found is not None:
            return _lives(found)
        up = self._ask(lambda: self._client.info("server"))["uptime_in_seconds"]
        return bool(up < SETTLES)

    def held(self, job_id: str) -> bool:
        """Whether it was taken here, and renewed within the time for which it lasts."""
        with self._guard:
            own = self._mine.get(job_id)
        return own is not None and not own.given_back and elapsed() < own.until

    def mine(self, job_id: str) -> bool:
        """Whether no other took over, as far as the Redis says; one that is away says nothing."""
        with self._guard:
            own = self._mine.get(job_id)
        if own is None or own.given_back:
            return False
        try:
            found = self._ask(lambda: self._client.get(self._key(job_id)))
        except Unavailable:
            return True
        return found is None or found == own.value

    def renew(self) -> list[str]:
        """Let each last on from now, and end those that could not be given back."""
        with self._guard:
            held = dict(self._mine)
        renewed = []
        for job_id, own in held.items():
            if own.given_back:
                self._give_back(job_id, own)
            elif self._goes_on(job_id, own):
                renewed.append(job_id)
        return renewed

    def release(self, job_id: str) -> None:
        """Remove the key, if it is still ours; with the Redis away, when it is back."""
        with self._guard:
            own = self._mine.get(job_id)
            if own is None:
                return
            own = self._mine[job_id] = replace(own, given_back=True)
        try:
            self._give_back(job_id, own)
        except Unavailable:
            return

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def _goes_on(self, job_id: str, own: _Own) -> bool:
        keys, asked = [self._key(job_id)], elapsed()
        lasts = [self._milliseconds, self._puts_back]
        ours = bool(self._ask(lambda: self._renew(keys, [own.value, *lasts])))
        with self._guard:
            still = self._mine.get(job_id) is own
            if still:
                self._mine[job_id] = replace(own, until=asked + self._lasts if ours else asked)
        if ours and not still:  # given back meanwhile, and perhaps put there again
            self._ask(lambda: self._release(keys, [own.value]))
        return ours and still

    def _is_given_back(self, job_id: str, value: bytes) -> bool:
        with self._guard:
            own = self._mine.get(job_id)
        return own is not None and own.given_back and own.value == value

    def _give_back(self, job_id: str, own: _Own) -> None:
        self._ask(lambda: self._release([self._key(job_id)], [own.value]))
        with self._guard:
            if self._mine.get(job_id) is own:
                del self._mine[job_id]

    def _ask(self, question: Callable[[], Any]) -> Any:
        import redis

        try:
            try:
                return question()
            except redis.ConnectionError:
                return question()  # a connection that went stale while idle is replaced once
        except redis.RedisError as error:
            raise Unavailable(
                "broker_unavailable",
                f"the broker {self._where} keeps no leases and locks: {error}",
                broker=self._where,
            ) from error

    @property
    def _milliseconds(self) -> int:
        return int(self._lasts * 1000)

    def _key(self, job_id: str) -> str:
        return f"{self._prefix}lease:{job_id}"


def elapsed() -> float:
    """Seconds that go on while the machine sleeps, where the system counts them."""
    if sys.platform == "linux":
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
    else:
        seconds = time.monotonic()
    return seconds


def _lives(value: bytes) -> bool:
    holder = Holder.decode(value)
    return holder.host != machine() or process_lives(holder.pid, holder.started)
