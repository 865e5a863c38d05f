"""A worker that is alive and deaf, as they were seen after a restart of their Redis."""

from typing import Any

from kombu.transport.redis import MultiChannelPoller


def lose_consumers() -> None:
    """From here on this process asks its queues over its first connection alone.

    After the broker's restart it connects, answers what it is asked by remote control, and takes nothing.
    """
    poller: Any = MultiChannelPoller
    register = poller._register_BRPOP
    first: list[Any] = []

    def register_of_the_first(self: Any, channel: Any) -> None:
        if not first:
            first.append(self)
        if self is first[0]:
            register(self, channel)

    poller._register_BRPOP = register_of_the_first
