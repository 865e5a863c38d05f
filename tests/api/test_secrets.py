"""Nothing that the API shows holds a password, a token or a key."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.app import create_app
from backend.config import Settings
from tests.api.conftest import BASE
from tests.fakes.http import TestClient
from tests.fakes.services import fake_desk

SECRETS = ("s3cret-redis", "s3cret-terminal", "s3cret-connector", "s3cret-key")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    desk = fake_desk(tmp_path)
    settings = Settings(
        home=tmp_path,
        redis_url=f"redis://:{SECRETS[0]}@127.0.0.1:1/0",
        terminal_password=SECRETS[1],
        connector_url="http://127.0.0.1:1",
        connector_token=SECRETS[2],
    )
    (settings.config_dir / "api_integrations.json").write_text(
        '{"economic_calendar": {"provider": "fmp", "fmp": {"api_key": "s3cret-key"}}}', encoding="utf-8"
    )
    with TestClient(create_app(replace(desk, settings=settings), host="127.0.0.1"), base_url=BASE) as client:
        yield client


def test_no_page_shows_a_secret(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    looked = 0
    for path, methods in described.items():
        if "get" not in methods or "{" in path or path == "/api/events":  # needs a name, or never ends
            continue
        answer = client.get(path)
        looked += 1
        for secret in SECRETS:
            assert secret not in answer.text, path
            assert secret not in str(answer.headers), path
    assert looked > 12
