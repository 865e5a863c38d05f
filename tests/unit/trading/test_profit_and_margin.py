from decimal import Decimal

import pytest

from backend.core.errors import Invalid, Unavailable
from backend.core.instruments import Instrument
from backend.trading.conversion import Rates, conversion
from backend.trading.margin import hedged_share, margin, netted_margin
from backend.trading.profit import loss_per_lot, profit, tick_value, to_cents
from backend.trading.sides import Side
from tests.fakes.instruments import instrument

D = Decimal
EURUSD, USDJPY, EURJPY, XAUUSD = (instrument(s) for s in ("EURUSD", "USDJPY", "EURJPY", "XAUUSD"))
RATES = Rates(
    quotes={("EUR", "USD"): (D("1.0990"), D("1.0991")), ("USD", "JPY"): (D("108.179"), D("108.183"))}
)


# MetaTrader's own worked examples: one lot, 300 points, USD account.
@pytest.mark.parametrize(
    ("symbol", "side", "opened", "closed", "expected"),
    [
        (EURUSD, Side.BUY, "1.09910", "1.10210", "300.00"),
        (EURUSD, Side.SELL, "1.09900", "1.09600", "300.00"),
        (USDJPY, Side.BUY, "108.183", "108.483", "276.54"),  # 30 000 JPY ÷ 108.483
        (USDJPY, Side.SELL, "108.179", "107.879", "278.09"),  # 30 000 JPY ÷ 107.879
    ],
)
def test_golden_profits(symbol: Instrument, side: Side, opened: str, closed: str, expected: str) -> None:
    earned = profit(symbol, side, D(1), D(opened), D(closed), conversion(symbol, "USD", RATES))
    assert to_cents(earned) == D(expected)


@pytest.mark.parametrize(
    ("symbol", "price", "expected"),
    [(EURUSD, "1.0991", "109.91"), (USDJPY, "108.183", "100.00"), (EURJPY, "118.900", "109.91")],
)
def test_golden_margins(symbol: Instrument, price: str, expected: str) -> None:
    taken = margin(symbol, D("0.1"), D(price), 100, "USD", RATES)
    assert to_cents(taken) == D(expected)


def test_cross_converts_gains_at_the_bid_and_losses_at_the_ask_of_the_currency() -> None:
    # 10 000 JPY of gain are sold for USD at USDJPY's ask, a loss is bought back at its bid.
    how = conversion(EURJPY, "USD", RATES)
    gain = profit(EURJPY, Side.BUY, D(1), D("118.000"), D("118.100"), how)
    loss = profit(EURJPY, Side.BUY, D(1), D("118.100"), D("118.000"), how)
    assert to_cents(gain) == D("92.44")  # 10 000 ÷ 108.183 = 92.436
    assert to_cents(loss) == D("-92.44")  # 10 000 ÷ 108.179 = 92.439
    assert -loss > gain


def test_account_in_another_currency_goes_through_the_dollar() -> None:
    # GBPUSD's profit in JPY: USD → JPY direct.
    how = conversion(instrument("GBPUSD"), "JPY", RATES)
    assert profit(instrument("GBPUSD"), Side.BUY, D(1), D("1.30000"), D("1.30010"), how) == D("1081.79")
    # EURUSD for a EUR account divides by the close.
    own = conversion(EURUSD, "EUR", RATES)
    assert own.by_close
    assert to_cents(profit(EURUSD, Side.BUY, D(1), D("1.10000"), D("1.25000"), own)) == D("12000.00")
    # CHF is quoted nowhere: said, not guessed.
    with pytest.raises(Unavailable, match="no quote converts JPY into CHF"):
        conversion(USDJPY, "CHF", RATES)


def test_two_hops_through_the_dollar() -> None:
    rates = Rates(quotes={("GBP", "USD"): (D("1.25"), D("1.25")), ("USD", "CHF"): (D("0.80"), D("0.80"))})
    assert rates.rate("GBP", "CHF") == D(1)
    assert rates.rate("CHF", "GBP") == D(1)


def test_without_quotes_the_brokers_tick_value_converts() -> None:
    cross = instrument("EURJPY", tick_value=D("0.9"), tick_value_loss=D("0.91"))
    how = conversion(cross, "USD")
    assert profit(cross, Side.BUY, D(2), D("118.000"), D("118.010"), how) == D("18.0")  # 10 ticks × 0.9 × 2
    assert profit(cross, Side.SELL, D(2), D("118.000"), D("118.010"), how) == D("-18.2")


def test_gold_is_contract_times_move() -> None:
    how = conversion(XAUUSD, "USD")
    assert profit(XAUUSD, Side.SELL, D("0.5"), D("2000.00"), D("1990.50"), how) == D(475)
    assert margin(XAUUSD, D("0.5"), D("2000.00"), 100, "USD") == D(1000)  # 0.5 × 100 × 2000 ÷ 100


def test_loss_per_lot_is_valued_at_the_stop() -> None:
    how = conversion(USDJPY, "USD", RATES)
    # 500 points down from 150.000: 50 000 JPY ÷ 149.500
    assert to_cents(loss_per_lot(USDJPY, Side.BUY, D("150.000"), D("149.500"), how)) == D("334.45")
    assert to_cents(loss_per_lot(USDJPY, Side.SELL, D("150.000"), D("150.500"), how)) == D("332.23")
    assert loss_per_lot(USDJPY, Side.BUY, D("150.000"), D("150.100"), how) == 0  # a stop in profit


def test_tick_value_follows_the_price() -> None:
    assert to_cents(tick_value(USDJPY, D("150.000"), conversion(USDJPY, "USD")), 4) == D("0.6667")
    assert tick_value(EURUSD, D("1.1"), conversion(EURUSD, "USD")) == D(1)


def test_margin_by_calculation_mode() -> None:
    one = D(1)
    dow = {"currency_margin": "USD", "contract_size": one}
    assert margin(instrument("US30USD", calc_mode=2, **dow), one, D(39000), 100, "USD") == D(39000)
    assert margin(instrument(calc_mode=5), one, D("1.1"), 100, "USD") == D(110_000)
    index = instrument("US30USD", calc_mode=3, tick_size=D("0.1"), tick_value=D("0.1"), **dow)
    assert margin(index, D(2), D(39000), 100, "USD") == D(78000)
    with pytest.raises(Invalid, match="mode 36"):
        margin(instrument(calc_mode=36), one, D("1.1"), 100, "USD")
    with pytest.raises(Invalid, match="leverage"):
        margin(EURUSD, one, D("1.1"), 0, "USD")


def test_margin_without_rates_uses_what_the_symbol_knows() -> None:
    assert margin(EURUSD, D(1), D("1.1"), 100, "EUR") == D(1000)
    # EURJPY for a USD account: 1 lot = 100 000 EUR = 100 000 × 120 JPY, a JPY being 0.01 USD.
    cross = instrument("EURJPY", tick_value=D(1))
    assert margin(cross, D(1), D(120), 100, "USD") == D(1200)


def test_money_rounds_half_away_from_zero() -> None:
    assert to_cents(D("1.005")) == D("1.01")
    assert to_cents(D("-1.005")) == D("-1.01")


@pytest.mark.parametrize(
    ("longs", "shorts", "share", "taken"),
    [
        (("1", "1100"), ("0", "0"), "1", "1100"),
        (("0", "0"), ("2", "2400"), "1", "2400"),
        # Half a lot uncovered at 1,200 a lot; half a lot covered at the mean of 1,600 for 1.5 lots.
        (("1", "1200"), ("0.5", "400"), "1", "1133.33"),
        (("1", "1200"), ("0.5", "400"), "0.5", "866.67"),
        (("1", "1200"), ("0.5", "400"), "0", "600"),
        (("1", "1200"), ("1", "1000"), "1", "1100"),
    ],
)
def test_margin_of_opposite_positions(
    longs: tuple[str, str], shorts: tuple[str, str], share: str, taken: str
) -> None:
    both = [(D(lots), D(money)) for lots, money in (longs, shorts)]
    assert to_cents(netted_margin(*both[0], *both[1], D(share))) == D(taken)
    assert to_cents(netted_margin(*both[1], *both[0], D(share))) == D(taken)


def test_how_much_a_hedged_lot_takes_is_the_brokers_to_say() -> None:
    assert hedged_share(EURUSD) == 1  # nothing stated: as any lot
    assert hedged_share(instrument(margin_hedged=D(50_000))) == D("0.5")
    assert hedged_share(instrument(margin_hedged=D(0))) == 0
    # a fixed initial margin makes both of them amounts of money
    assert hedged_share(instrument(margin_initial=D(2000), margin_hedged=D(500))) == D("0.25")
    larger = hedged_share(instrument(margin_larger_leg=True, margin_hedged=D(50_000)))
    assert netted_margin(D(1), D(1200), D(2), D(900), larger) == D(1200)
    assert netted_margin(D(1), D(1200), D(0), D(0), larger) == D(1200)


def test_a_fixed_initial_margin_counts_instead_of_the_contract() -> None:
    gold = {"currency_margin": "USD", "margin_initial": D(2500)}
    assert margin(instrument("XAUUSD", calc_mode=1, **gold), D(2), D(4000), 100, "USD") == D(5000)
    # the modes with leverage divide it
    assert margin(instrument("XAUUSD", calc_mode=4, **gold), D(2), D(4000), 100, "USD") == D(50)
    with pytest.raises(Invalid, match="no initial margin"):
        margin(instrument("XAUUSD", calc_mode=1, currency_margin="USD"), D(1), D(4000), 100, "USD")
