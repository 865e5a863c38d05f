"""The trading side in the desk's words: one suite, over the terminal itself and through the connector."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.adapters.connector_client import ConnectorAddress, ConnectorApi, ConnectorLink
from backend.connector.app import create_connector
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.mt5.answers import NoAnswer, NotSent, SendAnswer
from backend.mt5.api import CallFailed
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.orders import OrderRequest
from backend.mt5.words import (
    DealEntry,
    DealType,
    Filling,
    OrderState,
    OrderType,
    Reason,
    TimeType,
    TradeAction,
)
from backend.simulator.build import build_simulated_terminal
from backend.simulator.faults import Fault, Faults
from backend.simulator.terms import BrokerTerms
from tests.contracts.test_connector import TOKEN, link_to
from tests.contracts.test_mt5_api import CLOCK, NOW
from tests.fakes.http_app import served
from tests.fakes.terminal import FakeTerminal

EURO = "EURO"  # the desk's name of the broker's EURUSD
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
COMMENT = "o-0123456789abcdef0123"


class Names:
    """A symbol map with another name than the broker's."""

    def broker_symbol(self, canonical: str) -> str:
        if canonical != EURO:
            raise NotFound("unknown_symbol", canonical)
        return "EURUSD"

    def canonical(self, broker_symbol: str) -> str | None:
        return EURO if broker_symbol == "EURUSD" else None


class Sides:
    """Both sides of one terminal, and the terminal itself."""

    def __init__(self, api: Any, terminal: Any) -> None:
        self.dealer = Dealer(api, Names(), CLOCK)
        self.client = MT5Client(api, Names(), CLOCK)
        self.terminal = terminal

    def buy(self, volume: str = "0.3", **changes: Any) -> OrderRequest:
        given: dict[str, Any] = {
            "action": TradeAction.DEAL,
            "symbol": EURO,
            "volume": Decimal(volume),
            "type": OrderType.BUY,
            "price": self.client.quote(EURO).ask,
            "magic": 5_100_501,
            "comment": COMMENT,
            "filling": Filling.IOC,
        }
        return OrderRequest(**(given | changes))

    def sell(self, volume: str, position: int) -> OrderRequest:
        price = self.client.quote(EURO).bid
        return self.buy(volume, type=OrderType.SELL, price=price, position=position)

    def sent(self, request: OrderRequest) -> SendAnswer:
        result = self.dealer.send(request)
        assert isinstance(result, SendAnswer), result
        return result


MakeSides = Callable[..., Sides]


class DealerContract:
    """The rules. `make` gives both sides of a terminal with a new account of 10,000 USD."""

    @pytest.fixture
    def make(self) -> Any:
        raise NotImplementedError

    def terminal(self, faults: Mapping[int, Fault], **more: Any) -> Any:
        terms = BrokerTerms(faults=Faults(script=dict(faults), **more))
        return build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW, terms=terms)

    def test_a_deal_and_its_end_are_told_in_the_desk_s_words(self, make: MakeSides) -> None:
        desk = make()
        request = desk.buy(stop=Decimal("1.0"), target=Decimal("1.5"))
        check = desk.dealer.check(request)
        assert check.ok
        assert check.margin == desk.dealer.margin(OrderType.BUY, EURO, Decimal("0.3"), request.price or 0)  # type: ignore[arg-type]  # it has a price
        opened = desk.sent(request)
        assert opened.success
        assert (opened.retcode, opened.volume, opened.price) == (10_009, Decimal("0.3"), request.price)
        (position,) = desk.client.positions()
        assert (position.symbol, position.broker_symbol) == (EURO, "EURUSD")
        assert (position.ticket, position.identifier) == (opened.order, opened.order)
        assert (position.magic, position.comment) == (5_100_501, COMMENT)
        assert desk.client.position(position.ticket) == position
        assert desk.client.position(1) is None
        assert desk.sent(desk.sell("0.1", position.ticket)).success
        assert desk.sent(desk.sell("0.2", position.ticket)).success
        assert desk.client.positions() == ()

        deals = desk.dealer.deals_of_position(position.identifier)
        assert [(d.entry, d.type, d.volume) for d in deals] == [
            (DealEntry.IN, DealType.BUY, Decimal("0.3")),
            (DealEntry.OUT, DealType.SELL, Decimal("0.1")),
            (DealEntry.OUT, DealType.SELL, Decimal("0.2")),
        ]
        assert {(d.symbol, d.magic, d.reason, d.trade) for d in deals} == {
            (EURO, 5_100_501, Reason.EXPERT, True)
        }
        assert all(abs(d.time - NOW) < timedelta(seconds=1) for d in deals)
        assert [d.ticket for d in desk.dealer.deals_of_order(opened.order)] == [opened.deal]
        assert desk.dealer.deals_of_order(1) == desk.dealer.deals_of_position(1) == ()
        balance = Decimal(repr(desk.client.account().balance))
        assert balance == 10_000 + sum(deal.net for deal in deals)
        order = desk.dealer.history_order(opened.order)
        assert order is not None
        assert (order.state, order.volume, order.volume_left) == (
            OrderState.FILLED,
            Decimal("0.3"),
            Decimal(0),
        )
        assert desk.dealer.history_order(1) is None
        assert desk.dealer.orders() == ()

    def test_what_just_happened_is_in_a_range_that_ends_now_or_is_open(self, make: MakeSides) -> None:
        desk = make()
        opened = desk.sent(desk.buy())
        for until in (None, NOW, NOW + timedelta(days=1)):
            since = NOW - timedelta(seconds=5)
            assert opened.deal in {deal.ticket for deal in desk.dealer.deals(since, until)}
            assert opened.order in {order.ticket for order in desk.dealer.history_orders(since, until)}
        for since, until in ((NOW + timedelta(seconds=2), None), (LONG_AGO, NOW - timedelta(seconds=2))):
            assert opened.deal not in {deal.ticket for deal in desk.dealer.deals(since, until)}
            assert desk.dealer.history_orders(since, until) == ()
        deposit = next(deal for deal in desk.dealer.deals(LONG_AGO) if not deal.trade)
        assert (deposit.type, deposit.symbol, deposit.net, deposit.price) == (
            DealType.BALANCE,
            "",
            Decimal(10_000),
            None,
        )
        with pytest.raises(Invalid):
            desk.dealer.deals(NOW, NOW - timedelta(seconds=1))
        with pytest.raises(Invalid):
            desk.dealer.deals(NOW.replace(tzinfo=None))

    def test_a_pending_order_and_its_expiry_in_utc(self, make: MakeSides) -> None:
        desk = make()
        bid = desk.client.quote(EURO).bid
        expires = NOW.replace(microsecond=0) + timedelta(hours=3)
        request = desk.buy(
            action=TradeAction.PENDING,
            type=OrderType.BUY_LIMIT,
            price=bid - Decimal("0.004"),
            stop=bid - Decimal("0.008"),
            filling=Filling.RETURN,
            time_type=TimeType.SPECIFIED,
            expires_at=expires.astimezone(),  # any zone is its moment
        )
        placed = desk.sent(request)
        assert (placed.retcode, placed.deal) == (10_008, 0)
        (order,) = desk.dealer.orders()
        assert desk.dealer.order(order.ticket) == order
        assert (order.ticket, order.symbol, order.type) == (placed.order, EURO, OrderType.BUY_LIMIT)
        assert (order.state, order.filling, order.time_type) == (
            OrderState.PLACED,
            Filling.RETURN,
            TimeType.SPECIFIED,
        )
        assert (order.price, order.stop, order.target) == (request.price, request.stop, None)
        assert (order.volume, order.volume_left) == (Decimal("0.3"), Decimal("0.3"))
        assert (order.expires_at, order.done_at) == (expires, None)
        assert order.expires_at is not None
        assert order.expires_at.utcoffset() == timedelta(0)
        assert abs(order.placed_at - NOW) < timedelta(seconds=1)
        raw = desk.terminal.orders_get()[0]
        assert raw.time_expiration == int(expires.timestamp()) + 2 * 3600  # the server's wall clock

        assert request.price is not None
        lower = request.price - Decimal("0.001")
        change = OrderRequest(
            action=TradeAction.MODIFY,
            order=order.ticket,
            price=lower,
            time_type=TimeType.SPECIFIED,
            expires_at=expires,
        )
        assert desk.sent(change).retcode == 10_009
        (changed,) = desk.dealer.orders()
        assert (changed.price, changed.stop, changed.expires_at) == (lower, None, expires)
        assert desk.sent(OrderRequest(action=TradeAction.REMOVE, order=order.ticket)).success
        assert desk.dealer.orders() == ()
        assert desk.dealer.order(order.ticket) is None
        done = desk.dealer.history_order(order.ticket)
        assert done is not None
        assert done.state is OrderState.CANCELED
        assert done.done_at is not None

    def test_what_is_not_given_is_taken_away(self, make: MakeSides) -> None:
        desk = make()
        ticket = desk.sent(desk.buy(stop=Decimal("1.0"), target=Decimal("1.5"))).order
        change = OrderRequest(action=TradeAction.SLTP, symbol=EURO, position=ticket, stop=Decimal("1.01"))
        assert desk.sent(change).retcode == 10_009
        (position,) = desk.client.positions()
        assert (position.stop, position.target) == (1.01, None)
        again = desk.sent(change)
        assert (again.retcode, again.success) == (10_025, False)

    def test_opposite_positions_close_each_other(self, make: MakeSides) -> None:
        desk = make()
        long = desk.sent(desk.buy()).order
        short = desk.sent(desk.sell("0.3", 0)).order
        request = OrderRequest(action=TradeAction.CLOSE_BY, position=long, position_by=short)
        assert desk.sent(request).success
        assert desk.client.positions() == ()

    def test_a_symbol_that_the_map_lacks(self, make: MakeSides) -> None:
        desk = make()
        with pytest.raises(NotFound):
            desk.dealer.send(desk.buy(symbol="USDJPY"))
        with pytest.raises(NotFound):
            desk.dealer.check(desk.buy(symbol="USDJPY"))
        tick = desk.terminal.symbol_info_tick("USDJPY")
        named = desk.buy(symbol="", broker_symbol="USDJPY", price=Decimal(repr(tick.ask)))
        assert desk.sent(named).success
        (position,) = desk.client.positions()
        assert (position.symbol, position.broker_symbol) == ("USDJPY", "USDJPY")
        (deal,) = desk.dealer.deals_of_position(position.identifier)
        assert deal.symbol == "USDJPY"

    @pytest.mark.parametrize(
        ("changes", "retcode"),
        [
            ({"volume": Decimal("0.001")}, 10_014),
            ({"volume": Decimal(99)}, 10_019),
            ({"filling": Filling.RETURN}, 10_030),
            ({"stop": Decimal(9)}, 10_016),
            ({"position": 424_242}, 10_036),
        ],
    )
    def test_a_refusal_is_an_answer(self, make: MakeSides, changes: dict[str, Any], retcode: int) -> None:
        desk = make()
        request = desk.buy(**changes)
        check = desk.dealer.check(request)
        assert (check.ok, check.retcode) == (False, retcode)
        answer = desk.sent(request)
        assert (answer.success, answer.retcode) == (False, retcode)
        assert answer.as_dict()["outcome"] == "answered"
        assert desk.client.positions() == ()

    @pytest.mark.parametrize(("fault", "executed"), [(Fault.NO_ANSWER, 0), (Fault.NO_ANSWER_EXECUTED, 1)])
    def test_no_answer_says_nothing_of_what_was_done_and_nothing_is_sent_again(
        self, make: MakeSides, fault: Fault, executed: int
    ) -> None:
        desk = make({1: fault})
        result = desk.dealer.send(desk.buy())
        assert result == NoAnswer(-10_005, "IPC timeout")
        assert len(desk.client.positions()) == executed
        assert len(desk.dealer.history_orders(LONG_AGO)) == executed
        assert desk.sent(desk.buy()).success  # the second request of the account, not its third
        assert len(desk.client.positions()) == executed + 1

    def test_a_broker_that_is_lost_answers_so(self, make: MakeSides) -> None:
        desk = make({1: Fault.DISCONNECT})
        answer = desk.sent(desk.buy())
        assert (answer.retcode, answer.success, answer.row.then) == (10_031, False, "unknown")
        assert desk.client.terminal().connected is False

    def test_part_of_the_volume(self, make: MakeSides) -> None:
        desk = make({1: Fault.PARTIAL})
        answer = desk.sent(desk.buy("0.3"))
        assert (answer.retcode, answer.success, answer.volume) == (10_010, True, Decimal("0.15"))

    def test_comments_as_long_as_a_terminal_reads(self, make: MakeSides) -> None:
        desk = make()
        for comment in ("x" * 29, "ü" * 29, "😀" * 14):
            assert desk.sent(desk.buy("0.01", comment=comment)).success
        assert {one.comment for one in desk.client.positions()} == {"x" * 29, "ü" * 29, "😀" * 14}


class TestInProcess(DealerContract):
    """The terminal itself."""

    @pytest.fixture
    def make(self) -> MakeSides:
        def build(faults: Mapping[int, Fault] | None = None, **more: Any) -> Sides:
            terminal = self.terminal(faults or {}, **more)
            return Sides(terminal, terminal)

        return build


class TestThroughConnector(DealerContract):
    """Behind HTTP."""

    @pytest.fixture
    def make(self) -> Iterator[MakeSides]:
        with served_links() as open_link:

            def build(faults: Mapping[int, Fault] | None = None, **more: Any) -> Sides:
                terminal = self.terminal(faults or {}, **more)
                return Sides(ConnectorApi(open_link(terminal)), terminal)

            yield build


@contextmanager
def served_links() -> Iterator[Callable[..., ConnectorLink]]:
    """Serves terminals, each behind a connector, until the end."""
    with ExitStack() as stack:
        yield lambda terminal: stack.enter_context(link_to(create_connector(terminal, token=TOKEN)))


class ScriptedTerminal(FakeTerminal):
    """Answers trade requests as told."""

    def __init__(self, error: tuple[int, str] | Exception | None = None) -> None:
        super().__init__()
        self.error = error

    def _order_send(self, _request: Any) -> Any:
        if isinstance(self.error, Exception):
            raise self.error
        if self.error is not None:
            raise CallFailed(*self.error)
        return None


def a_request() -> OrderRequest:
    return OrderRequest(
        action=TradeAction.DEAL, symbol=EURO, volume=Decimal("0.1"), type=OrderType.SELL, comment=COMMENT
    )


class TestFateOfARequest:
    """What is known of a request that was not answered; the terminal is asked once, whatever comes."""

    @pytest.fixture(params=["in process", "connector"])
    def dealer_of(self, request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Dealer]]:
        with served_links() as open_link:
            direct = request.param == "in process"
            yield lambda one: Dealer(one if direct else ConnectorApi(open_link(one)), Names(), CLOCK)

    @pytest.mark.parametrize("code", [-2, -5, -6, -7, -8, -10_003, -10_004])
    def test_errors_that_prove_that_nothing_went_out(
        self, dealer_of: Callable[[Any], Dealer], code: int
    ) -> None:
        terminal = ScriptedTerminal((code, "said"))
        assert dealer_of(terminal).send(a_request()) == NotSent(code, "said")
        assert terminal.asked("order_send") == 1

    @pytest.mark.parametrize("code", [1, -1, -3, -4, -10_000, -10_001, -10_002, -10_005, -99_999])
    def test_errors_that_prove_nothing(self, dealer_of: Callable[[Any], Dealer], code: int) -> None:
        terminal = ScriptedTerminal((code, "said"))
        assert dealer_of(terminal).send(a_request()) == NoAnswer(code, "said")
        assert terminal.asked("order_send") == 1

    def test_nothing_and_no_error(self, dealer_of: Callable[[Any], Dealer]) -> None:
        assert dealer_of(ScriptedTerminal()).send(a_request()) == NoAnswer(1, "Success")

    @pytest.mark.parametrize(
        "error",
        [
            Unavailable("terminal_version", "other fields than expected"),
            EOFError("gone"),
            TypeError("?"),
            MemoryError(),
        ],
    )
    def test_what_breaks_on_the_way_proves_nothing(
        self, dealer_of: Callable[[Any], Dealer], error: Exception
    ) -> None:
        terminal = ScriptedTerminal(error)
        result = dealer_of(terminal).send(a_request())
        assert isinstance(result, NoAnswer)
        assert type(error).__name__ in result.message
        assert terminal.asked("order_send") == 1

    def test_arguments_that_cannot_be_read_were_not_sent(self, dealer_of: Callable[[Any], Dealer]) -> None:
        result = dealer_of(ScriptedTerminal(SystemError("with an exception set"))).send(a_request())
        assert result == NotSent(-2, "with an exception set")

    def test_a_terminal_that_nobody_connected_is_connected_before_the_request(
        self, dealer_of: Callable[[Any], Dealer]
    ) -> None:
        terminal = ScriptedTerminal((-10_005, "IPC timeout"))
        terminal.connected = False
        assert isinstance(dealer_of(terminal).send(a_request()), NoAnswer)
        assert terminal.asked("order_send") == 1

    def test_a_terminal_that_is_away_is_not_sent_to(self, dealer_of: Callable[[Any], Dealer]) -> None:
        terminal = ScriptedTerminal()
        terminal.down = (-10_003, "IPC initialize failed, MetaTrader 5 x64 not found")
        result = dealer_of(terminal).send(a_request())
        assert isinstance(result, NotSent)
        assert terminal.asked("order_send") == 0


class TestBrokenLines:
    """Between the desk and the connector."""

    def dealer(self, link: ConnectorLink) -> Dealer:
        return Dealer(ConnectorApi(link), Names(), CLOCK)

    def test_nobody_listens(self) -> None:
        link = ConnectorLink(lambda: ConnectorAddress("http://127.0.0.1:9", TOKEN))
        result = self.dealer(link).send(a_request())
        assert isinstance(result, NotSent)
        assert result.code == -10_004
        link.close()

    def test_the_connector_went_away_between_two_calls(self) -> None:
        terminal = ScriptedTerminal()
        with served(create_connector(terminal, token=TOKEN)) as url:
            link = ConnectorLink(lambda: ConnectorAddress(url, TOKEN))
            dealer = self.dealer(link)
            assert isinstance(dealer.send(a_request()), NoAnswer)
        assert isinstance(dealer.send(a_request()), NotSent)
        assert terminal.asked("order_send") == 1
        link.close()

    def test_the_connector_refuses_the_token(self) -> None:
        terminal = ScriptedTerminal()
        with link_to(create_connector(terminal, token="another"), token=TOKEN) as link:
            result = self.dealer(link).send(a_request())
        assert isinstance(result, NotSent)
        assert terminal.asked("order_send") == 0

    def test_a_slow_answer_is_given_up_once(self) -> None:
        release = threading.Event()
        terminal = ScriptedTerminal()
        terminal.during = lambda name: _wait(release) if name == "order_send" else None
        with link_to(create_connector(terminal, token=TOKEN), scale=0.01) as link:
            result = self.dealer(link).send(a_request())
            assert result == NoAnswer(-10_005, "IPC timeout")
            release.set()
        assert terminal.asked("order_send") == 1

    @pytest.mark.parametrize("how", ["no answer", "half an answer", "nonsense", "an error of its own"])
    def test_the_connector_ends_in_mid_call(self, how: str) -> None:
        """The request arrived, but no answer of the terminal's comes back."""
        with breaking_connector(how) as (url, requests):
            link = ConnectorLink(lambda: ConnectorAddress(url, TOKEN))
            result = self.dealer(link).send(a_request())
            link.close()
        assert isinstance(result, NoAnswer), result
        assert result.code == -10_002
        assert requests.count("/call/order_send") == 1


def _wait(release: threading.Event) -> None:
    release.wait(20)


@contextmanager
def breaking_connector(how: str) -> Iterator[tuple[str, list[str]]]:
    """Where a connector listens that answers until a trade request comes, and the paths it was asked."""
    requests: list[str] = []
    good = b'{"last_error":[1,"Success"],"result":true}'

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            requests.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            trade = self.path == "/call/order_send"
            if trade and how == "no answer":
                self.close_connection = True
                return
            self.send_response(500 if trade and how == "an error of its own" else 200)
            cut = trade and how == "half an answer"
            self.send_header("Content-Length", str(len(good) + 50 * cut))
            self.end_headers()
            self.wfile.write(b"?" * len(good) if trade and how == "nonsense" else good)
            self.close_connection = cut

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", requests
        finally:
            server.shutdown()
            thread.join(10)
