"""One step of an idea as the journal and the idea's history keep it. Pure.

A step is a JSON object: ``version`` (its number, from 1), ``action``, ``from`` and ``status`` (before and
after), ``at`` (ISO, desk time), ``by``, ``why``, ``changes`` (field to [before, after]) and ``details``. The
journal's payload has ``idea_id`` besides, and the first step, a proposal, the whole ``idea`` as it began.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.core.errors import Invalid
from backend.ideas.lifecycle import BORN, Act, Status, target

OWNED = frozenset({"id", "status", "version", "history", "created_at", "symbol"})
"""Fields that no step may set by name."""


def step_key(idea_id: str, version: int) -> str:
    """The journal's key of an idea's step."""
    return f"{idea_id}:{version}"


def proposed(idea: Mapping[str, Any], *, actor: str, why: str) -> dict[str, Any]:
    """The first step: the idea as it begins.

    Raises:
        Invalid: Its status is none that an idea begins with.
    """
    if idea["status"] not in BORN:
        raise Invalid("bad_idea", f"an idea begins as {' or '.join(sorted(BORN))}, not {idea['status']}")
    stated = _step(1, Act.PROPOSE, None, str(idea["status"]), str(idea["created_at"]), actor, why)
    begun = {key: value for key, value in idea.items() if key not in {"version", "history"}}
    return {"idea_id": str(idea["id"]), **stated, "idea": begun}


def changed(
    idea: Mapping[str, Any],
    act: Act,
    status: Status,
    *,
    at: str,
    by: str,
    why: str,
    changes: Mapping[str, Any],
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """The step that follows an idea's last one; `changes` are new values, those that are equal left out.

    Raises:
        Invalid: Code ``bad_change``: a field that only the book sets.
    """
    if owned := OWNED & changes.keys():
        raise Invalid("bad_change", f"a step does not set {', '.join(sorted(owned))}")
    stated = _step(idea["version"] + 1, act, str(idea["status"]), str(status), at, by, why)
    stated["changes"] = {
        field: [idea.get(field), value] for field, value in changes.items() if idea.get(field) != value
    }
    stated["details"] = dict(details)
    return {"idea_id": str(idea["id"]), **stated}


def applied(idea: Mapping[str, Any] | None, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The idea after a step; None before its proposal."""
    stated = {key: value for key, value in payload.items() if key not in {"idea_id", "idea"}}
    if idea is None:
        return {**payload["idea"], "version": 1, "history": [stated]}
    after = {field: value for field, (_, value) in payload["changes"].items()}
    own = {"status": payload["status"], "version": payload["version"]}
    return {**idea, **after, **own, "history": [*idea["history"], stated]}


def checked(idea: Any, name: str) -> dict[str, Any]:
    """What a file holds, if it is an idea; one from before steps were numbered counts its history.

    Raises:
        Invalid: Code ``bad_idea``, with the file.
    """
    fault = _fault(idea)
    if fault:
        raise Invalid("bad_idea", f"{name} is no trade idea: {fault}", name=name)
    return {**idea, "version": idea.get("version", len(idea["history"]))}


def _fault(idea: Any) -> str:
    if not isinstance(idea, dict):
        return "it is no JSON object"
    for key in ("id", "symbol", "created_at", "status"):
        if not isinstance(idea.get(key), str):
            return f"{key} is missing or no text"
    if idea["status"] not in set(Status):
        return f"{idea['status']!r} is no status"
    if not isinstance(idea.get("history"), list):
        return "it has no history"
    return "" if isinstance(idea.get("version", 0), int) else "version is no number"


def replayed(history: Sequence[Mapping[str, Any]]) -> Status:
    """The status that a history leads to, each step checked against the table.

    Raises:
        Conflict: A step that the table does not allow.
        Invalid: A history that does not begin with a proposal, or whose steps do not join.
    """
    if not history or history[0]["action"] != Act.PROPOSE or history[0]["status"] not in BORN:
        raise Invalid("bad_history", "a history begins with a proposal")
    status = Status(history[0]["status"])
    for number, stated in enumerate(history[1:], 2):
        if stated["from"] != status or stated["version"] != number:
            raise Invalid("bad_history", f"step {number} does not follow from the one before")
        status = target(status, Act(stated["action"]), Status(stated["status"]))
    return status


def _step(
    version: int, act: Act, before: str | None, after: str, at: str, by: str, why: str
) -> dict[str, Any]:
    return {
        "version": version,
        "action": str(act),
        "from": before,
        "status": after,
        "at": at,
        "by": by,
        "why": why,
        "changes": {},
        "details": {},
    }
