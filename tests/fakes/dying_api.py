"""An API in a process of its own that dies at a write if told so, over a desk with the real gate.

Broker, journal and idea files are kept in the folder that it is called with. Tells the address it serves and,
called with ``approval``, the id of an idea that waits for it. Ends without a word before the write
number so and so of those whose names begin as told, a torn append leaving half of its bytes; or else when
nobody listens any more.
"""

from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from backend.app import create_app
from backend.core.clock import iso
from backend.orders.tickets import Ticket
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.fakes.children import heard
from tests.fakes.evaluation_children import DyingStorage
from tests.fakes.http_app import served
from tests.fakes.live_orders import WEDNESDAY, LiveOrders
from tests.fakes.services import fake_desk

STOP = 0.01
"""How far from the price the stop of the idea that waits lies."""


def kept(data: Path, at: datetime = WEDNESDAY, storage: DyingStorage | None = None) -> LiveOrders:
    """The desk of that folder at an instant, its broker's account kept there too."""
    return LiveOrders(data, at=at, storage=storage, kept=True)


def waiting(live: LiveOrders) -> str:
    """Id of an idea that waits for approval."""
    ask = float(live.desk.market.quote("EURUSD").ask)
    ticket = Ticket(
        symbol="EURUSD", side=Side.BUY, type=OrderType.MARKET, volume=0.02, stop=round(ask - STOP, 5)
    )
    idea, _ = live.orders.tickets.judged(ticket)
    over = iso(live.desk.clock.now() + timedelta(minutes=15))
    return str(
        live.desk.book.create(idea | {"status": "pending_approval", "expires_at": over}, actor="a")["id"]
    )


def main(talk: Connection, data: Path, what: str, nth: int, torn: bool, prefix: str) -> None:
    """Serve."""
    storage = DyingStorage(data, fsync=False)
    live = kept(data, storage=storage)
    idea = waiting(live) if what == "approval" else None
    desk = fake_desk(data / "api", orders=live.orders, idea_desk=live.desk.acts)
    with served(create_app(desk)) as address:
        storage.prefix, storage.nth, storage.torn = prefix, nth, torn
        talk.send({"url": address, "idea": idea})
        heard(talk)
