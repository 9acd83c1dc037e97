"""Writes HTTP/1.1 requests to one server; all that is the same in every request is written once."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

_PORTS = {"http": 80, "https": 443}
_PATH_SAFE = "/:@!$&'()*+,;="


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens and under which path its API begins."""

    scheme: str
    host: str
    port: int
    prefix: str

    @staticmethod
    def of(base_url: str) -> "Address":
        """Take a base URL apart; raise ValueError on one that no request can be sent to."""
        url = urlsplit(base_url)
        if url.scheme not in _PORTS or not url.hostname or url.query or url.fragment or "@" in url.netloc:
            raise ValueError("the broker's URL must be http(s)://host[:port][/path]")
        return Address(url.scheme, url.hostname, url.port or _PORTS[url.scheme], url.path.rstrip("/"))

    @property
    def is_tls(self) -> bool:
        """Say whether the server proves who it is and nobody else reads along."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Give what the Host header says; a port that goes without saying is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class RequestWriter:
    """Knows the server and the headers that go with every request."""

    def __init__(self, address: Address, headers: Mapping[str, str]) -> None:
        """Write the common head; raise ValueError on a value that is none, without showing it: it may be secret."""
        common = {"Host": address.authority, "User-Agent": "lockgate", "Accept-Encoding": "identity", **headers}
        for name, value in common.items():
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"the header {name} has characters that no header may have")
        self._prefix = address.prefix
        self._head = "".join(f"{name}: {value}\r\n" for name, value in common.items())

    def write(self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None) -> bytes:
        """Write one request; path and parameters are plain text, a body is JSON."""
        target = self._prefix + quote(path, safe=_PATH_SAFE)
        if params:
            target = f"{target}?{urlencode(params, quote_via=quote)}"
        head = f"{method} {target} HTTP/1.1\r\n{self._head}"
        if body is None:
            return f"{head}\r\n".encode("ascii")
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode("ascii") + body
