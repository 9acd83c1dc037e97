"""Asks the broker's data REST one question at a time: one answer in time, or none."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from services.regime.feed import FeedKeys

ANSWER_S_MAX = 5.0
_OK = 200


class NoDataError(Exception):
    """The data service gave no usable answer."""


@dataclass(frozen=True, slots=True)
class DataRest:
    """Where to ask, and as whom."""

    url: str
    keys: FeedKeys

    async def ask(self, path: str, parameters: Mapping[str, str]) -> bytes:
        """GET once; raise `NoDataError` when no answer comes in time or it is none."""
        headers = {"APCA-API-KEY-ID": self.keys.key_id, "APCA-API-SECRET-KEY": self.keys.secret_key}
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        url = self.url.rstrip("/") + path
        try:
            async with (
                aiohttp.ClientSession(
                    trust_env=False, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.get(url, params=parameters, headers=headers, allow_redirects=False) as response,
            ):
                body = await response.read()
                if response.status != _OK:
                    raise NoDataError(f"status {response.status}")
                return body
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NoDataError(f"{type(error).__name__}: {error}") from error
