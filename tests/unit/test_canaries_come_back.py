"""Where others hand a secret back, it is masked; with masking off, the search for canaries finds it there."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import keyring
import pytest
from keyring.errors import KeyringError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from backend.adapters.calendars import build_provider
from backend.adapters.connector_client import ConnectorAddress, ConnectorApi, ConnectorClock, ConnectorLink
from backend.adapters.fetch import HttpFetcher
from backend.adapters.system_keyring import SystemKeyring
from backend.config import load_settings
from backend.connector.app import create_connector
from backend.core import masking
from backend.core.clock import FixedClock
from backend.core.errors import DeskError
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.service import CalendarService
from backend.jobs.runner import describe
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore, new_key
from tests.fakes.calendar_means import means
from tests.fakes.canaries import core, leaks, written_below
from tests.fakes.fetcher import Reply, Site
from tests.fakes.http import TestClient
from tests.fakes.http_app import served
from tests.fakes.http_server import serving
from tests.fakes.jobs import FakePublisher, SetClock, make_runtime, run
from tests.fakes.terminal import FakeTerminal

NOW = datetime(2026, 3, 26, 12, tzinfo=UTC)
SECRET = "pr0v1derc4n4ry+of/the=desk&one"
ASKED = "/f?from=2026-03-23&to=2026-04-09&apikey=pr0v1derc4n4ry%2Bof%2Fthe%3Ddesk%26one"
ROW = {
    "date": "2026-03-31 01:30:00", "country": "CN", "event": f"Invalid key {SECRET}", "currency": "CNY",
    "previous": 1, "estimate": 2, "actual": 3, "impact": "High", "unit": "",
}  # fmt: skip

Places = Mapping[str, str | bytes]


def provider(replies: Callable[[Site], dict[str, Reply]]) -> Callable[[Path], Places]:
    """What a desk keeps and says of a provider that answers so."""

    def fetch(root: Path) -> Places:
        with serving() as site:
            for path, reply in replies(site).items():
                site.put(path, reply)
            made = means(root, HttpFetcher(FixedClock(NOW), allow_private=True))
            made.secrets.put("calendar.fmp", SECRET)
            section = {"base_url": site.url("/f"), "timeout": 2.0}
            config = CalendarConfig.model_validate({"provider": "fmp", "fmp": section})
            service = CalendarService(
                lambda: (config, build_provider(config, made)),
                FileStorage(root / "data", fsync=False),
                FixedClock(NOW),
                jitter=lambda: 0.0,
            )
            said: list[str] = []
            try:
                said.append(str(service.update()))
            except DeskError as error:
                said.append(json.dumps(describe(error)))
        return {"said": "".join(said), **written_below(root)}

    return fetch


def rows(*given: dict[str, Any]) -> bytes:
    """As PHP writes it, which escapes slashes."""
    return json.dumps(given).replace("/", "\\/").encode()


def terminal(**answers: Any) -> Callable[[Path], Places]:
    """What a connector tells of a terminal that answers so."""

    def ask(root: Path) -> Places:
        load_settings(home=root, terminal_password=SECRET)
        api = FakeTerminal()
        for name, answer in answers.items():
            setattr(api, name, answer)
        token = "t" * 32
        with TestClient(create_connector(api, token=token), base_url="http://127.0.0.1") as client:
            client.headers["Authorization"] = f"Bearer {token}"
            body = json.dumps({"args": [], "kwargs": {"login": 1, "password": "x"}})
            told = client.post("/call/login", content=body)
            return {"login": told.text, "health": client.get("/healthz").text}

    return ask


def refuses_login(*_: Any, **__: Any) -> bool:
    return False


def raises_at_login(*_: Any, **__: Any) -> bool:
    raise ValueError(f"login(1, {SECRET!r}) was refused")


def connector(root: Path) -> Places:
    """One that repeats the token that it was asked with, as its error and as the terminal's."""

    async def repeats(request: Request) -> JSONResponse:
        said = request.headers["authorization"]
        if request.url.path.startswith("/call"):
            return JSONResponse({"result": None, "last_error": [-6, said]})
        return JSONResponse({"error": {"code": "no", "message": said, "details": {"got": said}}}, 503)

    with served(Starlette(routes=[Route("/{path:path}", repeats, methods=["GET", "POST"])])) as url:
        record = {"url": url, "token": SECRET}
        link = ConnectorLink(lambda: ConnectorAddress.from_record(record))
        try:
            with pytest.raises(DeskError) as told:
                ConnectorClock(link).state()
            api = ConnectorApi(link)
            api.initialize()
            error = DeskError("terminal", str(api.last_error()))
        finally:
            link.close()
    return {"clock": str(told.value.as_dict()), "terminal": str(error.as_dict()), "str": str(told.value)}


def broker(root: Path) -> Places:
    """Redis' own library says the password as it was typed, not as it stands in the address."""
    load_settings(home=root, redis_url="redis://:pr0v1derc4n4ry%2Bof%2Fthe%3Ddesk%26one@127.0.0.1:1/0")
    return {"ledger": json.dumps(describe(ConnectionError(f"AUTH {SECRET} was refused")))}


def traceback(root: Path) -> Places:
    """The address stands in the error of httpx, and in every frame's line of the log."""
    load_settings(home=root, secret_key=SECRET)
    masking.remember(SECRET)
    request = httpx.Request("GET", "https://example.test/", params={"apikey": SECRET})
    records: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    log, handler = logging.getLogger("tests.canaries"), Kept()
    log.addHandler(handler)
    try:
        httpx.Response(500, request=request).raise_for_status()
    except httpx.HTTPStatusError as error:
        log.exception("asking %s failed", request.url)
        return {"log": "\n".join(records), "ledger": json.dumps(describe(error))}
    finally:
        log.removeHandler(handler)
    raise AssertionError("500 is a failure")


def numbered(symbol: str) -> int:
    return int(symbol)


def argument(root: Path) -> Places:
    """A key where a symbol should be: queued by the desk, and sent past it with Celery alone."""
    masking.remember(SECRET)
    publisher = FakePublisher()
    runtime = make_runtime(root, SetClock(), publisher)
    said: list[str] = []
    try:
        try:
            runtime.jobs.submit("desk.tasks.evaluate", {"symbol": SECRET}, actor="me")
        except DeskError as error:
            said.append(str(error.as_dict()))
        with pytest.raises((DeskError, ValueError)):
            run(runtime, "a-b-c", numbered, task="desk.tasks.evaluate", symbol=SECRET)
    finally:
        runtime.stopping.set()
        runtime.ledger.close()
    return {"said": "".join(said), "sent": str(publisher.published), **written_below(root)}


def ring(root: Path) -> Places:
    """A keyring that shows what it was to keep."""
    given: list[str] = []

    def refuse(_service: str, _name: str, text: str) -> None:
        given.append(text)
        raise KeyringError(f"cannot keep {text}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyring, "get_password", lambda *_: None)
        patch.setattr(keyring, "set_password", refuse)
        patch.setattr("backend.storage.secrets.new_key", lambda: SECRET)
        store = SecretStore(
            FileStorage(root / "data", fsync=False), root / "key", None, SystemKeyring("/a/desk")
        )
        with pytest.raises(DeskError) as told:
            store.make_key()
    assert given == [SECRET]
    return {"error": str(told.value), "ledger": json.dumps(describe(told.value))}


PLACES: dict[str, Callable[[Path], Places]] = {
    "a provider, in a title": provider(lambda _: {ASKED: Reply(body=rows(ROW))}),
    "a provider, in a row that cannot be read": provider(
        lambda _: {
            ASKED: Reply(body=rows(ROW | {"event": "x"}, ROW | {"event": "y"}, ROW | {"impact": SECRET}))
        }
    ),
    "a provider, in its validators": provider(
        lambda _: {ASKED: Reply(body=rows(ROW | {"event": "x"}), etag=f'"{SECRET}"')}
    ),
    "a provider, in the path of a redirect": provider(
        lambda site: {ASKED: Reply(status=302, location=site.url(f"/{SECRET}"))}
    ),
    "the terminal, in its last error": terminal(
        login=refuses_login, last_error=lambda: (-6, f"Authorization failed for {SECRET}")
    ),
    "the terminal, in what it raises": terminal(login=raises_at_login),
    "the connector": connector,
    "the broker": broker,
    "a traceback": traceback,
    "an argument of a task": argument,
    "the keyring": ring,
}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    factory = logging.getLogRecordFactory()
    monkeypatch.setattr(masking, "_known", ())
    yield
    logging.setLogRecordFactory(factory)


@pytest.mark.parametrize("place", PLACES)
def test_it_is_masked(tmp_path: Path, place: str) -> None:
    assert leaks({"it": SECRET}, PLACES[place](tmp_path)) == set()


@pytest.mark.parametrize("place", PLACES)
def test_without_masking_the_search_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(masking, "hide", lambda text: text)
    monkeypatch.setattr(masking, "hide_in", lambda value: value)
    assert leaks({"it": SECRET}, PLACES[place](tmp_path)) != set()


def test_a_key_that_this_process_did_not_use_is_known_from_its_start(tmp_path: Path) -> None:
    def store(key: str) -> SecretStore:
        return SecretStore(FileStorage(tmp_path, fsync=False), tmp_path / "key", key)

    key = new_key()
    store(key).put("calendar.fmp", SECRET)
    masking._known = ()
    store(new_key()).learn()
    assert masking.hide(SECRET) == SECRET, "it cannot be read, and nothing is said of that here"
    store(key).learn()
    assert masking.hide(SECRET) == masking.MASK


def test_every_way_of_writing_it_leaves_its_core() -> None:
    assert core(SECRET) == "pr0v1derc4n4ry"
