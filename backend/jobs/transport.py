"""kombu's Redis transport, for brokers that go away while messages are handed out.

kombu expects errors of connections there. Over a connection that was closed meanwhile it meets others:
giving messages back ended the whole worker, and so did acknowledging one; an acknowledgement that
failed took a slot of the worker for ever. A message that is not acknowledged is handed out again after
the visibility timeout, and passed over if its job has ended.
"""

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

log = logging.getLogger(__name__)

# Their stubs say little of these classes.
_Channel: Any = kombu_redis.Channel
_Transport: Any = kombu_redis.Transport


class QoS(_Channel.QoS):  # type: ignore[misc]
    """What one channel was handed and has not acknowledged."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; what the broker is not told is no longer held here all the same."""
        try:
            super().ack(delivery_tag)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on
            self._let_go(delivery_tag, error)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - as kombu calls it
        """Give back, or throw away; what the broker is not told is no longer held here all the same."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on
            self._let_go(delivery_tag, error)

    def restore_unacked(self, client: Any = None) -> None:
        """Give everything back before the channel closes, if the broker still takes it."""
        try:
            super().restore_unacked(client)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on
            log.info("%d messages stay with the broker: %r", len(self._delivered), error)
            self._delivered.clear()

    def _let_go(self, delivery_tag: str, error: Exception) -> None:
        log.warning("the broker was not told that message %s is done with: %r", delivery_tag, error)
        self._quick_ack(delivery_tag)


class Channel(_Channel):  # type: ignore[misc]
    """A channel with our bookkeeping."""

    QoS = QoS


class Transport(_Transport):  # type: ignore[misc]
    """kombu's transport with our channels."""

    Channel = Channel


def use() -> None:
    """Let this process speak to every Redis through it."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
