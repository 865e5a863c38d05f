"""Settings: the only reader of the environment and of `.env`."""

import ipaddress
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from backend.core import masking
from backend.core.errors import Invalid

CODE_ROOT = Path(__file__).resolve().parent.parent

FRUGAL = {
    "MALLOC_ARENA_MAX": "1",  # glibc: Python lets one thread allocate at a time anyway
    # glibc: else both limits grow with what a process once took, and what it frees stays with it
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # its own pool keeps what it once had
}
"""What keeps a process from holding memory that it no longer uses; where it is set already, that holds."""


_PASSWORD = re.compile(r"://[^:/@]*:([^/]+)@")
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?")


class BrokerChoice(StrEnum):
    """Which Celery broker to use; `auto` takes the first there is, as the guide lists them."""

    AUTO = "auto"
    MEMORY = "memory"


class TerminalKind(StrEnum):
    """What stands behind the MT5 connector."""

    SIMULATED = "simulated"
    NATIVE = "native"
    BRIDGE = "bridge"


class Settings(BaseModel):
    """Everything that the environment may say, checked at start.

    Field `x` is read from `MT5UI_X`; the three Celery addresses keep their customary names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    home: Path = Field(CODE_ROOT, description="The desk's folder: config/, data/ and logs/ stand in it")
    redis_url: str | None = Field(None, validation_alias="REDIS_URL")
    celery_broker_url: str | None = Field(None, validation_alias="CELERY_BROKER_URL")
    celery_result_backend: str | None = Field(None, validation_alias="CELERY_RESULT_BACKEND")
    broker: BrokerChoice = BrokerChoice.AUTO

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 5001
    trusted_proxies: str = Field(
        "", description="Addresses and networks whose X-Forwarded-For is believed, with commas between"
    )
    allowed_origins: str = Field(
        "", description="Further origins whose pages may speak to the desk, with commas between"
    )
    token: SecretStr | None = Field(None, description="By which the command line asks a desk with sign-in")

    terminal: TerminalKind = TerminalKind.SIMULATED
    connector_url: str | None = Field(None, description="An MT5 connector that runs elsewhere")
    connector_token: SecretStr | None = None
    terminal_path: Path | None = Field(None, description="terminal64.exe, for the native terminal")
    terminal_login: int | None = None
    terminal_password: SecretStr | None = None
    terminal_server: str | None = None
    bridge_host: str = "127.0.0.1"
    bridge_port: Annotated[int, Field(ge=1, le=65535)] = 18812
    bridge_allow_remote: bool = False
    server_clock: str = Field("America/New_York+7", description="Rule of the broker's clock; see docs")

    magic: Annotated[int, Field(ge=1, lt=2**63)] = Field(
        5100501, description="Marks the desk's own orders and positions at the broker"
    )

    seed: int = Field(7, description="Seed of the simulated market")
    replay: Path | None = Field(None, description="Folder of market data to play instead")
    speed: Annotated[float, Field(gt=0)] = 1.0

    allow_private_addresses: bool = Field(
        False, description="Let calendar and news providers live on private addresses"
    )
    secret_key: SecretStr | None = Field(
        None, description="Encrypts the keys below data/, instead of config/secret.key"
    )
    secret_keyring: bool = Field(False, description="Keep the key of the secrets in the system's keyring")
    worker_memory_mb: Annotated[int, Field(ge=1)] = Field(
        500, description="Megabytes above which an idle worker is restarted"
    )
    log_level: str = "INFO"

    @field_validator("home", "replay", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value is not None else None

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _networks(cls, value: str) -> str:
        for network in _listed(value):
            ipaddress.ip_network(network)
        return value

    @field_validator("allowed_origins", mode="after")
    @classmethod
    def _origins(cls, value: str) -> str:
        for origin in _listed(value):
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin} is not an origin such as https://desk.example:8443")
        return value

    @field_validator("redis_url", "celery_broker_url", "celery_result_backend", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @property
    def proxies(self) -> tuple[str, ...]:
        """Of `trusted_proxies`, one by one."""
        return _listed(self.trusted_proxies)

    @property
    def origins(self) -> tuple[str, ...]:
        """Of `allowed_origins`, one by one."""
        return _listed(self.allowed_origins)

    @property
    def why_sign_in(self) -> str | None:
        """Why whoever asks must sign in, as far as the settings tell; None where nothing speaks for it."""
        if not is_loopback(self.host):
            return f"it can be reached at {self.host}, from outside this machine"
        if self.connector_url is not None and not is_loopback(urlsplit(self.connector_url).hostname or ""):
            return "its terminal is on another machine (MT5UI_CONNECTOR_URL) and may hold real money"
        if self.terminal is not TerminalKind.SIMULATED:
            return f"its terminal is {self.terminal.value} and may hold real money"
        return None

    @property
    def data_dir(self) -> Path:
        """Where the desk keeps its data."""
        return self.home / "data"

    @property
    def logs_dir(self) -> Path:
        """Where logs and closed trades are written."""
        return self.home / "logs"

    @property
    def config_dir(self) -> Path:
        """Where the user's configuration stands."""
        return self.home / "config"

    @property
    def run_dir(self) -> Path:
        """What lives as long as the processes: addresses, tokens, locks."""
        return self.data_dir / "run"


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine itself can reach what listens at that name or address."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def load_settings(**overrides: Any) -> Settings:
    """Settings from `.env` in the desk's folder, the environment, and these overrides, the last winning.

    Raises:
        Invalid: Naming the variable, its value and what is allowed.
    """
    environment = _stated(os.environ)  # noqa: TID251 - this module is its only reader
    try:
        home = Settings(**environment | overrides).home
        return _hidden(Settings(**_stated(_env_file(home / ".env")) | environment | overrides))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        variable = name if name.isupper() else f"MT5UI_{name.upper()}"
        secret = any(part in variable for part in ("KEY", "PASSWORD", "TOKEN", "URL"))
        shown = "" if secret else f" (it is {first['input']!r})"
        raise Invalid("bad_setting", f"{variable}: {first['msg']}{shown}", variable=variable) from error


def _stated(variables: Mapping[str, str | None]) -> dict[str, Any]:
    """The settings among variables, by field.

    Done here, since a package that does it costs each process of a desk more than a megabyte.
    """
    there = {name.upper(): value for name, value in variables.items() if value is not None}
    named = {
        field: str(info.validation_alias or f"MT5UI_{field.upper()}")
        for field, info in Settings.model_fields.items()
    }
    return {field: there[variable] for field, variable in named.items() if variable in there}


def _env_file(path: Path) -> Mapping[str, str | None]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("bad_setting", f"{path} cannot be read: {error}", file=str(path)) from error


def _hidden(read: Settings) -> Settings:
    """The same; its secrets are masked from now on in whatever this process says."""
    masking.install()
    for name in type(read).model_fields:
        value = getattr(read, name)
        if isinstance(value, SecretStr):
            for part in _listed(value.get_secret_value()):  # a new key, and the one before
                masking.remember(part)
            masking.remember(value.get_secret_value())
        elif isinstance(value, str):
            for password in _PASSWORD.findall(value):  # of several addresses with semicolons, each
                masking.remember(password)
                masking.remember(unquote(password))
                masking.remember(f":{password}@")
    return read


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()


def child_environment(current: Settings) -> dict[str, str]:
    """The environment for a process of the same desk: this one's, with these settings put into it."""
    passed: dict[str, object] = {
        "MT5UI_HOME": current.home,
        "MT5UI_HOST": current.host,
        "MT5UI_PORT": current.port,
        "MT5UI_BROKER": current.broker.value,
        "MT5UI_TERMINAL": current.terminal.value,
        "MT5UI_SEED": current.seed,
        "MT5UI_REPLAY": current.replay,
        "MT5UI_SPEED": current.speed,
        "MT5UI_SERVER_CLOCK": current.server_clock,
        "REDIS_URL": current.redis_url,
        "CELERY_BROKER_URL": current.celery_broker_url,
        "CELERY_RESULT_BACKEND": current.celery_result_backend,
        "PYTHONUNBUFFERED": "1",
    }
    environment = os.environ  # noqa: TID251 - this module is its only reader
    inherited = {name: value for name, value in environment.items() if name not in passed}
    return FRUGAL | inherited | {name: str(value) for name, value in passed.items() if value is not None}
