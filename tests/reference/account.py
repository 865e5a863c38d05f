"""The account of a run, as decisions and the risk gate see it."""

from decimal import Decimal

from backend.backtest.model import Job
from backend.core.bars import Ints
from backend.core.timeframes import DAY_SECONDS
from backend.strategies.sessions import utc_offsets
from backend.trading.account import AccountState, OpenTrade
from backend.trading.exposure import exposure_of
from backend.trading.margin import margin
from tests.reference.position import Money, Position


class Account:
    """Balance, peaks and the day's reference, by the desk's limits.

    Args:
        job: The run's inputs.
        money: What ticks are worth.
    """

    def __init__(self, job: Job, money: Money) -> None:
        self._job = job
        self._stream = job.streams[0]
        self._money = money
        self._days = reset_days(job)
        self.balance = job.account.balance
        self.reference = job.account.balance
        self.peak = job.account.balance

    def begin(self, index: int, equity: Decimal) -> None:
        """A bar begins; `equity` is that of the close before. The day is reset where a new one began."""
        if self._days[index] == self._days[index - 1]:
            return
        kind = self._job.limits.daily_loss.reset_from
        choices = {"balance": self.balance, "equity": equity, "higher": max(self.balance, equity)}
        self.reference = choices[kind]
        if self._job.limits.drawdown.kind == "trailing_end_of_day":
            self.peak = max(self.peak, equity)

    def end(self, equity: Decimal) -> None:
        """A bar has closed with this equity."""
        if self._job.limits.drawdown.kind == "trailing":
            self.peak = max(self.peak, equity)

    def state(self, position: Position | None, price: int) -> AccountState:
        """The account with an open position that could be closed at a mirrored price."""
        job, stream = self._job, self._stream
        equity, taken, risk = self.balance, Decimal(0), Decimal(0)
        trades: tuple[OpenTrade, ...] = ()
        exposure: dict[str, Decimal] = {}
        if position is not None:
            opened = self._money.price(position.side, position.entry.fill)
            floating = position.floating(self._money, price)
            equity = self.balance + floating
            taken = margin(
                stream.instrument, position.lots, opened, job.account.leverage, job.account.currency
            )
            stop = self._money.price(position.side, position.stop)
            trades = (
                OpenTrade(
                    symbol=stream.instrument.symbol,
                    side=position.side,
                    lots=position.lots,
                    price=opened,
                    stop=stop,
                    strategy=stream.strategy.id,
                ),
            )
            now = self._money.price(position.side, price)
            exposure = exposure_of(stream.instrument, position.side, position.lots, now, stream.conversion)
            risk = max(floating - position.floating(self._money, position.stop), Decimal(0))
        return AccountState(
            currency=job.account.currency,
            leverage=job.account.leverage,
            balance=self.balance,
            equity=equity,
            margin=taken,
            margin_free=equity - taken,
            day_reference=self.reference,
            initial_balance=job.account.balance,
            peak=self.peak,
            trades=trades,
            exposure=exposure,
            open_risk=risk,
        )


def reset_days(job: Job) -> Ints:
    """Number of the day of each bar, cut at the midnight that resets the daily loss."""
    zone = job.limits.reset_tz
    if zone is None:
        return job.streams[0].bars.server_time // DAY_SECONDS
    time = job.streams[0].bars.time
    return (time + utc_offsets(zone, time)) // DAY_SECONDS
