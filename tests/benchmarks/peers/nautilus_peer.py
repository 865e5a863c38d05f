"""NautilusTrader by its low-level API: bid and ask bars, its compiled indicators, bracket orders."""

from decimal import Decimal

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import MakerTakerFeeModel
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import (
    AverageTrueRange,
    ExponentialMovingAverage,
    MovingAverageType,
    RelativeStrengthIndex,
)
from nautilus_trader.model import Bar, BarType, Currency, InstrumentId, Money, Quantity, Venue
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Price
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from tests.benchmarks.peers import work
from tests.benchmarks.peers.serving import Prepared, serve

VENUE = Venue("SIM")
USD = Currency.from_str("USD")
FEE = Decimal(repr(round(work.COMMISSION_SHARE, 7)))
PAIR = CurrencyPair(
    instrument_id=InstrumentId.from_str("EUR/USD.SIM"),
    raw_symbol=InstrumentId.from_str("EUR/USD.SIM").symbol,
    base_currency=Currency.from_str("EUR"),
    quote_currency=USD,
    price_precision=5,
    size_precision=0,
    price_increment=Price.from_str("0.00001"),
    size_increment=Quantity.from_int(1),
    margin_init=Decimal("0.01"),
    margin_maint=Decimal("0.01"),
    maker_fee=FEE,
    taker_fee=FEE,
    ts_event=0,
    ts_init=0,
)
BID = BarType.from_str("EUR/USD.SIM-1-MINUTE-BID-EXTERNAL")
ASK = BarType.from_str("EUR/USD.SIM-1-MINUTE-ASK-EXTERNAL")


class Cross(Strategy):
    def __init__(self) -> None:
        super().__init__(StrategyConfig())
        self.fast = ExponentialMovingAverage(work.FAST)
        self.slow = ExponentialMovingAverage(work.SLOW)
        self.rsi = RelativeStrengthIndex(work.RSI, MovingAverageType.WILDER)
        self.atr = AverageTrueRange(work.ATR, MovingAverageType.WILDER)
        self.size = Quantity.from_int(int(work.UNITS))
        self.was_above = True

    def on_start(self) -> None:
        for indicator in (self.fast, self.slow, self.rsi, self.atr):
            self.register_indicator_for_bars(BID, indicator)
        self.subscribe_bars(BID)

    def on_bar(self, bar: Bar) -> None:
        if not self.indicators_initialized():
            return
        above = self.fast.value > self.slow.value
        crossed, self.was_above = above and not self.was_above, above
        rsi = 100 * self.rsi.value
        if not self.portfolio.is_flat(PAIR.id):
            if rsi > work.RSI_EXIT:
                self.cancel_all_orders(PAIR.id)
                self.close_all_positions(PAIR.id)
        elif crossed and work.RSI_LOW <= rsi <= work.RSI_HIGH:
            close, distance = bar.close.as_double(), work.STOP_ATR * self.atr.value
            self.submit_order_list(
                self.order_factory.bracket(
                    instrument_id=PAIR.id,
                    order_side=OrderSide.BUY,
                    quantity=self.size,
                    sl_trigger_price=PAIR.make_price(close - distance),
                    tp_price=PAIR.make_price(close + work.REWARD * distance),
                )
            )


def documented(columns: work.Columns) -> Prepared:
    index = pd.to_datetime(columns["time"] + 60, unit="s", utc=True)
    bid = pd.DataFrame({name: columns[name] for name in ("open", "high", "low", "close")}, index=index)
    ask = bid + work.SPREAD_POINTS * work.POINT
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True)
        )
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(work.CASH, USD)],
        fee_model=MakerTakerFeeModel(),
    )
    engine.add_instrument(PAIR)
    engine.add_data(BarDataWrangler(BID, PAIR).process(bid), sort=False)
    engine.add_data(BarDataWrangler(ASK, PAIR).process(ask))
    engine.add_strategy(Cross())

    def run() -> dict[str, float]:
        engine.run()
        positions = engine.trader.generate_positions_report()
        end = engine.trader.generate_account_report(VENUE)["total"].iloc[-1]
        engine.dispose()
        return {"trades": len(positions), "end": float(end)}

    return run


if __name__ == "__main__":
    serve(("nautilus_trader", "numpy", "pandas"), {"documented": documented})
