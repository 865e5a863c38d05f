"""Calendar providers that answer JSON to a key: Finnhub, Financial Modeling Prep, TradingEconomics."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from backend.adapters.calendars_answers import decode, events_of, unexpected
from backend.core import masking
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.core.fetching import NO_VALIDATORS, Fetched, Fetcher, Validators, safe_url
from backend.economic_calendar import shapes
from backend.economic_calendar.config import KeyedConfig, secret_name
from backend.economic_calendar.model import Event
from backend.economic_calendar.ports import ProviderAnswer
from backend.storage.secrets import SecretStore, masked

MAX_BYTES: Final = 20_000_000
SAMPLE_KEY: Final = "guest:guest"

_REFUSED = {401, 402, 403}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    """What is asked; the key goes into a header where the provider takes one there, else into the query."""

    path: str = ""
    query: Mapping[str, str]
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Api:
    """What is particular to a provider."""

    request: Callable[[str, str, str], _Request]
    """Of the first day, the last day and the key."""
    rows: Callable[[Any], Any]
    """The list in the answer."""
    read: Callable[[shapes.Row], Event]


_APIS: Final[Mapping[str, _Api]] = {
    shapes.FINNHUB: _Api(
        request=lambda first, last, key: _Request(
            query={"from": first, "to": last}, headers={"X-Finnhub-Token": key}
        ),
        rows=lambda document: document.get("economicCalendar") if isinstance(document, dict) else None,
        read=shapes.finnhub,
    ),
    shapes.FMP: _Api(
        request=lambda first, last, key: _Request(query={"from": first, "to": last, "apikey": key}),
        rows=lambda document: document,
        read=shapes.fmp,
    ),
    shapes.TRADINGECONOMICS: _Api(
        request=lambda first, last, key: _Request(path=f"/{first}/{last}", query={"c": key, "f": "json"}),
        rows=lambda document: document,
        read=shapes.tradingeconomics,
    ),
}


class KeyedProvider:
    """`CalendarProvider` over a JSON answer to a key.

    Args:
        name: ``finnhub``, ``fmp`` or ``tradingeconomics``.
        config: Its section of the configuration.
        fetcher: What it asks through.
        secrets: Where its key is kept.
    """

    def __init__(self, name: str, config: KeyedConfig, fetcher: Fetcher, secrets: SecretStore) -> None:
        self.name = name
        self._api = _APIS[name]
        self._config = config
        self._fetcher = fetcher
        self._secrets = secrets

    def fetch(self, state: Mapping[str, Any], now: datetime) -> ProviderAnswer:
        """Ask for the days around now; see `CalendarProvider`."""
        key = self._key()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        start = today - timedelta(days=self._config.days_back)
        end = today + timedelta(days=self._config.days_ahead + 1)
        asked = f"{start:%Y-%m-%d}/{end - timedelta(days=1):%Y-%m-%d}"
        known = Validators.from_dict(state.get("validators"))
        got = self._get(asked, key, known if state.get("asked") == asked else NO_VALIDATORS)
        memory = {"asked": asked, "validators": masking.hide_in(got.validators.as_dict())}
        if got.not_modified:
            return ProviderAnswer(not_modified=True, state=memory)
        shown = safe_url(self._config.base_url)
        events, problems = events_of(self._rows(got.body, shown), self._api.read, shown)
        return ProviderAnswer(
            events=events, covered_from=start, covered_to=end, state=memory, problems=problems
        )

    def _key(self) -> str:
        give = f"give one with `mt5ui calendar key {self.name}`"
        try:
            key = self._secrets.get(secret_name(self.name))
        except NotFound as error:
            raise Invalid("no_calendar_key", f"{self.name} wants a key and none is kept; {give}") from error
        if key == SAMPLE_KEY:
            raise Invalid(
                "no_calendar_key",
                f"{SAMPLE_KEY} is answered with a sample, in which events are missing without a sign; {give}",
            )
        return key

    def _get(self, asked: str, key: str, validators: Validators) -> Fetched:
        first, last = asked.split("/")
        request = self._api.request(first, last, key)
        try:
            return self._fetcher.get(
                f"{self._config.base_url}{request.path}?{urlencode(request.query)}",
                validators=validators,
                max_bytes=MAX_BYTES,
                timeout=self._config.timeout,
                headers=request.headers,
            )
        except Unavailable as error:
            if error.code == "http_status" and error.details.get("status") in _REFUSED:
                raise Unavailable(
                    "calendar_key_refused",
                    f"{self.name} answered {error.details['status']}: it refuses the key {masked(key)}, or "
                    "what was asked is not part of its plan; give another key with "
                    f"`mt5ui calendar key {self.name}`, or choose another provider",
                    **error.details,
                ) from error
            raise

    def _rows(self, body: bytes, shown: str) -> Sequence[Mapping[str, Any]]:
        try:
            # Figures as they are written; and a provider that repeats the key has it kept nowhere.
            document = masking.hide_in(json.loads(decode(body), parse_float=str, parse_int=str))
        except (ValueError, RecursionError) as error:
            what = "a web page" if body.lstrip()[:1] == b"<" else "no JSON"
            raise unexpected(shown, f"{what}, not with a calendar") from error
        rows = self._api.rows(document)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise unexpected(shown, "JSON that is not a list of events")
        return [{shapes.column(str(name)): value for name, value in row.items()} for row in rows]
