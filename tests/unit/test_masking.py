"""Secrets that a process has used are masked in what it says, however they are written there."""

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from backend.config import load_settings
from backend.core import masking
from backend.core.errors import Invalid, Unavailable
from backend.jobs.runner import describe
from backend.routes.errors import error_bytes
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore
from tests.conftest import ROOT

CANARY = "c4n4ry/of+a=provider&key"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", ())


def test_every_way_in_which_it_may_be_written_is_masked() -> None:
    assert masking.remember(CANARY) == CANARY
    for text in (
        f"401 for https://example.test/?apikey={CANARY}",
        "GET /?apikey=c4n4ry%2Fof%2Ba%3Dprovider%26key failed",
        json.dumps({"key": CANARY}),
        repr({"key": CANARY}),
        "GET /c4n4ry/of%2Ba%3Dprovider%26key failed",
        "GET /?apikey=c4n4ry%2fof%2ba%3dprovider%26key failed",
        "<p>The key c4n4ry/of+a=provider&amp;key is not valid</p>",
    ):
        assert "c4n4ry" in text
        assert "c4n4ry" not in masking.hide(text)
        assert masking.MASK in masking.hide(text)


def test_a_short_word_hides_nothing() -> None:
    masking.remember("")
    masking.remember("order")
    assert masking.hide("an order") == "an order"


def test_a_longer_secret_is_not_left_in_part_by_a_shorter_one() -> None:
    masking.remember("0123456789")
    masking.remember("0123456789abcdef")
    assert masking.hide("<0123456789abcdef>") == f"<{masking.MASK}>"


def test_a_secret_out_of_the_store_is_masked_from_then_on(tmp_path: Path) -> None:
    def store() -> SecretStore:
        return SecretStore(FileStorage(tmp_path / "data", fsync=False), tmp_path / "secret.key")

    store().put("calendar.fmp", CANARY)
    assert store().get("calendar.fmp") == CANARY
    assert CANARY not in masking.hide(f"asked with {CANARY}")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("redis://:c4n4ry-redis@127.0.0.1:1/0", "AUTH c4n4ry-redis"),
        ("redis://me:c4n4ry%2Bredis@127.0.0.1:1/0", "AUTH me c4n4ry+redis"),
        ("redis://:c4n4ry@redis@127.0.0.1:1/0", "AUTH c4n4ry@redis"),
        ("sentinel://:other-one@h:1;sentinel://:c4n4ry-redis@h:2", "AUTH c4n4ry-redis"),
        ("redis://:c4n4ry@127.0.0.1:1/0", "no answer of redis://:c4n4ry@127.0.0.1:1/0"),
    ],
)
def test_so_are_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    monkeypatch.setenv("MT5UI_TERMINAL_PASSWORD", "c4n4ry-terminal")
    monkeypatch.setenv("REDIS_URL", address)
    factory = logging.getLogRecordFactory()
    try:
        load_settings(home=tmp_path)
    finally:
        logging.setLogRecordFactory(factory)
    assert "c4n4ry" not in masking.hide(f"c4n4ry-terminal at {address}: {said}")


@pytest.mark.parametrize("variable", ["MT5UI_TRUSTED_PROXIES", "MT5UI_PORT"])
def test_a_wrong_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "nonsense")
    with pytest.raises(Invalid, match=variable) as caught:
        load_settings(home=tmp_path)
    assert "nonsense" in caught.value.message


def provider_fails() -> None:
    raise Unavailable("provider_down", f"asked {CANARY}", url=f"https://example.test/{CANARY}")


def test_logs_tracebacks_failures_and_answers_have_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    masking.remember(CANARY)
    factory = logging.getLogRecordFactory()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    log = logging.getLogger("tests.masking")
    log.addHandler(handler)
    try:
        masking.install()
        try:
            provider_fails()
        except Unavailable as error:
            log.exception("failed with %s", CANARY)
            kept = json.dumps(describe(error))
            answer = error_bytes(error.code, error.message, error.details).decode()
    finally:
        log.removeHandler(handler)
        logging.setLogRecordFactory(factory)
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    for text in (stream.getvalue(), kept, answer):
        assert "c4n4ry" not in text
        assert "provider_down" in text or "Unavailable" in text


@pytest.mark.parametrize(
    ("how", "code_of_exit"),
    [
        ("fail()", 1),
        ("threading.Thread(target=fail).start()", 0),
        ("type('Ended', (), {'__del__': fail})()", 0),
    ],
    ids=["process", "thread", "finalizer"],
)
def test_the_last_words_have_it_too(how: str, code_of_exit: int) -> None:
    code = (
        "import threading\n"
        "from backend.core import masking\n"
        "masking.install()\n"
        "key = masking.remember('c4n4ry' + '-of-this')\n"
        "def fail(*_):\n    raise ValueError(key)\n" + how
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code_of_exit
    assert f"ValueError: {masking.MASK}" in done.stderr
    assert "c4n4ry-of-this" not in done.stderr
