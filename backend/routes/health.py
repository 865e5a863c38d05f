"""/healthz and /readyz: whether the process lives, and whether the desk can do its work."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from backend.core.errors import DeskError
from backend.jobs import broker as brokers
from backend.routes.access import DeskRoute, acting, desk
from backend.routes.errors import refusals
from backend.routes.ports import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

router = APIRouter(tags=["health"], route_class=DeskRoute)

PATIENCE: Final = 1.5


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One thing that the desk needs."""

    name: str
    ok: bool
    detail: str = Field(description="What answered, or why it does not do")
    milliseconds: float


class Readiness(BaseModel):
    """Whether everything that the desk needs answers."""

    ready: bool
    checks: list[Check]


@router.get("/healthz", responses=refusals())
async def healthz() -> Alive:
    """Whether this process answers; asks nothing of anybody."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Something does not answer"}})
def readyz(request: Request, response: Response) -> Readiness:
    """Broker, terminal and storage, within 2 s; what each said is for those who may read."""
    readiness = check_readiness(desk(request))
    if acting(request) is None:
        for check in readiness.checks:
            check.detail = "sign in to read it"
    if not readiness.ready:
        response.status_code = 503
    return readiness


def check_readiness(desk: Desk) -> Readiness:
    """Ask broker, terminal and storage at once; one that does not answer in time is not ready."""
    began = time.monotonic()
    probes: dict[str, Callable[[], str]] = {
        "broker": lambda: _broker(desk),
        "terminal": lambda: _terminal(desk),
        "storage": lambda: _storage(desk),
    }
    pool = ThreadPoolExecutor(len(probes), thread_name_prefix="ready")
    try:
        asked = {name: pool.submit(probe) for name, probe in probes.items()}
        checks = [_outcome(name, answer, began) for name, answer in asked.items()]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return Readiness(ready=all(check.ok for check in checks), checks=checks)


def _outcome(name: str, answer: Future[str], began: float) -> Check:
    ok = False
    try:
        detail = answer.result(timeout=max(0.0, began + PATIENCE - time.monotonic()))
        ok = True
    except NotYet:
        detail = f"no answer within {PATIENCE} s"
    except DeskError as error:
        detail = error.message
    except Exception:
        log.exception("the check of %s failed", name)
        detail = "the check itself failed; the log has it"
    return Check(name=name, ok=ok, detail=detail, milliseconds=round((time.monotonic() - began) * 1000, 1))


def _broker(desk: Desk) -> str:
    address = brokers.resolve(desk.settings)
    version = brokers.check(address)
    return address.describe() if version == "memory" else f"Redis {version}, {address.describe()}"


def _terminal(desk: Desk) -> str:
    desk.terminal.terminal()
    return "the terminal answers"


def _storage(desk: Desk) -> str:
    desk.storage.write_json("run/ready.json", {"checked_at": desk.clock.wall().isoformat()})
    return "the data folder can be written"
