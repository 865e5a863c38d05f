"""`mt5ui strategy`: check a file, explain a bar.

What computes is imported by the command that needs it: the supervisor of a desk is a command too, and
carries what this module imports for as long as the desk runs.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from backend.cli.output import console, print_json, table
from backend.config import Settings, load_settings
from backend.core.clock import parse_iso
from backend.core.errors import DeskError, Invalid, NotFound

if TYPE_CHECKING:
    from backend.core.bars import Bars
    from backend.core.timeframes import Timeframe
    from backend.ideas.explained import BarsUntil

app = typer.Typer(
    help="Strategy files: what is wrong with one, and what it says at a bar.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
File = Annotated[str, typer.Argument(help="A strategy's file, or the id of one in config/ai/strategies.")]

_SPAN: Final = 2.0  # calendar time that holds so many bars' own time, weekends and holidays included


@app.command()
def check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files, folders of files, or ids of strategies.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Say what is wrong with strategy files, and where; exit code 1 if anything is."""
    settings = load_settings()
    looked = [_checked(path, settings) for file in files for path in _paths(file, settings)]
    good = all(one["ok"] for one in looked)
    if as_json:
        print_json({"ok": good, "files": looked})
    else:
        _show_checked(looked)
    raise typer.Exit(0 if good else 1)


@app.command()
def explain(
    file: File,
    *,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The newest bar closed by then, such as 2026-01-05T09:00Z."),
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="The strategy's first symbol if not given.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="A folder of recorded prices, or another desk's data folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say of each condition whether it holds at a bar, and what it compares."""
    from backend.cli.explained import show_explanation
    from backend.ideas.explained import explain_strategy
    from backend.strategies.files import StrategyFiles, read_strategy

    settings = load_settings()
    (path, *more) = _paths(file, settings)
    if more:
        raise Invalid("one_strategy", f"{file} is a folder; name one strategy's file")
    strategy = read_strategy(path)
    wanted = strategy.traded_symbols[0] if symbol is None else symbol
    profile = StrategyFiles(settings.config_dir / "ai").load().profile(wanted)
    moment = None if at is None else parse_iso(at.replace(" ", "T", 1))
    source = _desk_bars(settings) if data is None else _data_bars(data, settings)
    told = explain_strategy(strategy, profile, wanted, source, at=moment)
    if as_json:
        print_json(told)
    else:
        show_explanation(told, strategy)


def _paths(file: str, settings: Settings) -> list[Path]:
    """The files that an argument names."""
    path = Path(file)
    if path.is_dir():
        found = sorted(path.glob("*.json"))
        if not found:
            raise NotFound("no_such_file", f"the folder {file} holds no .json file", file=file)
        return found
    named = settings.config_dir / "ai" / "strategies" / f"{file}.json"
    if not path.exists() and path.name == file and named.exists():
        return [named]
    return [path]


def _checked(path: Path, settings: Settings) -> dict[str, Any]:
    from backend.control.limits import LimitsInForce
    from backend.evaluation.conditions import compile_strategy
    from backend.strategies.files import read_strategy

    try:
        strategy = read_strategy(path, accept=LimitsInForce(settings.config_dir).accept)
    except Invalid as error:
        problems = error.details.get("problems", [{"pointer": "", "reason": error.message}])
    except NotFound as error:
        problems = [{"pointer": "", "reason": error.message}]
    else:
        needs = {str(timeframe): bars for timeframe, bars in compile_strategy(strategy).requirements.items()}
        return {"file": str(path), "ok": True, "id": strategy.id, "problems": [], "needs": needs}
    told = [{"column": None, **problem} for problem in problems]
    return {"file": str(path), "ok": False, "id": None, "problems": told, "needs": None}


def _show_checked(looked: list[dict[str, Any]]) -> None:
    out = console()
    wrong = [
        (one["file"], problem["pointer"] or "(the file)", problem["column"], problem["reason"])
        for one in looked
        for problem in one["problems"]
    ]
    for one in looked:
        if one["ok"]:
            needs = ", ".join(f"{bars} bars of {timeframe}" for timeframe, bars in one["needs"].items())
            out.print(f"{one['file']}: good; needs {needs}", style="green", markup=False, soft_wrap=True)
    if wrong:
        out.print(table(("file", "place", "column", "what is wrong"), wrong))


def _desk_bars(settings: Settings) -> "BarsUntil":
    """Stored bars, after asking the terminal for what is missing, if one runs."""
    from backend.services import build_services

    market = build_services(settings).market

    def bars(symbol: str, timeframe: "Timeframe", count: int, until: datetime | None) -> "Bars":
        stored = market.bars(symbol, timeframe, count=count, until=until)
        if until is None or len(stored) < count:
            try:
                if until is None:
                    market.top_up(symbol, timeframe, min_bars=count)
                else:
                    span = timedelta(seconds=_SPAN * count * timeframe.seconds)
                    market.top_up(symbol, timeframe, since=until - span)
            except DeskError:
                return stored  # no desk runs here: what is stored is what there is
            stored = market.bars(symbol, timeframe, count=count, until=until)
        return stored

    return bars


def _data_bars(data: Path, settings: Settings) -> "BarsUntil":
    from backend.market.store import MarketStore
    from backend.mt5.server_time import ServerClock
    from backend.simulator.recorded import RecordedBars
    from backend.storage.files import FileStorage

    clock = ServerClock.parse(settings.server_clock)
    stored = (data / "history").is_dir()
    source = MarketStore(FileStorage(data), clock) if stored else RecordedBars(data, clock)

    def bars(symbol: str, timeframe: "Timeframe", count: int, until: datetime | None) -> "Bars":
        return source.bars(symbol, timeframe, count=count, until=until)

    return bars
