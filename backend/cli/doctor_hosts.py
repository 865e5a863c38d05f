"""The doctor's looks from a host that works for a desk elsewhere: the same broker, folder, terminal, time."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from backend.cli.desk_client import left_by_supervisor
from backend.cli.doctor_desk import drift
from backend.cli.findings import Finding, fail, good, warn
from backend.config import Settings
from backend.core.clock import SystemClock, age_seconds, parse_iso
from backend.core.errors import DeskError
from backend.jobs import broker as brokers
from backend.jobs.leases import machine
from backend.storage.files import FileStorage

if TYPE_CHECKING:
    from backend.jobs.witness import Witness
    from backend.services import Services

_NAME_BROKER: Final = "Set REDIS_URL to the desk's broker, at an address that this host reaches"
_NAME_CONNECTOR: Final = (
    "Set MT5UI_CONNECTOR_URL to the desk's connector, at an address that this host reaches, and "
    "MT5UI_CONNECTOR_TOKEN to the token in its data/run/connector.json"
)


def desk_elsewhere(settings: Settings) -> Mapping[str, Any] | None:
    """What the desk that writes in our ``data`` folder says of itself, if it runs on another host.

    A home of its own on the same machine counts as one.
    """
    left = left_by_supervisor(settings)
    if "machine" not in left:
        return None
    here = (left["machine"], left["home"]) == (machine(), str(settings.home))
    return None if here else left


def joining(settings: Settings, desk: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything that a worker here needs of the desk there; takes up to 15 s.

    Args:
        settings: Of this host.
        desk: As `desk_elsewhere` gives it.
    """
    yield good("desk", f"runs on {desk['host']} in {desk['home']}; this is another host of it")
    yield from _broker_and_folder(settings, desk)
    yield from _terminal(settings)


def _broker_and_folder(settings: Settings, desk: Mapping[str, Any]) -> Iterator[Finding]:
    there = f"the desk on {desk['host']} uses {desk['broker']}"
    try:
        address = brokers.resolve(settings)
        version = brokers.check(address)
    except DeskError as error:
        yield fail("broker", f"{error.message}; {there}", _NAME_BROKER)
        return
    if address.kind is brokers.BrokerKind.MEMORY:
        yield fail("broker", f"none is named here; {there}", _NAME_BROKER)
        return
    yield _broker_clock(address)
    heard = [one for one in _ask(settings, address, desk) if one.machine == desk["machine"]]
    where = f"Redis {version}, {address.describe()}"
    if not heard:
        yield fail("broker", f"{where}: no worker on {desk['host']} answers over it; {there}", _NAME_BROKER)
        return
    yield good("broker", f"{where}: {', '.join(one.worker for one in heard)} on {desk['host']} answers")
    yield _folder(settings, desk, heard)
    yield _locks(desk, heard)
    worst = max(heard, key=lambda one: abs(one.clock_ahead))
    yield drift(f"clock of {desk['host']}", worst.clock_ahead, "this host's")


def _ask(
    settings: Settings, address: brokers.BrokerAddress, desk: Mapping[str, Any]
) -> "tuple[Witness, ...]":
    from backend.jobs.app import build_app
    from backend.jobs.host_locks import host_locks
    from backend.jobs.witness import ask

    hosts = host_locks(settings)
    app = build_app(address)
    try:
        return ask(app, FileStorage(settings.data_dir), SystemClock(), str(desk["machine"]), hosts)
    finally:
        app.close()


def _folder(settings: Settings, desk: Mapping[str, Any], heard: "list[Witness]") -> Finding:
    there, here = all(one.reads_us for one in heard), all(one.we_read for one in heard)
    if there and here and not all(one.at_once for one in heard):
        return fail(
            "shared folder",
            f"{settings.data_dir}: what {desk['host']} changes is not seen here at once",
            "Mount it without caches of names, sizes and times: see More machines in the set-up guide",
        )
    if there and here:
        return good(
            "shared folder", f"{desk['host']} reads what is written here, and this host what it writes"
        )
    missing = f"{desk['host']} does not read what is written here" if not there else ""
    unseen = f"this host does not read what {desk['host']} writes" if not here else ""
    return fail(
        "shared folder",
        f"{settings.data_dir}: {' and '.join(filter(None, (missing, unseen)))}",
        f"Mount {desk['home']}/data of {desk['host']} here, writable",
    )


def _locks(desk: Mapping[str, Any], heard: "list[Witness]") -> Finding:
    if all(one.locked_out for one in heard):
        return good("locks", f"what is locked here, {desk['host']} may not change")
    return fail(
        "locks",
        f"what is locked here, {desk['host']} changes all the same",
        f"Name the same Redis by REDIS_URL in .env of both hosts, and start the desk on {desk['host']} "
        "again: a broker that it brings itself serves one host",
    )


def _broker_clock(address: brokers.BrokerAddress) -> Finding:
    return drift(
        "clock of the broker", age_seconds(SystemClock().wall(), brokers.time_of(address)), "this host's"
    )


def _terminal(settings: Settings) -> Iterator[Finding]:
    from backend.services import Services

    services = Services(settings)
    with closing(services.connector_link):
        yield from _connector(services, settings.connector_url or "as data/run/connector.json says")


def _connector(services: "Services", where: str) -> Iterator[Finding]:
    try:
        told = services.connector_clock.describe()
        heard_at = SystemClock().wall()
        status = services.terminal.terminal()
    except DeskError as error:
        yield fail("connector", f"{where}: {error.message}", _NAME_CONNECTOR)
        return
    yield good("connector", f"{where}: the token is accepted; {status.name} answers")
    yield drift("clock of the connector", age_seconds(heard_at, parse_iso(told["wall_now"])), "this host's")
    try:
        offset = services.terminal.check_server_clock(services.symbols.enabled(), now=services.clock.now())
    except DeskError as error:
        yield warn("clock of the terminal", error.message, "Look at logs/connector.log on the desk's host")
        return
    if offset.verdict == "differs":
        yield fail("clock of the terminal", offset.reason, "Correct MT5UI_SERVER_CLOCK")
    else:
        yield good("clock of the terminal", f"{offset.verdict}: {offset.reason}")
