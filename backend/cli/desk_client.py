"""The running desk as the command line sees it: over HTTP, wherever it was started."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from backend.config import Settings
from backend.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from backend.core.trust import authorities
from backend.storage.files import FileStorage
from backend.users.local_token import LocalToken

if TYPE_CHECKING:
    import httpx

DESK_FILE: Final = "desk.json"
CONNECT_TIMEOUT: Final = 2.0
ANSWER_TIMEOUT: Final = 10.0

_KINDS: Final[Mapping[int, type[DeskError]]] = {404: NotFound, 409: Conflict, 503: Unavailable}
_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - nothing is bound here


class DeskClient:
    """Asks the desk of these settings.

    The address is the one that the supervisor left in ``data/run/desk.json``, else the configured
    host and port.

    Args:
        settings: Of the desk.
        make: Makes the HTTP client for an address; tests give their own.
    """

    def __init__(self, settings: Settings, make: "Callable[[str], httpx.Client] | None" = None) -> None:
        self.url = address(settings)
        self._http = (make or _http)(self.url)
        if token := own_token(settings):
            self._http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, accept: frozenset[int] = frozenset(), **query: Any) -> Any:
        """The JSON of a GET; parameters that are None are left out.

        Args:
            path: Below the desk's address.
            accept: Statuses besides 2xx whose body is an answer, not an error.
            query: Parameters.

        Raises:
            Unavailable: ``desk_not_running``, or what the desk says.
            NotFound, Conflict, Invalid: What the desk says.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, accept, params=given)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of a POST; raises as `get`."""
        return self._ask("POST", path, frozenset(), json=dict(body) if body else None)

    def _ask(self, method: str, path: str, accept: frozenset[int], **arguments: Any) -> Any:
        import httpx

        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.TimeoutException as error:
            raise Unavailable(
                "desk_silent", f"The desk at {self.url} did not answer in time; `mt5ui doctor` looks closer"
            ) from error
        except httpx.TransportError as error:
            raise Unavailable(
                "desk_not_running", f"No desk answers at {self.url}. Start it with: mt5ui up", url=self.url
            ) from error
        try:
            content = answer.json()
        except ValueError as error:
            raise Unavailable(
                "not_a_desk", f"What answers at {self.url} is not a desk (status {answer.status_code})"
            ) from error
        if answer.is_success or answer.status_code in accept:
            return content
        raise _error(answer.status_code, content)


def address(settings: Settings) -> str:
    """Where the desk's API should be."""
    url = left_by_supervisor(settings).get("api")
    if isinstance(url, str):
        return url
    host = "127.0.0.1" if settings.host in _ANY else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def own_token(settings: Settings) -> str:
    """By which this machine's user speaks to a desk with sign-in: MT5UI_TOKEN, else the desk's file."""
    if settings.token is not None:
        return settings.token.get_secret_value()
    return LocalToken(FileStorage(settings.data_dir), random=str).text()


def left_by_supervisor(settings: Settings) -> dict[str, Any]:
    """What the supervisor of this folder wrote about its desk; empty where there is nothing to read."""
    try:
        left = json.loads((settings.run_dir / DESK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return left if isinstance(left, dict) else {}


def _http(url: str) -> "httpx.Client":
    import httpx

    timeout = httpx.Timeout(ANSWER_TIMEOUT, connect=CONNECT_TIMEOUT)
    return httpx.Client(base_url=url, verify=authorities(url), timeout=timeout, trust_env=False)


def _error(status: int, content: Any) -> DeskError:
    said = content.get("error") if isinstance(content, dict) else None
    if not isinstance(said, dict):
        return Unavailable("not_a_desk", f"The desk answered with status {status} and no reason")
    kind = _KINDS.get(status, Unavailable if status >= 500 else Invalid)  # noqa: PLR2004 - server errors
    details = said.get("details")
    return kind(
        str(said.get("code", "unknown")),
        str(said.get("message", f"status {status}")),
        **(details if isinstance(details, dict) else {}),
    )
