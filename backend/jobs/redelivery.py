"""What kombu's Redis transport leaves undone about messages that were handed out and not yet acknowledged.

A message stays in the index of unacknowledged ones with the time at which it was handed out. After
the visibility timeout anybody may hand it out again. Two things are missing there: a task that runs
longer than that is handed out beside itself, and the loop that Windows (and the solo pool while it
works) uses never hands anything out again. Both are here and nowhere else, and so is the look at what
a Redis has: one that was killed lost what it had not written, and a consumer that was killed in mid
hand-over lost what it was handed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from backend.core.clock import Clock

RESTORE_EVERY = 2.0
_LOOKS = 5
_PAGE = 1000  # messages read at once


def acknowledges_late(channel: Any) -> bool:
    """Whether the channel keeps such an index: Redis does, memory does not."""
    return hasattr(channel, "qos") and hasattr(channel.qos, "unacked_index_key")


def held_tags(channel: Any) -> list[str]:
    """Delivery tags that this channel was handed and has not acknowledged."""
    for _ in range(_LOOKS):
        try:
            return [str(tag) for tag in list(channel.qos._delivered)]  # noqa: SLF001 - kombu has no public name
        except RuntimeError:
            continue  # it changed while we looked, in the thread that owns it
    return []


def renew(channel: Any, clock: Clock) -> int:
    """Count the visibility timeout of everything this channel holds from now; gives how many.

    Only entries still in the index are touched: what was acknowledged or handed out again stays so.
    """
    tags = held_tags(channel)
    if not tags:
        return 0
    qos = channel.qos
    with channel.conn_or_acquire() as client:
        client.zadd(qos.unacked_index_key, dict.fromkeys(tags, clock.wall().timestamp()), xx=True)
    return len(tags)


def job_ids(channel: Any, queues: Sequence[str]) -> frozenset[str] | None:
    """Ids of the jobs whose messages wait in those queues or are handed out and not acknowledged.

    None where the channel keeps no such index. Queues are read first: what is handed out meanwhile is
    found in the index.
    """
    if not acknowledges_late(channel):
        return None
    prefix = channel.global_keyprefix
    found: set[str] = set()
    with channel.conn_or_acquire() as client:
        for queue in queues:
            for step in channel.priority_steps:
                key = prefix + channel._q_for_pri(queue, step)  # noqa: SLF001 - kombu has no public name
                found.update(map(_job_id, _listed(client, key)))
        for _, packed in client.hscan_iter(prefix + channel.qos.unacked_key, count=_PAGE):
            found.add(_job_id(packed))
    return frozenset(found)


def _listed(client: Any, key: str) -> Iterator[bytes]:
    # From the end at which messages are added: what is taken from the other end shifts no place.
    start = 0
    while page := client.lrange(key, start, start + _PAGE - 1):
        yield from page
        start += len(page)


def _job_id(packed: bytes) -> str:
    content = orjson.loads(packed)
    message = content[0] if isinstance(content, list) else content
    return str(message["headers"]["id"])


def restore(channel: Any) -> None:
    """Hand out again what nobody acknowledged within the visibility timeout."""
    channel.qos.restore_visible(num=channel.unacked_restore_limit, interval=1)
