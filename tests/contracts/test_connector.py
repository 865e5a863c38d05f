"""The connector over real HTTP: the module's suite through it, and its own promises."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from backend.adapters.connector_client import (
    NO_CONNECTION,
    ConnectorAddress,
    ConnectorApi,
    ConnectorClock,
    ConnectorLink,
)
from backend.connector.app import create_connector
from backend.connector.replay import DeskClock
from backend.core.clock import iso
from backend.core.errors import Conflict, Invalid, Unavailable
from backend.mt5.api import Mt5Api
from backend.simulator.build import build_replay, build_simulated_terminal
from backend.storage.files import FileStorage
from tests.contracts.test_mt5_api import CLOCK, NOW, Mt5ApiContract
from tests.fakes.http_app import served
from tests.fakes.terminal import FakeTerminal, symbol_info
from tests.unit.simulator.replay_data import write_minutes

TOKEN = "a-token-of-the-test"


@contextmanager
def link_to(app: Any, *, token: str = TOKEN, scale: float = 1.0) -> Iterator[ConnectorLink]:
    with served(app) as url:
        link = ConnectorLink(lambda: ConnectorAddress(url, token), timeout_scale=scale)
        try:
            yield link
        finally:
            link.close()


def as_terminal(api: Mt5Api) -> Mt5Api:
    return api


def wait_until(condition: Any, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def link() -> Iterator[ConnectorLink]:
    terminal = build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)
    with link_to(create_connector(terminal, token=TOKEN)) as link:
        yield link


class TestThroughConnector(Mt5ApiContract):
    """The simulated terminal behind HTTP is the simulated terminal."""

    @pytest.fixture
    def api(self, link: ConnectorLink) -> Iterator[Any]:
        api = ConnectorApi(link)
        assert api.version() is None
        assert api.last_error() == NO_CONNECTION
        assert api.initialize()
        yield api
        api.shutdown()
        assert api.version() is None
        assert api.last_error() == NO_CONNECTION

    def test_answers_are_those_of_the_terminal_itself(self, api: Any) -> None:
        direct = build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)
        direct.initialize()
        for function, args in (
            ("terminal_info", ()),
            ("account_info", ()),
            ("version", ()),
            ("symbols_total", ()),
            ("symbols_get", ("*USD*",)),
            ("symbol_info", ("XAUUSD",)),
            ("symbol_info_tick", ("USDJPY",)),
            ("order_calc_margin", (0, "EURUSD", 1, 1.1)),
            ("order_check", ({"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "price": 1.1},)),
            ("positions_get", ()),
            ("copy_rates_from_pos", ("EURUSD", 1, 0, 100)),
            ("copy_ticks_from", ("EURUSD", NOW - timedelta(minutes=5), 50, -1)),
        ):
            theirs, ours = getattr(direct, function)(*args), getattr(api, function)(*args)
            assert type(theirs) is type(ours)
            np.testing.assert_array_equal(theirs, ours) if isinstance(theirs, np.ndarray) else None
            assert isinstance(theirs, np.ndarray) or theirs == ours, function
            assert direct.last_error() == api.last_error()

    def test_arrays_can_be_written_to_as_the_module_s(self, api: Any) -> None:
        rates = api.copy_rates_from_pos("EURUSD", 1, 0, 3)
        rates["close"][0] = 1.0
        assert rates["close"][0] == 1.0

    @pytest.mark.parametrize(
        ("volume", "accepted"),
        [(1.0, True), (np.float64(1.0), True), (1, False), (np.float32(1.0), False), (True, False)],
    )
    def test_an_int_is_no_float_on_the_way(self, api: Any, volume: Any, accepted: bool) -> None:
        request = {"action": 1, "symbol": "EURUSD", "volume": volume, "type": 0, "price": 1.1}
        assert (api.order_check(request) is not None) is accepted
        if not accepted:
            assert api.last_error() == (-2, 'Invalid "volume" argument')

    def test_integers_of_numpy_and_beyond_64_bits_stay_what_they_are(self, api: Any) -> None:
        assert api.order_check({"action": np.int64(1), "symbol": "EURUSD"}) is None
        assert api.last_error() == (-2, 'Invalid "action" argument')
        with pytest.raises(SystemError, match="returned a result with an exception set"):
            api.order_check({"action": 1, "symbol": "EURUSD", "magic": 2**70})

    def test_what_no_terminal_accepts_is_refused_there(self, api: Any) -> None:
        assert api.symbol_info(object()) is None
        assert api.last_error() == (-2, 'Invalid "symbol" argument')
        assert api.symbol_info("\ud800") is None
        assert api.last_error()[0] == -2
        assert api.symbol_info() is None
        assert api.last_error() == (-2, "Invalid arguments")

    def test_a_naive_date_means_this_computer_s_zone(self, api: Any) -> None:
        bars = api.copy_rates_from_pos("EURUSD", 1, 0, 5)
        naive = datetime.fromtimestamp(int(bars["time"][2]))  # noqa: DTZ006 - the point
        np.testing.assert_array_equal(api.copy_rates_from("EURUSD", 1, naive, 1), bars[2:3])

    def test_errors_are_each_thread_s_own(self, api: Any) -> None:
        api.symbol_info("NOPE")
        seen: list[Any] = []

        def ask() -> None:
            api.symbol_info("EURUSD")
            seen.append(api.last_error())

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert seen == [(1, "Success")]
        assert api.last_error()[0] == -4

    def test_it_is_a_terminal(self, link: ConnectorLink) -> None:
        assert as_terminal(ConnectorApi(link)).initialize()


@pytest.fixture
def fake() -> FakeTerminal:
    terminal = FakeTerminal(connected=False)
    terminal.infos["EURUSD"] = symbol_info()
    return terminal


class TestWhoIsAnswered:
    @pytest.fixture
    def url(self, fake: FakeTerminal) -> Iterator[str]:
        with served(create_connector(fake, token=TOKEN)) as url:
            yield url

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": TOKEN},
            {"authorization": f"bearer {TOKEN}"},
            {"authorization": f"Bearer {TOKEN} "[:-2]},
        ],
    )
    def test_without_the_token_nothing_is_said_or_done(
        self, url: str, fake: FakeTerminal, headers: dict[str, str]
    ) -> None:
        for method, path in (
            ("POST", "/call/symbols_get"),
            ("GET", "/clock"),
            ("POST", "/clock/advance"),
            ("GET", "/nothing-here"),
        ):
            answer = httpx.request(method, url + path, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "wrong_token"
        assert fake.asked("symbols_get") == 0

    def test_health_is_for_everyone_on_this_computer(self, url: str) -> None:
        answer = httpx.get(f"{url}/healthz")
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.evil"])
    def test_another_name_is_refused_even_with_the_token(self, url: str, host: str) -> None:
        headers = {"authorization": f"Bearer {TOKEN}", "host": host}
        assert httpx.post(f"{url}/call/version", headers=headers).status_code == 403
        assert httpx.get(f"{url}/healthz", headers=headers).status_code == 403

    def test_a_wrong_token_is_an_authorization_that_failed(self, fake: FakeTerminal) -> None:
        with link_to(create_connector(fake, token=TOKEN), token="other") as link:
            api = ConnectorApi(link)
            assert api.initialize() is False
            code, text = api.last_error()
            assert code == -6
            assert "token" in text

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("/call/eval", b"{}", 404),
            ("/call/__init__", b"{}", 404),
            ("/call/_call", b"{}", 404),
            ("/call/shutdown", b"{}", 409),
            ("/call/version", b"[]", 422),
            ("/call/version", b'{"args": 1}', 422),
            ("/call/version", b'{"args": [{"$": "struct", "type": "os", "fields": {}}]}', 422),
            ("/call/version", b'{"args": [{"$": "eval"}]}', 422),
            ("/call/version", b"\xff", 422),
            ("/call/version", b"[" * 100_000, 422),
            ("/call/version", b"1" * 1_000_001, 413),
        ],
    )
    def test_strange_requests_are_refused_in_the_common_shape(
        self, url: str, path: str, body: bytes, status: int
    ) -> None:
        answer = httpx.post(url + path, content=body, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"code", "message", "details", "correlation_id"}


def waits_in(function: str, release: threading.Event) -> Callable[[str], None]:
    def during(name: str) -> None:
        if name == function:
            release.wait(20)

    return during


class TestFailures:
    def test_nobody_there(self) -> None:
        link = ConnectorLink(lambda: ConnectorAddress("http://127.0.0.1:9", TOKEN))
        api = ConnectorApi(link)
        assert api.initialize() is False
        assert api.last_error() == NO_CONNECTION
        link.close()

    def test_no_address_known(self) -> None:
        def unknown() -> ConnectorAddress:
            raise Unavailable("no_connector", "Start one with `python -m backend.connector`")

        link = ConnectorLink(unknown)
        api = ConnectorApi(link)
        assert api.initialize() is False
        code, text = api.last_error()
        assert code == NO_CONNECTION[0]
        assert text == "No IPC connection: Start one with `python -m backend.connector`"
        link.close()

    def test_a_stuck_call_fails_in_time_and_the_next_one_is_answered(self, fake: FakeTerminal) -> None:
        release = threading.Event()
        fake.during = waits_in("symbols_total", release)
        app = create_connector(fake, token=TOKEN, deadline_scale=0.03)  # 0.3 s a call
        with link_to(app) as link:
            api = ConnectorApi(link)
            assert api.initialize()
            began = time.monotonic()
            assert api.symbols_total() is None
            assert time.monotonic() - began < 3
            code, text = api.last_error()
            assert code == -10_005
            assert text.startswith("IPC timeout")
            assert api.version() is not None  # another thread has taken over
            release.set()

    def test_a_call_that_waited_too_long_is_never_made(self, fake: FakeTerminal) -> None:
        release = threading.Event()
        fake.during = waits_in("copy_rates_from_pos", release)
        app = create_connector(fake, token=TOKEN, deadline_scale=0.1)  # 3 s for bars, 1 s for others
        with link_to(app) as link:
            api = ConnectorApi(link)
            assert api.initialize()
            slow = threading.Thread(target=lambda: api.copy_rates_from_pos("EURUSD", 1, 0, 1))
            slow.start()
            wait_until(lambda: fake.asked("copy_rates_from_pos"))
            assert api.positions_total() is None
            assert api.last_error()[0] == -10_005
            release.set()
            slow.join()
            assert api.version() is not None
            assert fake.asked("positions_total") == 0

    def test_a_process_s_own_terminal_that_hangs_ends_the_process(self, fake: FakeTerminal) -> None:
        release, ended = threading.Event(), list[str]()
        fake.during = waits_in("symbols_total", release)
        app = create_connector(fake, token=TOKEN, deadline_scale=0.03, on_stuck=ended.append)
        with link_to(app) as link:
            api = ConnectorApi(link)
            assert api.initialize()
            assert api.symbols_total() is None
            assert ended == ["symbols_total"]
            release.set()

    def test_a_terminal_that_is_away_at_the_start_is_connected_when_it_comes(
        self, fake: FakeTerminal
    ) -> None:
        fake.down = (-10_003, "IPC initialize failed, MetaTrader 5 x64 not found")
        with link_to(create_connector(fake, token=TOKEN)) as link:
            api = ConnectorApi(link)
            assert api.initialize() is False
            assert api.last_error() == fake.down
            fake.down = None
            wait_until(lambda: fake.connected)
            assert api.initialize()
            assert api.symbols_total() == 1

    def test_a_terminal_that_is_lost_is_connected_again(self, fake: FakeTerminal) -> None:
        with link_to(create_connector(fake, token=TOKEN)) as link:
            api = ConnectorApi(link)
            assert api.initialize()
            fake.connected = False
            assert api.version() is None
            assert api.last_error() == NO_CONNECTION
            wait_until(lambda: fake.connected)
            assert api.version() is not None

    def test_a_connector_that_starts_again_elsewhere_is_found(self, fake: FakeTerminal) -> None:
        addresses: list[ConnectorAddress] = []
        link = ConnectorLink(lambda: addresses[-1])
        api = ConnectorApi(link)
        for token in ("first", "second"):
            with served(create_connector(fake, token=token)) as url:
                addresses.append(ConnectorAddress(url, token))
                assert api.initialize()
                assert api.symbols_total() == 1
        assert api.symbols_total() is None
        assert api.last_error() == NO_CONNECTION
        link.close()

    def test_calls_never_meet(self, fake: FakeTerminal) -> None:
        inside, most = 0, 0
        guard = threading.Lock()

        def watch(_function: str) -> None:
            nonlocal inside, most
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.002)
            with guard:
                inside -= 1

        fake.during = watch
        with link_to(create_connector(fake, token=TOKEN)) as link:
            api = ConnectorApi(link)
            assert api.initialize()
            found: list[Any] = []

            def ask() -> None:
                for name in ("EURUSD", "NOPE") * 5:
                    info = api.symbol_info(name)
                    found.append((name, info is not None, api.last_error()[0]))

            threads = [threading.Thread(target=ask) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert most == 1
        assert set(found) == {("EURUSD", True, 1), ("NOPE", False, -4)}
        assert len(found) == 60


class TestClock:
    def test_a_live_desk_s_clock_is_the_world_s(self, fake: FakeTerminal) -> None:
        with link_to(create_connector(fake, token=TOKEN)) as link:
            clock = ConnectorClock(link)
            said = clock.describe()
            assert said["mode"] == "live"
            assert said["range"] is None
            assert said["finished"] is False
            with pytest.raises(Conflict) as refused:
                clock.advance(datetime(2030, 1, 1, tzinfo=UTC))
            assert refused.value.code == "live_desk"
            with pytest.raises(Conflict):
                clock.next_close(["M1"])

    def test_a_replay_moves_when_told_and_goes_on_after_a_restart(self, tmp_path: Path) -> None:
        folder, run_files = tmp_path / "files", FileStorage(tmp_path / "run")
        first_day = datetime(2025, 11, 10, tzinfo=UTC)
        write_minutes(folder, "eurusd", first=first_day, days=3)

        @contextmanager
        def desk() -> Iterator[tuple[ConnectorClock, ConnectorApi]]:
            replay = build_replay(folder=folder, server_clock=CLOCK)
            clock = DeskClock()
            terminal = build_simulated_terminal(seed=7, replay=folder, server_clock=CLOCK, now=clock.now)
            clock.play(replay.market, run_files, identity=str(folder), speed=60.0)
            with link_to(create_connector(terminal, token=TOKEN, clock=clock)) as link:
                yield ConnectorClock(link), ConnectorApi(link)

        with desk() as (clock, api):
            state = clock.state()
            assert (state.now, state.first, state.finished) == (first_day, first_day, False)
            assert clock.next_close(["M1", "H1"]) == first_day + timedelta(minutes=1)
            assert clock.next_close(["H1"]) == first_day + timedelta(hours=1)
            noon = first_day + timedelta(hours=12)
            assert clock.advance(noon).now == noon
            assert clock.now() == noon
            assert clock.describe()["speed"] == 60.0
            assert api.initialize()
            assert api.symbol_info_tick("EURUSD").time <= CLOCK.server_epoch(noon)
            assert api.symbol_info_tick("EURUSD").time > CLOCK.server_epoch(noon) - 120
            with pytest.raises(Invalid) as refused:
                clock.advance(noon - timedelta(minutes=1))
            assert refused.value.code == "clock_backwards"
        with desk() as (clock, _):
            assert clock.now() == noon
            end = clock.advance(datetime(2030, 1, 1, tzinfo=UTC))
            assert end.now == end.last
            assert end.finished
            assert clock.next_close(["M1"]) is None
            assert iso(end.now) == run_files.read_json("replay.json")["now"]

    def test_another_replay_begins_at_its_beginning(self, tmp_path: Path) -> None:
        write_minutes(tmp_path / "files", "eurusd", first=datetime(2025, 11, 10, tzinfo=UTC), days=2)
        market = build_replay(folder=tmp_path / "files", server_clock=CLOCK).market
        run_files = FileStorage(tmp_path / "run")
        one, other = DeskClock(), DeskClock()
        one.play(market, run_files, identity="one", speed=1.0)
        one.advance(one.now() + timedelta(hours=5))
        other.play(market, run_files, identity="other", speed=1.0)
        assert other.now() == market.range()[0]

    def test_desk_time_is_asked_at_most_every_50_ms(self, tmp_path: Path) -> None:
        write_minutes(tmp_path / "files", "eurusd", first=datetime(2025, 11, 10, tzinfo=UTC), days=1)
        clock = DeskClock()
        market = build_replay(folder=tmp_path / "files", server_clock=CLOCK).market
        clock.play(market, FileStorage(tmp_path / "run"), identity="one", speed=1.0)
        with link_to(create_connector(FakeTerminal(), token=TOKEN, clock=clock)) as link:
            asking = ConnectorClock(link)
            before = asking.now()
            clock.advance(before + timedelta(minutes=1))
            wait_until(lambda: asking.now() == before + timedelta(minutes=1), 1.0)
            assert asking.wall().year >= 2025

    def test_without_a_connector_nobody_knows_the_time(self) -> None:
        link = ConnectorLink(lambda: ConnectorAddress("http://127.0.0.1:9", TOKEN))
        with pytest.raises(Unavailable) as failed:
            ConnectorClock(link).now()
        assert failed.value.code == "connector_down"
        link.close()
