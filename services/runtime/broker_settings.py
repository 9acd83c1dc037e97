"""Which broker, where, with which keys; real money only by two exact words, everything else is paper."""

from enum import StrEnum
from pathlib import Path

import msgspec

from services.runtime.setting_values import Secret, SettingsError, Source

LIVE_SENTENCE = "I understand that this trades real money"
LIVE_PAPER_VALUE = "false"
SIMULATOR_FILE = "simulator.json"
_FILE_KEYS = frozenset({"api_key", "api_secret", "paper", "live", "requests_per_min"})
_REQUESTS_VARIABLE = "ALPACA_REQUESTS_PER_MIN"

PAPER_URL = "https://paper-api.alpaca.markets"
PAPER_STREAM_URL = "wss://paper-api.alpaca.markets/stream"
LIVE_URL = "https://api.alpaca.markets"
LIVE_STREAM_URL = "wss://api.alpaca.markets/stream"
DATA_URL = "https://data.alpaca.markets"
DATA_STREAM_URL = "wss://stream.data.alpaca.markets/v2/iex"


class BrokerSource(StrEnum):
    """Who answers as the broker."""

    SIMULATOR = "simulator"
    ALPACA_PAPER = "alpaca-paper"
    ALPACA_LIVE = "alpaca-live"


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's addresses and keys; URLs of sockets are whole, those of REST are without `/v2`."""

    source: BrokerSource
    trading_url: str
    stream_url: str
    data_url: str
    data_stream_url: str
    key_id: str
    key_secret: Secret
    requests_per_min: int | None = None
    """The most requests we send the broker in a minute; when not set, what its own answers allow."""

    @property
    def mode(self) -> str:
        """Say `live` or `paper`; the simulator is paper."""
        return "live" if self.source is BrokerSource.ALPACA_LIVE else "paper"


class _SimulatorCredentials(msgspec.Struct, frozen=True):
    base_url: str = ""
    stream_url: str = ""
    data_url: str = ""
    data_stream_url: str = ""
    key_id: str = ""
    secret_key: str = ""


def load_broker(home: Path, source: Source) -> BrokerSettings:
    """Use Alpaca when both keys are given, else the simulator; one key alone is an error."""
    source.refuse_unknown("alpaca", _FILE_KEYS)
    key_id, secret = source.text("ALPACA_API_KEY", "api_key"), source.text("ALPACA_API_SECRET", "api_secret")
    if (key_id is None) != (secret is None):
        missing = "ALPACA_API_SECRET" if secret is None else "ALPACA_API_KEY"
        raise SettingsError(missing, "missing", "both keys, or neither to use the simulator")
    if key_id is None or secret is None:
        return _simulator(home, source)
    live = _wants_live(source)
    return BrokerSettings(
        source=BrokerSource.ALPACA_LIVE if live else BrokerSource.ALPACA_PAPER,
        trading_url=LIVE_URL if live else PAPER_URL,
        stream_url=LIVE_STREAM_URL if live else PAPER_STREAM_URL,
        data_url=DATA_URL,
        data_stream_url=DATA_STREAM_URL,
        key_id=key_id,
        key_secret=Secret(secret),
        requests_per_min=_requests_per_min(source),
    )


def _requests_per_min(source: Source) -> int | None:
    given = source.text(_REQUESTS_VARIABLE, "requests_per_min")
    return None if given is None else source.count(_REQUESTS_VARIABLE, "requests_per_min", 0)


def _wants_live(source: Source) -> bool:
    sentence = source.text("LOCKGATE_LIVE", "live")
    return sentence == LIVE_SENTENCE and source.exact("ALPACA_PAPER", "paper") == LIVE_PAPER_VALUE


def _simulator(home: Path, source: Source) -> BrokerSettings:
    path = home / "credentials" / SIMULATOR_FILE
    known = _SimulatorCredentials()
    if path.exists():
        try:
            known = msgspec.json.decode(path.read_bytes(), type=_SimulatorCredentials)
        except msgspec.DecodeError:
            raise SettingsError(str(path), "not readable", "the file that `lockgate up` writes") from None
    return BrokerSettings(
        source=BrokerSource.SIMULATOR,
        trading_url=source.text("LOCKGATE_BROKER_URL", "") or known.base_url,
        stream_url=source.text("LOCKGATE_BROKER_STREAM_URL", "") or known.stream_url,
        data_url=source.text("LOCKGATE_DATA_URL", "") or known.data_url,
        data_stream_url=source.text("LOCKGATE_DATA_STREAM_URL", "") or known.data_stream_url,
        key_id=known.key_id,
        key_secret=Secret(known.secret_key),
        requests_per_min=_requests_per_min(source),
    )
