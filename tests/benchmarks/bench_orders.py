"""From an approved idea to its order, and from the kill switch to the last cancel.

``python -m tests.benchmarks.bench_orders`` starts the connector over the simulated terminal in a folder of
its own and sends from this process as a worker does, over HTTP and with every record synced to the disk.
Exits with 1 if a goal is missed.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from backend.config import load_settings
from backend.core.errors import Conflict
from backend.orders.tickets import Ticket
from backend.services import Services, build_services
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.fakes.jobs_desk import ROOT, JobsDesk
from tests.fakes.market_hours import open_clock

IDEAS = 200
ORDERS = 100
MOST_P99 = 0.100
MOST_KILL = 2.0
LIMITS = {
    "max_positions": 10_000,
    "max_positions_per_symbol": 10_000,
    "max_trades_per_day": 100_000,
    "max_orders_per_minute": 100_000,
    "open_risk_limit": 1.0,
    "margin_limit": 1.0,
    "daily_loss": {"limit": 1.0},
}


def ticket(desk: Services, kind: OrderType) -> Ticket:
    """The smallest order, far from its stop; one that waits stands 200 pips away."""
    ask = float(desk.market.quote("EURUSD").ask)
    price = None if kind is OrderType.MARKET else round(ask - 0.02, 5)
    stop = round((price or ask) - 0.005, 5)
    return Ticket(symbol="EURUSD", side=Side.BUY, type=kind, price=price, stop=stop, volume=0.01)


def approved_to_order(desk: Services) -> list[float]:
    """Seconds from `approved` on record to the answer on record, of each idea; positions are closed."""
    taken = []
    for _ in range(IDEAS):
        idea, _ = desk.orders.tickets.judged(ticket(desk, OrderType.MARKET))
        made = desk.idea_book.create(idea, actor="bench")
        began = time.perf_counter()
        status = desk.orders.sender.send(str(made["id"]), actor="bench")
        taken.append(time.perf_counter() - began)
        if status["status"] != "open":
            raise SystemExit(f"not sent: {status}")
        position = desk.idea_book.get(str(made["id"]))["position"]
        desk.orders.positions.close(position["ticket"], actor="bench", why="bench")
    return taken


def kill(desk: Services) -> tuple[float, int, int]:
    """Seconds to the last cancel, how many were cancelled, how many are left."""
    for _ in range(ORDERS):
        desk.orders.tickets.send(ticket(desk, OrderType.LIMIT), actor="bench")
    report = desk.orders.kill.pull(close=True, all_=False, actor="bench", reason="bench")
    return report["seconds_to_last_cancel"], len(report["cancelled"]), len(report["orders_left"])


def main() -> int:
    """Print the times with the machine's name and load; 1 if a goal is missed."""
    before = psutil.getloadavg()[0]
    rule = open_clock()
    with (
        tempfile.TemporaryDirectory() as folder,
        JobsDesk(Path(folder), "memory", MT5UI_SERVER_CLOCK=rule) as jobs,
    ):
        shutil.copytree(ROOT / "config", jobs.home / "config")
        (jobs.home / "config" / "risk.json").write_text(json.dumps(LIMITS), encoding="utf-8")
        jobs.start_connector()
        desk = build_services(load_settings(home=jobs.home, server_clock=rule))
        try:
            desk.orders.tickets.preview(ticket(desk, OrderType.MARKET))  # warm
            taken = approved_to_order(desk)
            seconds, cancelled, left = kill(desk)
        except Conflict as error:
            print(f"the gate refuses: {error.message}")
            return 1
        finally:
            desk.connector_link.close()
    p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"load of the machine: {before:.1f} before, {psutil.getloadavg()[0]:.1f} after, its own included")
    print(f"approved to order, {IDEAS} ideas: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
    print(f"kill switch: {cancelled} orders cancelled, {left} left, {seconds:.2f} s to the last cancel")
    print(f"goals: p99 at most {MOST_P99 * 1000:.0f} ms; {ORDERS} orders within {MOST_KILL:g} s")
    met = p99 <= MOST_P99 and seconds <= MOST_KILL and cancelled == ORDERS and not left
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
