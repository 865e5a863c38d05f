"""A desk that sends orders in a process of its own, and dies at a write if told so.

The broker's account is kept in the same folder, so that its writes are among those at which the process
dies: then the connector died with the request in its hands. Is asked ``{"do": act, "at": seconds, "nth":
number, "torn": bool, "script": {number: fault}, "idea": fields}``, and answers each with what became of it.
"""

from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fakes.children import heard
from tests.fakes.evaluation_children import DyingStorage
from tests.fakes.order_desk import OrderDesk, kill_switch
from tests.fakes.scripted_market import START


def main(talk: Connection, data: Path) -> None:
    """Do whatever it is asked to."""
    while asked := heard(talk):
        storage = DyingStorage(data, fsync=False)
        desk = OrderDesk(data, script=asked.get("script", {}), storage=storage, kept=True)
        desk.stage.now = START
        desk.stage.go(seconds=asked.get("at", 0))
        storage.prefix, storage.nth, storage.torn = "", asked.get("nth", 0), asked.get("torn", False)
        result = ACTS[asked["do"]](desk, asked)
        talk.send({"did": result, "left": storage.nth})


def _pend(desk: OrderDesk, _: dict[str, Any]) -> list[int]:
    return [desk.pend(2, 1.08 - number / 1000, volume=0.01) for number in range(3)]


def _close(desk: OrderDesk, _: dict[str, Any]) -> str:
    ticket = desk.client.positions()[0].ticket
    return str(desk.positions.close(ticket, actor="test", why="test").became)


def _kill(desk: OrderDesk, _: dict[str, Any]) -> Any:
    return kill_switch(desk).pull(close=True, all_=False, actor="test", reason="test")["orders_left"]


ACTS: dict[str, Callable[[OrderDesk, dict[str, Any]], Any]] = {
    "idea": lambda desk, asked: desk.idea(**asked.get("idea", {})),
    "send": lambda desk, _: desk.send()["status"],
    "recover": lambda desk, _: desk.recovery.run()["problems"],
    "open": lambda desk, _: desk.open(),
    "orders": _pend,
    "kill": _kill,
    "close": _close,
}
