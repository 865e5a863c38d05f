"""`mt5ui prop`: the rulebook in force, how its challenge stands, and its chances over a backtest."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.output import console, print_json, show, table
from backend.config import load_settings
from backend.core.errors import Invalid

if TYPE_CHECKING:
    from backend.risk.rulebook import Rulebook
    from backend.services import Services

app = typer.Typer(
    help="A prop firm's rulebook: presets, own rules, challenge, chances.", no_args_is_help=True
)

ACTOR = "local"

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the journal.")]


@app.command("show")
def show_challenge(*, as_json: Json = False) -> None:
    """The rulebook in force and how its challenge stands."""
    services = _services()
    rulebook = services.control.rulebook()
    if rulebook is None:
        if as_json:
            print_json({"rulebook": None, "standing": None})
        else:
            console().print("No rulebook is in force. `mt5ui prop presets` shows some to begin with.")
        return
    standing = services.challenge.standing()
    if as_json:
        print_json({"rulebook": rulebook.model_dump(mode="json"), "standing": standing})
        return
    console().print(table(("rule", rulebook.name), _rules(rulebook)))
    if not standing["measured"]:
        console().print(f"\nHow it stands cannot be told: {standing['reason']}", markup=False)
        return
    found = standing["challenge"]
    rows = [(name.replace("_", " "), found[name]) for name in found]
    rows += [
        (name.replace("_", " "), f"broken by {one['broken']} of {one['judged']} positions")
        for name, one in standing["bans"].items()
    ]
    rows += [(f"room to {name.replace('_', ' ')}", room) for name, room in standing["room"].items()]
    console().print()
    console().print(table(("challenge", found["state"]), rows))
    for note in standing["notes"]:
        console().print(f"• {note}", style="dim", markup=False)


@app.command("presets")
def list_presets(*, as_json: Json = False) -> None:
    """Rulebooks of the usual shapes. They are no firm's: compare each with your contract."""
    from backend.risk.presets import PRESETS

    if as_json:
        print_json({name: one.model_dump(mode="json") for name, one in PRESETS.items()})
        return
    console().print(table(("preset", "shape"), [(name, one.description) for name, one in PRESETS.items()]))


@app.command("use")
def use(
    rulebook: Annotated[str, typer.Argument(help="A preset's name, or a JSON file.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Put a rulebook in force, in every process at once."""
    values = chosen_rulebook(rulebook).model_dump(mode="json", exclude_defaults=True)
    put = _services().control.put_rulebook(values, actor=ACTOR, reason=reason)
    if as_json:
        print_json({"rulebook": None if put is None else put.model_dump(mode="json")})
    elif put is not None:
        console().print(table(("in force", put.name), _rules(put)))


@app.command("lift")
def lift(*, reason: Reason, as_json: Json = False) -> None:
    """Lift the rulebook in force: the desk's own limits are left."""
    _services().control.put_rulebook(None, actor=ACTOR, reason=reason)
    if as_json:
        print_json({"rulebook": None})
    else:
        console().print("No rulebook is in force.")


@app.command("simulate")
def simulate(
    backtest: Annotated[str, typer.Argument(help="Id of a kept backtest.")],
    *,
    rulebook: Annotated[
        str | None, typer.Option(help="A preset's name, or a JSON file; else the one in force.")
    ] = None,
    paths: Annotated[int, typer.Option(help="How many futures.")] = 10_000,
    days: Annotated[int, typer.Option(help="Days of each.")] = 250,
    block: Annotated[int, typer.Option(help="Days on end that are drawn together.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed draws the same days.")] = 0,
    as_json: Json = False,
) -> None:
    """P(pass) and P(breach): a challenge over days drawn from a backtest."""
    from backend.backtest.monte_carlo import Draws

    services = _services()
    rules = services.control.rulebook() if rulebook is None else chosen_rulebook(rulebook)
    if rules is None:
        raise Invalid("no_rulebook", "no rulebook is in force; name one with --rulebook")
    found = services.chances(backtest, rules, Draws(paths=paths, horizon=days, block=block, seed=seed))
    if as_json:
        print_json(found)
        return
    console().print(chances_table(found))
    for note in found["notes"]:
        console().print(f"• {note}", style="dim", markup=False)


def chosen_rulebook(text: str) -> "Rulebook":
    """The preset of a name, or the rulebook of a file.

    Raises:
        Invalid: It is neither, or the file is wrong, with file and key.
    """
    from backend.risk.presets import PRESETS
    from backend.risk.rulebook import parse_rulebook

    if text in PRESETS:
        return PRESETS[text]
    try:
        data = json.loads(Path(text).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Invalid(
            "bad_rulebook",
            f"{text} is neither a preset ({', '.join(PRESETS)}) nor a file that can be read "
            f"({error.strerror or error})",
        ) from error
    except ValueError as error:
        raise Invalid("bad_rulebook", f"{text}: it is not JSON: {error}", file=text, key="") from error
    return parse_rulebook(data, file=text)


def chances_table(found: dict[str, Any]) -> Any:
    """Probabilities with their intervals; what has no value says why."""
    if "unknown" in found:
        return table(("chances", ""), [("unknown", found["unknown"])])
    rows = [
        ("P(pass)", _share(found["p_pass"])),
        ("P(breach)", _share(found["p_breach"])),
        *((f"  by {name}", _share(one)) for name, one in found["p_breach_by_rule"].items()),
        (f"still running after {found['horizon_days']} days", _share(found["p_running"])),
        ("days to pass", show(found["days_to_pass"])),
    ]
    head = f"{found['paths']:,} paths from {found['days_of_run']} days, seed {found['seed']}"
    return table(("chances", head), rows)


def _share(one: dict[str, float] | None) -> str:
    return "- no target" if one is None else f"{one['value']:.1%} ({one['low']:.1%} to {one['high']:.1%})"


def _rules(rulebook: "Rulebook") -> list[tuple[str, Any]]:
    values = rulebook.model_dump(mode="json", exclude={"name", "description"})
    return [(name.replace("_", " "), value) for name, value in values.items() if value not in (None, False)]


def _services() -> "Services":
    from backend.services import build_services

    return build_services(load_settings())
