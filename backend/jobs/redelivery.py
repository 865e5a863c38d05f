"""What kombu's Redis transport leaves undone about messages that were handed out and not yet acknowledged.

A message stays in the index of unacknowledged ones with the time at which it was handed out. After
the visibility timeout anybody may hand it out again. Two things are missing there: a task that runs
longer than that is handed out beside itself, and the loop that Windows (and the solo pool while it
works) uses never hands anything out again. Both are here and nowhere else.
"""

from typing import Any

from backend.core.clock import Clock

RESTORE_EVERY = 2.0
_LOOKS = 5


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


def restore(channel: Any) -> None:
    """Hand out again what nobody acknowledged within the visibility timeout."""
    channel.qos.restore_visible(num=channel.unacked_restore_limit, interval=1)
