"""The account behind the terminal: brought up to date, asked, and on disk before it answers."""

import contextlib
import time
from collections.abc import Callable, Iterator

from backend.core.errors import DeskError
from backend.mt5 import constants as mt5
from backend.mt5.api import CallFailed
from backend.mt5.structures import OrderCheckResult, OrderSendResult, TradeRequest
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book
from backend.simulator.broker import Broker, Outcome
from backend.simulator.faults import REFUSALS, REWRITTEN, Fault, Faults
from backend.simulator.ports import Market
from backend.simulator.prices import MarketPrices
from backend.simulator.statefile import BookFile
from backend.simulator.walking import Calendar, Walker

_NO_ANSWER = (mt5.RES_E_INTERNAL_FAIL_TIMEOUT, "IPC timeout")
_LOST = Outcome(mt5.TRADE_RETCODE_CONNECTION, "No connection")


class DealingRoom:
    """One account over one market, as of the instant of each call.

    Args:
        market: Where prices come from.
        prices: Of that market, with the account's symbols.
        account: The account's terms.
        at_ms: The present, server milliseconds; where a new account begins.
        file: Where the book is kept; None for memory alone.
        begins_again: The market is a replay: where its clock stands before the book, it has begun again, and
            a new account begins with it.
        faults: What goes wrong.
        sleep: Waits, real seconds.

    Raises:
        Invalid: The file cannot be read, or is of another kind of account.
    """

    def __init__(
        self,
        market: Market,
        prices: MarketPrices,
        account: SimulatedAccount,
        at_ms: int,
        *,
        file: BookFile | None = None,
        begins_again: bool = False,
        faults: Faults | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._market = market
        self._prices = prices
        self._account = account
        self._file = file
        self._begins_again = begins_again
        self._faults = faults or Faults()
        self._sleep = sleep
        self._lost_until_ms = 0
        self._load(at_ms)

    def _load(self, at_ms: int) -> None:
        book = self._file.read(self._account) if self._file is not None else None
        if book is not None and self._file is not None and book.seen_ms > at_ms and self._begins_again:
            self._file.set_aside()
            book = None
        self._use(book or Book.opened(at_ms, self._account.balance))
        self._commit()

    def _use(self, book: Book) -> None:
        self.broker = Broker(book, self._account, self._prices)
        self._walker = Walker(
            book,
            self._market,
            self._prices,
            self._account,
            self.broker.valuation,
            self.broker.matcher,
            Calendar(book, self._account, self._prices),
        )

    def _commit(self) -> None:
        if self._file is not None:
            self._file.write(self.broker.book, self._account)

    @contextlib.contextmanager
    def at(self, at_ms: int) -> Iterator[Broker]:
        """The broker at an instant; what changes inside is on the disk when this ends.

        The server's clock may be set back; the account's time stands still meanwhile.

        Raises:
            CallFailed: The disk refuses; the account is then as the disk has it.
        """
        try:
            self._walker.advance(max(at_ms, self.broker.book.seen_ms))
            yield self.broker
            self._commit()
        except DeskError as refused:
            self._again()
            raise CallFailed(mt5.RES_E_FAIL, f"Terminal: Call failed, {refused.message}") from refused

    def _again(self) -> None:
        """Go back to what the disk has."""
        if self._file is not None:
            kept = self._file.read(self._account)
            if kept is not None:
                self._use(kept)

    def connected(self, at_ms: int) -> bool:
        """Whether the terminal has the broker."""
        return at_ms >= self._lost_until_ms

    def check(self, request: TradeRequest, at_ms: int) -> OrderCheckResult:
        """order_check."""
        with self.at(at_ms) as broker:
            return broker.check(request, broker.book.seen_ms)

    def send(self, request: TradeRequest, at_ms: int) -> OrderSendResult:
        """order_send, with what goes wrong.

        Raises:
            CallFailed: No answer; whether it was carried out is the caller's to find out.
        """
        with self.at(at_ms) as broker:
            result, answers = self._sent(broker, request, at_ms)
        if not answers:
            raise CallFailed(*_NO_ANSWER)
        return result

    def _sent(self, broker: Broker, request: TradeRequest, at_ms: int) -> tuple[OrderSendResult, bool]:
        now_ms = broker.book.seen_ms
        fault = self._faults.of(broker.book.requests + 1)
        if fault is Fault.DISCONNECT:
            self._lost_until_ms = at_ms + int(self._faults.disconnect_seconds * 1000)
        if fault is Fault.SLOW:
            self._sleep(self._faults.slow_seconds)
        if fault is Fault.NO_ANSWER or not self.connected(at_ms):
            broker.book.requests += 1
            return broker.answer(request, _LOST), fault is not Fault.NO_ANSWER
        refused = REFUSALS.get(fault) if fault is not None and _meets(fault, request) else None
        if refused is not None and broker.check(request, now_ms).retcode == 0:
            broker.book.requests += 1
            return broker.answer(request, Outcome(*refused)), True
        asked = request
        if fault in {Fault.BLANK_COMMENT, Fault.REWRITE_COMMENT}:
            asked = request._replace(comment="" if fault is Fault.BLANK_COMMENT else REWRITTEN)
        result = broker.send(asked, now_ms, scarce=fault is Fault.PARTIAL)
        return result._replace(request=request), fault is not Fault.NO_ANSWER_EXECUTED


def _meets(fault: Fault, request: TradeRequest) -> bool:
    """Whether that can happen to such a request: only a deal has a price to be quoted again."""
    return fault is not Fault.REQUOTE or request.action == mt5.TRADE_ACTION_DEAL
