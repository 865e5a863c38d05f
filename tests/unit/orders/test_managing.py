"""What is open is kept by its strategy's rules, live: over the simulated market and a real book."""

import csv
import json
import shutil
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.core.timeframes import Timeframe
from backend.ideas.lifecycle import Act
from backend.journal.record import Kind
from backend.mt5.account import Position
from backend.mt5.constants import TRADE_RETCODE_DONE
from backend.mt5.structures import OrderSendResult
from backend.orders.managing import LOCK
from backend.orders.tickets import Ticket
from backend.storage.files import FileStorage
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.fakes.broker_rows import MAGIC
from tests.fakes.desk import ROOT
from tests.fakes.live_orders import LiveOrders

NEVER = "close > 1000"
ALWAYS = "close > 0"


class Managed:
    """A desk with one strategy whose rules a test writes, and a position of it."""

    def __init__(
        self,
        root: Path,
        *,
        side: Side = Side.BUY,
        exit_: str = NEVER,
        profile: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        **rules: Any,
    ) -> None:
        config = root / "config"
        shutil.copytree(ROOT / "config", config)
        for path, changes in (
            (config / "ai" / "profiles" / "EURUSD.json", profile or {}),
            (config / "risk.json", limits or {}),
        ):
            path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        strategy = {
            "id": "MANAGED",
            "symbol": "EURUSD",
            "timeframe": "M5",
            "sessions": [],
            "indicators": {"atr": {"period": 14, "multiplier": 1.5}},
            "conditions": {"entry": ["close > 2000"], "exit": [exit_]},
            "strategy": {"direction": side.direction, "min_rr": 1.0, "news_embargo_minutes": 0, **rules},
        }
        (config / "ai" / "strategies" / "MANAGED.json").write_text(json.dumps(strategy))
        self.live = LiveOrders(root / "data", config=config)
        self.home = FileStorage(root, fsync=False)
        self.manager = self.live.manager(self.home)
        self.side = side
        self.idea_id = ""

    def open(self, *, stop: int = 200, target: int = 4000, **fields: Any) -> Position:
        """Open 0.04 lots with stop and target so many points away."""
        quote = self.live.desk.market.quote("EURUSD")
        price = float(quote.ask if self.side is Side.BUY else quote.bid)
        sign = self.side.sign
        idea = self.live.orders.tickets.send(
            Ticket(
                **{
                    "symbol": "EURUSD",
                    "side": self.side,
                    "type": OrderType.MARKET,
                    "volume": 0.04,
                    "stop": round(price - sign * stop * 1e-5, 5),
                    "target": round(price + sign * target * 1e-5, 5),
                    **fields,
                }
            ),
            actor="ann",
        )
        self.idea_id = str(idea["id"])
        self.live.desk.book.step(self.idea_id, Act.RECORD, actor="test", changes={"strategy_id": "MANAGED"})
        return self.position

    @property
    def position(self) -> Position:
        (position,) = self.live.desk.client.positions()
        return position

    @property
    def idea(self) -> dict[str, Any]:
        return self.live.desk.book.get(self.idea_id)

    def later(self, **by: float) -> dict[str, Any]:
        self.live.desk.clock.move(**by)
        return self.manager.run()

    def rows(self) -> list[dict[str, str]]:
        (name,) = self.home.names("logs/trades_*.csv")
        return list(csv.DictReader(self.home.path(name).read_text().splitlines()))

    def minutes(self, since: Any) -> Any:
        return self.live.desk.market.top_up("EURUSD", Timeframe.M1, since=since)


def done(result: OrderSendResult | None) -> bool:
    return result is not None and result.retcode == TRADE_RETCODE_DONE


def test_what_asks_for_nothing_is_left_alone(tmp_path: Path) -> None:
    desk = Managed(tmp_path)
    before = desk.open()
    report = desk.later(minutes=10)
    assert (report["positions"], report["done"], report["problems"]) == (1, [], [])
    assert (desk.position.stop, desk.position.target) == (before.stop, before.target)


def test_an_exit_rule_closes_it_and_the_brokers_figures_are_logged_once(tmp_path: Path) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    desk.open()
    assert desk.later(seconds=30)["closed"] == []  # no bar of the strategy has closed since it was opened
    report = desk.later(minutes=6)
    assert report["closed"] == [desk.idea_id]
    assert desk.live.desk.client.positions() == ()
    result = desk.idea["result"]
    deals = desk.live.dealer.deals_of_position(desk.idea["position"]["id"])
    assert (desk.idea["status"], result["exit_reason"]) == ("closed", "exit_rule")
    assert Decimal(repr(result["gross"])) == sum(deal.profit for deal in deals)
    assert Decimal(repr(result["net"])) == sum(
        deal.profit + deal.commission + deal.swap + deal.fee for deal in deals
    )
    risk = 0.04 * 100_000 * abs(desk.idea["position"]["price_open"] - desk.idea["position"]["initial_stop"])
    assert result["r"] == pytest.approx(result["net"] / risk, abs=1e-6)
    for _ in range(2):
        desk.later(minutes=1)
    (row,) = desk.rows()
    assert (row["id"], row["exit_reason"], row["mae"]) == (desk.idea_id, "exit_rule", "")
    assert float(row["net"]) == result["net"]
    intents = [record.payload["why"] for record in desk.live.desk.journal.newest(kind=Kind.ORDER_INTENT)]
    assert intents[0] == "exit_rule"


def test_a_time_stop_counts_the_strategys_bars(tmp_path: Path) -> None:
    desk = Managed(tmp_path, management={"time_stop_bars": 2})
    desk.open(stop=2000)  # at 10:00:05, in the bar of 10:00
    assert desk.later(minutes=5, seconds=10)["done"] == []
    report = desk.later(minutes=5)
    assert [each["what"] for each in report["done"]] == ["time_stop"]
    assert desk.idea["result"]["exit_reason"] == "time_stop"


UNSTATED = {"commission_per_lot": None, "slippage_points": None}


@pytest.mark.parametrize(
    ("profile", "limits", "costs"),
    [
        # 3.50 a lot and side are 7 points of a lot, and a stop is expected to slip by one
        ({}, {"commission_per_lot": 5.0, "expected_slippage_points": 4.0}, "0.00008"),
        (UNSTATED, {"commission_per_lot": 5.0, "expected_slippage_points": 4.0}, "0.00014"),
        (UNSTATED, {"commission_per_lot": None, "expected_slippage_points": 4.0}, "0.00004"),
        ({"commission_per_lot": 0, "slippage_points": 0}, {"commission_per_lot": 5.0}, "0"),
    ],
    ids=["the profile's", "the desk's", "commission unknown", "stated as nothing"],
)
def test_breakeven_moves_the_stop_once_a_close_has_earned_it(
    tmp_path: Path, profile: dict[str, Any], limits: dict[str, Any], costs: str
) -> None:
    desk = Managed(tmp_path, profile=profile, limits=limits, management={"breakeven_after_r": 0.2})
    opened = desk.open(stop=300)
    entry = Decimal(repr(opened.price_open))
    earned = float(entry) + 0.2 * (float(entry) - float(opened.stop or 0))
    moved = False
    for _ in range(90):
        report = desk.later(minutes=1)
        if not desk.live.desk.client.positions():
            break
        bars = desk.minutes(opened.opened_at)
        has_earned = bool(np.any(bars.close >= earned - 1e-9))
        what = [each["what"] for each in report["done"]]
        assert what == (["breakeven"] if has_earned and not moved else [])
        moved = moved or bool(what)
        if moved:
            assert Decimal(repr(desk.position.stop)) == entry + Decimal(costs)
    assert moved, "the market of this seed earns it within the hour and a half"


def test_a_trailing_stop_follows_closes_and_never_goes_back(tmp_path: Path) -> None:
    desk = Managed(tmp_path, side=Side.SELL, management={"trail_atr": 1.0})
    desk.open(stop=400)
    stops: list[float] = []
    for _ in range(60):
        desk.later(minutes=1)
        if not desk.live.desk.client.positions():
            break
        stops.append(desk.position.stop or 0.0)
    assert stops == sorted(stops, reverse=True)
    assert len(set(stops)) > 2


def test_a_part_is_closed_once_at_its_level(tmp_path: Path) -> None:
    desk = Managed(tmp_path, management={"partial_at_r": 0.2, "partial_fraction": 0.5})
    opened = desk.open(stop=300)
    parts = 0
    for _ in range(90):
        report = desk.later(minutes=1)
        parts += sum(each["what"] == "partial" for each in report["done"])
    assert parts == 1
    assert desk.idea["management"]["parted"] is True
    if desk.live.desk.client.positions():
        assert desk.position.volume == Decimal("0.02")
    deals = desk.live.dealer.deals_of_position(opened.identifier)
    assert deals[1].volume == Decimal("0.02")


def test_a_part_below_the_smallest_volume_is_left_and_said_once(tmp_path: Path) -> None:
    desk = Managed(tmp_path, management={"partial_at_r": 0.1, "partial_fraction": 0.5})
    desk.open(stop=300, volume=0.01)
    for _ in range(90):
        desk.later(minutes=1)
    steps = [step for step in desk.idea["history"] if "smallest volume" in step["why"]]
    assert len(steps) == 1
    assert len(desk.live.dealer.deals_of_position(desk.idea["position"]["id"])) <= 2


def test_nothing_is_held_over_the_weekend(tmp_path: Path) -> None:
    desk = Managed(tmp_path, management={"close_before_weekend": True})
    desk.live.desk.clock.at = desk.live.desk.clock.at.replace(day=6, hour=20, minute=30)
    desk.open(stop=2000)  # 22:30 on the server, an hour and a half before the weekend
    assert desk.later(minutes=75)["done"] == []
    report = desk.later(minutes=8)  # 23:53: the bar of 23:50 is the week's last
    assert [each["what"] for each in report["done"]] == ["weekend"]
    assert desk.idea["result"]["exit_reason"] == "weekend"


def test_a_stop_at_the_broker_closes_the_idea_with_its_figures(tmp_path: Path) -> None:
    desk = Managed(tmp_path)
    desk.open(stop=30)
    for _ in range(120):
        if desk.later(minutes=1)["closed"]:
            break
    assert desk.idea["result"]["exit_reason"] == "stop"
    assert desk.idea["result"]["r"] <= -1
    assert len(desk.rows()) == 1


def test_a_stop_that_was_taken_away_is_put_back(tmp_path: Path) -> None:
    desk = Managed(tmp_path)
    before = desk.open(stop=2000)
    api = desk.live.desk.client.api
    api.order_send({"action": 6, "position": before.ticket, "symbol": "EURUSD", "tp": before.target})
    assert desk.position.stop is None
    report = desk.later(minutes=1)
    assert [each["what"] for each in report["done"]] == ["stop put back"]
    assert desk.position.stop == before.stop


def test_what_a_person_changes_at_the_terminal_is_on_record_and_respected(tmp_path: Path) -> None:
    desk = Managed(tmp_path, management={"trail_atr": 1.0})
    before = desk.open(stop=2000)
    api = desk.live.desk.client.api
    lower = round(float(before.stop or 0) - 0.005, 5)
    request = {"action": 6, "position": before.ticket, "symbol": "EURUSD", "sl": lower, "tp": before.target}
    assert done(api.order_send(request))
    desk.later(seconds=1)
    assert desk.position.stop == lower, "bars from before the change do not undo it"
    (told,) = [step["why"] for step in desk.idea["history"] if step["why"].startswith("changed elsewhere")]
    assert f"{before.stop} → {lower}" in told
    close = {
        "action": 1,
        "position": before.ticket,
        "symbol": "EURUSD",
        "type": 1,
        "volume": 0.01,
        "type_filling": 1,
    }
    assert done(api.order_send(close))
    desk.later(seconds=1)
    assert desk.idea["management"]["volume"] == 0.03
    api.order_send({**close, "volume": 0.03})
    assert desk.later(seconds=1)["closed"] == [desk.idea_id]
    assert desk.idea["result"]["exit_reason"] == "person"
    assert desk.idea["result"]["volume"] == 0.04


def test_a_position_of_others_is_counted_and_left(tmp_path: Path) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    request = {"action": 1, "symbol": "EURUSD", "type": 0, "volume": 0.1, "type_filling": 1, "magic": 77}
    assert done(desk.live.desk.client.api.order_send(request))
    report = desk.later(minutes=10)
    assert (report["foreign"], report["positions"], report["done"]) == (1, 0, [])
    assert len(desk.live.desk.client.positions()) == 1


def test_a_position_with_our_number_and_no_idea_is_named(tmp_path: Path) -> None:
    desk = Managed(tmp_path)
    request = {"action": 1, "symbol": "EURUSD", "type": 0, "volume": 0.1, "type_filling": 1, "magic": MAGIC}
    desk.live.desk.client.api.order_send(request)
    assert [problem["code"] for problem in desk.later(minutes=1)["problems"]] == ["no_idea"]
    assert len(desk.live.desk.client.positions()) == 1


def test_a_strategy_whose_file_is_gone_leaves_stop_and_target(tmp_path: Path) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    before = desk.open(stop=2000)
    (tmp_path / "config" / "ai" / "strategies" / "MANAGED.json").unlink()
    report = desk.later(minutes=10)
    assert [problem["code"] for problem in report["problems"]] == ["no_strategy"]
    assert (desk.position.stop, desk.position.target) == (before.stop, before.target)


def test_a_waiting_order_is_taken_back_when_its_rules_turn_against_it(tmp_path: Path) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    quote = desk.live.desk.market.quote("EURUSD")
    entry = round(float(quote.bid) - 0.0100, 5)
    idea = desk.live.orders.tickets.send(
        Ticket(
            symbol="EURUSD",
            side=Side.BUY,
            type=OrderType.LIMIT,
            volume=0.04,
            price=entry,
            stop=round(entry - 0.002, 5),
            target=round(entry + 0.004, 5),
        ),
        actor="ann",
    )
    desk.idea_id = str(idea["id"])
    assert idea["status"] == "placed"
    assert len(desk.live.dealer.orders()) == 1
    desk.live.desk.book.step(desk.idea_id, Act.RECORD, actor="test", changes={"strategy_id": "MANAGED"})
    assert desk.later(minutes=1)["done"] == []
    report = desk.later(minutes=5)
    assert [each["what"] for each in report["done"]] == ["cancel"]
    assert desk.live.dealer.orders() == ()
    assert desk.idea["status"] == "cancelled"


def test_one_manager_works_at_a_time(tmp_path: Path) -> None:
    desk = Managed(tmp_path, exit_=ALWAYS)
    desk.open()
    reports: list[dict[str, Any]] = []
    desk.live.desk.clock.move(minutes=10)
    with desk.live.desk.storage.lock(LOCK, 1.0):
        other = threading.Thread(target=lambda: reports.append(desk.manager.run()))
        other.start()
        other.join(20)
    (report,) = reports
    assert [problem["code"] for problem in report["problems"]] == ["busy"]
    assert len(desk.live.desk.client.positions()) == 1
