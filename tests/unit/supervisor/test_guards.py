import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from backend.config import Settings
from backend.core.errors import Conflict, NotFound, Unavailable
from backend.storage.files import FileStorage
from backend.supervisor import guards


def settings(home: Path) -> Settings:
    return Settings(home=home)


def test_one_desk_a_folder_and_the_second_hears_where_the_first_is(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    guards.prepare_folders(mine)
    FileStorage(mine.run_dir).write_json(guards.DESK_FILE, {"pid": 77, "api": "http://127.0.0.1:5001"})
    holder = (
        "import sys; from pathlib import Path; from backend.config import Settings; "
        "from backend.supervisor import guards\n"
        f"with guards.only_desk(Settings(home=Path({str(tmp_path)!r}))):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(Conflict, match=r"process 77, http://127\.0\.0\.1:5001") as refusal,
            guards.only_desk(mine),
        ):
            pass
        assert refusal.value.code == "desk_already_runs"
        other.kill()
    with guards.only_desk(mine):
        assert (mine.run_dir / "desk.lock").exists()
    assert not (mine.run_dir / "desk.lock").exists()


def test_a_taken_port_names_the_next_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"Port {port} .* --port {port + 1}"):
            guards.refuse_taken_port("127.0.0.1", port)
    guards.refuse_taken_port("127.0.0.1", port)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")
    with pytest.raises(Unavailable, match=r"cannot write in .*data"):
        guards.prepare_folders(settings(tmp_path))


def test_what_a_killed_desk_left_is_ended_and_strangers_are_not(tmp_path: Path) -> None:
    files = FileStorage(tmp_path)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeper) as ours, subprocess.Popen(sleeper) as stranger:
        began = psutil.Process(ours.pid).create_time()
        files.write_json(
            guards.DESK_FILE,
            {
                "children": [
                    {"name": "api", "pid": ours.pid, "process_started": began},
                    {"name": "beat", "pid": stranger.pid, "process_started": began - 1000},
                ]
            },
        )
        files.write_json("connector.json", {"url": "http://127.0.0.1:1"})
        assert guards.end_survivors(files) == [f"api ({ours.pid})"]
        assert ours.wait(5) != 0
        assert stranger.poll() is None
        stranger.kill()
    assert files.names("*.json") == []
    assert guards.end_survivors(files) is None, "that desk is told of once"


def test_an_address_of_another_machine_is_not_called_taken() -> None:
    with pytest.raises(Unavailable, match=r"cannot listen at 203\.0\.113\.1, port 5001"):
        guards.refuse_taken_port("203.0.113.1", 5001)


def test_a_replay_folder_that_is_not_there_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no folder .*nowhere to replay"):
        guards.refuse_missing_replay(Settings(home=tmp_path, replay=tmp_path / "nowhere"))
    guards.refuse_missing_replay(Settings(home=tmp_path, replay=tmp_path))
