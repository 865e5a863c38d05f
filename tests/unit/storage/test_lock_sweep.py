import subprocess
import sys
from pathlib import Path

from backend.storage.files import FileStorage
from backend.storage.locks import sweep


def test_lock_files_that_nobody_holds_go_and_held_ones_stay(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    storage.write_json("free/a.json", 1)
    holder = (
        "import sys; from pathlib import Path; from backend.storage.files import FileStorage\n"
        f"with FileStorage(Path({str(tmp_path)!r})).lock('held/b.json', 5):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        sweep(tmp_path)
        assert [path.name for path in tmp_path.rglob("*.lock")] == ["b.json.lock"]
        other.kill()
    sweep(tmp_path)
    assert [*tmp_path.rglob(".locks")] == []
    assert storage.read_json("free/a.json") == 1
    storage.write_json("free/a.json", 2)
