"""`mt5ui backtest`: a strategy over history, told in a page of the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from backend.cli.output import console, print_json, show, table
from backend.cli.prop import chances_table, chosen_rulebook
from backend.config import load_settings
from backend.core.clock import parse_iso
from backend.core.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from backend.backtest.request import Request
    from backend.backtest.service import BacktestService

NO_RULEBOOK: Final = "none"

Choice = TypeVar("Choice", bound=StrEnum)

_FIGURES: Final = (
    ("Net profit", "net_profit", "{:+,.2f}"),
    ("Total return", "total_return_pct", "{:+,.2f} %"),
    ("Growth a year", "cagr_pct", "{:+,.2f} %"),
    ("Max drawdown", "max_drawdown_pct", "{:,.2f} %"),
    ("Under water", "longest_underwater_days", "{:,.0f} days"),
    ("Sharpe", "sharpe", "{:,.2f}"),
    ("Sortino", "sortino", "{:,.2f}"),
    ("Calmar", "calmar", "{:,.2f}"),
    ("Profit factor", "profit_factor", "{:,.2f}"),
    ("Trades", "trades", "{:,}"),
    ("Won", "win_rate_pct", "{:,.1f} %"),
    ("Expectancy", "expectancy_r", "{:+,.3f} R"),
    ("SQN", "sqn", "{:,.2f}"),
    ("p of the mean trade", "p_value_mean_trade", "{:.3f}"),
    ("In the market", "exposure_time_pct", "{:,.1f} %"),
    ("Risk of ruin", "risk_of_ruin", "{:.1%}"),
)
_STEPS: Final = (
    ("Gross", "gross", 1),
    ("Half-spreads", "spread_cost", -1),
    ("Slippage", "slippage_cost", -1),
    ("Gaps", "gap_cost", -1),
    ("Commission", "commission", -1),
    ("Swap", "swap", 1),
    ("Net", "net", 1),
)


def backtest(
    strategy: Annotated[str, typer.Argument(help="A strategy's id.")],
    *,
    symbol: Annotated[
        list[str] | None, typer.Option(help="Of those it trades; may be given again. Else all of them.")
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First day, such as 2024-01-31 (UTC).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day, included; else the present.")] = None,
    days: Annotated[
        int | None, typer.Option(help="Instead of --from: days up to the end; 30 if none.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of recorded prices, LEAN or CSV.")] = None,
    mode: Annotated[str | None, typer.Option(help="observe, supervised or autonomous.")] = None,
    balance: Annotated[str | None, typer.Option(help="Money at the start, in account currency.")] = None,
    risk: Annotated[float | None, typer.Option(help="Of one trade, as a fraction: 0.01 is 1 %.")] = None,
    costs: Annotated[
        list[str] | None,
        typer.Option(
            help="commission_per_lot=3.5, slippage_points=1, spread_points=10, or a JSON file of them."
        ),
    ] = None,
    limits: Annotated[
        list[str] | None, typer.Option(help="Of config/risk.json, by dotted key: drawdown.limit=0.5")
    ] = None,
    rulebook: Annotated[
        str | None, typer.Option(help="A preset's name, a JSON file, or none; else the one in force.")
    ] = None,
    calendar: Annotated[
        Path | None, typer.Option(help="File of economic events, JSON or CSV, for the news embargo.")
    ] = None,
    reading: Annotated[
        str, typer.Option(help="Of bars that do not tell what came first: worst, best.")
    ] = "worst",
    benchmark: Annotated[bool, typer.Option("--benchmark", help="Put buying and holding beside it.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute again although nothing changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="report.json on stdout and nothing else.")] = False,
) -> None:
    """Test a strategy over history, with every cost, and keep the report. Needs no running desk."""
    from backend.backtest.calendar_file import read_calendar
    from backend.backtest.model import NO_CALENDAR, Reading
    from backend.backtest.provenance import Options
    from backend.backtest.request import Request, parse_costs, parse_limit_changes
    from backend.services import build_services
    from backend.strategies.files import require_traded
    from backend.trading.desk import Mode

    request = Request(
        strategy=strategy,
        symbols=tuple(dict.fromkeys(symbol or ())),
        days=days,
        begin=None if begin is None else parse_day(begin, last=False),
        end=None if end is None else parse_day(end, last=True),
        mode=None if mode is None else _one_of(Mode, mode, "--mode"),
        balance=None if balance is None else _money(balance),
        risk=risk,
        costs=parse_costs(costs or ()),
        rulebook=None if rulebook in {None, NO_RULEBOOK} else chosen_rulebook(rulebook),
        no_rulebook=rulebook == NO_RULEBOOK,
        changed_limits=parse_limit_changes(limits or ()),
        calendar=NO_CALENDAR if calendar is None else read_calendar(calendar),
        options=Options(reading=_one_of(Reading, reading, "--reading"), benchmark=benchmark),
        fresh=fresh,
    )
    settings = load_settings()
    services = build_services(settings)
    known = services.strategies.load().get(strategy)  # an unknown one is told before folders are read
    service = services.backtests
    if data is not None:
        symbols = request.symbols or known.traded_symbols
        for name in symbols:
            require_traded(known, name)
        files = services.file_history(data, symbols, known.timeframe)
        service = services.file_backtests(files)
        if begin is None and days is None:
            request = replace(request, begin=files.begin)
    with _bar(console(stderr=True), strategy, quiet=as_json) as progress:
        done = _run(service, request, progress)
    report = services.storage.read_json(done["path"].removeprefix("data/"))
    if as_json:
        print_json(report)
    else:
        _show(
            console(), report, settings.data_dir / done["page"].removeprefix("data/"), reused=done["reused"]
        )


def _run(
    service: "BacktestService", request: "Request", progress: "Callable[[int, int], None] | None"
) -> dict[str, Any]:
    try:
        return service.run(request, progress=progress)
    except Unavailable as error:
        if error.code != "backtest_timeout":
            hint = f"{error.message.rstrip('.')}. Recorded prices need no desk: --data FOLDER"
            raise Unavailable(error.code, hint, **error.details) from error
        raise


def parse_day(text: str, *, last: bool) -> datetime:
    """A day or an instant; a last day is meant to its end."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        return parse_iso(text)
    return datetime.combine(day + timedelta(days=1) if last else day, time(), UTC)


def _money(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Invalid("bad_balance", f"--balance is {text!r}; it is a number above zero") from None


def _one_of(kind: type[Choice], text: str, option: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        raise Invalid("bad_argument", f"{option} is {text!r}; it may be {', '.join(kind)}") from None


@contextmanager
def _bar(out: "Console", strategy: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar that follows the run, on a terminal."""
    if quiet or not out.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("bars"))
    with Progress(*columns, TimeRemainingColumn(), console=out, transient=True) as shown:
        task = shown.add_task(strategy, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _show(out: "Console", report: dict[str, Any], page: Path, *, reused: bool) -> None:
    period, account, limits = report["period"], report["account"], report["limits"]
    out.print(
        f"[bold]{report['strategy_id']}[/bold] on {report['symbol']} {report['timeframe']}, "
        f"{period['from'][:10]} to {period['to'][:10]}, {period['bars']:,} bars after "
        f"{period['warm_up_bars']:,} to warm up"
    )
    out.print(
        f"{limits['mode']}; {float(account['balance']):,.2f} {account['currency']} "
        f"at 1:{account['leverage']}; "
        f"risk {report['streams'][0]['strategy']['strategy']['max_risk_pct']:.2%} a trade, "
        f"desk {limits['risk_fraction']:.2%}; {report['options']['reading']} reading of ambiguous bars",
        markup=False,
    )
    out.print(f"thresholds {show(limits['thresholds'])}", style="dim", markup=False)
    out.print(
        f"limits: day {limits['daily_loss']['limit']:.1%}, drawdown {limits['drawdown']['limit']:.1%} "
        f"{limits['drawdown']['kind']}, open risk {limits['open_risk_limit']:.1%}, "
        f"margin {limits['margin_limit']:.0%}, {limits['max_positions']} positions, "
        f"{limits['max_trades_per_day']} trades a day",
        style="dim",
        markup=False,
    )
    out.print()
    out.print(_figures(report))
    out.print()
    out.print(_waterfall(report))
    if len(report["streams"]) > 1:
        out.print()
        out.print(_streams(report))
    band = report["ambiguity_band"]
    if band["ambiguous_trades"]:
        out.print(
            f"\n{band['ambiguous_trades']} ambiguous trades: net {band['net_worst_reading']:,.2f} "
            f"to {band['net_best_reading']:,.2f}"
        )
    _show_embargo(out, report)
    if "rulebook" in report:
        _show_rulebook(out, report["rulebook"])
    if report["refusals"]:
        most = sorted(report["refusals"].items(), key=lambda one: -one[1])
        told = ", ".join(f"{name} {count:,}" for name, count in most)
        out.print(f"\n{report['signals']:,} signals; refused: {told}", markup=False)
    out.print("\nWhat speaks against it", style="bold")
    for line in report["criticism"] or ["Nothing was found."]:
        out.print(f"• {line}", style="yellow" if report["criticism"] else "", markup=False)
    for line in report["notes"]:
        out.print(f"• {line}", style="dim", markup=False)
    words = " (nothing had changed: the kept report; --fresh computes again)" if reused else ""
    out.print(f"\n{page}{words}", style="cyan", markup=False, soft_wrap=True)


def _show_embargo(out: "Console", report: dict[str, Any]) -> None:
    """The run with and without its news embargo, or why nobody can tell."""
    found = report["news_embargo"]
    if found is None:
        out.print(
            f"\nnews embargo: not told, {report['undefined']['news_embargo']}", style="dim", markup=False
        )
        return
    out.print(
        f"\nnews embargo: {found['trades_kept_out']} trades kept out ({found['net_kept_out']:+,.2f}), "
        f"{found['trades_instead']} instead ({found['net_instead']:+,.2f}); "
        f"net {found['net_with']:+,.2f} with it, {found['net_without']:+,.2f} without "
        f"({found['net_change']:+,.2f})",
        markup=False,
    )


def _show_rulebook(out: "Console", found: dict[str, Any]) -> None:
    breach = found["breach"]
    told = f"rulebook {found['name']}: {found['state']}"
    if found["passed_on"]:
        told += f" on {found['passed_on']}"
    if breach is not None:
        lost = "" if breach["lost"] is None else f", {breach['lost']} lost, {breach['allowed']} allowed"
        told += f" on {breach['day']}: {breach['rule']}{lost}"
    colour = {"passed": "green", "breached": "red"}.get(found["state"], "")
    out.print(f"\n{told}", style=colour, markup=False)
    out.print(
        f"profit {found['profit']} of {show(found['target'])}; {found['trading_days']} trading days of "
        f"{found['days']}; best day's share {show(found['best_day_share'])}",
        markup=False,
    )
    for rule, one in found["nearest"].items():
        day = "" if one["day"] is None else f" on {one['day']}"
        out.print(
            f"{rule}: at most {one['lost']} of {one['allowed']} lost ({one['used']:.1%}){day}", markup=False
        )
    for rule, one in found["bans"].items():
        first = "" if one["first"] is None else f", the first at {one['first']}"
        out.print(f"{rule}: broken by {one['broken']} of {one['judged']} trades{first}", markup=False)
    out.print(chances_table(found["monte_carlo"]))
    for note in [*found["monte_carlo"]["notes"], *found["not_judged"]]:
        out.print(f"• {note}", style="dim", markup=False)


def _figures(report: dict[str, Any]) -> Any:
    """Key figures in two columns; what has no value says why."""
    metrics, undefined = report["metrics"], report["undefined"]
    cells = [
        (
            name,
            _coloured(key, metrics[key], shape.format(metrics[key]))
            if metrics[key] is not None
            else f"- {undefined[key]}",
        )
        for name, key, shape in _FIGURES
    ]
    half = -(-len(cells) // 2)
    rows = [(*left, *right) for left, right in zip(cells[:half], cells[half:], strict=True)]
    return table(("", report["account"]["currency"], "", ""), rows)


def _coloured(key: str, value: float, text: str) -> "Text":
    from rich.text import Text

    signed = key in {"net_profit", "total_return_pct", "cagr_pct", "sharpe", "expectancy_r", "sqn"}
    return Text(text, style=("green" if value > 0 else "red" if value < 0 else "") if signed else "")


def _waterfall(report: dict[str, Any]) -> Any:
    fall = report["cost_waterfall"]
    multiplier = fall["break_even_cost_multiplier"]
    rows = [(name, f"{sign * fall[key] + 0.0:+,.2f}") for name, key, sign in _STEPS]
    even = f"{multiplier:.2f} × the costs" if multiplier is not None else None
    why = report["undefined"].get("cost_waterfall.break_even_cost_multiplier")
    made = table(
        ("from gross to net", report["account"]["currency"]), [*rows, ("Breaks even at", even or f"- {why}")]
    )
    made.columns[1].justify = "right"
    return made


def _streams(report: dict[str, Any]) -> Any:
    columns = ("symbol", "trades", "won", "profit factor", "expectancy R", "net")
    keys = ("trades", "win_rate_pct", "profit_factor", "expectancy_r")
    return table(
        columns,
        [
            (one["symbol"], *(one["metrics"][key] for key in keys), one["net_profit"])
            for one in report["streams"]
        ],
    )
