"""`mt5ui verify-journal` and `replay`: does what was decided still stand?

They read files alone; the desk may run or not. What computes is imported by the command that needs it.
"""

from typing import Annotated, Any

import typer

from backend.cli.output import console, print_json, table
from backend.config import load_settings

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]


def verify_journal(
    *,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="HASH", help="A hash that was sent out, or its first 16 characters; repeat it."),
    ] = None,
    inputs: Annotated[
        bool, typer.Option("--inputs/--no-inputs", help="Look at what decisions were computed from, too.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Say whether every record is as it was written, and name the first that is not; exit code 1 then."""
    from backend.ideas.verifying import InputCheck
    from backend.services import build_services

    services = build_services(load_settings())
    check = InputCheck(services.storage) if inputs else None
    found = services.journal.verify(
        expected=expect or (),
        each=None if check is None else lambda record, _file, _line: check.look(record),
    )
    page = found.as_dict() | {"inputs": None if check is None else check.as_dict()}
    page["ok"] = found.ok and (check is None or not check.faults)
    if as_json:
        print_json(page)
    else:
        _show_verified(page)
    raise typer.Exit(0 if page["ok"] else 1)


def _show_verified(page: dict[str, Any]) -> None:
    out = console()
    broken, inputs = page["broken_at"], page["inputs"]
    if page["days"]:
        rows = [(end["day"], end["seq"], end["hash"]) for end in page["days"]]
        out.print(table(("day", "last record", "its hash"), rows), "")
    records = f"{page['records']:,} records"
    if broken is None:
        out.print(f"{records}: each as it was written, none missing", style="green")
    else:
        out.print(
            f"{broken['file']}, line {broken['line']}, record {broken['seq']}: {broken['why']}. "
            f"The {records} before it are as they were written.",
            style="red",
            markup=False,
        )
    for text in page["unexpected"]:
        out.print(
            f"No record has the hash {text}: this is not the journal that it was sent from",
            style="red",
            markup=False,
        )
    if inputs is not None and inputs["first"] is not None:
        first = inputs["first"]
        out.print(
            f"{first['file']}, {first['input']} of decision {first['decision']} (record {first['seq']}): "
            f"{first['why']}; {inputs['altered']:,} such in all",
            style="red",
            markup=False,
        )
    elif inputs is not None:
        out.print(f"Inputs of {inputs['decisions']:,} decisions: each as it was", style="green")
    for note in page["notes"]:
        out.print(note, style="yellow", markup=False)


def replay(
    decision: Annotated[str, typer.Argument(metavar="DECISION_ID", help="Such as d-0123456789ab.")],
    *,
    as_json: Json = False,
) -> None:
    """Compute a decision again from what it saw; exit code 1 if other bytes come out."""
    from backend.ideas.replaying import Replayer
    from backend.services import build_services

    services = build_services(load_settings())
    page = Replayer(services.storage, services.journal, services.market_store).replay(decision).as_dict()
    if as_json:
        print_json(page)
    else:
        _show_replayed(page)
    raise typer.Exit(0 if page["same"] else 1)


def _show_replayed(page: dict[str, Any]) -> None:
    out = console()
    rows = [
        (row["input"], "the very one" if row["same"] else "ALTERED", row["file"], row["why"])
        for row in page["inputs"]
    ]
    out.print(table(("input", "", "file", ""), rows), "")
    if page["same"]:
        out.print(f"{page['decision_id']}: computed again, the same bytes", style="green", markup=False)
    else:
        count = len(page["differences"]) + page["more_differences"]
        out.print(f"{page['decision_id']}: {count} differences", style="red", markup=False)
        found = [(each["pointer"], each["recorded"], each["computed"]) for each in page["differences"]]
        out.print(table(("place", "on record", "computed now"), found))
    for note in page["notes"]:
        out.print(note, style="yellow", markup=False)
